//! [`Document`]: the values of one file and the bytes each came from, in flat tables.
//!
//! Values point at each other by number, so an alias costs nothing, dropping a deep document needs no stack, and text
//! that stands in the file as it is read is never copied. This file knows nothing about parsers.

use super::Node;
use crate::diagnostic::{SourceId, Span};
use std::sync::Arc;

/// The number of a value in [`Document::nodes`].
pub(super) type NodeId = u32;

/// A parsed file: its values, and for each of them the bytes it came from.
#[derive(Debug)]
pub struct Document {
    source: SourceId,
    /// Bytes of the file before `text`: the length of its byte-order mark.
    skipped: usize,
    /// Bytes of the file; `text` may be one line break longer.
    length: usize,
    text: Arc<str>,
    /// Scalars that read differently from how they are written, one after the other.
    decoded: String,
    pub(super) nodes: Vec<Stored>,
    pub(super) entries: Vec<Entry>,
    pub(super) root: NodeId,
}

/// One value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// Where it starts in `Document::text`.
    pub(super) start: u32,
    /// One past its last byte.
    pub(super) end: u32,
    pub(super) value: Value,
    pub(super) text: TextAt,
    pub(super) style: Style,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// A scalar whose meaning has not been read yet; none is left in a finished document.
    Unread,
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above `i64::MAX`.
    Large(u64),
    Float(f64),
    Text,
    List(Range),
    Map(Range),
}

/// A run of [`Document::entries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// One member of a list or a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// `None` in a list.
    pub(super) key: Option<NodeId>,
    pub(super) value: NodeId,
}

/// Where the text of a scalar is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextAt {
    /// In the file, as written.
    File { start: u32, length: u32 },
    /// In `Document::decoded`.
    Decoded { start: u32, length: u32 },
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
    /// Not a scalar.
    Collection,
}

impl Document {
    /// An empty document about `text`; the caller has checked that positions fit 32 bits.
    pub(super) fn new(source: SourceId, text: &str) -> Self {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut owned = String::with_capacity(body.len() + 1);
        owned.push_str(body);
        // Without a last line break the two parsers read a block scalar at the end of the file differently.
        if !body.ends_with('\n') {
            owned.push('\n');
        }
        Self {
            source,
            skipped: text.len() - body.len(),
            length: text.len(),
            text: owned.into(),
            decoded: String::new(),
            nodes: Vec::new(),
            entries: Vec::new(),
            root: 0,
        }
    }

    /// The value of the whole file.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, Entry { key: None, value: self.root })
    }

    /// The text that is parsed: without a byte-order mark, with a line break at its end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same, to read while the document is being filled.
    pub(super) fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// A range of [`Document::text`] as a place in the file, moved outwards to whole characters.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let start = floor(&self.text, start);
        let end = ceil(&self.text, end.max(start));
        let in_file = |offset: usize| (offset + self.skipped).min(self.length);
        Span::new(self.source, in_file(start)..in_file(end))
    }

    /// The place of a value.
    pub(super) fn span_of(&self, id: NodeId) -> Span {
        let stored = self.stored(id);
        self.span(stored.start as usize, stored.end as usize)
    }

    /// The file's own text of a value.
    pub(super) fn excerpt(&self, id: NodeId) -> &str {
        let stored = self.stored(id);
        self.text.get(stored.start as usize..stored.end as usize).unwrap_or_default()
    }

    /// The value behind a number.
    pub(super) fn stored(&self, id: NodeId) -> &Stored {
        &self.nodes[id as usize]
    }

    /// The members of a list or a map.
    pub(super) fn members(&self, range: Range) -> &[Entry] {
        &self.entries[range.first as usize..][..range.count as usize]
    }

    /// The members of a value; none when it is a scalar.
    pub(super) fn members_of(&self, id: NodeId) -> &[Entry] {
        match self.stored(id).value {
            Value::List(range) | Value::Map(range) => self.members(range),
            _ => &[],
        }
    }

    /// The text of a scalar, escapes resolved; empty for a list or a map.
    pub(super) fn text_of(&self, id: NodeId) -> &str {
        match self.stored(id).text {
            TextAt::File { start, length } => &self.text[start as usize..][..length as usize],
            TextAt::Decoded { start, length } => &self.decoded[start as usize..][..length as usize],
        }
    }

    /// Keeps the text of a scalar that stands at `start..end`, without a copy where the file holds it verbatim.
    pub(super) fn keep(&mut self, text: &str, start: usize, end: usize, style: Style) -> TextAt {
        let quotes = usize::from(matches!(style, Style::SingleQuoted | Style::DoubleQuoted));
        let (inner_start, inner_end) = (start + quotes, end.saturating_sub(quotes));
        if style != Style::Block && self.text.get(inner_start..inner_end) == Some(text) {
            return TextAt::File { start: narrow(inner_start), length: narrow(text.len()) };
        }
        let start = narrow(self.decoded.len());
        self.decoded.push_str(text);
        TextAt::Decoded { start, length: narrow(text.len()) }
    }
}

/// A position as 32 bits; documents beyond them are refused before.
pub(super) fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn floor(text: &str, offset: usize) -> usize {
    text.floor_char_boundary(offset.min(text.len()))
}

fn ceil(text: &str, offset: usize) -> usize {
    text.ceil_char_boundary(offset.min(text.len()))
}
