//! Stands in for the parts of `crate::sql` that templates use. Replace it by `use crate::sql::…` when both are there.

use std::ops::Range;

/// How a hole in SQL text is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoleKind {
    /// One constant, or a comma-separated list of constants.
    Literal,
    /// An identifier, possibly qualified.
    Ident,
    /// A relation as PostgreSQL spells it, quoted again.
    Relation,
    /// Text as it is.
    Raw,
}

/// A part of SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands in the source.
    Text {
        /// The text.
        text: String,
        /// Its first byte in the source.
        start: usize,
    },
    /// A `{{ … }}`.
    Hole {
        /// How it is filled.
        kind: HoleKind,
        /// Its place in the source, braces included.
        range: Range<usize>,
        /// A constant that may stand for it while the text is checked; templates never know one.
        sample: Option<String>,
    },
}

/// Why a name cannot be quoted.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct QuoteError {
    /// A lowercase fragment.
    pub(super) message: String,
}

pub(super) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

pub(super) fn quote_ident(name: &str) -> Result<String, QuoteError> {
    if name.is_empty() || name.contains('\0') || name.len() > 63 {
        return Err(QuoteError { message: format!("`{name}` is not a name that PostgreSQL can store") });
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

pub(super) fn quote_relation(text: &str) -> Result<String, QuoteError> {
    parse_relation(text)?
        .iter()
        .map(|part| quote_ident(part))
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.join("."))
}

fn parse_relation(text: &str) -> Result<Vec<String>, QuoteError> {
    let bad = || QuoteError { message: format!("`{text}` is not a relation name") };
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        (part, rest) =
            if let Some(quoted) = rest.strip_prefix('"') { quoted_part(quoted) } else { plain_part(rest) }
                .ok_or_else(bad)?;
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(parts),
            None => return Err(bad()),
        }
    }
}

fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

fn plain_part(text: &str) -> Option<(String, &str)> {
    let name = |c: char| c == '_' || c == '$' || c.is_alphanumeric();
    let end = text.find(|c| !name(c)).unwrap_or(text.len());
    let starts_well = text.starts_with(|c: char| c == '_' || c.is_alphabetic());
    starts_well.then(|| (text[..end].to_lowercase(), &text[end..]))
}
