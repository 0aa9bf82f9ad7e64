//! [`SqlError`]: one problem in SQL text, with its place and what to do. Knows nothing of files or terminals.

use std::ops::Range;

use thiserror::Error;

/// One problem in SQL text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SqlError {
    /// A lowercase fragment without a period; names in backticks.
    pub message: String,
    /// The bytes that are wrong: in the template's source at load, in the bound text afterwards.
    pub range: Option<Range<usize>>,
    /// A sentence that says what to do.
    pub help: Option<String>,
    /// Which kind of problem it is.
    pub problem: SqlProblem,
}

/// The kinds of problems; each maps to one diagnostic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlProblem {
    /// The grammar refuses the text.
    Syntax,
    /// A hole is inside another token, or touches one.
    HolePlace,
    /// BEGIN, COMMIT, SAVEPOINT and the like: the step owns the transaction.
    TransactionControl,
    /// Statements that may not run in a transaction are mixed with others; the step kind decides.
    MixedTransaction,
    /// A psql command or variable, which the server does not know.
    MetaCommand,
    /// Data lines behind `COPY … FROM STDIN`.
    CopyInline,
    /// There is no statement.
    Empty,
    /// A text cannot be quoted.
    Quote,
    /// A value would change the statement around it.
    BindChanged,
    /// The bound statement does more than the checked one; decided by the caller.
    ClassRaised,
    /// A password is written in the text.
    SecretLiteral,
}

impl SqlError {
    /// A problem without a place.
    pub fn new(problem: SqlProblem, message: impl Into<String>) -> Self {
        Self { message: message.into(), range: None, help: None, problem }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
