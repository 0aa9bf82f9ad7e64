//! From a position in the text of a scalar back to the bytes of the file.

use super::document::{Document, NodeId, Style, TextAt};
use crate::diagnostic::Span;
use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// Bytes `range` of the text of a scalar as a place in the file; the whole scalar where they cannot be traced.
pub(super) fn text_span(document: &Document, id: NodeId, range: Range<usize>) -> Span {
    let stored = document.stored(id);
    let traced = match stored.text {
        _ if stored.style == Style::Collection => None,
        TextAt::File { start, length } => {
            let within = |offset: usize| start as usize + offset.min(length as usize);
            Some(within(range.start)..within(range.end.max(range.start)))
        }
        TextAt::Decoded { .. } => trace(document, id, range),
    };
    traced.map_or_else(|| document.span_of(id), |place| document.span(place.start, place.end))
}

/// Follows decoded text and its source side by side.
fn trace(document: &Document, id: NodeId, range: Range<usize>) -> Option<Range<usize>> {
    let stored = document.stored(id);
    let quotes = usize::from(matches!(stored.style, Style::SingleQuoted | Style::DoubleQuoted));
    let source_start = stored.start as usize + quotes;
    let source = document.text().get(source_start..(stored.end as usize).checked_sub(quotes)?)?;
    let mut places = Places::new(source, stored.style);
    let (mut start, mut end) = (None, None);
    for (offset, character) in document.text_of(id).char_indices() {
        let place = places.next(character)?;
        let next = offset + character.len_utf8();
        if start.is_none() && next > range.start {
            start = Some(place.start);
        }
        if offset < range.end {
            end = Some(place.end);
        }
    }
    let past = source_start + places.position();
    let start = start.map_or(past, |start| source_start + start);
    let end = end.map_or(start, |end| source_start + end);
    Some(start..end.max(start))
}

/// Where each character of a decoded scalar stands in its source.
struct Places<'s> {
    source: &'s str,
    characters: Peekable<CharIndices<'s>>,
    style: Style,
}

impl<'s> Places<'s> {
    fn new(source: &'s str, style: Style) -> Self {
        Self { source, characters: source.char_indices().peekable(), style }
    }

    fn position(&mut self) -> usize {
        self.characters.peek().map_or(self.source.len(), |(offset, _)| *offset)
    }

    /// The place of the next decoded character; `None` when the two texts part.
    fn next(&mut self, wanted: char) -> Option<Range<usize>> {
        loop {
            let start = self.position();
            match self.characters.peek().map(|(_, character)| *character) {
                Some('\\') if self.style == Style::DoubleQuoted => {
                    if let Some(place) = self.escape(start) {
                        return Some(place);
                    }
                }
                Some('\'') if self.style == Style::SingleQuoted => {
                    self.skip(2);
                    return (wanted == '\'').then(|| start..self.position());
                }
                Some(found) if found == wanted => {
                    self.skip(1);
                    return Some(start..self.position());
                }
                // Indentation, or a line break that folding has removed.
                Some(found) if found.is_whitespace() => self.skip(1),
                // A space or a line break that folding has added, or one at the very end.
                _ if wanted.is_whitespace() => return Some(start..start),
                _ => return None,
            }
        }
    }

    /// The place of one escape; `None` for an escaped line break, which stands for nothing.
    fn escape(&mut self, start: usize) -> Option<Range<usize>> {
        let code = self.source.as_bytes().get(start + 1).copied();
        self.skip(match code {
            Some(b'x') => 4,
            Some(b'u') => 6,
            Some(b'U') => 10,
            _ => 2,
        });
        (!matches!(code, Some(b'\n' | b'\r'))).then(|| start..self.position())
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.characters.next();
        }
    }
}

/// The ` # comment` on the line where a plain scalar ends.
pub(super) fn trailing_comment(document: &Document, id: NodeId) -> Option<Span> {
    let stored = document.stored(id);
    if stored.style != Style::Plain || stored.start == stored.end {
        return None;
    }
    let end = stored.end as usize;
    let rest = document.text().get(end..)?.lines().next()?;
    let comment = rest.trim_start_matches([' ', '\t']);
    let start = end + rest.len() - comment.len();
    comment.starts_with('#').then(|| document.span(start, start + comment.trim_end().len()))
}
