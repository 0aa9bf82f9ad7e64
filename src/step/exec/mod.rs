//! Kind `exec`: a program on a host that the environment names: this machine, or a container of a pod. No plan runs one,
//! and no shell of ours is between a step and its program.

mod bound;
mod here;
mod piped;
mod pod;
mod settle;
mod spec;

use serde::Serialize;

use super::bind::Binder;
use super::context::{ReadContext, RunContext};
use super::error::{BindError, StepError};
use super::kind::{Anchor, CheckContext, Done, Happened, Need, Preview, Settled, StepKind};
use super::program::{Expected, Input, Keeper, Parse, ProgramOutput, attend};
use super::templated::{Problem, Text};
use crate::connect::Host;
use crate::connect::kubernetes::Access;
use crate::diagnostic::{Code, Severity};
use crate::model::{Class, Failure};

use bound::BoundProgram;
use spec::{ExecSpec, ReaderSpec};

/// The kind.
#[derive(Debug)]
pub(super) struct Exec;

/// The program as it will be started.
#[derive(Debug, Serialize)]
pub(super) struct ExecInput {
    #[serde(flatten)]
    program: BoundProgram,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_to: Option<BoundProgram>,
    #[serde(skip)]
    overwrite: bool,
    #[serde(skip)]
    parse: Parse,
}

impl ExecInput {
    /// The program, and the one that reads what it writes.
    fn programs(&self) -> impl Iterator<Item = &BoundProgram> {
        std::iter::once(&self.program).chain(&self.stdout_to)
    }
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
        if spec.programs().any(|program| program.command.is_empty()) {
            problem("command", "the command is empty", "Write the program and its arguments as a list.");
        }
        if spec.stdin.is_some() && spec.stdin_file.is_some() {
            problem("stdin_file", "`stdin` and `stdin_file` exclude each other", "Keep one of the two.");
        }
        if spec.stdout_to.is_some() && (spec.stdout_file.is_some() || spec.parse != Parse::Text) {
            let message = "what another program reads is neither kept in a file nor made into data here";
            problem("stdout_to", message, "Keep one of `stdout_to`, `stdout_file` and `parse`.");
        }
    }

    fn classify(_: &ExecSpec) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn summary(spec: &ExecSpec) -> String {
        let words = |command: &[Text]| command.iter().map(Text::source).collect::<Vec<_>>().join(" ");
        spec.programs().map(|program| words(program.command)).collect::<Vec<_>>().join(" | ")
    }

    fn needs(spec: &ExecSpec) -> Vec<Need> {
        let need = |kind, name: Option<&str>| name.map(|name| Need { kind, name: Some(name.to_owned()) });
        spec.programs()
            .flat_map(|program| [need("host", program.on), need("postgres", program.postgres)])
            .flatten()
            .collect()
    }

    fn fields(_: &ExecSpec) -> &'static [&'static str] {
        &["stdout", "stderr", "exit_code", "rows", "file", "truncated", "to"]
    }

    fn bind(spec: &ExecSpec, binder: &Binder<'_>) -> Result<ExecInput, BindError> {
        let reader = spec.stdout_to.as_ref().map(ReaderSpec::program);
        Ok(ExecInput {
            program: BoundProgram::bind(spec.program(), binder)?,
            stdout_to: reader.map(|reader| BoundProgram::bind(reader, binder)).transpose()?,
            stdin: binder.maybe_text(spec.stdin.as_ref())?,
            stdin_file: binder.maybe_text(spec.stdin_file.as_ref())?,
            stdout_file: binder.maybe_text(spec.stdout_file.as_ref())?,
            overwrite: spec.overwrite,
            parse: spec.parse,
        })
    }

    fn classify_bound(_: &ExecInput) -> Class {
        Class::assumed("what a program does cannot be known")
    }

    fn lines(input: &ExecInput) -> Vec<String> {
        let commands: Vec<String> = input.programs().map(BoundProgram::shown).collect();
        let mut lines = vec![commands.join(" | ")];
        lines.extend(input.stdout_file.iter().map(|file| format!("standard output goes to {file}")));
        lines
    }

    fn template_lines(spec: &ExecSpec) -> Vec<String> {
        vec![Self::summary(spec)]
    }

    async fn preview(input: &ExecInput, cx: &ReadContext<'_>) -> Result<Preview, Failure> {
        let mut preview = Preview::default();
        for program in input.programs() {
            let Host::Container(container) = program.host(cx.connections, Access::Read).await? else {
                continue;
            };
            let lacking = container.lacking().await;
            preview.blockers.extend(
                lacking.map_err(|error| error.failure("ask for the right to run programs in the pod"))?,
            );
            preview.facts.push(format!(
                "`{}` would run in the container {} of pod {}, which runs",
                program.name(),
                container.name(),
                container.pod()
            ));
        }
        Ok(preview)
    }

    async fn run(input: &ExecInput, cx: &RunContext<'_>) -> Result<Done<ProgramOutput>, StepError> {
        let ready = input.program.ready(cx).await?;
        let reader = match &input.stdout_to {
            None => None,
            Some(reader) => Some((reader, reader.ready(cx).await?)),
        };
        let keeper = Keeper::create(input.stdout_file.as_deref(), input.overwrite, cx.files)?;
        let stdin = Input::open(input.stdin.as_deref(), input.stdin_file.as_deref(), cx.files).await?;
        cx.events.sync_intent()?;
        if let Some(reader) = reader {
            return piped::run((&input.program, ready), reader, stdin, cx).await.map(Done::with);
        }
        let expected = Expected {
            program: input.program.name(),
            exit_codes: &input.program.exit_codes,
            parse: input.parse,
        };
        attend(|out| ready.run(stdin, out, cx), keeper, &expected, cx).await.map(Done::with)
    }

    async fn settle(_: &ExecInput, _: &Happened<'_>, cx: &RunContext<'_>) -> Settled {
        settle::settle(cx).await
    }
}
