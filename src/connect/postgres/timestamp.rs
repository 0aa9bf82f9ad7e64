//! [`rfc3339`]: a timestamp with time zone in ISO notation, to RFC 3339 in UTC with six fraction digits.

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The timestamp; nothing for `infinity`, years before Christ or beyond 9999, and other notations.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    let at = 10 + text.get(10..)?.find(['+', '-'])?;
    let (local, offset) = text.split_at(at);
    let local: DateTime = local.parse().ok()?;
    let utc = Offset::from_seconds(offset_seconds(offset)?).ok()?.to_timestamp(local).ok()?;
    let utc = Offset::UTC.to_datetime(utc);
    Some(format!("{}Z", utc.strftime("%Y-%m-%dT%H:%M:%S%.6f")))
}

/// `+00`, `-05:30`, `+01:02:03`.
fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut seconds = 0;
    for (part, size) in rest.split(':').zip([3600, 60, 1]) {
        if part.len() != 2 {
            return None;
        }
        seconds += part.parse::<u8>().ok().map(i32::from)? * size;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        let check = |text, expected| assert_eq!(rfc3339(text).as_deref(), expected, "{text}");
        check("2026-11-22 12:00:00+00", Some("2026-11-22T12:00:00.000000Z"));
        check("2026-11-22 12:00:00.123456+00", Some("2026-11-22T12:00:00.123456Z"));
        check("2026-11-22 12:00:00.5+05:30", Some("2026-11-22T06:30:00.500000Z"));
        check("2026-01-01 00:30:00+01", Some("2025-12-31T23:30:00.000000Z"));
        check("1900-01-01 00:00:00-04:56:02", Some("1900-01-01T04:56:02.000000Z"));
        check("0099-01-01 00:00:00+00", Some("0099-01-01T00:00:00.000000Z"));
        check("infinity", None);
        check("-infinity", None);
        check("0044-03-15 12:00:00+00 BC", None);
        check("12026-11-22 12:00:00+00", None);
        check("22/11/2026 12:00:00 UTC", None);
        check("", None);
    }
}
