//! Single scalars: does a value belong to its text, and would a careful reader quote it?

use super::document::Value;
use crate::diagnostic::{Code, Diagnostic, Span};

/// Whether `value` is what `text` says; guards against parsers that read different text.
pub(super) fn agrees(value: Value, text: &str) -> bool {
    match value {
        Value::Null => matches!(text, "" | "~" | "null" | "Null" | "NULL"),
        Value::Bool(value) => {
            matches!((value, text), (true, "true" | "True" | "TRUE") | (false, "false" | "False" | "FALSE"))
        }
        Value::Int(value) => integer(text) == Some(value.into()),
        Value::Large(value) => integer(text) == Some(value.into()),
        Value::Float(value) => float(text).is_some_and(|read| read.to_bits() == value.to_bits()),
        Value::Text => true,
        Value::Unread | Value::List(_) | Value::Map(_) => false,
    }
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => Some(f64::NEG_INFINITY),
        ".inf" | ".Inf" | ".INF" => Some(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN.copysign(1.0)),
        _ => text.parse().ok(),
    }
}

/// A plain scalar that other programs read differently, or that loses something when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Risk {
    /// `08`, `0644`: octal, decimal or text, depending on whom one asks.
    LeadingZero,
    /// An integer beyond 64 bits.
    OutOfRange,
    /// A fraction with more digits than a float keeps.
    TooPrecise,
    /// `.inf` or `.nan`, which neither JSON nor SQL literals have.
    NotFinite,
}

/// What is risky about a plain scalar.
pub(super) fn risk(value: Value, text: &str) -> Option<Risk> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match value {
        Value::Text if whole && digits.len() > 1 && digits.starts_with('0') => Some(Risk::LeadingZero),
        Value::Float(_) if whole => Some(Risk::OutOfRange),
        Value::Float(value) if !value.is_finite() => Some(Risk::NotFinite),
        Value::Float(value) if significant(text) != significant(&format!("{value:e}")) => {
            Some(Risk::TooPrecise)
        }
        _ => None,
    }
}

/// The digits that carry a number's precision.
fn significant(text: &str) -> String {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

impl Risk {
    /// The diagnostic for the scalar `text` at `span`.
    pub(super) fn diagnostic(self, text: &str, span: Span) -> Diagnostic {
        match self {
            Self::LeadingZero => {
                Diagnostic::error(Code::YAML_OCTAL, format!("`{text}` is a number with a leading zero"))
                    .at(span, "octal, decimal or text?")
                    .help(format!(
                        "Write `\"{text}\"` for text, or leave out the leading zeros for a number."
                    ))
            }
            Self::OutOfRange => {
                Diagnostic::error(Code::YAML_INTEGER_RANGE, format!("`{text}` does not fit 64 bits"))
                    .at(span, "")
                    .help(format!("Quote it to keep every digit: `\"{text}\"`."))
            }
            Self::TooPrecise => Diagnostic::error(
                Code::YAML_INTEGER_RANGE,
                format!("`{text}` has more digits than a number keeps"),
            )
            .at(span, "")
            .help(format!("Quote it to keep every digit: `\"{text}\"`.")),
            Self::NotFinite => {
                Diagnostic::error(Code::YAML_BAD_VALUE, format!("`{text}` is not a number that can be used"))
                    .at(span, "")
                    .help(format!("Write `\"{text}\"` if text is meant."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Risk>) {
        let value = match serde_yaml::from_str(text).unwrap() {
            serde_yaml::Value::String(_) => Value::Text,
            serde_yaml::Value::Number(number) if number.is_f64() => Value::Float(number.as_f64().unwrap()),
            serde_yaml::Value::Number(number) => number.as_i64().map_or(Value::Large(u64::MAX), Value::Int),
            _ => Value::Null,
        };
        assert!(agrees(value, text), "{text}");
        assert_eq!(risk(value, text), expected, "{text}");
    }

    #[test]
    fn numbers_that_lose_or_change_are_risky() {
        for fine in [
            "0", "-0", "12", "0x1F", "-0o17", "+7", "0.5", "1e3", "12.50", "1.10", "6.02e23", "-1.5E-7",
            "0.0",
        ] {
            check(fine, None);
        }
        check("08", Some(Risk::LeadingZero));
        check("-012", Some(Risk::LeadingZero));
        check("00", Some(Risk::LeadingZero));
        check("999999999999999999999999999999999999999999", Some(Risk::OutOfRange));
        check("12345678901234567.89", Some(Risk::TooPrecise));
        check(".inf", Some(Risk::NotFinite));
        check("-.INF", Some(Risk::NotFinite));
        check(".nan", Some(Risk::NotFinite));
    }

    #[test]
    fn a_value_belongs_to_its_text() {
        assert!(agrees(Value::Int(-31), "-0x1F"));
        assert!(!agrees(Value::Int(8), "08x"));
        assert!(!agrees(Value::Int(1), "2"));
        assert!(!agrees(Value::Bool(true), "false"));
        assert!(agrees(Value::Large(u64::MAX), "18446744073709551615"));
        assert!(!agrees(Value::Null, "x"));
    }
}
