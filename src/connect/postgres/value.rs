//! [`decode`]: a value as the server writes it, to JSON. Pure; the session set-up fixes the server's notation.

use serde_json::{Number, Value};
use tokio_postgres::types::{Kind, Type};

use super::array::parse_array;
use super::interval::seconds;
use super::timestamp::rfc3339;

/// How the text of a type is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// The integer types and `oid`.
    Integer,
    /// `numeric`: a whole number that fits 64 bits is an integer, anything else a float.
    Numeric,
    /// `real` and `double precision`.
    Float,
    /// `boolean`.
    Bool,
    /// `interval`, as seconds.
    Interval,
    /// `timestamp with time zone`, as RFC 3339 in UTC.
    Timestamp,
    /// `json` and `jsonb`.
    Json,
    /// `int2vector` and `oidvector`, whose elements are separated by blanks.
    Vector,
    /// An array of such elements, separated by the character.
    Array(Box<Self>, char),
    /// Everything else stays text.
    Text,
}

impl Shape {
    /// The shape of a built-in type; nothing for a type that must be looked up.
    pub(super) fn built_in(oid: u32) -> Option<Self> {
        let of_type = Type::from_oid(oid)?;
        Some(match (&of_type, of_type.kind()) {
            (&Type::INT2 | &Type::INT4 | &Type::INT8 | &Type::OID, _) => Self::Integer,
            (&Type::NUMERIC, _) => Self::Numeric,
            (&Type::FLOAT4 | &Type::FLOAT8, _) => Self::Float,
            (&Type::BOOL, _) => Self::Bool,
            (&Type::INTERVAL, _) => Self::Interval,
            (&Type::TIMESTAMPTZ, _) => Self::Timestamp,
            (&Type::JSON | &Type::JSONB, _) => Self::Json,
            (&Type::INT2_VECTOR | &Type::OID_VECTOR, _) => Self::Vector,
            (&Type::BOX_ARRAY, _) => Self::Array(Box::new(Self::Text), ';'),
            (_, Kind::Array(element)) => {
                Self::Array(Box::new(Self::built_in(element.oid()).unwrap_or(Self::Text)), ',')
            }
            _ => Self::Text,
        })
    }
}

/// Reads one value. A text that is not what its shape promises stays text: nothing is ever lost or guessed.
pub(super) fn decode(text: Option<String>, shape: &Shape) -> Value {
    let Some(text) = text else { return Value::Null };
    let found = match shape {
        Shape::Integer => integer(&text),
        Shape::Numeric => numeric(&text),
        Shape::Float => float(&text),
        Shape::Bool => boolean(&text),
        Shape::Interval => seconds(&text),
        Shape::Timestamp => rfc3339(&text).map(Value::String),
        Shape::Json => serde_json::from_str(&text).ok(),
        Shape::Vector => {
            text.split_ascii_whitespace().map(integer).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Shape::Array(element, delimiter) => parse_array(&text, element, *delimiter),
        Shape::Text => None,
    };
    found.unwrap_or(Value::String(text))
}

fn integer(text: &str) -> Option<Value> {
    let signed = text.parse::<i64>().ok().map(Value::from);
    signed.or_else(|| text.parse::<u64>().ok().map(Value::from))
}

fn numeric(text: &str) -> Option<Value> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.bytes().all(|digit| digit == b'0')
        && let Some(number) = integer(whole)
    {
        return Some(number);
    }
    float(text)
}

/// JSON has no NaN and no infinity: those stay text.
fn float(text: &str) -> Option<Value> {
    text.parse().ok().and_then(Number::from_f64).map(Value::Number)
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "t" => Some(Value::Bool(true)),
        "f" => Some(Value::Bool(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "the calls read better")]
    fn check(of_type: &Type, text: &str, expected: Value) {
        let shape = Shape::built_in(of_type.oid()).unwrap();
        let found = decode(Some(text.to_owned()), &shape);
        assert_eq!(found, expected, "{of_type} {text}");
        assert_eq!(found.is_f64(), expected.is_f64(), "{of_type} {text}");
    }

    #[test]
    fn numbers() {
        check(&Type::INT2, "-32768", json!(-32768));
        check(&Type::INT8, "9223372036854775807", json!(9_223_372_036_854_775_807_i64));
        check(&Type::OID, "4294967295", json!(4_294_967_295_u32));
        check(&Type::NUMERIC, "12", json!(12));
        check(&Type::NUMERIC, "12.00", json!(12));
        check(&Type::NUMERIC, "-0.50", json!(-0.5));
        check(&Type::NUMERIC, "18446744073709551615", json!(18_446_744_073_709_551_615_u64));
        check(&Type::NUMERIC, "18446744073709551616", json!(18_446_744_073_709_551_616.0));
        check(&Type::NUMERIC, "NaN", json!("NaN"));
        check(&Type::NUMERIC, "Infinity", json!("Infinity"));
        check(&Type::FLOAT8, "5", json!(5.0));
        check(&Type::FLOAT8, "1e+300", json!(1e300));
        check(&Type::FLOAT4, "0.1", json!(0.1));
        check(&Type::FLOAT8, "-Infinity", json!("-Infinity"));
        check(&Type::FLOAT8, "NaN", json!("NaN"));
    }

    #[test]
    fn other_scalars() {
        check(&Type::BOOL, "t", json!(true));
        check(&Type::BOOL, "f", json!(false));
        check(&Type::INTERVAL, "PT1M", json!(60));
        check(&Type::TIMESTAMPTZ, "2026-01-02 03:04:05.5+00", json!("2026-01-02T03:04:05.500000Z"));
        check(&Type::TIMESTAMP, "2026-01-02 03:04:05", json!("2026-01-02 03:04:05"));
        check(&Type::DATE, "2026-01-02", json!("2026-01-02"));
        check(&Type::TEXT, "t", json!("t"));
        check(
            &Type::UUID,
            "6c1f0000-0000-0000-0000-000000000000",
            json!("6c1f0000-0000-0000-0000-000000000000"),
        );
        check(&Type::BYTEA, "\\x00ff", json!("\\x00ff"));
        check(&Type::JSONB, r#"{"b": 1, "a": [null, 2.5]}"#, json!({"b": 1, "a": [null, 2.5]}));
        check(&Type::JSON, "[]", json!([]));
        check(&Type::REGCLASS, "public.orders", json!("public.orders"));
        assert_eq!(decode(None, &Shape::Integer), Value::Null);
    }

    #[test]
    fn lists() {
        check(&Type::INT4_ARRAY, "{1,NULL,3}", json!([1, null, 3]));
        check(&Type::INT2_VECTOR, "1 2", json!([1, 2]));
        check(&Type::OID_VECTOR, "", json!([]));
        check(&Type::BOX_ARRAY, "{(2,2),(1,1);(4,4),(3,3)}", json!(["(2,2),(1,1)", "(4,4),(3,3)"]));
        check(&Type::JSONB_ARRAY, r#"{"{\"a\": 1}"}"#, json!([{"a": 1}]));
        check(
            &Type::TIMESTAMPTZ_ARRAY,
            r#"{"2026-01-02 03:04:05+00"}"#,
            json!(["2026-01-02T03:04:05.000000Z"]),
        );
    }
}
