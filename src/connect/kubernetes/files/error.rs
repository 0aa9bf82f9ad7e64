//! [`FilesError`]: why files in a container could not be listed, read or written.

use crate::connect::kubernetes::container::Container;
use crate::connect::kubernetes::error::ApiError;
use crate::model::{Applied, Failure};

/// Why a script in a container did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesError {
    /// The server refused to run it: nothing ran.
    Refused(ApiError),
    /// The container has not what it needs, and nothing was done.
    Lacks {
        /// What is lacking: `sh`, `sha256sum`.
        program: String,
        /// The container's name.
        container: String,
        /// Its pod's.
        pod: String,
    },
    /// It ended with this exit code, and this on standard error.
    Complained {
        /// The exit code.
        code: i32,
        /// What it said.
        stderr: String,
    },
    /// It ended without an exit code, by what the server says.
    NotEnded(String),
    /// The connection ended without a word on what became of it.
    Lost(String),
    /// What it said is not what it can say.
    Unreadable(String),
}

impl FilesError {
    pub(super) fn lacks(container: &Container, program: &str) -> Self {
        Self::Lacks {
            program: program.to_owned(),
            container: container.name().to_owned(),
            pod: container.pod().to_owned(),
        }
    }

    /// The failure of a step: `doing` what, such as `copy /backup/a.dump`.
    pub fn failure(&self, doing: &str) -> Failure {
        let failed = |why: &str| Failure::new(format!("cannot {doing}: {why}"));
        match self {
            Self::Refused(error) => error.failure(doing),
            Self::Lacks { program, container, pod } => {
                failed(&format!("container `{container}` of pod `{pod}` has no `{program}`")).help(
                    "Copy through a container that has it and mounts the same volume: a sidecar, or a debug container.",
                )
            }
            Self::Complained { code, stderr } if stderr.is_empty() => {
                failed(&format!("the script in the container ended with exit code {code}"))
            }
            Self::Complained { stderr, .. } => failed(stderr),
            Self::NotEnded(message) => failed(message).applied(Applied::Unknown),
            Self::Lost(why) => {
                failed(&format!("no answer came: {why}")).applied(Applied::Unknown).retryable()
            }
            Self::Unreadable(why) => failed(why),
        }
    }
}
