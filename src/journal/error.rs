//! [`JournalError`]: why a journal could not be made, written, read or found, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::RunId;

/// Why a journal could not be made, written, read or found.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {action} `{}`: {}", path.display(), describe(source))]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file failed earlier in a way after which what is on disk is not known.
    #[error("`{}` is no longer written, because it failed before: {cause}", path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
        /// The first failure.
        cause: String,
    },
    /// An event could not be put into words, or does not follow the one before it.
    #[error("event {seq} cannot be added to `{}`: {what}", path.display())]
    Unfit {
        /// The journal.
        path: PathBuf,
        /// The number of the event.
        seq: u64,
        /// Why not.
        what: String,
    },
    /// The run's directory exists already.
    #[error("run `{run}` exists already")]
    Exists {
        /// The run.
        run: RunId,
    },
    /// A living process holds the run.
    #[error("run `{run}` is running in another process")]
    Locked {
        /// The run.
        run: RunId,
    },
    /// The journal may be read but not continued.
    #[error("run `{run}` cannot be continued: {reason}")]
    ReportOnly {
        /// The run.
        run: RunId,
        /// What is wrong with its journal.
        reason: String,
    },
    /// No run has this name.
    #[error("there is no run `{text}`")]
    NotFound {
        /// What was asked for.
        text: String,
        /// The runs whose names are nearest.
        nearest: Vec<RunId>,
    },
    /// Several runs have such a name.
    #[error("`{text}` names {} runs", runs.len())]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The runs it could be, newest first.
        runs: Vec<RunId>,
    },
}

impl JournalError {
    /// Maps what the operating system said about a file.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A sentence that says what to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => advise(path, source.kind()),
            Self::Broken { .. } => Some("Repair the disk, then resume the run.".to_owned()),
            Self::Unfit { .. } => None,
            Self::Exists { run } => Some(format!("Continue it with `runbook resume {run}`.")),
            Self::Locked { .. } => Some("Wait for it, or stop that process first.".to_owned()),
            Self::ReportOnly { run, .. } => Some(format!("Read what is left with `runbook report {run}`.")),
            Self::NotFound { nearest, .. } if nearest.is_empty() => {
                Some("No runs are recorded here; set `RUNBOOK_STATE` if they are kept elsewhere.".to_owned())
            }
            Self::NotFound { nearest, .. } => {
                Some(format!("Did you mean {}? `runbook runs` lists them all.", names(nearest)))
            }
            Self::Ambiguous { runs, .. } => Some(format!("Type more of the name: {}.", names(runs))),
        }
    }
}

fn names(runs: &[RunId]) -> String {
    let shown: Vec<String> = runs.iter().take(5).map(|run| format!("`{run}`")).collect();
    let more = if runs.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The operating system's word in ours, where ours is plainer.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::FileTooLarge => "the file would be larger than the limit allows".to_owned(),
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "part of the path is not a directory".to_owned(),
        _ => error.to_string(),
    }
}

fn advise(path: &Path, kind: io::ErrorKind) -> Option<String> {
    let help = match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "Free some space where `{}` is, or set `RUNBOOK_STATE` to a directory that has some.",
            path.display()
        ),
        io::ErrorKind::PermissionDenied => {
            "Run as the user who owns that directory, or set `RUNBOOK_STATE` to one of your own.".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => {
            "Set `RUNBOOK_STATE` to a directory that can be written.".to_owned()
        }
        io::ErrorKind::FileTooLarge => "Raise the limit of file sizes (`ulimit -f`).".to_owned(),
        _ => return None,
    };
    Some(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: io::ErrorKind, message: &str, help: &str) {
        let error = JournalError::io("write", Path::new("/runs/x"))(kind.into());
        assert_eq!(error.to_string(), format!("cannot write `/runs/x`: {message}"));
        assert!(error.help().unwrap_or_default().contains(help), "{:?}", error.help());
    }

    #[test]
    fn what_the_system_says_is_said_plainly() {
        check(io::ErrorKind::StorageFull, "the disk is full", "Free some space");
        check(io::ErrorKind::PermissionDenied, "permission denied", "`RUNBOOK_STATE`");
        check(io::ErrorKind::ReadOnlyFilesystem, "the file system is read-only", "`RUNBOOK_STATE`");
        check(io::ErrorKind::FileTooLarge, "the file would be larger than the limit allows", "ulimit");
        check(io::ErrorKind::NotFound, "it does not exist", "");
    }
}
