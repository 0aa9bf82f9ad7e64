//! Kind `exec`: a program on a host that the environment names. No plan runs one, and no shell is involved.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::bind::Binder;
use super::context::RunContext;
use super::error::{BindError, StepError};
use super::kind::{Anchor, CheckContext, Done, Need, StepKind};
use super::program::{Captured, Parse, ProgramOutput, command_line, only_zero};
use super::templated::{Problem, Text};
use crate::connect::{OutputFile, PrivateFile, open_input};
use crate::diagnostic::{Code, Severity};
use crate::model::{Applied, Class, Failure, StoppedBy, format_size};

/// How long a program may take to end after it was asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The kind.
#[derive(Debug)]
pub(super) struct Exec;

/// A program and its arguments, given as a list and never passed to a shell.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecSpec {
    /// The host to run on: a connection of kind `host`; the machine this runs on by default.
    on: Option<String>,
    /// The program and its arguments.
    command: Vec<Text>,
    /// What the program reads from its standard input.
    stdin: Option<Text>,
    /// A file that the program reads as its standard input, relative to `--files`.
    stdin_file: Option<Text>,
    /// A file that takes the program's standard output, relative to `--files`.
    stdout_file: Option<Text>,
    /// Whether `stdout_file` may replace an existing file.
    #[serde(default)]
    overwrite: bool,
    /// A postgres connection whose address and password the program gets, as libpq expects them.
    postgres: Option<String>,
    /// More environment variables.
    #[serde(default)]
    env: IndexMap<String, Text>,
    /// How standard output becomes data.
    #[serde(default)]
    parse: Parse,
    /// The exit codes that mean success.
    #[serde(default = "only_zero")]
    exit_codes: Vec<i32>,
}

/// The program as it will be started.
#[derive(Debug, Serialize)]
pub(super) struct ExecInput {
    on: String,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_file: Option<String>,
    #[serde(skip)]
    overwrite: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    postgres: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    #[serde(skip)]
    parse: Parse,
    #[serde(skip)]
    exit_codes: Vec<i32>,
}

impl StepKind for Exec {
    const NAME: &'static str = "exec";
    const ABOUT: &'static str = "Runs a program on a host that the environment names.";
    const SHORT: Option<&'static str> = None;
    type Spec = ExecSpec;
    type Input = ExecInput;
    type Output = ProgramOutput;

    fn check(spec: &mut ExecSpec, cx: &mut CheckContext<'_>) {
        let mut problem = |key, message: &str, help: &str| {
            let (message, help) = (message.to_owned(), Some(help.to_owned()));
            let problem =
                Problem { code: Code::EXEC_COMMAND, severity: Severity::Error, message, range: None, help };
            cx.problems.push((Anchor::Key(key), problem));
        };
        if spec.command.is_empty() {
            problem("command", "the command is empty", "Write the program and its arguments as a list.");
        }
        if spec.stdin.is_some() && spec.stdin_file.is_some() {
            problem("stdin_file", "`stdin` and `stdin_file` exclude each other", "Keep one of the two.");
        }
    }

    fn classify(_: &ExecSpec) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn summary(spec: &ExecSpec) -> String {
        spec.command.iter().map(Text::source).collect::<Vec<_>>().join(" ")
    }

    fn needs(spec: &ExecSpec) -> Vec<Need> {
        let host = spec.on.iter().map(|name| Need { kind: "host", name: Some(name.clone()) });
        let postgres = spec.postgres.iter().map(|name| Need { kind: "postgres", name: Some(name.clone()) });
        host.chain(postgres).collect()
    }

    fn fields(_: &ExecSpec) -> &'static [&'static str] {
        &["stdout", "stderr", "exit_code", "rows", "file", "truncated"]
    }

    fn bind(spec: &ExecSpec, binder: &Binder<'_>) -> Result<ExecInput, BindError> {
        let on = spec.on.as_deref().map(|name| binder.connection(Some(name))).transpose()?;
        let postgres = spec.postgres.as_deref().map(|name| binder.connection(Some(name))).transpose()?;
        Ok(ExecInput {
            on: on.unwrap_or_else(|| "local".to_owned()),
            command: spec.command.iter().map(|word| binder.text(word)).collect::<Result<_, _>>()?,
            stdin: binder.maybe_text(spec.stdin.as_ref())?,
            stdin_file: binder.maybe_text(spec.stdin_file.as_ref())?,
            stdout_file: binder.maybe_text(spec.stdout_file.as_ref())?,
            overwrite: spec.overwrite,
            postgres,
            env: spec
                .env
                .iter()
                .map(|(name, text)| Ok((name.clone(), binder.text(text)?)))
                .collect::<Result<_, BindError>>()?,
            parse: spec.parse,
            exit_codes: spec.exit_codes.clone(),
        })
    }

    fn classify_bound(_: &ExecInput) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn lines(input: &ExecInput) -> Vec<String> {
        let mut lines = vec![command_line(&input.command)];
        lines.extend(input.stdout_file.iter().map(|file| format!("standard output goes to {file}")));
        lines
    }

    fn template_lines(spec: &ExecSpec) -> Vec<String> {
        vec![Self::summary(spec)]
    }

    async fn run(input: &ExecInput, cx: &RunContext<'_>) -> Result<Done<ProgramOutput>, StepError> {
        cx.events.sync_intent()?;
        let mut program = Program::start(input, cx).await?;
        let ended = tokio::select! {
            ended = program.finish(input, cx) => ended,
            by = cx.stopped() => Err(program.stop(by).await),
        };
        let output = ended?;
        if input.exit_codes.contains(&output.exit_code) {
            return Ok(Done::with(output));
        }
        Err(output.failed_exit(&input.command[0]).into())
    }
}

/// A started program and what it was given.
struct Program {
    child: Child,
    stdin_file: Option<tokio::fs::File>,
    stdout_file: Option<OutputFile>,
    _password_file: Option<PrivateFile>,
}

impl Program {
    async fn start(input: &ExecInput, cx: &RunContext<'_>) -> Result<Self, StepError> {
        let mut command = Command::new(&input.command[0]);
        command.args(&input.command[1..]).current_dir(cx.files).envs(&input.env);
        let password_file = match &input.postgres {
            None => None,
            Some(name) => {
                let (variables, file) = cx.connections.libpq_environment(name)?;
                command.envs(variables).env("PGAPPNAME", cx.application_name);
                file
            }
        };
        let stdin_file = match &input.stdin_file {
            None => None,
            Some(path) => Some(open_input(&cx.files.join(path)).await?),
        };
        let stdout_file = match &input.stdout_file {
            None => None,
            Some(path) => Some(OutputFile::create(&cx.files.join(path), input.overwrite)?),
        };
        let piped = input.stdin.is_some() || stdin_file.is_some();
        // A group of its own, so that stopping it also stops what it started.
        command.process_group(0).kill_on_drop(true);
        command.stdin(if piped { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| cannot_start(&input.command[0], &error))?;
        Ok(Self { child, stdin_file, stdout_file, _password_file: password_file })
    }

    async fn finish(&mut self, input: &ExecInput, cx: &RunContext<'_>) -> Result<ProgramOutput, StepError> {
        let (Some(mut stdout), Some(mut stderr)) = (self.child.stdout.take(), self.child.stderr.take())
        else {
            return Err(StepError::failed("the program's output is not connected"));
        };
        let stdin = self.child.stdin.take();
        let feed = feed(stdin, input.stdin.as_deref(), self.stdin_file.as_mut());
        let mut file = self.stdout_file.take();
        let read = async {
            match &mut file {
                Some(file) => file
                    .fill(&mut stdout, &|bytes| {
                        cx.events.progress(
                            "writing",
                            None,
                            Some(format_size(i64::try_from(bytes).unwrap_or(i64::MAX))),
                        );
                    })
                    .await
                    .map(|()| Captured::default())
                    .map_err(StepError::from),
                None => Captured::read(&mut stdout).await.map_err(|e| lost_output(&e)),
            }
        };
        let errors = async { Captured::read(&mut stderr).await.map_err(|e| lost_output(&e)) };
        let (sent, stdout, stderr) = tokio::join!(feed, read, errors);
        let status = self.child.wait().await.map_err(|e| lost_output(&e))?;
        let (stdout, stderr) = (stdout?, stderr?);
        sent.map_err(|error| StepError::failed(format!("cannot write to the program: {error}")))?;
        let exit_code = status.code().unwrap_or_else(|| 128 + signal(status));
        let success = input.exit_codes.contains(&exit_code);
        let file = match file {
            Some(file) if success => Some(file.keep().await?),
            _ => None,
        };
        ProgramOutput::new(exit_code, stdout, stderr, input.parse, file, success)
    }

    /// Ends the program's whole group: first a request, then, after a moment, by force.
    async fn stop(&mut self, by: StoppedBy) -> StepError {
        let group = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
            let wait = tokio::time::timeout(STOP_PATIENCE, self.child.wait());
            let _ended = wait.await;
            // Also when the program itself has ended: what it started may not listen to requests.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _reaped = tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await;
        }
        StepError::Failed(Failure::new("the program was stopped").applied(Applied::Unknown).stopped_by(by))
    }
}

fn signal(status: std::process::ExitStatus) -> i32 {
    std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)
}

fn cannot_start(program: &str, error: &std::io::Error) -> StepError {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "Install it, or give its full path.",
        std::io::ErrorKind::PermissionDenied => "Make the file executable.",
        _ => "See what the operating system says.",
    };
    Failure::new(format!("cannot start `{program}`: {error}")).help(help).into()
}

fn lost_output(error: &std::io::Error) -> StepError {
    StepError::Uncertain(
        Failure::new(format!("cannot read from the program: {error}")).applied(Applied::Unknown),
    )
}

async fn feed(
    stdin: Option<tokio::process::ChildStdin>,
    text: Option<&str>,
    file: Option<&mut tokio::fs::File>,
) -> std::io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    let written = match (text, file) {
        (Some(text), _) => stdin.write_all(text.as_bytes()).await,
        (None, Some(file)) => tokio::io::copy(file, &mut stdin).await.map(drop),
        (None, None) => Ok(()),
    };
    // A program need not read all it is given; whether that matters its exit code says.
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
