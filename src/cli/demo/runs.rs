//! Plans and runs shipped runbooks on the demo's server, as `plan` and `run` would, and keeps what they found.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::page::Page;
use super::warehouse::address;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::exclusion::Patience;
use crate::cli::execute::{Execution, offline_plan};
use crate::cli::prepare::{Prepared, load};
use crate::cli::signals::Interrupts;
use crate::connect::{ConnectionConfig, Connections, Expect, Purpose};
use crate::demo::{DATABASE, DemoServer, THRESHOLDS};
use crate::engine::{Answers, Clock as _, SystemClock};
use crate::event::{Event, EventKind};
use crate::journal::Store;
use crate::library::SHIPPED_PREFIX;
use crate::model::RunId;
use crate::plan::{Plan, PlanRequest, Surroundings, plan, preflight};
use crate::report::Report;
use crate::runbook::{ValueSources, resolve};
use crate::ui::{Out, Style};

/// How much of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What it found, and how it ended.
    Findings,
    /// Everything, as `runbook run` shows it.
    Full,
}

/// The runs of a demo.
pub(super) struct Runs<'a> {
    context: &'a Context,
    /// The same, with nobody to see or hear it.
    silent: Context,
    interrupts: &'a Interrupts,
    page: Page<'a>,
    server: &'a DemoServer,
    store: Store,
    evidence: Vec<(&'static str, String)>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(
        context: &'a Context,
        interrupts: &'a Interrupts,
        page: Page<'a>,
        server: &'a DemoServer,
    ) -> Self {
        let store = Store::at(server.socket_dir.join("runs"));
        Self { context, silent: silent(context), interrupts, page, server, store, evidence: Vec::new() }
    }

    /// What the steps of each runbook produced, as text, in the order of the runs.
    pub(super) fn evidence(&self) -> &[(&'static str, String)] {
        &self.evidence
    }

    /// Plans and runs a runbook, unless the operator wants to stop.
    pub(super) async fn run(
        &mut self,
        name: &'static str,
        role: &str,
        detail: Detail,
    ) -> Result<(), CliError> {
        if self.interrupts.stop.reason().is_some() {
            return Ok(());
        }
        let prepared = self.prepare(name, role)?;
        let planned = self.plan(&prepared).await;
        self.page.command(name, &thresholds(name), &planned, detail);
        let run = self.execute(&prepared, detail).await?;
        let events = self.store.read(&run)?.events;
        if detail == Detail::Findings
            && self.interrupts.stop.reason().is_none()
            && let Ok(report) = Report::from_events(&events)
        {
            self.page.findings(&report);
        }
        self.evidence.push((name, produced(events)));
        Ok(())
    }

    async fn execute(&self, prepared: &Prepared, detail: Detail) -> Result<RunId, CliError> {
        // Programs that read the events get those of every run.
        let context = if detail == Detail::Full || self.context.json { self.context } else { &self.silent };
        let answers = Answers { yes: true, ..Answers::default() };
        let offline = offline_plan(prepared, context, &[]).await;
        let execution = Execution {
            prepared,
            context,
            store: &self.store,
            answers: &answers,
            interrupt: self.interrupts.stop.clone(),
            skip: &[],
            reason: Some("demo".to_owned()),
            max_parallel: 4,
            strict: false,
            files: self.server.socket_dir.clone(),
            retry: &[],
            past_no_return: false,
            patience: Patience::default(),
        };
        Ok(Box::pin(execution.execute(&offline)).await?.run)
    }

    fn prepare(&self, name: &str, role: &str) -> Result<Prepared, CliError> {
        let (runbook, _) = load(&format!("{SHIPPED_PREFIX}{name}.yaml"), self.context)?;
        let set = thresholds(name);
        let values = ValueSources { set: &set, ..ValueSources::default() };
        let params = resolve(&runbook.params, &values, &self.context.redactor)
            .map_err(|problems| CliError::new(format!("the demo's thresholds do not fit: {problems:?}")))?;
        let names: BTreeMap<String, String> =
            runbook.connections.keys().map(|name| (name.clone(), name.clone())).collect();
        let config = |name: &String| {
            let address = Box::new(address(self.server, role, DATABASE));
            (name.clone(), ConnectionConfig::Postgres { address, expect: Expect::default(), via: None })
        };
        let connections = Connections::new(names.keys().map(config).collect(), self.context.process.clone());
        Ok(Prepared {
            runbook,
            params,
            environment: None,
            protected: false,
            names,
            connections,
            surroundings: Surroundings::default(),
        })
    }

    async fn plan(&self, prepared: &Prepared) -> Plan {
        let found =
            preflight(&prepared.runbook, &prepared.names, &prepared.connections, Purpose::Planning).await;
        let planned = plan(PlanRequest {
            runbook: Arc::clone(&prepared.runbook),
            params: prepared.params.clone(),
            connections: prepared.names.clone(),
            surroundings: prepared.surroundings.clone(),
            live: Some(&prepared.connections),
            preflight: found,
            cost_limit: f64::MAX,
            now: SystemClock.now(),
            durations: BTreeMap::new(),
            redactor: &self.context.redactor,
            skip: &[],
        })
        .await;
        prepared.connections.close_all().await;
        planned
    }
}

fn silent(context: &Context) -> Context {
    Context {
        process: context.process.clone(),
        style: Style::plain(),
        page: Style::plain(),
        out: Out::to(std::io::sink(), std::io::sink(), context.redactor.clone()),
        redactor: context.redactor.clone(),
        json: false,
        config: None,
    }
}

/// The parameters with which a small warehouse shows its problems, as `--set` takes them.
fn thresholds(name: &str) -> Vec<(String, String)> {
    THRESHOLDS
        .iter()
        .filter(|threshold| threshold.runbook == name)
        .map(|threshold| (threshold.parameter.to_owned(), threshold.value.to_owned()))
        .collect()
}

fn produced(events: Vec<Event>) -> String {
    let outputs = events.into_iter().filter_map(|event| match event.kind {
        EventKind::StepFinished { output, .. } => Some(output.to_string()),
        _ => None,
    });
    outputs.collect()
}
