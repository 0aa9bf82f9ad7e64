//! Which key a run holds, where, and what is said to whoever must wait for it.
//!
//! A run that cannot change anything excludes nobody, unless its runbook says `concurrency:`: it takes no key, opens
//! no session for one, and is never refused.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, sleep_until};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::prepare::Prepared;
use crate::connect::{Claim, Holder, Lock, Meeting, Taken};
use crate::engine::{Clock as _, Exclusion, SystemClock};
use crate::journal::Store;
use crate::model::{Effect, Failure, RunId, format_duration, parse_duration};
use crate::plan::Preflight;
use crate::runbook::{ConnectionKind, Runbook, Step, StepBody};
use crate::step::StopSignal;
use crate::ui::{self, Mark};

/// How long it waits between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a run waits for its turn.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Patience {
    /// Wait this long for another run with the same key, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()))
}

/// A run that needs its key.
pub(super) struct Contest<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) found: &'a Preflight,
    pub(super) context: &'a Context,
    pub(super) store: &'a Store,
    pub(super) interrupt: &'a StopSignal,
}

impl Contest<'_> {
    /// The key, not taken yet, as the run of this operator would hold it.
    fn lock(&self, run: &RunId, operator: &str) -> Result<Lock, CliError> {
        let runbook = &self.prepared.runbook;
        let meeting = meeting(self.prepared, self.store.locks())?;
        let claim = Claim {
            key: key(runbook, self.found),
            runbook: runbook.name.clone(),
            run: run.clone(),
            operator: operator.to_owned(),
        };
        Ok(Lock::new(meeting, claim, || SystemClock.now()))
    }

    /// Takes the key, and waits for it as long as the operator wants.
    pub(super) async fn take(
        &self,
        run: &RunId,
        operator: &str,
        patience: Patience,
    ) -> Result<Exclusion, CliError> {
        let mut lock = self.lock(run, operator)?;
        let began = Instant::now();
        let mut told = None;
        loop {
            let holder = match lock.take(&self.prepared.connections).await {
                Ok(Taken::Held) => return Ok(Exclusion::of(lock)),
                Ok(Taken::Busy(holder)) => holder,
                Err(failure) => return Err(CliError::from(failure).exit(Exit::Failed)),
            };
            let limit = patience.wait.max(holder.silent).unwrap_or_default();
            // One that seems dead is watched for a moment longer than it may be silent.
            let until = began + limit + if holder.silent.is_some() { 2 * PAUSE } else { Duration::ZERO };
            if Instant::now() >= until {
                return Err(refused(lock.key(), &holder, patience));
            }
            if told.as_ref() != Some(&holder) {
                self.say_whom(lock.key(), &holder, limit);
                told = Some(holder);
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = sleep_until(until) => {}
                _ = self.interrupt.raised() => {
                    return Err(CliError::new("interrupted before the run began").exit(Exit::Interrupted));
                }
            }
        }
    }

    /// Why a run that began now would be refused.
    pub(super) async fn obstacle(&self) -> Option<Failure> {
        let nobody = RunId::new(jiff::Timestamp::UNIX_EPOCH, 0);
        let lock = match self.lock(&nobody, "") {
            Ok(lock) => lock,
            Err(error) => return Some(Failure { help: error.help, ..Failure::new(error.message) }),
        };
        match lock.look(&self.prepared.connections).await {
            Ok(holder) => {
                let message = format!("another run holds `{}`: {}", lock.key(), holder?);
                Some(Failure::new(message).help("Wait for it with `run --wait 10m`."))
            }
            Err(failure) => Some(failure),
        }
    }

    fn say_whom(&self, key: &str, holder: &Holder, limit: Duration) {
        let limit = format_duration(limit.as_secs_f64());
        let words = match holder.silent {
            Some(_) => {
                format!("`{key}` is held by {holder}; it seems to be gone, and is watched for {limit}")
            }
            None => format!("waiting up to {limit} for `{key}`, held by {holder}"),
        };
        self.context.say(&format!("{} {}\n", self.context.style.mark(Mark::Remark), ui::clean(&words)));
    }
}

/// Whether the run has anything that a rival could meet: an effect, or a key its author asked for.
pub(super) fn is_exclusive(runbook: &Runbook, skip: &[String]) -> bool {
    let concurrency = &runbook.concurrency;
    let asked = concurrency.key.is_some() || concurrency.connection.is_some();
    asked || changes(runbook, "", skip)
}

/// Whether a step that is not excluded has an effect, closing steps included.
fn changes(runbook: &Runbook, prefix: &str, skip: &[String]) -> bool {
    let all = runbook.steps.iter().chain(&runbook.on_failure).chain(&runbook.finally);
    all.into_iter().any(|step| step_changes(step, prefix, skip))
}

fn step_changes(step: &Step, prefix: &str, skip: &[String]) -> bool {
    let id = format!("{prefix}{}", step.id);
    if skip.contains(&id) {
        return false;
    }
    match &step.body {
        StepBody::Kind(..) => step.class.effect > Effect::Read,
        StepBody::Group(inner) => inner.iter().any(|inner| step_changes(inner, prefix, skip)),
        StepBody::Include(include) => changes(&include.runbook, &format!("{id}."), skip),
    }
}

/// Where rivals meet: the connection that the author names, else the cluster, else the database, else this machine.
fn meeting(prepared: &Prepared, folder: PathBuf) -> Result<Meeting, CliError> {
    let runbook = &prepared.runbook;
    let named = match &runbook.concurrency.connection {
        Some(name) if !prepared.names.contains_key(name) => {
            let error =
                CliError::new(format!("the environment has no connection `{name}`, which holds the lock"));
            return Err(error.help("Add it to the environment's `connections:`."));
        }
        Some(name) => Some(name.as_str()),
        None => of_kind(prepared, "kubernetes").or_else(|| of_kind(prepared, "postgres")),
    };
    let outer = |name: &str| prepared.names.get(name).cloned().unwrap_or_default();
    let need = named.and_then(|name| Some((name, &runbook.connections.get(name)?.kind)));
    Ok(match need {
        Some((name, ConnectionKind::Kubernetes)) => {
            Meeting::Cluster { connection: outer(name), namespace: runbook.defaults.namespace.clone() }
        }
        Some((name, ConnectionKind::Postgres(_))) => Meeting::Server { connection: outer(name) },
        Some((_, ConnectionKind::Host)) | None => Meeting::Machine { folder },
    })
}

/// The connection of a kind that the environment names: the default one, else the first.
fn of_kind<'a>(prepared: &'a Prepared, kind: &str) -> Option<&'a str> {
    let runbook = &prepared.runbook;
    let present = |name: &&str| prepared.names.contains_key(*name);
    let default = runbook.default_connection(kind).filter(present);
    default.or_else(|| {
        let mut fitting = runbook.connections.iter().filter(|(_, need)| need.kind_name() == kind);
        fitting.find_map(|(name, _)| Some(name.as_str()).filter(present))
    })
}

/// What runs must have in common to exclude each other: what the author says, else the runbook and its database.
fn key(runbook: &Runbook, found: &Preflight) -> String {
    if let Some(key) = &runbook.concurrency.key {
        return key.clone();
    }
    let default = runbook.default_connection("postgres");
    let mut databases = found.targets.iter().filter(|target| target.kind == "postgres");
    let database = match default {
        Some(name) => databases.find(|target| target.name == name),
        None => databases.next(),
    };
    match database.and_then(|target| target.facts["database"].as_str()) {
        Some(database) => format!("{} in {database}", runbook.name),
        None => runbook.name.clone(),
    }
}

fn refused(key: &str, holder: &Holder, patience: Patience) -> CliError {
    let error = CliError::new(format!("another run holds `{key}`, so this one was not started"))
        .detail(format!("held by {holder}"))
        .exit(Exit::Excluded);
    error.help(match patience.wait {
        None => "Wait for it with `--wait 10m`; nothing was started.".to_owned(),
        Some(wait) => format!(
            "It did not end within {}: look at it, or wait longer; nothing was started.",
            format_duration(wait.as_secs_f64())
        ),
    })
}
