//! Problems in documents, as data.
//!
//! A [`Diagnostic`] says what is wrong, where, and what to do. Stages collect them in [`Diagnostics`] instead of
//! failing, so one bad step hides no other. This module must not know how a diagnostic is shown.

mod code;
mod span;

pub use code::{CODES, Code};
pub use span::{SourceId, Sources, Span};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The runbook cannot be planned or run.
    Error,
    /// The runbook works, but probably not as its author means.
    Warning,
}

/// A place in a source, with a few words about its part in the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The bytes that are underlined.
    pub span: Span,
    /// What the bytes have to do with the problem; empty when the message says it all.
    pub text: String,
}

/// One problem in a document.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Which of the documented problems this is.
    pub code: &'static Code,
    /// Whether it stops a run.
    pub severity: Severity,
    /// A lowercase fragment without a period; names in backticks.
    pub message: String,
    /// Where it is: the first label is the primary one.
    pub labels: Vec<Label>,
    /// A sentence that says what to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Creates an error without a place.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// Creates a warning without a place.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place; the first one added is the primary one.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the sentence that says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help when there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// The problems found so far.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Whether any problem stops a run.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The problems in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// Sorts by source and position, so that a reader meets the problems from top to bottom.
    pub fn sort(&mut self) {
        self.items.sort_by_key(|item| item.labels.first().map(|label| (label.span.source, label.span.start)));
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, items: T) {
        self.items.extend(items);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The candidate nearest to a misspelt name, if one is near enough to be worth saying.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(name.len().max(candidate.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
