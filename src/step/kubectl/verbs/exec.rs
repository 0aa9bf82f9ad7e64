//! `exec`: runs a program in a container.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, DuplexStream};

use crate::connect::kubernetes::{ApiError, Cluster, ExecOutcome, ExecRequest, Stdin, with_limit};
use crate::connect::{OutputFile, open_input};
use crate::model::{Applied, Class, Failure, StoppedBy, format_size};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::pod::{self, BoundPod};
use crate::step::kubectl::target::PickSpec;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::program::{Captured, Parse, ProgramOutput, command_line, only_zero};
use crate::step::templated::Text;

/// How much of a stream is under way between the connection and whoever keeps it.
const PIPE: usize = 256 << 10;

/// What `timeout` ends with when the time was up: by itself, and after it had to kill.
const TIME_WAS_UP: &[i32] = &[124, 137];

/// Runs a program in a container of a pod, without a shell. What it must not show, it reads from standard input.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Exec {
    /// The pod's name.
    pod: Option<Text>,
    /// Labels that find the pod: the one that is ready.
    selector: Option<Text>,
    /// Which pod is taken where the selector finds several.
    pick: Option<PickSpec>,
    /// The container; the pod's default one, or its first, when absent.
    container: Option<Text>,
    /// The program and its arguments. They are seen in audit logs.
    command: Vec<Text>,
    /// What the program reads from its standard input. The container needs `sh` and `head` for it.
    stdin: Option<Text>,
    /// A file that the program reads as its standard input, relative to `--files`.
    stdin_file: Option<Text>,
    /// A file that takes the program's standard output, relative to `--files`.
    stdout_file: Option<Text>,
    /// Whether `stdout_file` may replace an existing file.
    #[serde(default)]
    overwrite: bool,
    /// Environment variables, set by `env` in the container.
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
pub(in crate::step::kubectl) struct ExecInput {
    #[serde(flatten)]
    pod: BoundPod,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_file: Option<String>,
    #[serde(skip)]
    overwrite: bool,
    #[serde(skip)]
    parse: Parse,
    #[serde(skip)]
    exit_codes: Vec<i32>,
}

/// A program that ended, and what it wrote.
struct Ended {
    outcome: ExecOutcome,
    stdout: Captured,
    stderr: Captured,
    file: Option<OutputFile>,
}

impl ExecInput {
    fn shown(&self) -> String {
        format!("exec {} -- {}", self.pod.shown(), command_line(&self.command))
    }

    fn program(&self) -> &str {
        &self.command[0]
    }

    /// The command with the step's own time limit, so that it does not go on in the pod when nobody waits any more.
    /// It comes first there: an exit code says more than a connection given up.
    fn limited(&self, cx: &VerbContext<'_>) -> Vec<String> {
        match cx.run.time_left() {
            Some(left) => with_limit(&self.command, left.as_secs().max(1)),
            None => self.command.clone(),
        }
    }

    async fn start(&self, cx: &VerbContext<'_>, request: &ExecRequest<'_>) -> Result<Ended, StepError> {
        let mut file = match &self.stdout_file {
            None => None,
            Some(path) => Some(OutputFile::create(&cx.run.files.join(path), self.overwrite)?),
        };
        let mut input = match &self.stdin_file {
            None => None,
            Some(path) => Some(open_input(&cx.run.files.join(path)).await?),
        };
        let mut text = self.stdin.as_deref().unwrap_or_default().as_bytes();
        let stdin = match (&mut input, &self.stdin) {
            (Some(input), _) => {
                let length = input.metadata().await.map(|metadata| metadata.len());
                let length =
                    length.map_err(|error| StepError::failed(format!("cannot read the file: {error}")))?;
                Stdin::Length(input, length)
            }
            (None, Some(_)) => {
                let length = text.len() as u64;
                Stdin::Length(&mut text, length)
            }
            (None, None) => Stdin::None,
        };
        let (mut out, mut kept_out) = tokio::io::duplex(PIPE);
        let (mut err, mut kept_err) = tokio::io::duplex(PIPE);
        let told = |_: u64, received: u64| {
            let size = format_size(i64::try_from(received).unwrap_or(i64::MAX));
            cx.run.events.progress("running", None, Some(format!("{size} received")));
        };
        cx.run.events.sync_intent()?;
        let work = async {
            let stdout: &mut (dyn AsyncWrite + Send + Unpin) = match &mut file {
                Some(file) => file,
                None => &mut out,
            };
            let outcome = cx.cluster.exec(request, stdin, stdout, &mut err, &told).await;
            close(out).await;
            close(err).await;
            outcome
        };
        let (outcome, stdout, stderr) =
            tokio::join!(work, Captured::read(&mut kept_out), Captured::read(&mut kept_err));
        let outcome = outcome.map_err(|error| cx.failed(&self.shown(), &error))?;
        let (stdout, stderr) = (stdout.unwrap_or_default(), stderr.unwrap_or_default());
        Ok(Ended { outcome, stdout, stderr, file })
    }

    async fn conclude(&self, ended: Ended, limited: bool) -> Result<Done<Value>, StepError> {
        let exit_code = match ended.outcome {
            ExecOutcome::Exit(code) => code,
            ExecOutcome::Failed { reason, message } => return Err(self.not_started(&reason, &message)),
            ExecOutcome::Lost(why) => {
                let help = "Look whether it still runs in the pod, and what it has done.";
                let failure = Failure::new(format!("no answer from `{}`: {why}", self.program())).help(help);
                return Err(StepError::Uncertain(failure.applied(Applied::Unknown)));
            }
        };
        let success = self.exit_codes.contains(&exit_code);
        let file = match ended.file {
            Some(file) if success => Some(file.keep().await?),
            _ => None,
        };
        let output = ProgramOutput::new(exit_code, ended.stdout, ended.stderr, self.parse, file, success)?;
        if success {
            return Ok(Done::with(serde_json::to_value(output).unwrap_or(Value::Null)));
        }
        let failure = output.failed_exit(self.program());
        if limited && TIME_WAS_UP.contains(&exit_code) {
            return Err(failure.stopped_by(StoppedBy::Timeout).into());
        }
        Err(failure.into())
    }

    /// A status without an exit code: the program was not found, or the node had trouble.
    fn not_started(&self, reason: &str, message: &str) -> StepError {
        const NOTHING_RAN: &[&str] =
            &["not found", "no such file or directory", "permission denied", "OCI runtime exec failed"];
        let failure = Failure::new(format!("`{}` did not end by itself: {message}", self.program()));
        if reason == "NotFound" || NOTHING_RAN.iter().any(|text| message.contains(text)) {
            let help = "Check the program, the container, and that it has `timeout`, `sh` and `head`.";
            return StepError::Failed(failure.help(help));
        }
        StepError::Uncertain(failure.applied(Applied::Unknown))
    }
}

async fn close(mut pipe: DuplexStream) {
    pipe.shutdown().await.ok();
}

impl Verb for Exec {
    const NAME: &'static str = "exec";
    const FIELDS: &'static [&'static str] = &["stdout", "stderr", "exit_code", "rows", "file", "truncated"];
    type Input = ExecInput;

    fn check(&self) -> Option<(String, String)> {
        let (message, help) = if self.command.is_empty() {
            ("the command is empty", "Write the program and its arguments as a list.")
        } else if self.stdin.is_some() && self.stdin_file.is_some() {
            ("`stdin` and `stdin_file` exclude each other", "Keep one of the two.")
        } else {
            return pod::check(self.pod.as_ref(), self.selector.as_ref());
        };
        Some((message.to_owned(), help.to_owned()))
    }

    fn class(&self) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn summary(&self) -> String {
        self.command.iter().map(Text::source).collect::<Vec<_>>().join(" ")
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<ExecInput, BindError> {
        let mut command = Vec::new();
        if !self.env.is_empty() {
            command.push("env".to_owned());
            for (name, value) in &self.env {
                command.push(format!("{name}={}", binder.text(value)?));
            }
        }
        for word in &self.command {
            command.push(binder.text(word)?);
        }
        Ok(ExecInput {
            pod: BoundPod::bind(
                binder,
                self.pod.as_ref(),
                self.selector.as_ref(),
                self.pick,
                self.container.as_ref(),
            )?,
            command,
            stdin: binder.maybe_text(self.stdin.as_ref())?,
            stdin_file: binder.maybe_text(self.stdin_file.as_ref())?,
            stdout_file: binder.maybe_text(self.stdout_file.as_ref())?,
            overwrite: self.overwrite,
            parse: self.parse,
            exit_codes: self.exit_codes.clone(),
        })
    }

    fn class_bound(_: &ExecInput) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn lines(input: &ExecInput) -> Vec<String> {
        let mut lines = vec![input.shown()];
        lines.extend(input.stdout_file.iter().map(|file| format!("standard output goes to {file}")));
        lines
    }

    async fn preview(input: &ExecInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let failed = |error: ApiError| error.failure(&input.shown());
        let container = input.pod.running(cluster, namespace).await.map_err(failed)?;
        let blockers = pod::lacking(cluster, &container).await.map_err(failed)?;
        let fact = format!(
            "pod {} runs, and has the container {}; that, and the right to run programs there, is all that was \
             looked at",
            container.pod, container.name
        );
        Ok(Preview { facts: vec![fact], blockers, ..Preview::default() })
    }

    async fn run(input: &ExecInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let place = input.pod.running(&cx.cluster, &cx.namespace).await;
        let place = place.map_err(|error| cx.failed(&input.shown(), &error))?;
        let command = input.limited(cx);
        let request = ExecRequest {
            namespace: &place.namespace,
            pod: &place.pod,
            container: &place.name,
            command: &command,
        };
        let ended = tokio::select! {
            ended = input.start(cx, &request) => ended?,
            by = cx.run.stopped() => {
                let failure = Failure::new(format!("`{}` may go on in pod `{}`", input.program(), place.pod));
                return Err(StepError::Uncertain(failure.applied(Applied::Unknown).stopped_by(by)));
            }
        };
        input.conclude(ended, command.len() != input.command.len()).await
    }
}
