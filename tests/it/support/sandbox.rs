//! [`Sandbox`]: a temporary directory in which the real program runs with an environment of its own.

use std::fmt;
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

/// What a command printed and how it ended, as one snapshot.
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
        for inner in ["home", "here"] {
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
        self.folder.path().join("here")
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

    /// Runs the program with arguments separated by blanks.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.run_args(&arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs the program.
    pub(crate) fn run_args(&self, arguments: &[&str]) -> Output {
        self.finish(self.command(arguments))
    }

    /// The program with arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        self.furnish(&mut command);
        command
    }

    /// Runs a line of shell, in which `runbook` is the program, and `$RUNBOOK` its path.
    pub(crate) fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("runbook() {{ {PROGRAM} \"$@\"; }}; {line}")]);
        self.finish(command)
    }

    fn furnish(&self, command: &mut Command) {
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("RUNBOOK", PROGRAM).current_dir(self.directory()).stdin(Stdio::null());
    }

    fn finish(&self, mut command: Command) -> Output {
        self.furnish(&mut command);
        let output = command.output().expect("the program starts");
        Output {
            stdout: self.redact(&output.stdout),
            stderr: self.redact(&output.stderr),
            exit: output.status.code(),
        }
    }

    /// Names of this machine and this test become fixed words.
    fn redact(&self, bytes: &[u8]) -> String {
        let folder = self.folder.path().display().to_string();
        String::from_utf8_lossy(bytes).replace(&folder, "SANDBOX")
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Blanks at the end of a line are seen by nobody, and editors take them away.
        let lines = |f: &mut fmt::Formatter<'_>, text: &str| {
            text.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
        };
        lines(f, &self.stdout)?;
        if !self.stderr.is_empty() {
            writeln!(f, "--- stderr")?;
            lines(f, &self.stderr)?;
        }
        write!(f, "--- exit {}", self.exit.map_or_else(|| "by a signal".to_owned(), |code| code.to_string()))
    }
}
