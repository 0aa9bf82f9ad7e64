//! From templates back to the scalars they came from: where their problems and their reads stand.

use std::collections::HashMap;
use std::ops::Range;

use serde::de::DeserializeOwned;

use super::Loader;
use crate::diagnostic::{Code, Diagnostic, Severity, SourceId, Span};
use crate::runbook::step::PlacedRead;
use crate::step::templated::{Decoded, Problem, collect};
use crate::yaml::Node;

/// The files a step reads, by their text.
pub(super) type Files = HashMap<String, SourceId>;

impl Loader<'_, '_> {
    /// Decodes a key that may hold templates, and notes what they read.
    pub(super) fn templated<T: DeserializeOwned>(
        &mut self,
        node: Node<'_>,
        key: &str,
        reads: &mut Vec<PlacedRead>,
    ) -> Option<T> {
        let child = node.get(key)?;
        let (value, decoded) = collect(|| child.decode::<T>());
        reads.extend(self.place(child, decoded));
        match value {
            Ok(value) => Some(value),
            Err(problem) => {
                self.shared.diagnostics.push(problem);
                None
            }
        }
    }

    /// Finds the scalars that templates came from: reports their problems there, and places their reads.
    pub(super) fn place(&mut self, node: Node<'_>, decoded: Vec<Decoded>) -> Vec<PlacedRead> {
        self.place_within(node, decoded, &Files::new())
    }

    /// The same for a step that also reads files.
    pub(super) fn place_within(
        &mut self,
        node: Node<'_>,
        decoded: Vec<Decoded>,
        files: &Files,
    ) -> Vec<PlacedRead> {
        if decoded.is_empty() {
            return Vec::new();
        }
        let scalars = Scalars::of(node);
        let mut placed = Vec::new();
        // Equal scalars are decoded in the order of the file.
        let mut met: HashMap<String, usize> = HashMap::new();
        for Decoded { source, reads, problems, is_sql } in decoded {
            let nth = met.entry(source.clone()).and_modify(|count| *count += 1).or_default();
            let span = |range: Option<Range<usize>>| match files.get(&source) {
                Some(file) => Span::new(*file, range.unwrap_or(0..source.len())),
                None => scalars.place(&source, range, *nth),
            };
            for problem in problems {
                let at = span(problem.range.clone());
                self.problem(problem, at);
            }
            if is_sql && !files.contains_key(&source) {
                self.warn_of_comment(node, &source);
            }
            placed.extend(
                reads.into_iter().map(|read| PlacedRead { span: span(Some(read.range.clone())), read }),
            );
        }
        placed
    }

    fn warn_of_comment(&mut self, node: Node<'_>, source: &str) {
        let scalar = node.texts().into_iter().find(|(text, _)| *text == source);
        if let Some(span) = scalar.and_then(|(_, scalar)| scalar.trailing_comment()) {
            let message = "this is a YAML comment, not part of the SQL";
            let help =
                "Quote the SQL or use a block (`|`) if it belongs to it; else move it to its own line.";
            let warning = Diagnostic::warning(Code::YAML_COMMENT_AFTER_SQL, message);
            self.shared.diagnostics.push(warning.at(span, "ignored").help(help));
        }
    }

    pub(super) fn problem(&mut self, problem: Problem, span: Span) {
        let diagnostic = match problem.severity {
            Severity::Error => Diagnostic::error(problem.code, problem.message),
            Severity::Warning => Diagnostic::warning(problem.code, problem.message),
        };
        self.shared.diagnostics.push(diagnostic.at(span, "").maybe_help(problem.help));
    }
}

/// The scalars at or below a node, by their text: collected once, since a list may hold thousands of templates.
struct Scalars<'d> {
    node: Node<'d>,
    by_text: HashMap<&'d str, Vec<Node<'d>>>,
}

impl<'d> Scalars<'d> {
    fn of(node: Node<'d>) -> Self {
        let mut by_text: HashMap<&str, Vec<Node<'_>>> = HashMap::new();
        for (text, scalar) in node.texts() {
            by_text.entry(text).or_default().push(scalar);
        }
        Self { node, by_text }
    }

    /// A range of the `nth` scalar with this text; the whole scalar without a range.
    fn place(&self, text: &str, range: Option<Range<usize>>, nth: usize) -> Span {
        let found = self.by_text.get(text).and_then(|equal| equal.get(nth).or(equal.last()));
        match (found, range) {
            (Some(scalar), Some(range)) => scalar.text_span(range),
            (Some(scalar), None) => scalar.span(),
            (None, _) => self.node.span(),
        }
    }
}

/// A range of a scalar below `node`, or of a file.
pub(super) fn place_anywhere(
    node: Node<'_>,
    source: &str,
    range: Option<Range<usize>>,
    files: &Files,
) -> Span {
    match files.get(source) {
        Some(file) => Span::new(*file, range.unwrap_or(0..source.len())),
        None => Scalars::of(node).place(source, range, 0),
    }
}
