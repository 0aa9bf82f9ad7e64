//! What scalars mean: the text is read a second time, by `serde_yaml`, along the index.
//!
//! Every value comes from `serde_yaml`; the index only says where it stands. Shape and text of each value must be the
//! same for both, or the document is refused as ambiguous.

use super::document::{Document, NodeId, Range, Style, Value};
use super::scalar;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess as _, Visitor,
};
use std::fmt;

/// Gives every scalar of the document its value. Returns whether the document can be used further.
pub(super) fn read(document: &mut Document, out: &mut Diagnostics) -> bool {
    let text = document.shared_text();
    let root = document.root;
    let mut reader = Reader { document, out, conflict: None };
    let result =
        Reading { reader: &mut reader, node: root }.deserialize(serde_yaml::Deserializer::from_str(&text));
    let conflict = reader.conflict;
    let Err(error) = result else { return true };
    out.push(match conflict {
        Some(node) => ambiguous(document, node),
        None => refused(document, &error),
    });
    false
}

fn ambiguous(document: &Document, node: NodeId) -> Diagnostic {
    Diagnostic::error(Code::YAML_AMBIGUOUS, "this value can be read in two ways")
        .at(document.span_of(node), "")
        .help("Write it in a simpler way: quote it, or put long text into a block after `|`.")
}

/// The diagnostic for a text that only `serde_yaml` refuses.
fn refused(document: &Document, error: &serde_yaml::Error) -> Diagnostic {
    let text = document.text();
    let character = error.location().map_or(0, |location| location.index());
    let offset = text.char_indices().nth(character).map_or(text.len(), |(offset, _)| offset);
    let message = error.to_string();
    // Its messages end in a line and a column, which the label already shows.
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.contains("repetition limit") {
        return Diagnostic::error(Code::YAML_TOO_MANY_NODES, "the document repeats too much with aliases")
            .at(document.span(0, 0), "")
            .help("Repeat less with aliases.");
    }
    Diagnostic::error(Code::YAML_SYNTAX, message)
        .at(document.span(offset, offset + 1), "reading stopped here")
        .help("Write it in a simpler way: quote it, or put long text into a block after `|`.")
}

struct Reader<'a> {
    document: &'a mut Document,
    out: &'a mut Diagnostics,
    /// The value that the two parsers read differently.
    conflict: Option<NodeId>,
}

impl Reader<'_> {
    fn conflict<E: serde::de::Error>(&mut self, node: NodeId) -> E {
        self.conflict.get_or_insert(node);
        E::custom("the parsers differ")
    }

    fn scalar<E: serde::de::Error>(&mut self, node: NodeId, value: Value) -> Result<(), E> {
        let stored = *self.document.stored(node);
        if stored.style == Style::Collection || !scalar::agrees(value, self.document.text_of(node)) {
            return Err(self.conflict(node));
        }
        match stored.value {
            Value::Unread => self.store(node, value),
            // Met again through an alias.
            known if known == value => {}
            _ => return Err(self.conflict(node)),
        }
        Ok(())
    }

    fn text<E: serde::de::Error>(&mut self, node: NodeId, text: &str) -> Result<(), E> {
        if self.document.text_of(node) != text {
            return Err(self.conflict(node));
        }
        self.scalar(node, Value::Text)
    }

    fn store(&mut self, node: NodeId, value: Value) {
        self.document.nodes[node as usize].value = value;
        let quoted = value == Value::Text && self.document.stored(node).style != Style::Plain;
        let text = self.document.text_of(node);
        if let Some(risk) = scalar::risk(value, text).filter(|_| !quoted) {
            self.out.push(risk.diagnostic(text, self.document.span_of(node)));
        }
    }

    /// An integer beyond 64 bits; its value is never used, because the document has an error.
    fn huge<E: serde::de::Error>(&mut self, node: NodeId) -> Result<(), E> {
        match self.document.stored(node).value {
            Value::Large(u64::MAX) => Ok(()),
            Value::Unread => {
                self.document.nodes[node as usize].value = Value::Large(u64::MAX);
                let (text, span) = (self.document.text_of(node), self.document.span_of(node));
                self.out.push(scalar::Risk::OutOfRange.diagnostic(text, span));
                Ok(())
            }
            _ => Err(self.conflict(node)),
        }
    }

    fn range<E: serde::de::Error>(&mut self, node: NodeId, is_map: bool) -> Result<Range, E> {
        match self.document.stored(node).value {
            Value::Map(range) if is_map => Ok(range),
            Value::List(range) if !is_map => Ok(range),
            _ => Err(self.conflict(node)),
        }
    }
}

/// One value, read along its place in the index.
struct Reading<'r, 'a> {
    reader: &'r mut Reader<'a>,
    node: NodeId,
}

impl<'a> Reading<'_, 'a> {
    fn at(&mut self, node: NodeId) -> Reading<'_, 'a> {
        Reading { reader: self.reader, node }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.reader.scalar(self.node, Value::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.reader.scalar(self.node, Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.reader.scalar(self.node, Value::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        let value = i64::try_from(value).map_or(Value::Large(value), Value::Int);
        self.reader.scalar(self.node, value)
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<(), E> {
        self.reader.huge(self.node)
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<(), E> {
        self.reader.huge(self.node)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.reader.scalar(self.node, Value::Float(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.reader.text(self.node, text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let range = self.reader.range(self.node, false)?;
        for index in range.first..range.first + range.count {
            let child = self.reader.document.entries[index as usize].value;
            if items.next_element_seed(self.at(child))?.is_none() {
                return Err(self.reader.conflict(self.node));
            }
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(self.reader.conflict(self.node)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let range = self.reader.range(self.node, true)?;
        for index in range.first..range.first + range.count {
            let entry = self.reader.document.entries[index as usize];
            let Some(key) = entry.key else { return Err(self.reader.conflict(self.node)) };
            if members.next_key_seed(self.at(key))?.is_none() {
                return Err(self.reader.conflict(self.node));
            }
            members.next_value_seed(self.at(entry.value))?;
        }
        match members.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(self.reader.conflict(self.node)),
        }
    }

    /// A custom tag; the index has reported it, so only the value under it matters.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (IgnoredAny, value) = tagged.variant()?;
        value.newtype_variant_seed(self)
    }
}
