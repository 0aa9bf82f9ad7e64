//! [`ProcessEnvironment`]: the process environment, read once by `cli` and handed down.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A snapshot of the process environment. Nothing below `cli` reads the real one.
#[derive(Debug, Clone, Default)]
pub struct ProcessEnvironment {
    /// The environment variables that are valid UTF-8.
    pub variables: BTreeMap<String, String>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The name of the operating system's user, which is also libpq's default role.
    pub user: String,
    /// The working directory.
    pub directory: PathBuf,
}

impl ProcessEnvironment {
    /// The value of a variable; an empty one counts as unset, as in libpq.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
