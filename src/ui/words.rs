//! Numbers in words: durations, sizes, counts.

/// A duration as people write it: `0.4s`, `1m 05s`, `2h 30m`, `3d 04h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 59.95 {
        return format!("{seconds:.1}s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast saturates"
    )]
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {:02}s", whole % 60),
        (0, _) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// A number with its noun, one that takes an `s`: `1 row`, `3 rows`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A size: `512 bytes`, `1.5 MiB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if size < 1024 {
        return count(size, "byte");
    }
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = size as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let check = |seconds, expected| assert_eq!(duration(seconds), expected);
        check(0.0, "0.0s");
        check(-1.0, "0.0s");
        check(f64::NAN, "0.0s");
        check(0.42, "0.4s");
        check(59.94, "59.9s");
        check(59.96, "1m 00s");
        check(65.2, "1m 05s");
        check(3599.7, "1h 00m");
        check(9000.0, "2h 30m");
        check(273_600.0, "3d 04h");
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(count(1, "row"), "1 row");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
    }
}
