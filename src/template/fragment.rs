//! Values as SQL text: what fills a hole.

use serde_json::Value as Json;

use super::error::{Fault, Problem};
use super::value::{json_kind_name, json_to_text};
use crate::sql::{HoleKind, quote_ident, quote_literal, quote_relation};

/// The text that fills a hole of a kind with a value.
pub(super) fn fragment(kind: HoleKind, value: &Json) -> Result<String, Fault> {
    match kind {
        HoleKind::Literal => literal(value),
        HoleKind::Ident => identifier(value),
        HoleKind::Relation => relation(value),
        HoleKind::Raw => raw(value),
    }
}

fn literal(value: &Json) -> Result<String, Fault> {
    match value {
        Json::Array(items) if items.is_empty() => Err(Fault::new(Problem::SqlHole, "the list is empty")
            .help(
                "SQL has no empty list: skip the step with `when`, or compare with `= ANY ($1)` and `args`.",
            )),
        Json::Array(items) => {
            items.iter().map(constant).collect::<Result<Vec<_>, _>>().map(|all| all.join(", "))
        }
        other => constant(other),
    }
}

fn constant(value: &Json) -> Result<String, Fault> {
    match value {
        Json::Null => Ok("NULL".to_owned()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Number(number) => Ok(number.to_string()),
        Json::String(text) => without_nul(text).map(quote_literal),
        Json::Array(_) => Err(Fault::new(Problem::SqlHole, "a list within a list has no SQL literal")
            .help("Write it as JSON with `to_json`, and cast it: `{{ x | to_json }}::jsonb`.")),
        Json::Object(_) => Err(Fault::new(Problem::SqlHole, "a map has no SQL literal")
            .help("Write it as JSON with `to_json`, and cast it: `{{ x | to_json }}::jsonb`.")),
    }
}

fn without_nul(text: &str) -> Result<&str, Fault> {
    if text.contains('\0') {
        return Err(Fault::new(Problem::SqlHole, "text with a NUL character cannot be stored by PostgreSQL"));
    }
    Ok(text)
}

fn identifier(value: &Json) -> Result<String, Fault> {
    let quote = |part: &Json| match part {
        Json::String(name) => quote_ident(name).map_err(|error| Fault::new(Problem::SqlHole, error.message)),
        other => Err(not_a_name("ident", other)),
    };
    match value {
        Json::Array(parts) if parts.is_empty() => {
            Err(Fault::new(Problem::SqlHole, "the list of names is empty"))
        }
        Json::Array(parts) => parts.iter().map(quote).collect::<Result<Vec<_>, _>>().map(|all| all.join(".")),
        one => quote(one),
    }
}

fn relation(value: &Json) -> Result<String, Fault> {
    match value {
        Json::String(text) => {
            quote_relation(text).map_err(|error| Fault::new(Problem::SqlHole, error.message))
        }
        other => Err(not_a_name("relation", other)),
    }
}

fn not_a_name(filter: &str, value: &Json) -> Fault {
    Fault::new(Problem::SqlHole, format!("`{filter}` takes text, not {}", json_kind_name(value)))
}

fn raw(value: &Json) -> Result<String, Fault> {
    match value {
        Json::String(text) => without_nul(text).map(str::to_owned),
        Json::Number(_) | Json::Bool(_) => Ok(json_to_text(value)),
        other => Err(not_a_name("raw", other)),
    }
}
