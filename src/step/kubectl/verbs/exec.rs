//! `exec`: runs a program in a container.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::connect::kubernetes::{ApiError, Cluster, Right};
use crate::model::{Class, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::pod::{self, BoundPod};
use crate::step::kubectl::target::PickSpec;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::program::{
    ContainerProgram, Expected, Input, Keeper, Parse, attend, command_line, only_zero,
};
use crate::step::templated::Text;

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
    /// What the program reads from its standard input. The container needs `sh`, `head` and `cat` for it.
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

impl ExecInput {
    fn shown(&self) -> String {
        format!("exec {} -- {}", self.pod.shown(), command_line(&self.command))
    }
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

    fn rights(input: &ExecInput) -> Vec<Right> {
        input.pod.rights_to_exec()
    }

    async fn preview(input: &ExecInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let failed = |error: ApiError| error.failure(&input.shown());
        let container = input.pod.running(cluster, namespace).await.map_err(failed)?;
        let fact = format!(
            "pod {} runs, and has the container {}; that is all that was looked at",
            container.pod(),
            container.name()
        );
        Ok(Preview { facts: vec![fact], ..Preview::default() })
    }

    async fn run(input: &ExecInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let container = input.pod.running(&cx.cluster, &cx.namespace).await;
        let container = container.map_err(|error| cx.failed(&input.shown(), &error))?;
        let keeper = Keeper::create(input.stdout_file.as_deref(), input.overwrite, cx.run.files)?;
        let stdin = Input::open(input.stdin.as_deref(), input.stdin_file.as_deref(), cx.run.files).await?;
        let program = ContainerProgram {
            container: &container,
            program: &input.command[0],
            command: &input.command,
            private: None,
        };
        let expected =
            Expected { program: program.program, exit_codes: &input.exit_codes, parse: input.parse };
        cx.run.events.sync_intent()?;
        let output = attend(|out| program.run(stdin, out, &cx.run), keeper, &expected, &cx.run).await?;
        Ok(Done::with(serde_json::to_value(output).unwrap_or(Value::Null)))
    }
}
