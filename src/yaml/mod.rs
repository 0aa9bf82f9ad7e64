//! The only code that sees YAML: text to values with places, or diagnostics.
//!
//! Two parsers read every file. One gives the place of each key and value (`index.rs`), the other gives their meaning
//! (`meaning.rs`); a document that they read differently is refused, so a place is never shown for something else than
//! what runs. Nothing outside this module knows either parser.

mod decode;
mod deserializer;
mod document;
mod index;
mod keys;
mod limits;
mod meaning;
mod node;
mod place;
mod scalar;
mod stream;
mod syntax;
mod text;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use document::Document;
pub use limits::Limits;
pub use node::{Node, Shape};
pub use stream::documents;
pub use text::read_text;

use crate::diagnostic::{Diagnostics, SourceId, Span};

impl Document {
    /// Reads `text`, which is the text of `source`.
    ///
    /// Problems are collected. A document that has some but still makes sense is returned with them, so that more can
    /// be checked; it must not be run when [`Diagnostics::has_errors`].
    pub fn parse(source: SourceId, text: &str, limits: &Limits) -> (Option<Self>, Diagnostics) {
        let mut problems = Diagnostics::new();
        let document = read(source, text, limits, &mut problems);
        problems.sort();
        (document, problems)
    }
}

fn read(source: SourceId, text: &str, limits: &Limits, out: &mut Diagnostics) -> Option<Document> {
    // Positions are kept in 32 bits, whatever the budget says.
    if text.len() > limits.bytes.min(u32::MAX as usize / 2) {
        out.push(text::too_large("the document", text.len(), limits).at(Span::new(source, 0..0), ""));
        return None;
    }
    let document = Document::new(source, text);
    let controls = text::control_characters(document.text());
    if !controls.is_empty() {
        out.extend(
            controls.into_iter().map(|(offset, found)| syntax::control_character(&document, offset, found)),
        );
        return None;
    }
    let index::Index { mut document, merging } = index::build(document, limits, out).ok()?;
    if !meaning::read(&mut document, out) {
        return None;
    }
    keys::check(&mut document, out);
    keys::merge(&mut document, &merging, out);
    Some(document)
}
