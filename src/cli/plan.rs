//! `runbook plan`: what a run would do, without doing anything.

use std::collections::BTreeMap;

use clap::Args;

use super::args::Target;
use super::context::Context;
use super::environment;
use super::error::CliError;
use super::exclusion::{Contest, is_exclusive};
use super::exit::Exit;
use super::prepare::{Prepared, prepare, prepare_offline};
use super::runtime::block_on;
use super::selection::Selection;
use crate::connect::Purpose;
use crate::journal::Store;
use crate::plan::{self, PlanRequest, Preflight};
use crate::step::StopSignal;
use crate::ui::plan_page;

/// The arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    selection: Selection,
    /// Use the file and the parameters alone: connect to nothing
    #[arg(long)]
    offline: bool,
    /// Do not run reads in the plan whose cost is above this by the server's estimate
    #[arg(long = "plan-cost", value_name = "COST", default_value_t = 10_000.0)]
    cost_limit: f64,
    /// Show every statement and every item in full
    #[arg(long, short)]
    verbose: bool,
}

impl Plan {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let plan = if self.offline {
            let prepared = prepare_offline(&self.target, context)?;
            block_on(self.without_targets(&prepared, context))??
        } else {
            let prepared = prepare(&self.target, context)?;
            block_on(self.live(&prepared, context))??
        };
        if context.json {
            context.print_json(&plan)?;
        } else {
            context.print(&plan_page(&plan, &context.page, self.verbose));
        }
        Ok(if plan.is_blocked() { Exit::Failed } else { Exit::Success })
    }

    async fn without_targets(&self, prepared: &Prepared, context: &Context) -> Result<plan::Plan, CliError> {
        let chosen = self.selection.choose(prepared, context, false).await?;
        let request = self.request(prepared, Preflight::default(), false, context);
        Ok(plan::plan(PlanRequest { skip: &chosen.excluded, ..request }).await)
    }

    async fn live(&self, prepared: &Prepared, context: &Context) -> Result<plan::Plan, CliError> {
        let chosen = self.selection.choose(prepared, context, false).await?;
        let Prepared { runbook, names, connections, .. } = prepared;
        let mut preflight = plan::preflight(runbook, names, connections, Purpose::Planning).await;
        // A server that did not answer is not asked again for every step.
        let reached = preflight.targets.len() == names.len();
        if reached && is_exclusive(runbook, &chosen.excluded) {
            let store = &Store::open(&context.process);
            let run =
                Contest { prepared, found: &preflight, context, store, interrupt: &StopSignal::default() };
            let obstacle = Box::pin(run.obstacle()).await;
            preflight.problems.extend(obstacle);
        }
        let request = self.request(prepared, preflight, reached, context);
        let plan = plan::plan(PlanRequest { skip: &chosen.excluded, ..request }).await;
        Ok(plan::Plan { offline: false, ..plan })
    }

    fn request<'a>(
        &self,
        prepared: &'a Prepared,
        preflight: Preflight,
        live: bool,
        context: &'a Context,
    ) -> PlanRequest<'a> {
        let durations = if live {
            Store::open(&context.process).last_durations(&prepared.runbook.name)
        } else {
            BTreeMap::new()
        };
        PlanRequest {
            runbook: prepared.runbook.clone(),
            params: prepared.params.clone(),
            connections: prepared.names.clone(),
            surroundings: prepared.surroundings.clone(),
            live: live.then_some(&prepared.connections),
            preflight,
            cost_limit: self.cost_limit,
            now: environment::now(),
            durations,
            redactor: &context.redactor,
            skip: &[],
        }
    }
}
