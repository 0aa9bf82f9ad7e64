//! One run from a prepared runbook to its end: the targets, the journal, the screen, the engine. Shared by `run` and
//! `demo`.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::prepare::Prepared;
use crate::connect::{Prompter, Purpose};
use crate::engine::{Answers, Clock as _, Ended, RunRequest, SystemClock, run};
use crate::event::{PinnedConnection, PinnedStep, RunStarted, Sink, VERSION};
use crate::journal::Store;
use crate::model::{Failure, RunId, StoppedBy};
use crate::plan::{Plan, PlanRequest, Preflight, missing_rights, plan, preflight};
use crate::step::StopSignal;
use crate::ui::{Ndjson, Terminal, TerminalPrompter};

/// What a run is made of beside its runbook.
pub(super) struct Execution<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) context: &'a Context,
    pub(super) store: &'a Store,
    pub(super) answers: &'a Answers,
    pub(super) interrupt: StopSignal,
    pub(super) skip: &'a [String],
    pub(super) reason: Option<String>,
    pub(super) max_parallel: usize,
    pub(super) strict: bool,
    pub(super) files: PathBuf,
}

/// The plan by file and parameters alone: which gates are open, what stands in the first record.
pub(super) async fn offline_plan(prepared: &Prepared, context: &Context, skip: &[String]) -> Plan {
    plan(offline_request(prepared, context, skip, Preflight::default())).await
}

fn offline_request<'a>(
    prepared: &'a Prepared,
    context: &'a Context,
    skip: &'a [String],
    preflight: Preflight,
) -> PlanRequest<'a> {
    PlanRequest {
        runbook: Arc::clone(&prepared.runbook),
        params: prepared.params.clone(),
        connections: prepared.names.clone(),
        surroundings: prepared.surroundings.clone(),
        live: None,
        preflight,
        cost_limit: 0.0,
        now: SystemClock.now(),
        durations: std::collections::BTreeMap::new(),
        redactor: &context.redactor,
        skip,
    }
}

impl Execution<'_> {
    /// Reaches the targets and runs.
    pub(super) async fn execute(self, offline: &Plan) -> Result<Ended, CliError> {
        let Self { prepared, context, .. } = &self;
        let found =
            preflight(&prepared.runbook, &prepared.names, &prepared.connections, Purpose::Steps).await;
        if !found.problems.is_empty() {
            return Err(unfit("the targets are not fit for this runbook", &found.problems));
        }
        let request = offline_request(prepared, context, self.skip, found.clone());
        let lacking = Box::pin(missing_rights(&request, &prepared.connections)).await;
        if !lacking.is_empty() {
            return Err(unfit("rights are missing that the steps need", &lacking));
        }
        let began = SystemClock.now();
        let id = RunId::new(began, random()?);
        let journal = self.store.create(&id)?;
        let tmp = self.store.directory(&id).join("tmp");
        let mut surroundings = prepared.surroundings.clone();
        surroundings.connections = found.by_connection(&prepared.names);
        surroundings.run.extend(self.facts(&id, began, &tmp));
        let terminal = Terminal::new(context.out.clone(), context.style.clone());
        let prompter = TerminalPrompter::new(context.out.clone(), context.style.clone(), terminal.screen());
        let sink: Box<dyn Sink> =
            if context.json { Box::new(Ndjson::new(context.out.clone())) } else { Box::new(terminal) };
        let asks = context.style.interactive && !context.json;
        let ended = run(RunRequest {
            started: self.first_record(offline, &found),
            id,
            runbook: Arc::clone(&prepared.runbook),
            params: prepared.params.clone(),
            names: prepared.names.clone(),
            connections: &prepared.connections,
            surroundings,
            journal,
            sinks: vec![sink],
            prompter: asks.then_some(&prompter as &dyn Prompter),
            answers: self.answers,
            redactor: &context.redactor,
            clock: &SystemClock,
            max_parallel: self.max_parallel,
            strict: self.strict,
            skip: self.skip,
            reason: self.reason.clone(),
            files: self.files.clone(),
            interrupt: self.interrupt.clone(),
        })
        .await;
        context.out.flush();
        Ok(ended)
    }

    fn facts(&self, id: &RunId, began: Timestamp, tmp: &std::path::Path) -> Map<String, Value> {
        let facts = json!({
            "id": id.as_str(),
            "name": self.prepared.runbook.name,
            "operator": operator(self.context),
            "started_at": began.to_string(),
            "reason": self.reason,
            "window_left": null,
            "dir": self.store.directory(id).display().to_string(),
            "tmp": tmp.display().to_string(),
        });
        facts.as_object().cloned().unwrap_or_default()
    }

    fn first_record(&self, offline: &Plan, found: &Preflight) -> RunStarted {
        RunStarted {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            runbook: self.prepared.runbook.name.clone(),
            title: self.prepared.runbook.title.clone(),
            environment: self.prepared.environment.clone(),
            operator: operator(self.context),
            reason: self.reason.clone(),
            documents: self.prepared.runbook.documents.clone(),
            parameters: offline.parameters.clone(),
            connections: found
                .targets
                .iter()
                .map(|target| PinnedConnection {
                    name: target.name.clone(),
                    kind: target.kind.to_owned(),
                    target: target.target.clone(),
                    identity: target.facts.clone(),
                })
                .collect(),
            steps: offline
                .steps
                .iter()
                .map(|step| PinnedStep {
                    id: step.id.clone(),
                    kind: step.kind.clone(),
                    title: step.title.clone(),
                    effect: step.class.effect,
                    needs: step.parents.iter().map(|edge| edge.step.clone()).collect(),
                    show: step.show,
                })
                .collect(),
        }
    }
}

/// The targets do not have what the runbook demands; nothing was started. `headline` stands above several problems.
fn unfit(headline: &str, problems: &[Failure]) -> CliError {
    let drifted = problems.iter().any(|problem| problem.stopped_by == Some(StoppedBy::Drift));
    let error = match problems {
        [only] => CliError::from(only.clone()),
        several => several.iter().fold(CliError::new(headline), |error, problem| {
            let help = problem.help.as_ref().map(|help| format!(" — {help}")).unwrap_or_default();
            let error = error.detail(format!("{}{help}", problem.message));
            problem.details.iter().fold(error, |error, detail| error.detail(format!("  {detail}")))
        }),
    };
    error.exit(if drifted { Exit::Drifted } else { Exit::Failed })
}

/// Who runs it, as `user@host`.
fn operator(context: &Context) -> String {
    let host = rustix::system::uname();
    format!("{}@{}", context.process.user, host.nodename().to_string_lossy())
}

fn random() -> Result<[u8; 4], CliError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| CliError::new(format!("no random bytes: {error}")))?;
    Ok(bytes)
}
