//! A runbook as its file and parameters alone show it: for pages that are read without a run in mind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::Target;
use super::context::Context;
use super::environment;
use super::error::CliError;
use super::parameters;
use super::prepare::{load, surroundings};
use super::runtime::block_on;
use super::targets;
use crate::plan::{self, Plan, PlanRequest, Preflight};
use crate::runbook::Runbook;

/// A runbook with its plan, made from the file alone; parameters that were not given stay open.
pub(super) struct Overview {
    pub(super) runbook: Arc<Runbook>,
    pub(super) plan: Plan,
}

/// Loads a runbook and plans it offline.
pub(super) fn overview(target: &Target, context: &Context) -> Result<Overview, CliError> {
    let (runbook, _) = load(&target.name, context)?;
    let request = PlanRequest {
        runbook: Arc::clone(&runbook),
        params: parameters::known(&runbook, target, context)?,
        connections: targets::names(&runbook, None),
        surroundings: surroundings(target.env.as_deref(), context),
        live: None,
        preflight: Preflight::default(),
        cost_limit: 0.0,
        now: environment::now(),
        durations: BTreeMap::new(),
        redactor: &context.redactor,
        skip: &[],
    };
    let plan = block_on(plan::plan(request))?;
    Ok(Overview { runbook, plan })
}
