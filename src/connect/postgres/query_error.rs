//! [`QueryError`]: why a statement has no result, and whether the connection outlived it.

use std::error::Error as _;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_postgres::error::{DbError, ErrorPosition};

/// An error as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message} (SQLSTATE {sqlstate})")]
pub struct ServerError {
    /// `ERROR`, `FATAL` or `PANIC`, never translated; the latter two end the connection.
    pub severity: String,
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The byte in the statement where the server sees the problem.
    pub position: Option<usize>,
    /// The call stack on the server.
    pub where_: Option<String>,
    /// The schema it is about.
    pub schema: Option<String>,
    /// The table it is about.
    pub table: Option<String>,
    /// The column it is about.
    pub column: Option<String>,
    /// The constraint it is about.
    pub constraint: Option<String>,
}

impl ServerError {
    /// Takes over the driver's error. `text` is what was sent; `prefix` of its characters precede the statement.
    pub(super) fn new(error: &DbError, text: &str, prefix: usize) -> Self {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        let severity = error.parsed_severity();
        Self {
            severity: severity.map_or_else(|| error.severity().to_owned(), |severity| severity.to_string()),
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            position: position(error, text, prefix),
            where_: owned(error.where_()),
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            constraint: owned(error.constraint()),
        }
    }

    /// Whether the server closed the connection with it.
    pub fn is_fatal(&self) -> bool {
        self.severity == "FATAL" || self.severity == "PANIC"
    }
}

/// The server counts characters from one; everyone else here counts bytes from zero.
fn position(error: &DbError, text: &str, prefix: usize) -> Option<usize> {
    let Some(ErrorPosition::Original(position)) = error.position() else { return None };
    let character = (*position as usize).checked_sub(1)?;
    let statement = text.char_indices().nth(prefix).map_or(text.len(), |(byte, _)| byte);
    let byte = text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    byte.checked_sub(statement)
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// The server refused; the connection lives unless the error is fatal.
    Server(Box<ServerError>),
    /// The connection ended; what was sent may or may not have had its effect.
    ConnectionLost(String),
    /// The statement was ended through this session's [`Canceller`](super::Canceller).
    Cancelled,
    /// Client and server do not understand each other, or the request makes no sense.
    Protocol(String),
}

/// Which part of what was sent failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The statement in front with this index.
    Before(usize),
    /// The statement itself.
    Statement,
    /// The statement behind with this index.
    After(usize),
}

/// Why a statement has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What went wrong.
    pub kind: QueryErrorKind,
    /// Which part of what was sent failed.
    pub stage: Stage,
}

impl QueryError {
    pub(super) fn new(kind: QueryErrorKind) -> Self {
        Self { kind, stage: Stage::Statement }
    }

    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::new(QueryErrorKind::Protocol(message.into()))
    }

    pub(super) fn lost(reason: impl Into<String>) -> Self {
        Self::new(QueryErrorKind::ConnectionLost(reason.into()))
    }

    pub(super) fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// Whether the connection ended, so that the session is of no more use.
    pub fn is_connection_lost(&self) -> bool {
        match &self.kind {
            QueryErrorKind::ConnectionLost(_) => true,
            QueryErrorKind::Server(error) => error.is_fatal(),
            QueryErrorKind::Cancelled | QueryErrorKind::Protocol(_) => false,
        }
    }

    /// The SQLSTATE, if the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match &self.kind {
            QueryErrorKind::Server(error) => Some(&error.sqlstate),
            QueryErrorKind::Cancelled => Some("57014"),
            QueryErrorKind::ConnectionLost(_) | QueryErrorKind::Protocol(_) => None,
        }
    }

    /// The server's description, if it gave one.
    pub fn server(&self) -> Option<&ServerError> {
        match &self.kind {
            QueryErrorKind::Server(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            QueryErrorKind::Server(error) => error.fmt(f),
            QueryErrorKind::ConnectionLost(reason) => write!(f, "the connection was lost: {reason}"),
            QueryErrorKind::Cancelled => f.write_str("the statement was cancelled"),
            QueryErrorKind::Protocol(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for QueryError {}

/// The driver's error with its causes in one line; by itself it only says `db error`.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
