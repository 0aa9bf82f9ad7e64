//! Runs a short-lived program to its end; knows neither PostgreSQL nor the demo.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

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
///
/// Whoever stops waiting ends the program, and what it has started, before this returns.
pub(super) async fn output(mut command: Command, limit: Duration) -> Result<String, DemoError> {
    // A group of its own: Ctrl-C at the terminal is for us, and the whole group can be ended.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let program = describe(&command);
    let failed = |output: String| DemoError::Program { program: program.clone(), output };
    let mut running = Running(command.spawn().map_err(|error| failed(error.to_string()))?);
    let done = tokio::time::timeout(limit, running.finish()).await;
    let done = done.map_err(|_| failed(format!("no answer within {} s", limit.as_secs())))?;
    let (status, stdout, stderr) = done.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let words = if stderr.is_empty() { &stdout } else { &stderr };
    let words = last_lines(&String::from_utf8_lossy(words), 5);
    Err(failed(if words.is_empty() { status.to_string() } else { words }))
}

/// A program that is ended, with all that it has started, when nobody waits for it any more.
struct Running(Child);

impl Running {
    async fn finish(&mut self) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        let (mut out, mut err) = (self.0.stdout.take(), self.0.stderr.take());
        let (status, out, err) = tokio::join!(self.0.wait(), read(out.as_mut()), read(err.as_mut()));
        Ok((status?, out?, err?))
    }

    fn signal(group: Option<Pid>, signal: Signal) {
        let _ended = group.map(|group| kill_process_group(group, signal));
    }

    fn has_ended_within(&mut self, limit: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(20);
        for _ in 0..limit.as_millis() / PAUSE.as_millis() {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without an id it was waited for already.
        let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) else { return };
        let group = Pid::from_raw(id);
        // First the chance to tidy up, which initdb and apt-get take.
        Self::signal(group, Signal::TERM);
        let ended = self.has_ended_within(Duration::from_secs(5));
        Self::signal(group, Signal::KILL);
        if !ended {
            self.has_ended_within(Duration::from_secs(1));
        }
    }
}

async fn read(stream: Option<&mut (impl AsyncRead + Unpin)>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_stops_waiting_ends_the_program_and_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let late = folder.path().join("late");
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 1; touch \"$0\") & wait"]).arg(&late);
        let waited =
            tokio::time::timeout(Duration::from_millis(200), output(command, Duration::from_secs(60)));
        assert!(waited.await.is_err());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!late.exists());
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo nothing; echo why >&2; exit 3"]);
        let error = output(command, Duration::from_secs(60)).await.unwrap_err();
        assert!(error.to_string().ends_with(" failed: why"), "{error}");
    }
}
