//! [`Span`]: a byte range in a named source, and [`Sources`], which holds the text behind every span.

use std::ops::Range;
use std::sync::Arc;

/// Which source a span points into; only [`Sources`] hands these out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A byte range in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The source the bytes are in.
    pub source: SourceId,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A range of `source`.
    pub fn new(source: SourceId, range: Range<usize>) -> Self {
        Self { source, start: range.start, end: range.end }
    }

    /// The bytes as a range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Every text that was read, under the name people know it by.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<(Arc<str>, Arc<str>)>,
}

impl Sources {
    /// No sources yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the name that diagnostics show.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push((name.into(), text.into()));
        id
    }

    /// The name of a source.
    pub fn name(&self, id: SourceId) -> &str {
        &self.files[id.0 as usize].0
    }

    /// The text of a source.
    pub fn text(&self, id: SourceId) -> &Arc<str> {
        &self.files[id.0 as usize].1
    }

    /// Line and column of a byte, both counted from one; columns count characters.
    pub fn line_column(&self, id: SourceId, byte: usize) -> (usize, usize) {
        let text = self.text(id);
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1);
        let line = String::from_utf8_lossy(before).matches('\n').count() + 1;
        (line, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
    }
}
