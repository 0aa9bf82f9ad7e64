//! [`ExecOutcome`], and the status that tells it.

use serde::Deserialize;

/// The longest status that is waited for, in bytes; they have some hundred.
const LONGEST: usize = 256 << 10;

/// What became of a command. Only an exit code may be judged as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutcome {
    /// It ended with this code; 128 and the signal's number where a signal ended it.
    Exit(i32),
    /// It did not start, or the server lost it: there is no exit code.
    Failed {
        /// The server's word for it, such as `InternalError`; often empty.
        reason: String,
        /// What the server says.
        message: String,
    },
    /// The connection ended without a status, for this reason: the command may have run and may still run. Never to
    /// be retried without asking.
    Lost(String),
}

/// Puts the status together, which may come in pieces.
#[derive(Debug, Default)]
pub(super) struct StatusReader(Vec<u8>);

impl StatusReader {
    /// Takes the next piece and tells the outcome once it is known.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<ExecOutcome> {
        self.0.extend_from_slice(piece);
        match serde_json::from_slice::<Status>(&self.0) {
            Ok(status) => Some(status.outcome()),
            Err(error) if error.is_eof() && self.0.len() < LONGEST => None,
            Err(error) => Some(ExecOutcome::Lost(format!("the server sent an unreadable status: {error}"))),
        }
    }

    /// Whether a status had begun and is not complete.
    pub(super) fn has_begun(&self) -> bool {
        !self.0.is_empty()
    }
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(rename = "status")]
    word: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    #[serde(default)]
    causes: Vec<Cause>,
}

#[derive(Debug, Deserialize)]
struct Cause {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

impl Status {
    fn outcome(self) -> ExecOutcome {
        match (self.word.as_str(), self.exit_code()) {
            ("Success", _) => ExecOutcome::Exit(0),
            ("Failure", Some(code)) => ExecOutcome::Exit(code),
            ("Failure", None) => ExecOutcome::Failed { reason: self.reason, message: self.message },
            (other, _) => ExecOutcome::Lost(format!("the server sent an unknown status `{other}`")),
        }
    }

    /// The exit code of a failure; zero would contradict it and is none.
    fn exit_code(&self) -> Option<i32> {
        let causes = self.details.as_ref().filter(|_| self.reason == "NonZeroExitCode")?;
        let cause = causes.causes.iter().find(|cause| cause.reason == "ExitCode")?;
        cause.message.parse().ok().filter(|code| *code != 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn outcome(status: &Value) -> ExecOutcome {
        StatusReader::default().push(status.to_string().as_bytes()).unwrap()
    }

    fn failure(reason: &str, cause: &str, code: &str) -> Value {
        let causes = json!([{ "reason": "Other", "message": "5" }, { "reason": cause, "message": code }]);
        json!({ "metadata": {}, "status": "Failure", "message": "m", "reason": reason, "details": { "causes": causes } })
    }

    #[test]
    fn only_a_code_that_is_one_counts() {
        assert_eq!(outcome(&json!({ "metadata": {}, "status": "Success" })), ExecOutcome::Exit(0));
        assert_eq!(outcome(&failure("NonZeroExitCode", "ExitCode", "137")), ExecOutcome::Exit(137));
        for (reason, cause, code) in [
            ("NonZeroExitCode", "ExitCode", "0"),
            ("NonZeroExitCode", "ExitCode", "x"),
            ("NonZeroExitCode", "Else", "3"),
            ("InternalError", "ExitCode", "3"),
        ] {
            let failed = ExecOutcome::Failed { reason: reason.to_owned(), message: "m".to_owned() };
            assert_eq!(outcome(&failure(reason, cause, code)), failed);
        }
        let bare = ExecOutcome::Failed { reason: String::new(), message: String::new() };
        assert_eq!(outcome(&json!({ "status": "Failure", "details": null })), bare);
        assert!(matches!(outcome(&json!({ "status": "Perhaps" })), ExecOutcome::Lost(_)));
        assert!(matches!(outcome(&json!({ "message": "no status" })), ExecOutcome::Lost(_)));
    }

    #[test]
    fn a_status_may_come_in_pieces() {
        let status = failure("NonZeroExitCode", "ExitCode", "3").to_string();
        let mut reader = StatusReader::default();
        let (last, pieces) = status.as_bytes().split_last().unwrap();
        for piece in pieces.chunks(1) {
            assert_eq!(reader.push(piece), None);
        }
        assert!(reader.has_begun());
        assert_eq!(reader.push(&[*last]), Some(ExecOutcome::Exit(3)));
    }

    #[test]
    fn a_status_without_end_is_not_waited_for() {
        let mut reader = StatusReader::default();
        assert_eq!(reader.push(b"{\"message\":\""), None);
        assert!(matches!(reader.push(&vec![b'x'; LONGEST]), Some(ExecOutcome::Lost(_))));
    }
}
