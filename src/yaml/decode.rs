//! Typed decode of one value: serde's complaint becomes a diagnostic at the smallest wrong thing.

use super::deserializer::{DecodeError, Typed};
use super::node::{known_names, unknown_key};
use super::{Node, Shape};
use crate::diagnostic::{Code, Diagnostic, Span};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

impl Node<'_> {
    /// Decodes the value as a `T`; a failure names what was expected, what was found, and what to write.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, Diagnostic> {
        serde_path_to_error::deserialize(Typed(self)).map_err(|error| {
            let node = follow(self, error.path());
            describe(node, error.into_inner())
        })
    }
}

/// The node that a path leads to, as far as it can be followed.
fn follow<'d>(root: Node<'d>, path: &Path) -> Node<'d> {
    let mut node = root;
    for segment in path {
        let next = match segment {
            Segment::Map { key } => node.get(key),
            Segment::Enum { variant } => node.get(variant),
            Segment::Seq { index } => node.items().nth(*index),
            Segment::Unknown => None,
        };
        match next {
            Some(next) => node = next,
            // An enum written as text has no member; whatever follows an unknown segment cannot be found.
            None if matches!(segment, Segment::Enum { .. }) => {}
            None => break,
        }
    }
    node
}

fn describe(node: Node<'_>, error: DecodeError) -> Diagnostic {
    match error {
        DecodeError::Type { expected } => wrong_type(node, &in_words(&expected)),
        DecodeError::Value { found, expected } => bad_value(node, &in_words(&expected), &found),
        DecodeError::Length { length, expected } => Diagnostic::error(
            Code::YAML_BAD_VALUE,
            format!("expected {}, found {length}", in_words(&expected)),
        )
        .at(node.span(), "")
        .help("Change the number of items."),
        DecodeError::UnknownField { field, known } => unknown_field(node, &field, known),
        DecodeError::UnknownVariant { variant, known } => unknown_variant(node, &variant, known),
        DecodeError::MissingField(field) => missing(node, field),
        DecodeError::Custom(message) => Diagnostic::error(Code::YAML_BAD_VALUE, message)
            .at(node.span(), "")
            .help("Change the value as the message says."),
    }
}

fn unknown_field(node: Node<'_>, field: &str, known: &[&str]) -> Diagnostic {
    if node.key() == Some(field) && node.get(field).is_none() {
        return unknown_key(node, known);
    }
    match node.get(field) {
        Some(member) => unknown_key(member, known),
        None => Diagnostic::error(Code::YAML_UNKNOWN_KEY, format!("unknown key `{field}`"))
            .at(node.key_span(), "")
            .help(known_names(field, known, "key")),
    }
}

fn unknown_variant(node: Node<'_>, variant: &str, known: &[&str]) -> Diagnostic {
    let place = match node.get(variant) {
        Some(member) => member.key_span(),
        None if node.key() == Some(variant) && node.as_str() != Some(variant) => node.key_span(),
        None => node.span(),
    };
    Diagnostic::error(Code::YAML_BAD_VALUE, format!("unknown value `{variant}`"))
        .at(place, "")
        .help(known_names(variant, known, "value"))
}

fn missing(node: Node<'_>, field: &str) -> Diagnostic {
    Diagnostic::error(Code::YAML_MISSING_KEY, format!("the key `{field}` is missing"))
        .at(head(node), format!("needs `{field}`"))
        .help(format!("Add `{field}:` here."))
}

/// What to underline when something is missing from a map: its key, or its first key.
fn head(node: Node<'_>) -> Span {
    if node.key().is_some() {
        return node.key_span();
    }
    node.entries().next().map_or_else(|| node.span(), |(_, first)| first.key_span())
}

fn wrong_type(node: Node<'_>, expected: &str) -> Diagnostic {
    // A missing value has no bytes; its key shows the place.
    let place = if node.span().range().is_empty() { node.key_span() } else { node.span() };
    Diagnostic::error(Code::YAML_WRONG_TYPE, format!("expected {expected}, found {}", found(node)))
        .at(place, format!("should be {expected}"))
        .help(fix(node, expected))
}

fn found(node: Node<'_>) -> String {
    match node.shape() {
        Shape::Bool | Shape::Int | Shape::Float => format!("{} `{}`", noun(node.shape()), written(node)),
        shape => shape.describe().to_owned(),
    }
}

fn noun(shape: Shape) -> &'static str {
    if shape == Shape::Bool { "the boolean" } else { "the number" }
}

fn written(node: Node<'_>) -> &str {
    node.document.text_of(node.entry.value)
}

/// What to write instead.
fn fix(node: Node<'_>, expected: &str) -> String {
    let text = node.as_str().unwrap_or_default();
    match node.shape() {
        Shape::Bool | Shape::Int | Shape::Float if expected.contains(TEXT) => {
            format!("Quote it to make it text: `\"{}\"`.", written(node))
        }
        Shape::Text if expected == BOOLEAN => boolean_fix(text),
        Shape::Text if expected.contains("number") && text.parse::<f64>().is_ok() => {
            "Remove the quotes.".to_owned()
        }
        Shape::Text if expected.contains("number") && text.replace('_', "").parse::<i64>().is_ok() => {
            format!("Write `{}`.", text.replace('_', ""))
        }
        Shape::Null if expected == LIST => "Write `[]` for an empty list, or remove the key.".to_owned(),
        Shape::Null if expected == MAP => "Write `{}` for an empty map, or remove the key.".to_owned(),
        Shape::Null => "Write a value, or remove the key.".to_owned(),
        Shape::Float if expected.contains("whole number") => "Write it without a fraction.".to_owned(),
        Shape::Text | Shape::Bool | Shape::Int | Shape::Float if expected == LIST => {
            format!("Write a list, even of one item: `[{}]`.", node.document.excerpt(node.entry.value))
        }
        _ => format!("Write {expected} here."),
    }
}

fn boolean_fix(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "true" | "false" => "Remove the quotes.".to_owned(),
        "yes" | "y" | "on" => "Write `true`.".to_owned(),
        "no" | "n" | "off" => "Write `false`.".to_owned(),
        _ => "Write `true` or `false`.".to_owned(),
    }
}

fn bad_value(node: Node<'_>, expected: &str, found: &str) -> Diagnostic {
    Diagnostic::error(Code::YAML_BAD_VALUE, format!("expected {expected}, found {found}"))
        .at(node.span(), format!("should be {expected}"))
        .help(format!("Write {expected} here."))
}

const TEXT: &str = "text";
const BOOLEAN: &str = "`true` or `false`";
const LIST: &str = "a list";
const MAP: &str = "a map";

/// What serde expected, in the words of this tool.
fn in_words(expected: &str) -> String {
    match expected {
        "a string" | "a borrowed string" | "string" | "str" => TEXT,
        "a boolean" => BOOLEAN,
        "a sequence" => LIST,
        "a map" => MAP,
        "a character" => "one character of text",
        "unit" => "nothing",
        "i64" | "i32" | "i16" | "i8" | "i128" | "isize" => "a whole number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "u128" | "usize" => "a whole number from 0",
        "a nonzero usize" | "a nonzero u32" | "a nonzero u64" => "a whole number from 1",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => MAP,
        other
            if other.starts_with("a sequence")
                || other.starts_with("a tuple")
                || other.starts_with("an array") =>
        {
            LIST
        }
        other if other.starts_with("variant") => "a name",
        other => other,
    }
    .to_owned()
}
