//! `runbook demo`: a throwaway server with a warehouse and planted problems, the health checks and the weekly work run
//! on it, and everything removed again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;

use super::context::Context;
use super::error::CliError;
use super::execute::{Execution, offline_plan};
use super::exit::Exit;
use super::prepare::{Prepared, load};
use super::runtime::block_on;
use super::signals::{self, Interrupts};
use crate::connect::postgres::{self, Address, QueryError, ResultLimits, Session, SessionOptions};
use crate::connect::{ConnectionConfig, Connections, Expect, Purpose};
use crate::demo::{
    self, DATABASE, DemoError, DemoServer, OWNER, PROBLEMS, ServerBinaries, SetupStatement, THRESHOLDS,
};
use crate::engine::{Answers, Clock as _, SystemClock};
use crate::event::EventKind;
use crate::journal::Store;
use crate::model::{Effect, Failure};
use crate::plan::{Plan, PlanRequest, Surroundings, plan, preflight};
use crate::runbook::{ValueSources, resolve};

/// The arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How large the warehouse is; 1 makes 300 MB
    #[arg(long, value_name = "FACTOR", default_value_t = demo::DEFAULT_SCALE)]
    scale: f64,
}

/// The monitoring role that the demo's server has.
const MONITOR: &str = "wms_mon";
/// Run while the live problems last.
const HEALTH_CHECKS: [&str; 4] = ["connection-pool", "long-running-queries", "table-sizes", "index-usage"];
/// Run when they are over.
const WEEKLY: [&str; 2] = ["weekly-vacuum", "weekly-statistics"];

impl Demo {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        block_on(run(self.scale, context))?
    }
}

/// Whatever happens, the server is stopped and its files are removed.
async fn run(scale: f64, context: &Context) -> Result<Exit, CliError> {
    let interrupts = signals::listen(context.out.clone())?;
    let out = context.out.clone();
    let mut say = move |line: &str| drop(out.stderr(&format!("{line}\n")));
    let binaries = demo::obtain(&context.process, &mut say).await.map_err(demo_error)?;
    say(&format!("PostgreSQL {} from {}", binaries.version, binaries.origin));
    let server = DemoServer::start(&binaries, &mut say).await.map_err(demo_error)?;
    let shown = {
        let demo = Show {
            context,
            server: &server,
            binaries: &binaries,
            store: Store::at(server.socket_dir.join("runs")),
        };
        tokio::select! {
            shown = demo.all(scale, &interrupts) => shown,
            _ = interrupts.stop.raised() => Ok(Exit::Interrupted),
        }
    };
    server.stop().await.map_err(demo_error)?;
    let exit = shown?;
    say("the server is stopped and everything it wrote is removed");
    Ok(exit)
}

struct Show<'a> {
    context: &'a Context,
    server: &'a DemoServer,
    binaries: &'a ServerBinaries,
    store: Store,
}

impl Show<'_> {
    fn say(&self, line: &str) {
        let _closed = self.context.out.stderr(&format!("{line}\n"));
    }

    async fn all(&self, scale: f64, interrupts: &Interrupts) -> Result<Exit, CliError> {
        self.fill(scale).await?;
        let mut evidence = BTreeMap::new();
        let live = self.live().await?;
        // The thresholds of the demo are seconds, and the sessions must be older than that.
        tokio::time::sleep(Duration::from_secs(3)).await;
        for name in HEALTH_CHECKS {
            evidence.insert(name, self.runbook(name, MONITOR, interrupts).await?);
        }
        live.end().await;
        for name in WEEKLY {
            evidence.insert(name, self.runbook(name, OWNER, interrupts).await?);
        }
        Ok(self.sum_up(&evidence))
    }

    /// Sends the schema, the rows and the planted problems, one session for each role and database.
    async fn fill(&self, scale: f64) -> Result<(), CliError> {
        self.say("filling the warehouse and planting problems");
        let mut sessions: HashMap<(&str, &str), Session> = HashMap::new();
        for statement in demo::setup(scale) {
            let SetupStatement { database, role, ref sql, expect_error, about } = statement;
            let key = (database, role);
            if !sessions.contains_key(&key) {
                sessions.insert(key, self.open(role, database, "runbook:demo").await?);
            }
            let Some(session) = sessions.get_mut(&key) else { continue };
            let sent = session.run(sql, &ResultLimits::default()).await;
            let as_planned = match (&sent, expect_error) {
                (Ok(_), None) => true,
                (Err(error), Some(state)) => error.sqlstate() == Some(state),
                _ => false,
            };
            if !as_planned {
                return Err(unplanned(about, sent.err().as_ref()));
            }
        }
        for session in sessions.into_values() {
            session.close().await;
        }
        Ok(())
    }

    async fn open(&self, role: &str, database: &str, application_name: &str) -> Result<Session, CliError> {
        let target = postgres::resolve(&self.address(role, database), &self.context.process)
            .map_err(|error| CliError::from(Failure::new(error.to_string()).help(error.help())))?;
        let options =
            SessionOptions { application_name: application_name.to_owned(), ..SessionOptions::default() };
        Session::open(&target, &options)
            .await
            .map_err(|error| CliError::from(Failure::new(error.to_string()).help(error.help())))
    }

    fn address(&self, role: &str, database: &str) -> Address {
        Address { dsn: Some(self.server.dsn(role, database)), ..Address::default() }
    }

    /// Opens the sessions that cause the live problems, in their order.
    async fn live(&self) -> Result<LiveSessions, CliError> {
        self.say("starting a batch, a report, a migration and an application that do not get along");
        let mut live = LiveSessions { open: Vec::new(), waiting: JoinSet::new() };
        for wanted in demo::live_sessions() {
            let mut session = self.open(wanted.user, DATABASE, wanted.application_name).await?;
            let (last, first) = wanted.statements.split_last().unwrap_or((&EMPTY, &[]));
            for statement in first {
                run_one(&mut session, statement).await?;
            }
            if wanted.hold {
                let last = last.clone();
                live.waiting.spawn(async move {
                    let _ended = session.run(&last, &ResultLimits::default()).await;
                });
                tokio::time::sleep(Duration::from_millis(250)).await;
            } else {
                run_one(&mut session, last).await?;
                live.open.push(session);
            }
        }
        Ok(live)
    }

    /// Plans and runs a shipped runbook; returns everything its steps produced, as text.
    async fn runbook(&self, name: &str, role: &str, interrupts: &Interrupts) -> Result<String, CliError> {
        let prepared = self.prepare(name, role)?;
        let planned = self.plan(&prepared).await;
        self.say(&format!("\n$ runbook plan {name}\n{}", counts(&planned)));
        self.say(&format!("$ runbook run {name}"));
        let answers = Answers { yes: true, ..Answers::default() };
        let execution = Execution {
            prepared: &prepared,
            context: self.context,
            store: &self.store,
            answers: &answers,
            interrupt: interrupts.stop.clone(),
            skip: &[],
            reason: Some("demo".to_owned()),
            max_parallel: 4,
            strict: false,
            files: self.server.socket_dir.clone(),
        };
        let offline = offline_plan(&prepared, self.context, &[]).await;
        let ended = execution.execute(&offline).await?;
        let history = self.store.read(&ended.run)?;
        let outputs = history.events.into_iter().filter_map(|event| match event.kind {
            EventKind::StepFinished { output, .. } => Some(output.to_string()),
            _ => None,
        });
        Ok(outputs.collect())
    }

    fn prepare(&self, name: &str, role: &str) -> Result<Prepared, CliError> {
        let (runbook, sources) =
            load(&format!("{}{name}.yaml", crate::library::SHIPPED_PREFIX), self.context)?;
        let set: Vec<(String, String)> = THRESHOLDS
            .iter()
            .filter(|threshold| threshold.runbook == name)
            .map(|threshold| (threshold.parameter.to_owned(), threshold.value.to_owned()))
            .collect();
        let values = ValueSources { set: &set, ..ValueSources::default() };
        let params = resolve(&runbook.params, &values, &self.context.redactor)
            .map_err(|problems| CliError::new(format!("the demo's thresholds do not fit: {problems:?}")))?;
        let names: BTreeMap<String, String> =
            runbook.connections.keys().map(|name| (name.clone(), name.clone())).collect();
        let config = |name: &String| {
            let address = Box::new(self.address(role, DATABASE));
            (name.clone(), ConnectionConfig::Postgres { address, expect: Expect::default() })
        };
        let connections = Connections::new(names.keys().map(config).collect(), self.context.process.clone());
        Ok(Prepared {
            runbook,
            sources,
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

    /// Says which planted problems the runbooks found, and what to type next.
    fn sum_up(&self, evidence: &BTreeMap<&str, String>) -> Exit {
        self.say("\nplanted problems and who found them");
        let mut missed = 0;
        for problem in PROBLEMS {
            let Some((runbook, name)) = problem.finder else { continue };
            let absent = problem.extension.filter(|extension| !self.binaries.has_extension(extension));
            let found = evidence.get(runbook).is_some_and(|output| output.contains(name));
            let verdict = match (absent, found) {
                (Some(extension), _) => format!("cannot be shown: this server lacks {extension}"),
                (None, true) => format!("found by {runbook}"),
                (None, false) => {
                    missed += 1;
                    format!("MISSED by {runbook}")
                }
            };
            self.say(&format!("  {:>2}  {}\n      {verdict}", problem.number, problem.title));
        }
        self.say(NEXT);
        if missed == 0 { Exit::Success } else { Exit::Failed }
    }
}

static EMPTY: String = String::new();

const NEXT: &str = "\nnext
  runbook list                                  every runbook there is
  runbook show weekly-vacuum                    what one does, step by step
  PGHOST=db1 PGDATABASE=mine runbook plan weekly-vacuum   what it would do to your database
  runbook run connection-pool                   a health check that changes nothing
";

/// The sessions that cause the live problems.
struct LiveSessions {
    open: Vec<Session>,
    waiting: JoinSet<()>,
}

impl LiveSessions {
    /// Closes them all and gives the server a moment to notice.
    async fn end(mut self) {
        self.waiting.shutdown().await;
        for session in self.open {
            session.close().await;
        }
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
}

async fn run_one(session: &mut Session, statement: &str) -> Result<(), CliError> {
    session
        .run(statement, &ResultLimits::default())
        .await
        .map(drop)
        .map_err(|error| CliError::from(Failure::new(error.to_string())))
}

fn demo_error(error: DemoError) -> CliError {
    let help = error.help();
    CliError::new(error.to_string()).help(help).exit(Exit::Failed)
}

fn unplanned(about: &str, error: Option<&QueryError>) -> CliError {
    let why = error.map_or_else(|| "it succeeded, and an error was expected".to_owned(), ToString::to_string);
    CliError::from(Failure::new(format!("the demo cannot {about}: {why}")))
}

fn counts(plan: &Plan) -> String {
    let count = |effect: Effect| match plan.count(effect) {
        0 => None,
        n => Some(format!("{n} {}", effect.as_str())),
    };
    let effects = [Effect::Read, Effect::Change, Effect::Disrupt, Effect::Destroy];
    let counted: Vec<String> = effects.into_iter().filter_map(count).collect();
    let blocked =
        plan.steps.iter().flat_map(|step| &step.blockers).map(|line| format!("\n  in the way: {line}"));
    let problems = plan.problems.iter().map(|failure| format!("\n  in the way: {}", failure.message));
    format!(
        "{} steps: {}{}",
        plan.leaves().count(),
        counted.join(", "),
        blocked.chain(problems).collect::<String>()
    )
}
