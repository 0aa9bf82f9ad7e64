//! One run from a prepared runbook to its end: the targets, the journal, the screen, the engine. Shared by `run` and
//! `demo`.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::again::Again;
use super::context::Context;
use super::error::CliError;
use super::exclusion::{Contest, Patience, is_exclusive};
use super::exit::Exit;
use super::prepare::Prepared;
use crate::connect::{Prompter, Purpose};
use crate::engine::{Answers, Clock as _, Ended, Exclusion, Origin, RunRequest, SystemClock, Systems, run};
use crate::event::{Adopted, Direction, PinnedConnection, PinnedOptions, RunStarted, Sink, VERSION};
use crate::journal::{Store, Writer};
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
    pub(super) retry: &'a [String],
    pub(super) past_no_return: bool,
    pub(super) patience: Patience,
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

/// A run, or a leg of one, that is about to begin.
struct Leg {
    id: RunId,
    journal: Writer,
    origin: Origin,
    /// When the run itself began, and who began it.
    began: Timestamp,
    operator: String,
    reason: Option<String>,
}

impl Execution<'_> {
    /// Reaches the targets and runs.
    pub(super) async fn execute(self, offline: &Plan) -> Result<Ended, CliError> {
        let found = self.reach().await?;
        self.check_rights(&found).await?;
        let began = SystemClock.now();
        let id = RunId::new(began, random()?);
        let exclusion = self.exclude(&id, Direction::Forward, &found).await?;
        let journal = self.store.create(&id)?;
        let shown = self.first_record(offline, &found);
        let whole = RunStarted { parameters: self.prepared.params.clone(), ..shown.clone() };
        let origin = Origin::Start { shown: Box::new(shown), whole: Box::new(whole) };
        let (operator, reason) = (operator(self.context), self.reason.clone());
        let leg = Leg { id, journal, origin, began, operator, reason };
        Ok(Box::pin(self.run(leg, &found, exclusion)).await)
    }

    /// Reaches the targets, which must be the ones of the first leg, and goes on.
    pub(super) async fn go_on(
        self,
        again: Again,
        direction: Direction,
        adopted: Option<Adopted>,
    ) -> Result<Ended, CliError> {
        let found = self.reach().await?;
        let Again { id, journal, state } = again;
        let Some(started) = state.started.as_deref() else {
            return Err(CliError::new("the run ended before its first step"));
        };
        same_targets(&started.connections, &found)?;
        let exclusion = self.exclude(&id, direction, &found).await?;
        let leg = Leg {
            id,
            journal,
            began: state.started_at.unwrap_or_else(|| SystemClock.now()),
            operator: started.operator.clone(),
            reason: started.reason.clone(),
            origin: Origin::Again { state: Box::new(state), direction, adopted },
        };
        Ok(Box::pin(self.run(leg, &found, exclusion)).await)
    }

    /// Keeps rival runs out, where there is anything to keep them from. What is undone always is.
    async fn exclude(
        &self,
        id: &RunId,
        direction: Direction,
        found: &Preflight,
    ) -> Result<Option<Exclusion>, CliError> {
        let Self { prepared, context, store, .. } = self;
        if direction == Direction::Forward && !is_exclusive(&prepared.runbook, self.skip) {
            return Ok(None);
        }
        let contest = Contest { prepared, found, context, store, interrupt: &self.interrupt };
        // Boxed: few runs wait, and each would carry the size of it otherwise.
        Box::pin(contest.take(id, &operator(context), self.patience)).await.map(Some)
    }

    async fn reach(&self) -> Result<Preflight, CliError> {
        let prepared = self.prepared;
        let found =
            preflight(&prepared.runbook, &prepared.names, &prepared.connections, Purpose::Steps).await;
        if found.problems.is_empty() {
            return Ok(found);
        }
        Err(unfit("the targets are not fit for this runbook", &found.problems))
    }

    /// What the account may not do is told before the first step.
    async fn check_rights(&self, found: &Preflight) -> Result<(), CliError> {
        let Self { prepared, context, .. } = self;
        let request = offline_request(prepared, context, self.skip, found.clone());
        let lacking = Box::pin(missing_rights(&request, &prepared.connections)).await;
        if lacking.is_empty() {
            Ok(())
        } else {
            Err(unfit("rights are missing that the steps need", &lacking))
        }
    }

    async fn run(self, leg: Leg, found: &Preflight, exclusion: Option<Exclusion>) -> Ended {
        let Self { prepared, context, .. } = &self;
        let mut surroundings = prepared.surroundings.clone();
        surroundings.connections = found.by_connection(&prepared.names);
        surroundings.run.extend(self.facts(&leg));
        let mut terminal = Terminal::new(context.out.clone(), context.style.clone());
        if let (Origin::Again { state, .. }, false) = (&leg.origin, context.json) {
            terminal.catch_up(&leg.id, state);
        }
        let prompter = TerminalPrompter::new(context.out.clone(), context.style.clone(), terminal.screen());
        let sink: Box<dyn Sink> =
            if context.json { Box::new(Ndjson::new(context.out.clone())) } else { Box::new(terminal) };
        let asks = context.style.interactive && !context.json;
        let ended = Box::pin(run(RunRequest {
            id: leg.id,
            runbook: Arc::clone(&prepared.runbook),
            params: prepared.params.clone(),
            names: prepared.names.clone(),
            connections: &prepared.connections,
            outside: &Systems,
            surroundings,
            origin: leg.origin,
            retry: self.retry,
            past_no_return: self.past_no_return,
            operator: operator(context),
            journal: leg.journal,
            sinks: vec![sink],
            prompter: asks.then_some(&prompter as &dyn Prompter),
            answers: self.answers,
            redactor: &context.redactor,
            clock: &SystemClock,
            max_parallel: self.max_parallel,
            strict: self.strict,
            skip: self.skip,
            reason: leg.reason,
            files: self.files.clone(),
            exclusion: exclusion.as_ref(),
            interrupt: self.interrupt.clone(),
        }))
        .await;
        if let Some(exclusion) = exclusion {
            exclusion.release().await;
        }
        context.out.flush();
        ended
    }

    fn facts(&self, leg: &Leg) -> Map<String, Value> {
        let directory = self.store.directory(&leg.id);
        let facts = json!({
            "id": leg.id.as_str(),
            "name": self.prepared.runbook.name,
            "operator": leg.operator,
            "started_at": leg.began.to_string(),
            "reason": leg.reason,
            "window_left": null,
            "dir": directory.display().to_string(),
            "tmp": directory.join("tmp").display().to_string(),
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
            steps: offline.pinned_steps(),
            options: PinnedOptions {
                config: self.context.config.as_ref().map(|path| path.display().to_string()),
                files: self.files.display().to_string(),
                skip: self.skip.to_vec(),
                strict: self.strict,
            },
        }
    }
}

/// A later leg must meet what the first one met: the same server, database and cluster.
fn same_targets(pinned: &[PinnedConnection], found: &Preflight) -> Result<(), CliError> {
    const PROOF: [&str; 3] = ["system_identifier", "database", "uid"];
    let mut drifted = Vec::new();
    for target in &found.targets {
        let Some(before) = pinned.iter().find(|pinned| pinned.name == target.name) else { continue };
        for proof in PROOF {
            let (then, now) = (&before.identity[proof], &target.facts[proof]);
            if !then.is_null() && !now.is_null() && then != now {
                drifted.push(format!("`{}`: {proof} was {then} and is {now}", target.name));
            }
        }
    }
    if drifted.is_empty() {
        return Ok(());
    }
    let error = CliError::new("the run began on another target").exit(Exit::Drifted);
    let error = drifted.into_iter().fold(error, CliError::detail);
    Err(error
        .help("Nothing was sent. Look at the environment: where it led then stands in `runbook report`."))
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

fn random() -> Result<u8, CliError> {
    let mut byte = [0];
    getrandom::fill(&mut byte).map_err(|error| CliError::new(format!("no random bytes: {error}")))?;
    Ok(byte[0])
}
