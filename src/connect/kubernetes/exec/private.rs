//! [`PrivateEnvironment`]: variables and a password that a command in a container gets over its standard input.

use std::fmt::Write as _;

use crate::model::Secret;

/// What a command's environment holds that no list of processes and no audit log may show.
#[derive(Debug)]
pub struct PrivateEnvironment {
    script: Secret,
}

impl PrivateEnvironment {
    /// Variables, and the text of libpq's password file, which is kept in a folder of its own while the command runs.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>, password_file: Option<&str>) -> Self {
        let mut script = String::new();
        // Writing to a text cannot fail.
        for (name, value) in variables {
            writeln!(script, "export {name}={}", quoted(&value)).ok();
        }
        if let Some(text) = password_file {
            writeln!(script, "folder=$(mktemp -d) || exit 127").ok();
            writeln!(script, "trap 'rm -r \"$folder\"' EXIT").ok();
            writeln!(script, "printf %s {} >\"$folder/pgpass\" || exit 127", quoted(text)).ok();
            writeln!(script, "export PGPASSFILE=\"$folder/pgpass\"").ok();
        }
        script.push_str("private_is_whole=yes\n");
        Self { script: Secret::new(script) }
    }

    /// What makes it, in the words of a shell: the first bytes of the command's input.
    pub fn script(&self) -> &str {
        self.script.expose()
    }
}

/// A text that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
