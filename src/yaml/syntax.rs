//! What the parser's syntax errors mean to a person, and what to do about them.

use super::Limits;
use super::document::Document;
use crate::diagnostic::{Code, Diagnostic, Span};
use granit_parser::{ErrorKind, ScanError};

/// The diagnostic for a syntax error; the last scalar before it ended at `last_end`.
pub(super) fn describe(
    document: &Document,
    error: &ScanError,
    last_end: usize,
    limits: &Limits,
) -> Diagnostic {
    let stopped = error.marker().byte_offset().unwrap_or(last_end);
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(point(document, stopped), limits);
    }
    let mut diagnostic = Diagnostic::error(Code::YAML_SYNTAX, message(error.kind()))
        .at(point(document, stopped), "reading stopped here");
    if let Some(quote) = opening_quote(document.text(), error.kind(), last_end) {
        diagnostic = diagnostic.at(document.span(quote, quote + 1), "the quote that opened the text");
    }
    diagnostic.help(help(document.text(), error.kind(), stopped))
}

/// The diagnostic for an invisible character that YAML forbids everywhere.
pub(super) fn control_character(document: &Document, offset: usize, character: char) -> Diagnostic {
    let message = format!("the character U+{:04X} is not allowed", u32::from(character));
    Diagnostic::error(Code::YAML_SYNTAX, message)
        .at(document.span(offset, offset + character.len_utf8()), "")
        .help(format!("Remove it, or write `\\u{:04x}` inside double quotes.", u32::from(character)))
}

/// The diagnostic for a document over the depth budget.
pub(super) fn too_deep(span: Span, limits: &Limits) -> Diagnostic {
    let message = format!("more than {} lists and maps inside each other", limits.depth);
    Diagnostic::error(Code::YAML_TOO_DEEP, message)
        .at(span, "one too many")
        .help("Flatten the structure; no runbook needs this depth.")
}

/// The character at `offset`, or the bare position at the end of a line.
fn point(document: &Document, offset: usize) -> Span {
    let width = document.text().get(offset..).and_then(|rest| rest.chars().next());
    let width = width.filter(|c| !matches!(c, '\n' | '\r')).map_or(0, char::len_utf8);
    document.span(offset, offset + width)
}

fn message(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => "a tab where only spaces may stand",
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => "a `:` where no key can be",
        ErrorKind::ExpectedBlockMappingKey => "expected a key",
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => "expected a `:` after this key",
        ErrorKind::ExpectedBlockSequenceEntry => "expected a `-`",
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            "a `-` where no list item can be"
        }
        ErrorKind::ExpectedFlowMappingSeparator => "expected `,` or `}`",
        ErrorKind::ExpectedFlowSequenceSeparator => "expected `,` or `]`",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            "quoted text without its closing quote"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "text after a closing quote"
        }
        ErrorKind::UnknownQuotedScalarEscape => "an escape that YAML does not have",
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => "a bracket that is never closed",
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "a closing bracket that nothing opened"
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => "this line is not indented like its neighbours",
        ErrorKind::UnexpectedCharacter { .. } => "a character that cannot start a value",
        ErrorKind::MissingAnchorOrAliasName => "expected a name after `*` or `&`",
        ErrorKind::InvalidBlockScalarHeader => "text after `|` or `>`",
        ErrorKind::CommentInterceptedScalar => "a comment inside text that goes on below it",
        ErrorKind::CommentNotSeparated => "a `#` without a space before it",
        _ => "this is not valid YAML",
    }
}

fn help(text: &str, kind: &ErrorKind, stopped: usize) -> String {
    specific_help(kind)
        .or_else(|| help_from_line(line_at(text, stopped), kind))
        .unwrap_or(GENERAL_HELP)
        .to_owned()
}

const GENERAL_HELP: &str = "Check the indentation and the quotes here and on the line above.";

const QUOTE_TEMPLATE: &str = "Quote a value that starts with a template: `key: \"{{ … }}\"`.";

fn specific_help(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "Indent with spaces; YAML does not allow tabs.",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            "Close the text with the same quote."
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => "Write `''` for a quote inside single-quoted text.",
        ErrorKind::InvalidTrailingDoubleQuotedScalar => "Write `\\\"` for a quote inside double-quoted text.",
        ErrorKind::UnknownQuotedScalarEscape => "Write `\\\\` for a backslash, or use single quotes.",
        ErrorKind::MissingAnchorOrAliasName => "Quote text that starts with `*` or `&`.",
        ErrorKind::UnexpectedCharacter { .. } => "Quote text that starts with `@`, `` ` `` or `%`.",
        ErrorKind::InvalidBlockScalarHeader => "Start the text on the next line.",
        ErrorKind::CommentInterceptedScalar => "Move the comment above the text, or use `|`.",
        _ => return None,
    })
}

fn help_from_line(line: &str, kind: &ErrorKind) -> Option<&'static str> {
    if starts_with_template(line) {
        return Some(QUOTE_TEMPLATE);
    }
    if line.starts_with([' ', '\t']) && line.trim_start_matches(' ').starts_with('\t') {
        return Some("Indent with spaces; YAML does not allow tabs.");
    }
    match kind {
        ErrorKind::MappingValueNotAllowed => {
            Some("Quote the text if `: ` is part of it, or fix the indentation.")
        }
        ErrorKind::InvalidColonPlacement
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            Some("Close the bracket above, or quote text that contains `: ` or a bracket.")
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::BlockSequenceEntryNotAllowed => {
            Some("Indent the line exactly like the others of its list or map.")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            Some("Write `key: value`; text of several lines needs `|` or deeper indentation.")
        }
        _ => None,
    }
}

/// Whether an unquoted value on the line starts with `{{`, which YAML reads as a map in a map.
fn starts_with_template(line: &str) -> bool {
    let after = |mark: &str| line.split(mark).skip(1).any(|rest| rest.trim_start().starts_with("{{"));
    line.trim_start().starts_with("{{") || after(": ") || after("- ")
}

fn line_at(text: &str, offset: usize) -> &str {
    let offset = text.floor_char_boundary(offset.min(text.len()));
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next().unwrap_or_default()
}

fn opening_quote(text: &str, kind: &ErrorKind, last_end: usize) -> Option<usize> {
    let unclosed = matches!(kind, ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent);
    let rest = text.get(last_end..).filter(|_| unclosed)?;
    rest.find(['\'', '"']).map(|offset| last_end + offset)
}
