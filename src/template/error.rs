//! [`TemplateError`]: what is wrong with a template, where, and what to do; and [`Fault`], its form inside the machine.

use std::ops::Range;

use minijinja::{Error, ErrorKind};

/// The kinds of problems a template can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The text is not part of the language.
    Syntax,
    /// A variable that no scope ever has.
    UnknownRoot,
    /// A filter or a test that does not exist.
    UnknownFilter,
    /// A function that does not exist.
    UnknownFunction,
    /// `steps` or `params` read other than `steps.<id>.<field>` and `params.<name>`.
    DynamicRoot,
    /// A variable without a value.
    Undefined,
    /// Values of the wrong types.
    Type,
    /// A condition that is not a boolean.
    Truthiness,
    /// The template works too long, or makes too much.
    Fuel,
    /// A filter cannot do its work.
    Filter,
    /// A hole in SQL text that cannot be filled.
    SqlHole,
    /// A block or a comment of the template language in SQL text.
    SqlBlock,
    /// The scope does not let this value be read.
    Refused,
}

/// One problem of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// A lowercase fragment without a period; names in backticks.
    pub message: String,
    /// The bytes of the scalar that are wrong; none when it is the scalar as a whole.
    pub range: Option<Range<usize>>,
    /// A sentence that says what to do.
    pub help: Option<String>,
    /// What kind of problem this is.
    pub problem: Problem,
}

impl TemplateError {
    /// A problem at a place.
    pub(super) fn new(problem: Problem, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), range: Some(range), help: None, problem }
    }

    /// Sets the help.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Places an error of the machine in the source it came from.
    pub(super) fn from_machine(source: &str, error: &Error) -> Self {
        let range = place_in(source, error);
        if let Some(fault) = fault_of(error) {
            return Self {
                message: fault.message_in(source, range.as_ref()),
                range,
                help: fault.help.clone(),
                problem: fault.problem,
            };
        }
        let problem = problem_of(error.kind());
        let message = match problem {
            Problem::Fuel => "this works too long".to_owned(),
            _ => error.detail().map_or_else(|| error.kind().to_string(), plain),
        };
        let help = (problem == Problem::Fuel)
            .then(|| "Move the work into SQL, or make the list shorter.".to_owned());
        Self { message, range, help, problem }
    }
}

/// The range of an error if it is one that a reader could use.
fn place_in(source: &str, error: &Error) -> Option<Range<usize>> {
    error.range().filter(|range| range.start < range.end && source.get(range.clone()).is_some())
}

/// The machine's words without its quotes and capitals.
fn plain(detail: &str) -> String {
    let mut letters = detail.chars();
    let first = letters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(letters).collect::<String>().trim_end_matches('.').to_owned()
}

fn problem_of(kind: ErrorKind) -> Problem {
    match kind {
        ErrorKind::SyntaxError | ErrorKind::BadEscape => Problem::Syntax,
        ErrorKind::UndefinedError => Problem::Undefined,
        ErrorKind::OutOfFuel => Problem::Fuel,
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest => Problem::UnknownFilter,
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => Problem::UnknownFunction,
        ErrorKind::CannotUnpack => Problem::Type,
        _ => Problem::Filter,
    }
}

/// A problem raised by our own filters and operators while the machine runs; it travels as the source of its error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    problem: Problem,
    message: String,
    help: Option<String>,
    /// Whether the message goes on after the name of what failed, which only the source knows.
    continues: bool,
}

impl Fault {
    /// A problem with its whole message.
    pub(super) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), help: None, continues: false }
    }

    /// A problem whose message starts with the failing text of the source.
    pub(super) fn about(problem: Problem, message: impl Into<String>) -> Self {
        Self { continues: true, ..Self::new(problem, message) }
    }

    /// Sets the help.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help when there is one.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The fault as a problem at a place.
    pub(super) fn at(self, source: &str, range: Range<usize>) -> TemplateError {
        let message = self.message_in(source, Some(&range));
        TemplateError { message, range: Some(range), help: self.help, problem: self.problem }
    }

    fn message_in(&self, source: &str, range: Option<&Range<usize>>) -> String {
        let name = range.and_then(|range| source.get(range.clone())).filter(|_| self.continues);
        match name {
            Some(name) => format!("`{name}` {}", self.message),
            None if self.continues => format!("this {}", self.message),
            None => self.message.clone(),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::new(ErrorKind::InvalidOperation, fault.message.clone()).with_source(fault)
    }
}

/// The fault behind an error, however deep.
fn fault_of(error: &Error) -> Option<&Fault> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(found) = cause {
        if let Some(fault) = found.downcast_ref() {
            return Some(fault);
        }
        cause = found.source();
    }
    None
}
