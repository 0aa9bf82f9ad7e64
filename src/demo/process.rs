//! Runs a short-lived program to its end; knows neither PostgreSQL nor the demo.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::DemoError;
use crate::model::ProcessEnvironment;

/// The absolute folders of `PATH`; relative ones are left out, since what they hold depends on where we stand.
pub(super) fn search_path(environment: &ProcessEnvironment) -> Vec<PathBuf> {
    let folders = environment.get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin").split(':');
    folders.map(PathBuf::from).filter(|folder| folder.is_absolute()).collect()
}

/// The first file of that name in `PATH`.
pub(super) fn which(environment: &ProcessEnvironment, name: &str) -> Option<PathBuf> {
    search_path(environment).into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A command with the process environment that was handed down, not the real one.
pub(super) fn command(program: &Path, environment: &ProcessEnvironment) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(&environment.variables);
    command
}

/// What a program wrote to its standard output, when it ended well within the time.
pub(super) async fn output(mut command: Command, limit: Duration) -> Result<String, DemoError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let program = describe(&command);
    let failed = |output: String| DemoError::Program { program: program.clone(), output };
    let done = tokio::time::timeout(limit, command.output()).await;
    let done = done.map_err(|_| failed(format!("no answer within {} s", limit.as_secs())))?;
    let done = done.map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let words = if done.stderr.is_empty() { &done.stdout } else { &done.stderr };
    let words = last_lines(&String::from_utf8_lossy(words), 5);
    Err(failed(if words.is_empty() { done.status.to_string() } else { words }))
}

/// The last lines of a text that hold something.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn describe(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
