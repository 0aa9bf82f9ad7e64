//! `runbook resume` and `runbook rollback`: another leg of a run, forward or back.

use std::path::PathBuf;

use clap::Args;

use super::again::Again;
use super::context::Context;
use super::error::CliError;
use super::exclusion::Patience;
use super::execute::{Execution, offline_plan};
use super::exit::Exit;
use super::run::{Given, asks, check_answers, check_gates, parallel};
use super::runtime::block_on;
use super::signals;
use crate::event::{Adopted, Direction};
use crate::journal::Store;
use crate::model::RunOutcome;

/// The arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The run: its name, how its name begins or ends, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// Take the runbook as its file is now; refused when a step that has begun differs
    #[arg(long)]
    adopt: bool,
    /// Try a failed step again although it may repeat something
    #[arg(long, value_name = "ID")]
    retry: Vec<String>,
    #[command(flatten)]
    given: Given,
    /// How many steps run at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    max_parallel: usize,
    #[command(flatten)]
    patience: Patience,
}

/// The arguments of `rollback`.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The run: its name, how its name begins or ends, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// Undo what can be undone even before a step that cannot
    #[arg(long)]
    past_no_return: bool,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    patience: Patience,
}

impl Resume {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = Store::open(&context.process);
        let again = Again::take(&store, &self.run)?;
        if let Some(outcome) = again.state.outcome {
            return Err(over(&again, outcome));
        }
        let Self { adopt, retry, given, max_parallel, patience, .. } = self;
        let leg = NextLeg {
            direction: Direction::Forward,
            adopt,
            retry,
            past_no_return: false,
            given,
            max_parallel,
            patience,
        };
        block_on(leg.start(again, &store, context))?
    }
}

impl Rollback {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = Store::open(&context.process);
        let again = Again::take(&store, &self.run)?;
        if again.state.outcome == Some(RunOutcome::RolledBack) {
            return Err(CliError::new(format!("{} is rolled back already", again.id)));
        }
        let leg = NextLeg {
            direction: Direction::Back,
            adopt: false,
            retry: Vec::new(),
            past_no_return: self.past_no_return,
            given: self.given,
            max_parallel: 1,
            patience: self.patience,
        };
        block_on(leg.start(again, &store, context))?
    }
}

/// Why a run that is over cannot be gone on with.
fn over(again: &Again, outcome: RunOutcome) -> CliError {
    let error = CliError::new(format!("{} is over: {}", again.id, outcome.as_str().replace('_', " ")));
    match outcome {
        RunOutcome::Succeeded => error.help("Run the runbook again to repeat it."),
        _ => error.help(format!(
            "`runbook rollback {}` undoes what can be undone; `runbook run` begins anew.",
            again.id
        )),
    }
}

/// A leg that is about to begin.
struct NextLeg {
    direction: Direction,
    adopt: bool,
    retry: Vec<String>,
    past_no_return: bool,
    given: Given,
    max_parallel: usize,
    patience: Patience,
}

impl NextLeg {
    async fn start(self, again: Again, store: &Store, context: &Context) -> Result<Exit, CliError> {
        let prepared = again.prepare(self.adopt, context)?;
        let options = again.started()?.options.clone();
        let answers = self.given.answers(context)?;
        let mut offline = offline_plan(&prepared, context, &options.skip).await;
        // Only the gates that are still ahead can be asked.
        offline.steps.retain(|step| {
            let known = again.state.nodes.iter().filter(|(place, _)| place.step == step.id);
            known.into_iter().all(|(_, node)| !node.state.is_final())
        });
        check_answers(&offline, &answers)?;
        if !asks(context) && self.direction == Direction::Forward {
            check_gates(&offline, &answers)?;
        }
        let adopted = if self.adopt {
            let whole = offline_plan(&prepared, context, &options.skip).await;
            Some(Adopted { documents: prepared.runbook.documents.clone(), steps: whole.pinned_steps() })
        } else {
            None
        };
        let interrupts = signals::listen(context.out.clone())?;
        let execution = Execution {
            prepared: &prepared,
            context,
            store,
            answers: &answers,
            interrupt: interrupts.stop.clone(),
            skip: &options.skip,
            reason: None,
            max_parallel: parallel(&prepared, self.max_parallel),
            strict: options.strict,
            files: context.process.directory.join(PathBuf::from(&options.files)),
            retry: &self.retry,
            past_no_return: self.past_no_return,
            patience: self.patience,
        };
        tokio::select! {
            ended = Box::pin(execution.go_on(again, self.direction, adopted)) => {
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
