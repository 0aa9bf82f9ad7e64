//! Sends the warehouse and its planted problems to the demo's server, and holds the sessions that cause the live ones.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinSet;

use super::page::Page;
use crate::cli::error::CliError;
use crate::connect::postgres::{self, Address, QueryError, ResultLimits, Session, SessionOptions};
use crate::demo::{self, DATABASE, DemoServer, SetupStatement};
use crate::model::{Failure, ProcessEnvironment};

/// Sends the schema, the rows and the planted problems, one session for each role and database.
pub(super) async fn fill(
    server: &DemoServer,
    process: &ProcessEnvironment,
    scale: f64,
    page: Page<'_>,
) -> Result<(), CliError> {
    page.note("filling a small warehouse and planting problems in it");
    let mut sessions: HashMap<(&str, &str), Session> = HashMap::new();
    for statement in demo::setup(scale) {
        let key = (statement.database, statement.role);
        if !sessions.contains_key(&key) {
            sessions.insert(key, open(server, process, statement.role, key.0, "runbook:demo").await?);
        }
        if let Some(session) = sessions.get_mut(&key) {
            send(session, &statement).await?;
        }
    }
    for session in sessions.into_values() {
        session.close().await;
    }
    Ok(())
}

/// Some statements must fail in their own way: that is the problem they plant.
async fn send(session: &mut Session, statement: &SetupStatement) -> Result<(), CliError> {
    let sent = session.run(&statement.sql, &ResultLimits::default()).await;
    match (&sent, statement.expect_error) {
        (Ok(_), None) => Ok(()),
        (Err(error), Some(state)) if error.sqlstate() == Some(state) => Ok(()),
        _ => Err(unplanned(statement.about, sent.err().as_ref())),
    }
}

fn unplanned(about: &str, error: Option<&QueryError>) -> CliError {
    let why = error.map_or_else(|| "it succeeded, and an error was expected".to_owned(), ToString::to_string);
    CliError::from(Failure::new(format!("the demo cannot {about}: {why}")))
}

/// Where a role of the demo's server is reached.
pub(super) fn address(server: &DemoServer, role: &str, database: &str) -> Address {
    Address { dsn: Some(server.dsn(role, database)), ..Address::default() }
}

async fn open(
    server: &DemoServer,
    process: &ProcessEnvironment,
    role: &str,
    database: &str,
    application_name: &str,
) -> Result<Session, CliError> {
    let target = postgres::resolve(&address(server, role, database), process)
        .map_err(|error| CliError::from(Failure::new(error.to_string()).help(error.help())))?;
    let options =
        SessionOptions { application_name: application_name.to_owned(), ..SessionOptions::default() };
    Session::open(&target, &options)
        .await
        .map_err(|error| CliError::from(Failure::new(error.to_string()).help(error.help())))
}

/// The sessions that cause the live problems.
pub(super) struct LiveSessions {
    open: Vec<Session>,
    waiting: JoinSet<()>,
}

static NOTHING: String = String::new();

/// Opens the sessions that cause the live problems, in their order.
pub(super) async fn disturb(
    server: &DemoServer,
    process: &ProcessEnvironment,
    page: Page<'_>,
) -> Result<LiveSessions, CliError> {
    page.note("starting a batch, a report, a migration and an application that do not get along");
    let mut live = LiveSessions { open: Vec::new(), waiting: JoinSet::new() };
    for wanted in demo::live_sessions() {
        let mut session = open(server, process, wanted.user, DATABASE, wanted.application_name).await?;
        let (last, first) = wanted.statements.split_last().unwrap_or((&NOTHING, &[]));
        for statement in first {
            run_one(&mut session, statement).await?;
        }
        if wanted.hold {
            live.hold(session, last.clone()).await;
        } else {
            run_one(&mut session, last).await?;
            live.open.push(session);
        }
    }
    Ok(live)
}

impl LiveSessions {
    /// Sends a statement that does not return, and gives the server a moment to begin it.
    async fn hold(&mut self, mut session: Session, statement: String) {
        self.waiting.spawn(async move {
            let _ended = session.run(&statement, &ResultLimits::default()).await;
        });
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    /// Closes them all and gives the server a moment to notice.
    pub(super) async fn end(mut self) {
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
