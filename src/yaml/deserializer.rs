//! A serde deserializer over [`Node`], and the structured error it gives.
//!
//! Stricter than reading from text: a number is never text, nothing is neither a list nor a map, and a list never
//! stands for a struct. Enums are written as text, or as a map with one key when the variant holds something.

use super::Node;
use super::document::Value;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::fmt;

/// What a type had against a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// The value is of another kind; the words are the type's own.
    Type { expected: String },
    /// The kind is right, the value is not.
    Value { found: String, expected: String },
    /// A list of the wrong length.
    Length { length: usize, expected: String },
    /// A key that the type does not have.
    UnknownField { field: String, known: &'static [&'static str] },
    /// A word that is none of the type's.
    UnknownVariant { variant: String, known: &'static [&'static str] },
    /// A key that the type needs.
    MissingField(&'static str),
    /// A sentence of the type's own.
    Custom(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { expected } => write!(formatter, "expected {expected}"),
            Self::Value { found, expected } => write!(formatter, "expected {expected}, found {found}"),
            Self::Length { length, expected } => {
                write!(formatter, "expected {expected}, found {length} items")
            }
            Self::UnknownField { field, .. } => write!(formatter, "unknown key `{field}`"),
            Self::UnknownVariant { variant, .. } => write!(formatter, "unknown value `{variant}`"),
            Self::MissingField(field) => write!(formatter, "missing key `{field}`"),
            Self::Custom(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type { expected: expected.to_string() }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Str(text) => format!("`{text}`"),
            Unexpected::Signed(number) => format!("`{number}`"),
            Unexpected::Unsigned(number) => format!("`{number}`"),
            Unexpected::Float(number) => format!("`{number}`"),
            other => other.to_string(),
        };
        Self::Value { found, expected: expected.to_string() }
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::Length { length, expected: expected.to_string() }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownField { field: field.to_owned(), known }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownVariant { variant: variant.to_owned(), known }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Custom(format!("the key `{field}` is given twice"))
    }
}

fn mismatch(expected: &dyn Expected) -> DecodeError {
    DecodeError::Type { expected: expected.to_string() }
}

/// A node as serde sees it.
#[derive(Clone, Copy)]
pub(super) struct Typed<'d>(pub(super) Node<'d>);

impl<'d> Typed<'d> {
    fn members_of_map(self) -> Members<impl Iterator<Item = (&'d str, Node<'d>)> + use<'d>> {
        Members { members: self.0.entries(), value: None }
    }
}

impl<'d> Deserializer<'d> for Typed<'d> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value() {
            Value::Unread | Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => match u64::try_from(value) {
                Ok(positive) => visitor.visit_u64(positive),
                Err(_) => visitor.visit_i64(value),
            },
            Value::Large(value) => visitor.visit_u64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text => visitor.visit_borrowed_str(self.0.document.text_of(self.0.entry.value)),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::List(range) = self.0.value() else { return Err(mismatch(&visitor)) };
        let mut items = Items(self.0.items());
        let value = visitor.visit_seq(&mut items)?;
        match items.0.count() {
            0 => Ok(value),
            left => {
                let length = range.count as usize;
                let expected = format!("{} items", length - left);
                Err(DecodeError::Length { length, expected })
            }
        }
    }

    fn deserialize_map<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value() {
            Value::Map(_) => visitor.visit_map(self.members_of_map()),
            _ => Err(mismatch(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'d>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'d>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0.value() {
            Value::Text => visitor.visit_enum(UnitVariant(self.0.document.text_of(self.0.entry.value))),
            Value::Map(range) if range.count == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(self.members_of_map()))
            }
            _ => Err(mismatch(&"text or a map with one key")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'d>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'d>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct identifier
    }
}

struct Items<I>(I);

impl<'d, I: Iterator<Item = Node<'d>>> SeqAccess<'d> for Items<I> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'d>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.0.next().map(|item| seed.deserialize(Typed(item))).transpose()
    }
}

struct Members<I: Iterator> {
    members: I,
    value: Option<I::Item>,
}

impl<'d, I: Iterator<Item = (&'d str, Node<'d>)>> MapAccess<'d> for Members<I> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'d>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.members.next();
        self.value.map(|(key, _)| seed.deserialize(BorrowedStrDeserializer::new(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'d>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        match self.value.take() {
            Some((_, value)) => seed.deserialize(Typed(value)),
            None => Err(DecodeError::Custom("a value was asked for before its key".to_owned())),
        }
    }
}

/// A variant that holds nothing, written as text.
struct UnitVariant<'d>(&'d str);

impl<'d> EnumAccess<'d> for UnitVariant<'d> {
    type Error = DecodeError;
    type Variant = Nothing;

    fn variant_seed<V: DeserializeSeed<'d>>(self, seed: V) -> Result<(V::Value, Nothing), DecodeError> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.0))?, Nothing))
    }
}

/// What is inside a variant written as text.
struct Nothing;

impl Nothing {
    fn needs_content<T>() -> Result<T, DecodeError> {
        Err(DecodeError::Type { expected: "a map with this word as its key".to_owned() })
    }
}

impl<'d> VariantAccess<'d> for Nothing {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'d>>(self, _: T) -> Result<T::Value, DecodeError> {
        Self::needs_content()
    }

    fn tuple_variant<V: Visitor<'d>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        Self::needs_content()
    }

    fn struct_variant<V: Visitor<'d>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        Self::needs_content()
    }
}
