//! One attempt of a `sql` step: a session, its settings, the statements, and what became of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::error::{Phase, step_error};
use super::output::SqlOutput;
use super::spec::milliseconds;
use super::{SqlInput, Wrapping, watch};
use crate::connect::postgres::{QueryError, ResultLimits, StatementResult};
use crate::connect::{LentSession, OutputFile, Purpose, SessionKey, open_input};
use crate::model::{Certainty, Effect, Failure, StoppedBy, format_size};
use crate::sql::{CopyDirection, Statement, Trail, quote_ident, quote_literal, trail};
use crate::step::context::RunContext;
use crate::step::error::StepError;
use crate::step::kind::Done;

/// How long the server may take to confirm a cancel before the outcome counts as unknown.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// The transaction's id, and where it counts: another timeline may have lost it, and a server that crashed since this
/// time of its own clock may have given it to another transaction.
const TRANSACTION: &str = "SELECT pg_catalog.txid_current() || ' ' || \
                           pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) || ' ' || \
                           extract(epoch FROM pg_catalog.now())";

/// Everything that a statement can leave in its session beside settings.
const CLEAR: &str = "CLOSE ALL; DEALLOCATE ALL; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP";

/// How much earlier than this process the server may find that the step's time is over.
const SERVER_AHEAD: Duration = Duration::from_millis(50);

/// Runs the statements.
pub(super) async fn run(input: &SqlInput, cx: &RunContext<'_>) -> Result<Done<SqlOutput>, StepError> {
    if let Some(by) = cx.stop.reason() {
        return Err(StepError::stopped(by, "stopped before it began"));
    }
    let mut attempt = Attempt::begin(input, cx).await?;
    let result = attempt.statements().await;
    attempt.end(&result).await;
    match (result, &input.expect_error) {
        (Ok(()), None) => Ok(attempt.done()),
        (Ok(()), Some(expected)) => {
            Err(StepError::failed(format!("it succeeded, and SQLSTATE {expected} was expected")))
        }
        (Err(error), Some(expected)) if error.failure().sqlstate.as_ref() == Some(expected) => {
            attempt.output.notices.push(error.failure().message.clone());
            Ok(attempt.done())
        }
        (Err(error), _) => Err(error),
    }
}

struct Attempt<'a> {
    input: &'a SqlInput,
    cx: &'a RunContext<'a>,
    lent: Option<LentSession>,
    /// Statements that must reach the server before the next one; sent in the same flight.
    ahead: Vec<String>,
    output: SqlOutput,
    limits: ResultLimits,
}

impl<'a> Attempt<'a> {
    async fn begin(input: &'a SqlInput, cx: &'a RunContext<'a>) -> Result<Self, StepError> {
        let key = SessionKey {
            connection: input.connection.clone(),
            database: input.database.clone(),
            login: input.login.as_ref().map(|(user, _)| user.clone()),
            purpose: cx.purpose,
        };
        if input.statements.iter().any(|statement| statement.closes_database_sessions) {
            cx.connections.close_idle(&input.connection).await;
        }
        let proof = input.login.as_ref().map(|(_, proof)| proof);
        let connecting = cx.connections.lend(&key, proof, cx.application_name);
        let lent = tokio::select! {
            lent = connecting => lent?,
            by = cx.stopped() => return Err(StepError::Failed(
                Failure::new("no connection within the step's time").stopped_by(by).retryable(),
            )),
        };
        let mut attempt = Self {
            input,
            cx,
            lent: Some(lent),
            ahead: Vec::new(),
            output: SqlOutput::default(),
            limits: ResultLimits { max_rows: input.max_rows, ..ResultLimits::default() },
        };
        attempt.prepare_session()?;
        Ok(attempt)
    }

    /// Collects the settings that differ from what the session carries; they travel with the first statement.
    fn prepare_session(&mut self) -> Result<(), StepError> {
        let mut wanted = self.input.settings.clone();
        wanted.insert("application_name".to_owned(), quote_literal(self.cx.application_name));
        if let Some(timeout) = self.statement_timeout() {
            wanted.insert("statement_timeout".to_owned(), timeout);
        }
        if self.cx.purpose == Purpose::Planning {
            wanted.insert("lock_timeout".to_owned(), milliseconds(1.0));
        }
        if self.cx.effect == Effect::Read {
            wanted.insert("default_transaction_read_only".to_owned(), "on".to_owned());
        }
        if let Some(role) = &self.input.role {
            let role = quote_ident(role).map_err(|error| StepError::failed(error.message))?;
            wanted.insert("role".to_owned(), role);
        }
        if let Some(lent) = &mut self.lent {
            self.ahead = self.cx.connections.settings_to(lent, wanted);
        }
        Ok(())
    }

    /// The server is given the time left, so that it stops even when this process dies.
    fn statement_timeout(&self) -> Option<String> {
        let own = self.input.statement_timeout.map(|ms| ms / 1000.0).filter(|seconds| *seconds > 0.0);
        let left = self.cx.time_left().map(|left| left.as_secs_f64().max(0.001));
        match (own, left) {
            (Some(own), Some(left)) => Some(milliseconds(own.min(left))),
            (Some(only), None) | (None, Some(only)) => Some(milliseconds(only)),
            (None, None) => self.input.statement_timeout.map(|_| "0".to_owned()),
        }
    }

    async fn statements(&mut self) -> Result<(), StepError> {
        match self.input.transaction {
            Wrapping::One => self.in_transaction().await,
            Wrapping::Each => self.one_by_one().await,
        }
    }

    /// BEGIN, the settings, the transaction's id and the first statement travel together; the id is on disk before
    /// COMMIT is sent.
    async fn in_transaction(&mut self) -> Result<(), StepError> {
        let changes = self.cx.effect > Effect::Read;
        // Inside, a setting that fails takes everything behind it along; these two must stand before it to count.
        let is_outside =
            |text: &String| text.contains("application_name") || text.contains("transaction_read_only");
        let (outside, inside): (Vec<_>, Vec<_>) = self.ahead.drain(..).partition(is_outside);
        self.ahead.extend(outside);
        self.ahead.push(if changes { "BEGIN" } else { "BEGIN READ ONLY" }.to_owned());
        self.ahead.extend(inside);
        if changes {
            self.ahead.push(TRANSACTION.to_owned());
        }
        let before = if changes { self.before(Phase::Undone).await? } else { Value::Null };
        let mut transaction = self.transaction();
        for (index, statement) in self.input.statements.iter().enumerate() {
            self.statement(statement, Phase::Undone).await?;
            if index == 0 {
                transaction = transaction.or_else(|| self.transaction());
            }
        }
        if changes {
            let [id, timeline, since] = transaction.unwrap_or_default();
            let mut fact = json!({
                "transaction_id": id, "timeline": timeline, "server_time": since, "backend_pid": self.backend(),
            });
            if !before.is_null() {
                fact["before"] = before;
            }
            self.cx.events.trace(fact)?;
        }
        self.send("COMMIT", &[], Phase::Committing).await?;
        // A setting of a transaction that is undone is undone with it.
        self.track(&self.input.statements);
        Ok(())
    }

    fn track(&mut self, statements: &[Statement]) {
        let Some(lent) = &mut self.lent else { return };
        for setting in statements.iter().flat_map(|statement| &statement.settings) {
            self.cx.connections.track(lent, setting);
        }
    }

    /// The transaction's id, its timeline and its time, once the server has told them.
    fn transaction(&self) -> Option<[String; 3]> {
        let mut told = self.lent.as_ref()?.session.front_value()?.split(' ').map(str::to_owned);
        Some([told.next()?, told.next()?, told.next()?])
    }

    fn backend(&self) -> Option<i32> {
        self.lent.as_ref().map(|lent| lent.session.server().backend_pid)
    }

    /// What the catalog has of the settings that the statements change; null where they change none, or where it
    /// cannot be read.
    async fn before(&mut self, phase: Phase) -> Result<Value, StepError> {
        let mut before = Map::new();
        for statement in &self.input.statements {
            let trail = trail(&statement.text);
            let Some(trail @ (Trail::ServerSetting { .. } | Trail::StoredSetting { .. })) = trail else {
                continue;
            };
            let Some(query) = trail.reads() else { continue };
            match self.send(&query, &[], phase).await {
                Ok(result) => {
                    let value = result.rows.into_iter().flatten().next().unwrap_or(Value::Null);
                    before.entry(statement.text.clone()).or_insert(value);
                }
                // A transaction cannot go on after an error; outside one nothing is lost but the undo.
                Err(error) if phase == Phase::Undone => return Err(error),
                Err(_) => {}
            }
        }
        Ok(if before.is_empty() { Value::Null } else { Value::Object(before) })
    }

    async fn one_by_one(&mut self) -> Result<(), StepError> {
        let before = self.before(Phase::Standing { done: 0, read: true }).await?;
        for (index, statement) in self.input.statements.iter().enumerate() {
            let read = statement.class.effect == Effect::Read;
            if !read {
                if index == 0 && before.is_null() {
                    self.cx.events.sync_intent()?;
                } else if index == 0 {
                    self.cx.events.trace(json!({ "statement": 1, "before": before }))?;
                } else {
                    self.cx.events.trace(json!({ "statement": index + 1 }))?;
                }
            }
            self.statement(statement, Phase::Standing { done: index, read }).await?;
            self.track(std::slice::from_ref(statement));
        }
        Ok(())
    }

    async fn statement(&mut self, statement: &Statement, phase: Phase) -> Result<(), StepError> {
        let began = Instant::now();
        let result = match statement.copy {
            None => self.watched(statement, phase).await?,
            Some(direction) => self.copy(statement, direction, phase).await?,
        };
        self.output.add(&statement.verb, result, began.elapsed().as_secs_f64());
        Ok(())
    }

    async fn watched(&mut self, statement: &Statement, phase: Phase) -> Result<StatementResult, StepError> {
        let backend = self.backend().unwrap_or_default();
        let (input, cx) = (self.input, self.cx);
        let args = if statement.prepared { input.args.as_slice() } else { &[] };
        tokio::select! {
            result = self.send(&statement.text, args, phase) => result,
            () = watch::watch(&input.connection, backend, statement.progress, cx) => {
                Err(StepError::failed("the watch ended"))
            }
        }
    }

    /// Sends one statement with everything that stands ahead of it, and cancels it on the server when it must stop.
    async fn send(
        &mut self,
        statement: &str,
        args: &[Value],
        phase: Phase,
    ) -> Result<StatementResult, StepError> {
        let ahead = std::mem::take(&mut self.ahead);
        let arguments = (!args.is_empty()).then_some(args);
        let limits = self.limits;
        self.cancellable(statement, phase, async |lent| {
            lent.session.pipeline(&ahead, statement, arguments, &[], &limits).await
        })
        .await
    }

    async fn cancellable<T>(
        &mut self,
        statement: &str,
        phase: Phase,
        work: impl AsyncFnOnce(&mut LentSession) -> Result<T, QueryError>,
    ) -> Result<T, StepError> {
        let cx = self.cx;
        let Some(lent) = &mut self.lent else { return Err(StepError::failed("the session is closed")) };
        let canceller = lent.session.canceller();
        let mut working = std::pin::pin!(work(lent));
        let stopped = tokio::select! {
            result = &mut working => {
                // The server was given the time left, so it may notice the end first.
                let over = cx.time_left().filter(|left| *left < SERVER_AHEAD).map(|_| StoppedBy::Timeout);
                return result.map_err(|error| step_error(&error, statement, phase, over));
            }
            by = cx.stopped() => by,
        };
        // COMMIT is let through: cancelling it would only make its outcome harder to know.
        if phase != Phase::Committing {
            // A cancel that does not arrive shows itself by the statement going on.
            canceller.cancel().await.ok();
        }
        match tokio::time::timeout(CANCEL_PATIENCE, &mut working).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(step_error(&error, statement, phase, Some(stopped))),
            Err(_) => Err(unanswered(phase, stopped)),
        }
    }

    async fn copy(
        &mut self,
        statement: &Statement,
        direction: CopyDirection,
        phase: Phase,
    ) -> Result<StatementResult, StepError> {
        self.flush_ahead(phase).await?;
        match direction {
            CopyDirection::ToStdout => self.copy_out(statement, phase).await,
            CopyDirection::FromStdin => self.copy_in(statement, phase).await,
        }
    }

    /// COPY speaks another part of the protocol, so what stands ahead is sent before it.
    async fn flush_ahead(&mut self, phase: Phase) -> Result<(), StepError> {
        for statement in std::mem::take(&mut self.ahead) {
            self.send(&statement, &[], phase).await?;
        }
        Ok(())
    }

    async fn copy_out(&mut self, statement: &Statement, phase: Phase) -> Result<StatementResult, StepError> {
        let path = self.cx.files.join(self.input.stdout_file.as_deref().unwrap_or_default());
        let mut file = OutputFile::create(&path, self.input.overwrite)?;
        let cx = self.cx;
        let progress = copied(cx);
        self.cancellable(&statement.text, phase, async |lent| {
            lent.session.copy_out(&statement.text, &mut file, &progress).await
        })
        .await?;
        self.output.file = Some(file.keep().await?.into());
        Ok(StatementResult::default())
    }

    async fn copy_in(&mut self, statement: &Statement, phase: Phase) -> Result<StatementResult, StepError> {
        let path = self.cx.files.join(self.input.stdin_file.as_deref().unwrap_or_default());
        let mut file = open_input(&path).await?;
        let cx = self.cx;
        let progress = copied(cx);
        let copied = self
            .cancellable(&statement.text, phase, async |lent| {
                lent.session.copy_in(&statement.text, &mut file, &progress).await
            })
            .await?;
        Ok(StatementResult { affected: Some(copied.rows), ..StatementResult::default() })
    }

    /// Leaves no open transaction behind, and gives the session back when it can be trusted.
    async fn end(&mut self, result: &Result<(), StepError>) {
        let Some(mut lent) = self.lent.take() else { return };
        if lent.session.is_closed() || matches!(result, Err(StepError::Uncertain(_))) {
            return;
        }
        // An open transaction ends with its session; which settings were taken is not known after an error.
        if result.is_err() || self.input.login.is_some() || !self.clear(&mut lent).await {
            lent.session.close().await;
        } else {
            self.cx.connections.give_back(lent);
        }
    }

    /// Temporary tables, prepared statements and session locks do not outlive their step.
    async fn clear(&self, lent: &mut LentSession) -> bool {
        if !self.input.statements.iter().any(may_leave_something) {
            return true;
        }
        lent.query(CLEAR, &ResultLimits::default()).await.is_ok()
    }

    fn done(self) -> Done<SqlOutput> {
        Done { warnings: self.output.warnings.clone(), output: self.output, ends_run: None }
    }
}

/// Plain changes of rows leave nothing in the session, and are too many to be cleaned up after one by one.
fn may_leave_something(statement: &Statement) -> bool {
    let rows = matches!(statement.verb.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE");
    let known = statement.class.certainty == Certainty::Known && statement.functions.is_empty();
    match statement.verb.as_str() {
        "PREPARE" | "DECLARE" => true,
        _ => statement.class.effect > Effect::Read && !(rows && known),
    }
}

fn unanswered(phase: Phase, by: StoppedBy) -> StepError {
    let failure = Failure::new("the server did not confirm that the statement was cancelled").stopped_by(by);
    match phase {
        Phase::Standing { done: 0, read: true } => StepError::Failed(failure),
        _ => StepError::Uncertain(failure.applied(crate::model::Applied::Unknown)),
    }
}

/// Tells how much was copied, after each few megabytes.
fn copied<'a>(cx: &'a RunContext<'_>) -> impl Fn(u64) + Send + Sync + 'a {
    const STEP: u64 = 4 << 20;
    let told = AtomicU64::new(0);
    move |bytes| {
        if bytes >= told.load(Ordering::Relaxed) + STEP {
            told.store(bytes, Ordering::Relaxed);
            cx.events.progress("copying", None, Some(size(bytes)));
        }
    }
}

fn size(bytes: u64) -> String {
    format_size(i64::try_from(bytes).unwrap_or(i64::MAX))
}
