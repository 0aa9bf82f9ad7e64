//! Sizes and durations as people write and read them. A size is a number of bytes, a duration a number of seconds.

use std::fmt::Write as _;

const SIZE_UNITS: &[(&str, u32)] = &[
    ("b", 0),
    ("byte", 0),
    ("bytes", 0),
    ("kb", 1),
    ("ki", 1),
    ("kib", 1),
    ("mb", 2),
    ("mi", 2),
    ("mib", 2),
    ("gb", 3),
    ("gi", 3),
    ("gib", 3),
    ("tb", 4),
    ("ti", 4),
    ("tib", 4),
    ("pb", 5),
    ("pi", 5),
    ("pib", 5),
];

const SECONDS: &[(&str, f64)] = &[
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("w", 604_800.0),
];

/// The bytes of a size such as `512 MB`, `1.5GB` or `8192`; units are powers of 1024 in any letter case.
pub fn parse_size(text: &str) -> Result<i64, String> {
    let (negative, unsigned) = sign(text.trim());
    let (number, unit) = split_number(unsigned);
    let whole_and_fraction = split_fraction(number).ok_or_else(|| not_a(text, "size", "`512 MB`"))?;
    let power = size_power(unit.trim_end(), text)?;
    let bytes = scale(whole_and_fraction, 1_i128 << (10 * power));
    i64::try_from(if negative { -bytes } else { bytes })
        .map_err(|_| format!("`{text}` is too large for a size"))
}

fn size_power(unit: &str, text: &str) -> Result<u32, String> {
    let unit = unit.to_ascii_lowercase();
    if unit.is_empty() {
        return Ok(0);
    }
    let known = SIZE_UNITS.iter().find(|(name, _)| *name == unit);
    known.map(|(_, power)| *power).ok_or_else(|| {
        format!("`{text}` is not a size: unknown unit `{unit}`; use B, kB, MB, GB, TB or PB, which are powers of 1024")
    })
}

/// Whole and fractional part, exactly: a size above 2^53 must not pass through a float.
fn split_fraction(number: &str) -> Option<(i128, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = !whole.is_empty() && whole.len() <= 19 && fraction.len() <= 12;
    (digits && fraction.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    Some((whole.parse().ok()?, fraction))
}

fn scale((whole, fraction): (i128, &str), multiplier: i128) -> i128 {
    let ten = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let part = fraction.parse::<i128>().unwrap_or(0);
    whole * multiplier + (part * multiplier + ten / 2) / ten
}

/// The seconds of a duration such as `5m`, `1h30m`, `250ms` or `90`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<f64, String> {
    let (negative, mut rest) = sign(text.trim());
    let bad = || not_a(text, "duration", "`1h30m`");
    let mut total = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let value: f64 = number.parse().map_err(|_| bad())?;
        let end = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        total += value * seconds_of(unit, parts == 0 && next.is_empty()).ok_or_else(bad)?;
        parts += 1;
        rest = next.trim_start();
    }
    if parts == 0 || !f64::is_finite(total) {
        return Err(bad());
    }
    Ok(if negative { -total } else { total })
}

fn seconds_of(unit: &str, alone: bool) -> Option<f64> {
    if unit.is_empty() {
        return alone.then_some(1.0);
    }
    SECONDS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds)
}

fn sign(text: &str) -> (bool, &str) {
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest))
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn not_a(text: &str, what: &str, example: &str) -> String {
    format!("`{text}` is not a {what} such as {example}")
}

/// A size for people: `0 bytes`, `1.5 GB`, `512 MB`.
pub fn format_size(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    let magnitude = bytes.unsigned_abs();
    if magnitude < 1024 {
        return format!("{sign}{magnitude} bytes");
    }
    let mut unit = 1_u64 << 10;
    let mut names = ["kB", "MB", "GB", "TB", "PB", "EB"].iter();
    let mut name = names.next();
    // `999.96 kB` would be shown as `1000`, which is fine; `1023.96 kB` as `1024`, which is not.
    while tenths(magnitude, unit) >= 10_240
        && let Some(next) = names.next()
    {
        unit <<= 10;
        name = Some(next);
    }
    format!("{sign}{} {}", one_decimal(tenths(magnitude, unit)), name.unwrap_or(&"EB"))
}

fn tenths(magnitude: u64, unit: u64) -> u128 {
    (u128::from(magnitude) * 10 + u128::from(unit) / 2) / u128::from(unit)
}

fn one_decimal(tenths: u128) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, fraction) if fraction > 0 && whole < 100 => format!("{whole}.{fraction}"),
        (whole, fraction) => (whole + u128::from(fraction >= 5)).to_string(),
    }
}

/// A duration for people: `250ms`, `1.5s`, `2m 5s`, `1h 2m 3s`, `3d 4h`.
pub fn format_duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let magnitude = seconds.abs();
    if magnitude < 0.9995 {
        return format!("{sign}{}", milliseconds(magnitude));
    }
    if magnitude < 9.95 {
        return format!("{sign}{}s", trim_zero(&format!("{magnitude:.1}")));
    }
    if !magnitude.is_finite() || magnitude > 1e15 {
        return format!("{sign}{magnitude}s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and below 1e15")]
    let whole = magnitude.round() as u64;
    format!("{sign}{}", parts(whole))
}

fn parts(whole: u64) -> String {
    let values = [(whole / 86_400, 'd'), (whole / 3600 % 24, 'h'), (whole / 60 % 60, 'm'), (whole % 60, 's')];
    let mut out = String::new();
    for (value, unit) in values.into_iter().filter(|(value, _)| *value > 0) {
        let _ = write!(out, "{}{value}{unit}", if out.is_empty() { "" } else { " " });
    }
    out
}

fn milliseconds(seconds: f64) -> String {
    match seconds * 1000.0 {
        0.0 => "0s".to_owned(),
        ms if ms < 0.05 => "0ms".to_owned(),
        ms if ms < 9.95 => format!("{}ms", trim_zero(&format!("{ms:.1}"))),
        ms => format!("{ms:.0}ms"),
    }
}

fn trim_zero(text: &str) -> &str {
    text.strip_suffix(".0").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(parse_size(text).ok(), expected, "{text}");
        check("8192", Some(8192));
        check("10GB", Some(10 << 30));
        check("10 gb", Some(10 << 30));
        check("1.5 kB", Some(1536));
        check("2Gi", Some(2 << 30));
        check("-1MB", Some(-(1 << 20)));
        check("9007199254740993", Some(9_007_199_254_740_993));
        check("9223372036854775807", Some(i64::MAX));
        check("9223372036854775808", None);
        check("8388608 TB", None);
        for bad in ["", "GB", "1..5GB", "1G", "1 XB", "--1", "1e3", "1GB 2", ".5GB"] {
            check(bad, None);
        }
    }

    #[test]
    fn durations_are_read() {
        let check =
            |text: &str, expected: Option<f64>| assert_eq!(parse_duration(text).ok(), expected, "{text}");
        check("90", Some(90.0));
        check("5m", Some(300.0));
        check("5 min", Some(300.0));
        check("1h30m", Some(5400.0));
        check("1h 30m 1.5s", Some(5401.5));
        check("250ms", Some(0.25));
        check("-1d", Some(-86_400.0));
        for bad in ["", "m", "5x", "1h30", "5m-3s", "1..5s", "inf", "nan", "1 2"] {
            check(bad, None);
        }
    }

    #[test]
    fn sizes_are_written() {
        let check = |bytes: i64, expected: &str| assert_eq!(format_size(bytes), expected);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(1024, "1 kB");
        check(1536, "1.5 kB");
        check(1_610_612_736, "1.5 GB");
        check(512 << 20, "512 MB");
        check((1 << 20) - 1, "1 MB");
        check(-(1 << 30), "-1 GB");
        check(i64::MAX, "8 EB");
        check(i64::MIN, "-8 EB");
    }

    #[test]
    fn durations_are_written() {
        let check = |seconds: f64, expected: &str| assert_eq!(format_duration(seconds), expected);
        check(0.0, "0s");
        check(0.25, "250ms");
        check(0.0042, "4.2ms");
        check(0.9996, "1s");
        check(1.5, "1.5s");
        check(59.9, "1m");
        check(3723.0, "1h 2m 3s");
        check(90_000.0, "1d 1h");
        check(-300.0, "-5m");
        check(f64::INFINITY, "infs");
    }
}
