//! [`Piece`]: SQL as the template layer hands it over, text with typed holes; and [`Assembled`], the same with
//! something put in every hole. Must not decide what may stand in a hole.

use std::ops::Range;

/// What a hole may be filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoleKind {
    /// One constant, or several with commas between them.
    Literal,
    /// One identifier, which may be qualified.
    Ident,
    /// The name of a relation, which may be qualified.
    Relation,
    /// Anything that leaves the statements around it as they are.
    Raw,
}

/// A part of a template of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that is sent as written.
    Text {
        /// The text.
        text: String,
        /// Its first byte in the template's source.
        start: usize,
    },
    /// A place for a value.
    Hole {
        /// What may fill it.
        kind: HoleKind,
        /// The whole `{{ … }}` in the template's source.
        range: Range<usize>,
        /// Something of the right type, such as `1`, when the type is known.
        sample: Option<String>,
    },
}

impl Piece {
    /// The hole's kind, if it is one.
    pub(super) fn hole(&self) -> Option<HoleKind> {
        match self {
            Self::Text { .. } => None,
            Self::Hole { kind, .. } => Some(*kind),
        }
    }
}

/// A text with every hole filled, which remembers where each part came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Assembled {
    pub(super) text: String,
    /// One per piece.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
struct Segment {
    range: Range<usize>,
    source: Range<usize>,
    hole: bool,
}

impl Assembled {
    /// Puts one text in each hole, in order; a hole without a text stays empty.
    pub(super) fn new<'a>(pieces: &[Piece], fillings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fillings = fillings.into_iter();
        let mut assembled = Self::default();
        for piece in pieces {
            match piece {
                Piece::Text { text, start } => assembled.push(text, *start..start + text.len(), false),
                Piece::Hole { range, .. } => {
                    let filling = fillings.next().unwrap_or_default();
                    assembled.separate(filling);
                    assembled.push(filling, range.clone(), true);
                }
            }
        }
        assembled
    }

    /// Keeps a sign from becoming part of the operator before it: `1-{{ n }}` with -1 is not a comment.
    fn separate(&mut self, filling: &str) {
        if filling.starts_with(['-', '+']) && self.text.ends_with(|c| "+-*/<>=~!@#%^&|`?".contains(c)) {
            self.text.push(' ');
        }
    }

    fn push(&mut self, text: &str, source: Range<usize>, hole: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.segments.push(Segment { range: start..self.text.len(), source, hole });
    }

    /// Where the holes are now, in order.
    pub(super) fn holes(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.segments.iter().filter(|segment| segment.hole).map(|segment| segment.range.clone())
    }

    /// The source's range of the n-th hole.
    pub(super) fn hole_source(&self, hole: usize) -> Option<Range<usize>> {
        self.segments.iter().filter(|segment| segment.hole).nth(hole).map(|segment| segment.source.clone())
    }

    /// The source's range for a range of the assembled text; a part of a hole stands for the whole hole.
    pub(super) fn to_source(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.position(range.start, false);
        start..self.position(range.end, true).max(start)
    }

    fn position(&self, at: usize, end: bool) -> usize {
        let inside = |segment: &&Segment| if end { at <= segment.range.end } else { at < segment.range.end };
        let Some(segment) = self.segments.iter().find(inside).or(self.segments.last()) else { return at };
        match (segment.hole, end) {
            (true, false) => segment.source.start,
            (true, true) => segment.source.end,
            (false, _) => {
                segment.source.start + at.saturating_sub(segment.range.start).min(segment.range.len())
            }
        }
    }
}
