//! A server's errors as failures of a step: what is wrong, what it left, whether a second attempt can help.

use crate::connect::postgres::{QueryError, QueryErrorKind, ServerError};
use crate::model::{Applied, Failure, StoppedBy};
use crate::step::error::StepError;

/// How far an attempt was when its statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Reading, or inside a transaction whose COMMIT was not sent: the server undoes it.
    Undone,
    /// COMMIT was sent.
    Committing,
    /// Outside a transaction; `done` statements before this one stay.
    Standing {
        /// How many statements are done.
        done: usize,
        /// Whether this statement changes nothing by itself.
        read: bool,
    },
}

/// Words a failed statement.
pub(super) fn step_error(
    error: &QueryError,
    statement: &str,
    phase: Phase,
    stopped: Option<StoppedBy>,
) -> StepError {
    let applied = match phase {
        Phase::Undone | Phase::Standing { done: 0, read: true } => Applied::No,
        Phase::Committing => Applied::Unknown,
        Phase::Standing { done: 0, .. } if !error.is_connection_lost() && !leaves_remains(statement) => {
            Applied::No
        }
        Phase::Standing { .. } => Applied::Partly,
    };
    let out_of_time = stopped == Some(StoppedBy::Timeout)
        && error.server().is_some_and(|server| server.sqlstate == "57014" && !server.is_fatal());
    if error.kind == QueryErrorKind::Cancelled || out_of_time {
        return StepError::Failed(cancelled(stopped).applied(applied));
    }
    match error.server() {
        Some(server) if !server.is_fatal() => {
            StepError::Failed(server_failure(server, statement).applied(applied))
        }
        _ => lost(error, phase, applied),
    }
}

fn cancelled(by: Option<StoppedBy>) -> Failure {
    let why = match by {
        Some(StoppedBy::Timeout) => "the step's timeout ran out",
        Some(StoppedBy::Neighbour) => "another step failed and the grace is over",
        Some(StoppedBy::AbortWhen) => "its side check was breached",
        _ => "the run was interrupted",
    };
    let failure = Failure::new(format!("cancelled on the server: {why}"));
    match by {
        Some(by) => failure.stopped_by(by),
        None => failure,
    }
}

fn lost(error: &QueryError, phase: Phase, applied: Applied) -> StepError {
    let failure = Failure::new(error.to_string());
    match phase {
        Phase::Undone | Phase::Standing { done: 0, read: true } => {
            StepError::Failed(failure.applied(Applied::No).retryable())
        }
        _ if error.is_connection_lost() => StepError::Uncertain(
            failure
                .applied(Applied::Unknown)
                .help("Look whether it took effect before anything is repeated."),
        ),
        _ => StepError::Failed(failure.applied(applied)),
    }
}

/// A concurrent build that fails leaves an invalid index behind.
fn leaves_remains(statement: &str) -> bool {
    statement.to_ascii_uppercase().contains("CONCURRENTLY")
}

/// The server's own words, with the place in the statement.
pub(super) fn server_failure(server: &ServerError, statement: &str) -> Failure {
    let mut details = Vec::new();
    if let Some(place) = server.position.and_then(|position| excerpt(statement, position)) {
        details.extend(place);
    }
    details.extend(server.detail.iter().map(|detail| format!("detail: {detail}")));
    details.extend(server.hint.iter().map(|hint| format!("hint: {hint}")));
    details.extend(server.where_.iter().map(|context| format!("context: {context}")));
    let failure = Failure {
        sqlstate: Some(server.sqlstate.clone()),
        details,
        help: advice(&server.sqlstate).map(str::to_owned),
        ..Failure::new(format!("{} ({})", server.message, server.sqlstate))
    };
    if repeatable(&server.sqlstate) { failure.retryable() } else { failure }
}

/// The line of the statement and a caret under the byte the server complains about.
fn excerpt(statement: &str, position: usize) -> Option<[String; 2]> {
    let before = statement.get(..position)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = statement[start..].lines().next()?;
    let column = before[start..].chars().count();
    let number = before.matches('\n').count() + 1;
    let margin = format!("line {number}: ");
    Some([format!("{margin}{line}"), format!("{}^", " ".repeat(margin.len() + column))])
}

fn repeatable(sqlstate: &str) -> bool {
    matches!(sqlstate, "40001" | "40P01" | "55P03" | "53300" | "57P03" | "57P01")
        || sqlstate.starts_with("08")
}

fn advice(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "42501" => "Grant the right to the role, or run as another one with `role:`.",
        "42P01" | "42703" | "42883" => "Check the name, its schema, and the server's version.",
        "55P03" => {
            "Somebody holds the lock: see who with `long-running-queries`, or allow more `lock_timeout`."
        }
        "57014" => "The statement was cancelled, by its `statement_timeout` or by a person.",
        "25006" => "The session is read-only: the step was planned as a read, or the server is a standby.",
        "25001" => "Say `transaction: never` for this step.",
        "53100" => "The server's disk is full.",
        "23505" => "A row with this key exists already.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_byte_the_server_names() {
        let place = excerpt("SELECT 1,\n  ä, nosuch", 16).unwrap();
        assert_eq!(place, ["line 2:   ä, nosuch".to_owned(), "             ^".to_owned()]);
    }
}
