//! Templates for the tests: `{{ name | filter }}` in a text becomes pieces as the template layer would make them.

use super::{HoleKind, Piece};

/// Splits a text at its `{{ … }}`; the last word says the hole's kind.
pub(super) fn pieces(source: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find("{{").map(|open| at + open) {
        let close = open + source[open..].find("}}").unwrap() + 2;
        found.push(Piece::Text { text: source[at..open].to_owned(), start: at });
        let expression = source[open + 2..close - 2].trim();
        let kind = match expression.rsplit('|').next().unwrap().trim() {
            "ident" => HoleKind::Ident,
            "relation" => HoleKind::Relation,
            "raw" => HoleKind::Raw,
            _ => HoleKind::Literal,
        };
        found.push(Piece::Hole { kind, range: open..close, sample: None });
        at = close;
    }
    found.push(Piece::Text { text: source[at..].to_owned(), start: at });
    found
}
