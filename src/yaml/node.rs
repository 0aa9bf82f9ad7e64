//! [`Node`]: a cursor over a [`Document`]: a value together with its place.

use super::Document;
use super::document::{Entry, Value};
use super::place;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use std::ops::Range;

/// A value and its place; cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    pub(super) document: &'d Document,
    pub(super) entry: Entry,
}

/// What kind of value a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction or an exponent.
    Float,
    /// Text.
    Text,
    /// A list.
    List,
    /// A map.
    Map,
}

impl Shape {
    /// The shape in words, with its article.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "a boolean",
            Self::Int => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

impl<'d> Node<'d> {
    pub(super) fn new(document: &'d Document, entry: Entry) -> Self {
        Self { document, entry }
    }

    pub(super) fn value(self) -> Value {
        self.document.stored(self.entry.value).value
    }

    /// What kind of value this is.
    pub fn shape(self) -> Shape {
        match self.value() {
            Value::Unread | Value::Null => Shape::Null,
            Value::Bool(_) => Shape::Bool,
            Value::Int(_) | Value::Large(_) => Shape::Int,
            Value::Float(_) => Shape::Float,
            Value::Text => Shape::Text,
            Value::List(_) => Shape::List,
            Value::Map(_) => Shape::Map,
        }
    }

    /// The bytes of the value, without blank space after it. For an alias, the place of what it stands for.
    pub fn span(self) -> Span {
        self.document.span_of(self.entry.value)
    }

    /// The bytes of the key that leads to this value, or the value's own when it has none.
    pub fn key_span(self) -> Span {
        self.document.span_of(self.entry.key.unwrap_or(self.entry.value))
    }

    /// The key that leads to this value.
    pub fn key(self) -> Option<&'d str> {
        self.entry.key.map(|key| self.document.text_of(key))
    }

    /// The value under `key`, when this is a map that has it.
    pub fn get(self, key: &str) -> Option<Self> {
        self.entries().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The keys and values of a map in document order; none when this is no map.
    pub fn entries(self) -> impl Iterator<Item = (&'d str, Self)> {
        let document = self.document;
        self.members(Shape::Map).filter_map(move |entry| {
            let key = entry.key?;
            Some((document.text_of(key), Self::new(document, entry)))
        })
    }

    /// The items of a list; none when this is no list.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let document = self.document;
        self.members(Shape::List).map(move |entry| Self::new(document, entry))
    }

    fn members(self, shape: Shape) -> impl Iterator<Item = Entry> + use<'d> {
        let members = if self.shape() == shape { self.document.members_of(self.entry.value) } else { &[] };
        members.iter().copied()
    }

    /// The text, when this is text.
    pub fn as_str(self) -> Option<&'d str> {
        (self.shape() == Shape::Text).then(|| self.document.text_of(self.entry.value))
    }

    /// The boolean, when this is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.value() {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, when this is one that fits.
    pub fn as_i64(self) -> Option<i64> {
        match self.value() {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value as JSON, with the order of maps kept.
    pub fn to_json(self) -> serde_json::Value {
        match self.value() {
            Value::Unread | Value::Null => serde_json::Value::Null,
            Value::Bool(value) => value.into(),
            Value::Int(value) => value.into(),
            Value::Large(value) => value.into(),
            Value::Float(value) => value.into(),
            Value::Text => self.document.text_of(self.entry.value).into(),
            Value::List(_) => self.items().map(Self::to_json).collect(),
            Value::Map(_) => serde_json::Value::Object(
                self.entries().map(|(key, value)| (key.into(), value.to_json())).collect(),
            ),
        }
    }

    /// Reports every key that is not in `allowed`.
    pub fn deny_unknown(self, allowed: &[&str], out: &mut Diagnostics) {
        out.extend(
            self.entries()
                .filter(|(key, _)| !allowed.contains(key))
                .map(|(_, value)| unknown_key(value, allowed)),
        );
    }

    /// Every scalar at or below this node with its text, in document order; numbers and booleans as written.
    pub fn texts(self) -> Vec<(&'d str, Self)> {
        let mut found = Vec::new();
        self.collect_texts(&mut found);
        found
    }

    fn collect_texts(self, found: &mut Vec<(&'d str, Self)>) {
        if let Value::List(range) | Value::Map(range) = self.value() {
            for entry in self.document.members(range) {
                Self::new(self.document, *entry).collect_texts(found);
            }
        } else {
            found.push((self.document.text_of(self.entry.value), self));
        }
    }

    /// Bytes `range` of the text of this scalar as a place in the file; the whole scalar where they cannot be traced.
    pub fn text_span(self, range: Range<usize>) -> Span {
        place::text_span(self.document, self.entry.value, range)
    }

    /// The ` # comment` on the line where an unquoted scalar ends.
    pub fn trailing_comment(self) -> Option<Span> {
        place::trailing_comment(self.document, self.entry.value)
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let span = self.span();
        write!(formatter, "{} at {}..{}", self.shape().describe(), span.start, span.end)
    }
}

/// The diagnostic about a value whose key nobody knows.
pub(super) fn unknown_key(value: Node<'_>, allowed: &[&str]) -> Diagnostic {
    let key = value.key().unwrap_or_default();
    let help = if key.contains(' ') && value.span().range().is_empty() {
        // `{ description: one, two }`
        "Quote the text before it: inside braces, a comma begins the next key.".to_owned()
    } else {
        known_names(key, allowed, "key")
    };
    Diagnostic::error(Code::YAML_UNKNOWN_KEY, format!("unknown key `{key}`"))
        .at(value.key_span(), "not known here")
        .help(help)
}

/// Which name was probably meant, or which ones there are.
pub(super) fn known_names(name: &str, known: &[&str], noun: &str) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("Did you mean `{near}`?");
    }
    match known {
        [] => format!("No {noun} is allowed here."),
        [only] => format!("The only {noun} here is `{only}`."),
        [..] => format!("Use one of {}.", quoted_list(known)),
    }
}

fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
