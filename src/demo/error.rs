//! [`DemoError`]: why there is no demo server, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a demo server could not be found, fetched, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No server is installed and none could be fetched; `tried` says what was attempted.
    #[error("no PostgreSQL server found{}", after_colon(tried))]
    NoServer {
        /// What was attempted, and why it did not work.
        tried: String,
    },
    /// A program could not be started or did not end well.
    #[error("`{program}` failed{}", after_colon(output))]
    Program {
        /// The program as called.
        program: String,
        /// Why, or the last lines that it wrote.
        output: String,
    },
    /// A downloaded package is not the one this version of `runbook` expects.
    #[error("package `{package}` has checksum `{found}` instead of `{expected}`")]
    Checksum {
        /// The package with its version.
        package: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The file system refused something.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    File {
        /// What was attempted, such as `create`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// PostgreSQL refuses to run as root, and there is no other account to run it.
    #[error("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it")]
    NoAccount,
    /// The server ended, or was not ready in time.
    #[error("the demo server did not start{}", after_colon(log))]
    NotReady {
        /// The last lines of its log.
        log: String,
    },
}

impl DemoError {
    /// What the operator can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoServer { .. } => {
                "Install a PostgreSQL server, such as the package `postgresql`, `postgresql-server` or \
                 `brew install postgresql`, and try again."
            }
            Self::Program { .. } => "Run the program by hand to see what it needs.",
            Self::Checksum { .. } => {
                "Do not use this package: check which registry npm talks to, or install a PostgreSQL server yourself."
            }
            Self::File { .. } => "Check the permissions and the free space there.",
            Self::NoAccount => "Run the demo as an ordinary user, or create an account named `postgres`.",
            Self::NotReady { .. } => {
                "Read the server's words above; a full disk and too little shared memory are common causes."
            }
        }
    }

    pub(super) fn file(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::File { doing, path, source }
    }
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
