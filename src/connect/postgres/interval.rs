//! [`seconds`]: an interval in ISO 8601 notation, to seconds, as `extract(epoch …)` counts them.

use serde_json::{Number, Value};

const MICROSECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * MICROSECOND;
/// PostgreSQL counts 30 days for a month and 365.25 days for a year.
const MONTH: i128 = 30 * DAY;
const YEAR: i128 = 31_557_600 * MICROSECOND;

/// The seconds: an integer when they are whole, else a float; nothing for `infinity` and other notations.
pub(super) fn seconds(text: &str) -> Option<Value> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    let total = part(date, &[('Y', YEAR), ('M', MONTH), ('W', 7 * DAY), ('D', DAY)])?
        + part(time, &[('H', 3600 * MICROSECOND), ('M', 60 * MICROSECOND), ('S', MICROSECOND)])?;
    if total % MICROSECOND == 0 {
        return i64::try_from(total / MICROSECOND).ok().map(Value::from);
    }
    // Parsing the decimal text rounds once, at the end.
    let (sign, size) = (if total < 0 { "-" } else { "" }, total.unsigned_abs());
    let micro = MICROSECOND.unsigned_abs();
    let decimal = format!("{sign}{}.{:06}", size / micro, size % micro);
    decimal.parse().ok().and_then(Number::from_f64).map(Value::Number)
}

/// The microseconds of numbers with units; only seconds have a fraction.
fn part(text: &str, units: &[(char, i128)]) -> Option<i128> {
    let mut total = 0_i128;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = rest.split_at(end);
        let unit_character = unit.chars().next()?;
        let size = units.iter().find(|(name, _)| *name == unit_character)?.1;
        total = total.checked_add(micros(number)?.checked_mul(size)? / MICROSECOND)?;
        rest = &unit[1..];
    }
    Some(total)
}

/// A decimal number in millionths.
fn micros(number: &str) -> Option<i128> {
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 6 || whole.starts_with(['+', '-']) || fraction.starts_with(['+', '-']) {
        return None;
    }
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
    Some(sign * (whole * MICROSECOND + fraction))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn intervals() {
        let check = |text: &str, expected: Value| assert_eq!(seconds(text), Some(expected), "{text}");
        check("PT0S", json!(0));
        check("PT5M", json!(300));
        check("P1DT2H3M4S", json!(93_784));
        check("PT0.001S", json!(0.001));
        check("PT-0.5S", json!(-0.5));
        check("P-1DT1H", json!(-82_800));
        check("P1M", json!(2_592_000));
        check("P1Y2M", json!(31_557_600 + 5_184_000));
        check("P1Y-1M", json!(31_557_600 - 2_592_000));
        check("PT2562047788H54.5S", json!(9_223_372_036_854.5));
    }

    #[test]
    fn other_notations() {
        for text in ["infinity", "1 day", "P1X", "PT1", "P1.5.2D", "PT1.1234567S", "P--1D", ""] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
