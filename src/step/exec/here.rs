//! [`Here`]: a program on the machine this runs on.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::bound::BoundProgram;
use super::settle::MARK;
use crate::connect::PrivateFile;
use crate::model::{Applied, Failure, Secret, StoppedBy};
use crate::step::context::RunContext;
use crate::step::error::StepError;
use crate::step::program::{Captured, Ended, Input};

/// How long a program may take to end after it was asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How much of the program's output is read at once.
const CHUNK: usize = 64 << 10;

/// A program on the machine this runs on, ready to start.
pub(super) struct Here<'a> {
    program: &'a BoundProgram,
    command: Command,
    /// Removed with this.
    _password_file: Option<PrivateFile>,
}

impl<'a> Here<'a> {
    pub(super) fn prepare(program: &'a BoundProgram, cx: &RunContext<'_>) -> Result<Self, StepError> {
        let mut command = Command::new(program.name());
        command.args(&program.command[1..]).current_dir(cx.files);
        let mut password_file = None;
        if let Some(name) = &program.postgres {
            let libpq = cx.connections.libpq_here(name)?;
            command.envs(libpq.variables).env("PGAPPNAME", cx.application_name);
            let text = libpq.password_file.as_ref().map(Secret::expose);
            password_file = text.map(PrivateFile::create).transpose()?;
        }
        if let Some(file) = &password_file {
            command.env("PGPASSFILE", file.path());
        }
        // What the step says itself comes last, and wins.
        command.envs(&program.env).env(MARK, cx.application_name);
        // A group of its own, so that stopping it also stops what it started.
        command.process_group(0).kill_on_drop(true);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { program, command, _password_file: password_file })
    }

    pub(super) async fn run(
        mut self,
        input: Input<'_>,
        out: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Ended, StepError> {
        self.command.stdin(if input.is_something() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.command.spawn().map_err(|error| cannot_start(self.program.name(), &error))?;
        // Open until the program has ended: the end of its input would tell it that it has all of it.
        let mut stdin = child.stdin.take();
        let ended = tokio::select! {
            ended = finish(&mut child, &mut stdin, input, out) => ended,
            by = cx.stopped() => Err(Halted::Stopped(by)),
        };
        match ended {
            Ok(ended) => Ok(ended),
            Err(halted) => {
                stop(&mut child).await;
                Err(halted.error(self.program.name()))
            }
        }
    }
}

/// Why a program must not go on.
enum Halted {
    Stopped(StoppedBy),
    /// Its input broke off.
    Input(std::io::Error),
    Output(std::io::Error),
}

impl Halted {
    fn error(self, program: &str) -> StepError {
        let failure = match self {
            Self::Stopped(by) => Failure::new("the program was stopped").stopped_by(by),
            Self::Input(error) => {
                Failure::new(format!("`{program}` was stopped: its input broke off: {error}"))
            }
            Self::Output(error) => {
                let failure = Failure::new(format!("cannot read from the program: {error}"));
                return StepError::Uncertain(failure.applied(Applied::Unknown));
            }
        };
        StepError::Failed(failure.applied(Applied::Unknown))
    }
}

async fn finish(
    child: &mut Child,
    stdin: &mut Option<ChildStdin>,
    mut input: Input<'_>,
    out: DuplexStream,
) -> Result<Ended, Halted> {
    let (stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let errors = async {
        match &mut stderr {
            Some(stderr) => Captured::read(stderr).await.map_err(Halted::Output),
            None => Ok(Captured::default()),
        }
    };
    let ((), (), stderr) = tokio::try_join!(feed(&mut input, stdin), drain(stdout, out), errors)?;
    let status = child.wait().await.map_err(Halted::Output)?;
    Ok(Ended { exit_code: exit_code(status), stderr, out_of_time: false })
}

/// Writes the input, and then its end. A program need not read all it is given; whether that matters its exit code says.
async fn feed(input: &mut Input<'_>, stdin: &mut Option<ChildStdin>) -> Result<(), Halted> {
    let Some(pipe) = stdin else { return Ok(()) };
    match input.pump(pipe).await {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Halted::Input(error)),
        _ => {
            *stdin = None;
            Ok(())
        }
    }
}

/// Passes the output on, and lets go of it where nobody takes it any more.
async fn drain(stdout: Option<ChildStdout>, mut out: DuplexStream) -> Result<(), Halted> {
    let Some(mut stdout) = stdout else { return Ok(()) };
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = stdout.read(&mut chunk).await.map_err(Halted::Output)?;
        if count == 0 || out.write_all(&chunk[..count]).await.is_err() {
            return Ok(());
        }
    }
}

/// Ends the program's whole group: first a request, then, after a moment, by force.
async fn stop(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) else {
        return;
    };
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    let _ended = tokio::time::timeout(STOP_PATIENCE, child.wait()).await;
    // Also when the program itself has ended: what it started may not listen to requests.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _reaped = tokio::time::timeout(STOP_PATIENCE, child.wait()).await;
}

fn exit_code(status: ExitStatus) -> i32 {
    let signal = || std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
    status.code().unwrap_or_else(|| 128 + signal())
}

fn cannot_start(program: &str, error: &std::io::Error) -> StepError {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "Install it, or give its full path.",
        std::io::ErrorKind::PermissionDenied => "Make the file executable.",
        _ => "See what the operating system says.",
    };
    Failure::new(format!("cannot start `{program}`: {error}")).help(help).into()
}
