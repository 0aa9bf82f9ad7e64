//! `runbook run`: gates first, then the targets, then the steps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::args::Target;
use super::context::Context;
use super::error::CliError;
use super::exclusion::Patience;
use super::execute::{Execution, offline_plan};
use super::exit::Exit;
use super::parameters;
use super::prepare::{Prepared, prepare, prepare_asking};
use super::runtime::block_on;
use super::selection::{Selection, unknown};
use super::signals;
use crate::connect::{AnswerKind, PromptError, Prompter as _, Question};
use crate::engine::Answers;
use crate::journal::Store;
use crate::plan::{Knowledge, Plan};
use crate::runbook::{ConnectionKind, Parameter};
use crate::ui::{Screen, TerminalPrompter};

/// Answers that are given on the command line.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// Answer every plain gate with yes
    #[arg(long)]
    yes: bool,
    /// Answer a gate beforehand
    #[arg(long, value_name = "ID=ANSWER", value_parser = super::args::assignment)]
    answer: Vec<(String, String)>,
    /// Take answers from a YAML or JSON file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

impl Given {
    /// The answers, those on the command line before those of the file.
    pub(super) fn answers(&self, context: &Context) -> Result<Answers, CliError> {
        let mut given = BTreeMap::new();
        if let Some(file) = &self.answers {
            for (id, value) in parameters::read(file, context)? {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                given.insert(id, text);
            }
        }
        given.extend(self.answer.iter().cloned());
        Ok(Answers { given, yes: self.yes })
    }
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    selection: Selection,
    /// Why the run is made; kept in its journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How many steps run at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    max_parallel: usize,
    /// End with exit code 1 when anything warned
    #[arg(long)]
    strict: bool,
    /// The folder that data files are relative to
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    #[command(flatten)]
    patience: Patience,
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let prepared = if asks(context) {
            prepare_asking(&self.target, context, &mut |name, parameter| ask(context, name, parameter))?
        } else {
            prepare(&self.target, context)?
        };
        block_on(self.start(&prepared, context))?
    }

    async fn start(&self, prepared: &Prepared, context: &Context) -> Result<Exit, CliError> {
        let answers = self.given.answers(context)?;
        let chosen = self.selection.choose(prepared, context, self.reason.is_none()).await?;
        let offline = offline_plan(prepared, context, &chosen.excluded).await;
        check_answers(&offline, &answers)?;
        chosen.tell(context);
        if !asks(context) {
            check_gates(&offline, &answers)?;
        } else if !answers.yes {
            chosen.confirm(context).await?;
        }
        let interrupts = signals::listen(context.out.clone())?;
        let store = Store::open(&context.process);
        let execution = Execution {
            prepared,
            context,
            store: &store,
            answers: &answers,
            interrupt: interrupts.stop.clone(),
            skip: &chosen.excluded,
            reason: self.reason.clone(),
            max_parallel: parallel(prepared, self.max_parallel),
            strict: self.strict,
            files: context.process.directory.join(self.files.as_deref().unwrap_or(std::path::Path::new("."))),
            retry: &[],
            past_no_return: false,
            patience: self.patience,
        };
        tokio::select! {
            ended = execution.execute(&offline) => {
                let ended = ended?;
                if let Some(failure) = ended.journal {
                    context.report(&CliError::from(failure));
                }
                Ok(Exit::from(ended.outcome))
            }
            _ = interrupts.at_once.raised() => Ok(Exit::Interrupted),
        }
    }
}

/// How many steps run at once: no more than a connection allows sessions.
pub(super) fn parallel(prepared: &Prepared, wanted: usize) -> usize {
    max_sessions(prepared).map_or(wanted, |most| most.min(wanted))
}

/// The fewest sessions that a connection of the runbook allows at once.
fn max_sessions(prepared: &Prepared) -> Option<usize> {
    let needs = prepared.runbook.connections.values();
    needs
        .filter_map(|need| match &need.kind {
            ConnectionKind::Postgres(needs) => needs.max_sessions,
            ConnectionKind::Host | ConnectionKind::Kubernetes => None,
        })
        .min()
}

/// Asks for a parameter that was given nowhere, a secret without echo.
fn ask(context: &Context, name: &str, parameter: &Parameter) -> Result<String, CliError> {
    let (out, style) = (context.out.clone(), context.style.clone());
    let prompter = TerminalPrompter::new(out.clone(), style.clone(), Screen::new(out, style));
    let question = Question {
        id: name.to_owned(),
        message: match parameter.description.as_str() {
            "" => name.to_owned(),
            description => format!("{name}: {description}"),
        },
        about: Vec::new(),
        shown: Value::Null,
        answer: AnswerKind::Text { secret: parameter.secret },
        timeout: None,
    };
    match block_on(prompter.ask(&question))? {
        Ok(answer) => Ok(answer.as_str().unwrap_or_default().to_owned()),
        Err(PromptError::Interrupted) => {
            Err(CliError::new("interrupted before the run began").exit(Exit::Interrupted))
        }
        Err(error) => Err(CliError::new(error.to_string()).help(format!("Give it with `--set {name}=…`."))),
    }
}

/// Whether there is a person at a terminal who can be asked.
pub(super) fn asks(context: &Context) -> bool {
    context.style.interactive && !context.json
}

pub(super) fn check_answers(plan: &Plan, answers: &Answers) -> Result<(), CliError> {
    for id in answers.given.keys() {
        let step = id.split_once('[').map_or(id.as_str(), |(step, _)| step);
        if !plan.steps.iter().any(|gate| gate.gate && gate.id.as_str() == step) {
            return Err(unknown("--answer", id, plan.steps.iter().filter(|step| step.gate)));
        }
    }
    Ok(())
}

/// Without a terminal nobody answers, so every open gate is named before the first step.
pub(super) fn check_gates(plan: &Plan, answers: &Answers) -> Result<(), CliError> {
    let open: Vec<String> = plan
        .open_gates()
        .filter(|gate| {
            let assented = gate.answer.as_deref() == Some("yes") && answers.yes;
            let given = answers.given.keys().any(|id| id.split('[').next() == Some(gate.id.as_str()));
            let skipped = matches!(gate.knowledge, Knowledge::Skipped { .. });
            !assented && !given && !skipped
        })
        .map(|gate| {
            format!("--answer {}={}    {}", gate.id, gate.answer.as_deref().unwrap_or("yes"), gate.title)
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let message = match open.len() {
        1 => "a gate is open, and there is no terminal to ask at".to_owned(),
        many => format!("{many} gates are open, and there is no terminal to ask at"),
    };
    let error = open.into_iter().fold(CliError::new(message), CliError::detail);
    Err(error
        .help("Nothing was started. Answer each gate beforehand, or run at a terminal.")
        .exit(Exit::Declined))
}
