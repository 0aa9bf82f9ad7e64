//! `runbook runs`: the runs that were recorded, newest first.

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::journal::{RunSummary, Store};
use crate::report::table;
use crate::ui;

/// The arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Only runs of this runbook
    #[arg(value_name = "RUNBOOK")]
    runbook: Option<String>,
    /// At most this many
    #[arg(long, short = 'n', value_name = "NUMBER")]
    limit: Option<usize>,
}

impl Runs {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut runs = Store::open(&context.process).list()?;
        runs.retain(|run| self.runbook.as_ref().is_none_or(|name| *name == run.runbook));
        runs.truncate(self.limit.unwrap_or(usize::MAX));
        if context.json {
            context.print_json(&runs)?;
        } else if runs.is_empty() {
            context.say("no runs are recorded here\n");
        } else {
            context.print(&(draw(&runs, context.page.width) + "\n"));
        }
        Ok(Exit::Success)
    }
}

fn draw(runs: &[RunSummary], width: usize) -> String {
    let columns = ["run", "runbook", "state", "environment", "started", "took"].map(str::to_owned);
    let rows: Vec<Vec<Value>> = runs.iter().map(row).collect();
    table(&columns, &rows, width, usize::MAX)
}

fn row(run: &RunSummary) -> Vec<Value> {
    let state = run.state.as_str().replace('_', " ");
    let started = run.started_at.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string());
    [
        run.id.to_string(),
        run.runbook.clone(),
        run.problem.as_ref().map_or(state.clone(), |problem| format!("{state}: {problem}")),
        run.environment.clone().unwrap_or_default(),
        started.unwrap_or_default(),
        ui::duration(run.seconds),
    ]
    .map(Value::from)
    .to_vec()
}
