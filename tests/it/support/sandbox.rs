//! [`Sandbox`]: a temporary directory in which the real program runs with an environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_runbook");

/// A temporary working directory, home included, and the environment the program gets.
pub(crate) struct Sandbox {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Option<i32>,
}

impl Sandbox {
    /// An empty directory, and only the variables every login has.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        for inner in ["home", "work"] {
            std::fs::create_dir(folder.path().join(inner)).expect("a new directory is empty");
        }
        let home = folder.path().join("home");
        let variables = [
            ("HOME", home.display().to_string()),
            ("XDG_CONFIG_HOME", home.join(".config").display().to_string()),
            ("XDG_STATE_HOME", home.join(".local/state").display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", "/usr/bin:/bin".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { folder, variables }
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The directory of everything the program keeps for itself.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("home/.local/state")
    }

    /// Writes a file below the working directory.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.directory().join(path);
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    /// The program with arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdin(Stdio::null());
        self.furnish(&mut command);
        command
    }

    /// A line of shell, in which `$RUNBOOK` is the program.
    pub(crate) fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdin(Stdio::null());
        self.furnish(&mut command);
        finish(command.env("RUNBOOK", PROGRAM))
    }

    /// Runs the program.
    pub(crate) fn run_args(&self, arguments: &[&str]) -> Output {
        finish(&mut self.command(arguments))
    }

    fn furnish(&self, command: &mut Command) {
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory());
    }
}

fn finish(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        exit: output.status.code(),
    }
}
