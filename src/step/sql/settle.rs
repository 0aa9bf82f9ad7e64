//! What became of an attempt without an answer: the server is asked, never guessed.
//!
//! First the backend of the attempt must be gone, for what still works may still commit. Then a transaction's fate is
//! the server's own word on its id, on the same timeline only: a promoted standby has called a lost row committed.
//! Outside a transaction the catalog tells, where the statement leaves something there.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{SqlInput, Wrapping};
use crate::connect::postgres::ResultLimits;
use crate::connect::{AnswerKind, LentSession, Purpose, Question, SessionKey};
use crate::model::Effect;
use crate::sql::{Trail, quote_literal, trail};
use crate::step::context::RunContext;
use crate::step::kind::{Happened, Settled};

/// How long a server may take to be back.
const RETURN: Duration = Duration::from_mins(1);

/// How long a backend of the attempt may go on before somebody is asked whether it should end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked again.
const LOOK: Duration = Duration::from_millis(500);

/// Asks the server.
pub(super) async fn settle(input: &SqlInput, happened: &Happened<'_>, cx: &RunContext<'_>) -> Settled {
    match Settling::begin(input, cx).await {
        Ok(mut settling) => {
            let settled = settling.settle(happened).await.unwrap_or_else(|settled| settled);
            settling.end();
            settled
        }
        Err(why) => Settled::Unknown(why),
    }
}

struct Settling<'a> {
    input: &'a SqlInput,
    cx: &'a RunContext<'a>,
    lent: LentSession,
}

impl<'a> Settling<'a> {
    /// A session of its own; a server that restarts is waited for.
    async fn begin(input: &'a SqlInput, cx: &'a RunContext<'a>) -> Result<Self, String> {
        let mut key = SessionKey::of(&input.connection, Purpose::Asking);
        key.database.clone_from(&input.database);
        let end = Instant::now() + RETURN;
        loop {
            match cx.connections.lend(&key, None, "runbook:settle").await {
                Ok(lent) => return Ok(Self { input, cx, lent }),
                Err(failure) if Instant::now() > end => {
                    return Err(format!("the server cannot be asked: {}", failure.message));
                }
                Err(_) => {
                    cx.events.progress("settling", None, Some("waits for the server to be back".to_owned()));
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    fn end(self) {
        self.cx.connections.give_back(self.lent);
    }

    async fn settle(&mut self, happened: &Happened<'_>) -> Result<Settled, Settled> {
        if self.ask("SELECT pg_catalog.pg_is_in_recovery()::text").await?.as_deref() != Some("false") {
            return Err(unknown("the server is a standby now, and only the primary knows"));
        }
        self.backend_is_gone().await?;
        match self.input.transaction {
            Wrapping::One => self.transaction(happened).await,
            Wrapping::Each => self.statements(happened).await,
        }
    }

    /// Whoever has the attempt's name is the attempt, still at work.
    async fn backend_is_gone(&mut self) -> Result<(), Settled> {
        let query = format!(
            "SELECT string_agg(pid::text, ',') FROM pg_catalog.pg_stat_activity \
             WHERE application_name = {} AND pid <> pg_catalog.pg_backend_pid()",
            quote_literal(self.cx.application_name)
        );
        let mut end = Instant::now() + PATIENCE;
        while let Some(backends) = self.ask(&query).await? {
            self.cx.events.progress("settling", None, Some(format!("backend {backends} is still at work")));
            if Instant::now() > end {
                self.may_end(&backends).await?;
                let ending = format!(
                    "SELECT bool_and(pg_catalog.pg_terminate_backend(pid))::text FROM pg_catalog.pg_stat_activity \
                     WHERE application_name = {} AND pid <> pg_catalog.pg_backend_pid()",
                    quote_literal(self.cx.application_name)
                );
                self.ask(&ending).await?;
                end = Instant::now() + PATIENCE;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Leave to end a backend is a gate like any other.
    async fn may_end(&self, backends: &str) -> Result<(), Settled> {
        let question = Question {
            id: self.cx.place.to_string(),
            message: format!("Backend {backends} of an earlier attempt is still at work. End it?"),
            about: Vec::new(),
            shown: Value::Null,
            answer: AnswerKind::YesNo { default: false },
            timeout: None,
        };
        let answer = self.cx.gate.answer(self.cx.place, &question, true, Some(&json!(false))).await;
        match answer {
            Ok(answer) if answer.value == true => Ok(()),
            _ => Err(Settled::AtWork(format!(
                "backend {backends} of the attempt is still at work; \
                 `SELECT pg_terminate_backend({backends})` ends it"
            ))),
        }
    }

    async fn transaction(&mut self, happened: &Happened<'_>) -> Result<Settled, Settled> {
        let fact = |name: &str| happened.traces.iter().rev().find_map(|trace| trace[name].as_str());
        let (Some(id), Some(timeline)) = (fact("transaction_id"), fact("timeline")) else {
            // The id is on disk before COMMIT is sent, so none was.
            return Ok(Settled::NotDone);
        };
        let now = "SELECT pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)";
        let now = self.ask(now).await?.unwrap_or_default();
        if now != timeline {
            return Err(unknown(format!(
                "the server is on timeline {now} and the transaction was on {timeline}: after a failover its word \
                 on a transaction of the old primary is worth nothing"
            )));
        }
        let crashed = self.crashed_since(fact("server_time").unwrap_or("0")).await?;
        // After a crash the server may count from before what it had not written yet: such a transaction is lost.
        let query = format!(
            "SELECT CASE WHEN {id} < pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) \
             THEN pg_catalog.txid_status({id}) ELSE '{unseen}' END",
            id = quote_literal(id),
            unseen = if crashed { "aborted" } else { "in progress" },
        );
        let end = Instant::now() + PATIENCE;
        loop {
            match self.ask(&query).await?.as_deref() {
                Some("committed") if crashed => {
                    return Err(unknown(format!(
                        "the server has restarted or crashed since, so transaction {id} that it calls committed may \
                         be another one"
                    )));
                }
                Some("committed") => return Ok(Settled::Done(json!({}))),
                Some("aborted") => return Ok(Settled::NotDone),
                Some(_) if Instant::now() < end => tokio::time::sleep(LOOK).await,
                Some(other) => return Err(Settled::AtWork(format!("transaction {id} is {other}"))),
                None => {
                    return Err(unknown(format!("the server has forgotten transaction {id}: it is too old")));
                }
            }
        }
    }

    /// Whether the server may have lost numbers since a time of its own clock: it was started, or its statistics began
    /// anew, as they do after a crash. Where it may not have, a number still means the transaction that got it.
    async fn crashed_since(&mut self, time: &str) -> Result<bool, Settled> {
        let query = format!(
            "SELECT (greatest(pg_catalog.pg_postmaster_start_time(), \
             pg_catalog.pg_stat_get_bgwriter_stat_reset_time()) > pg_catalog.to_timestamp({}))::text",
            quote_literal(time)
        );
        Ok(self.ask(&query).await?.as_deref() != Some("false"))
    }

    /// The statement under way is the last one that was announced; those before it are done.
    async fn statements(&mut self, happened: &Happened<'_>) -> Result<Settled, Settled> {
        let announced = happened.traces.iter().rev().find_map(|trace| trace["statement"].as_u64());
        let under_way = usize::try_from(announced.unwrap_or(1)).unwrap_or(1).max(1) - 1;
        let statements = &self.input.statements;
        let Some(statement) = statements.get(under_way) else {
            return Err(unknown("the journal names a statement that the step does not have"));
        };
        let Some(trail) = trail(&statement.text) else {
            return Err(unknown(format!(
                "nothing on the server tells whether {} took effect",
                statement.verb
            )));
        };
        let earlier = statements[..under_way].iter().any(|before| before.class.effect > Effect::Read);
        let rest = statements[under_way + 1..].iter().any(|after| after.class.effect > Effect::Read);
        let settled = self.look(&trail, happened).await?;
        Ok(match settled {
            Settled::Done(_) if rest => {
                Settled::Partly(format!("{} was done, the rest was not", statement.verb))
            }
            Settled::NotDone if earlier => {
                Settled::Partly(format!("the statements before {} were done", statement.verb))
            }
            settled => settled,
        })
    }

    async fn look(&mut self, trail: &Trail, happened: &Happened<'_>) -> Result<Settled, Settled> {
        let Some(query) = trail.reads() else { return Ok(Settled::NotDone) };
        let found = self.ask(&query).await?;
        match (trail, found.as_deref()) {
            (Trail::Index { made: true, .. }, Some("valid")) => Ok(Settled::Done(json!({}))),
            (Trail::Index { made: true, name }, Some(_)) => {
                Ok(Settled::Partly(format!("it left the invalid index {name}: drop it, then build it again")))
            }
            (Trail::Index { made: false, name }, Some("invalid")) => {
                Ok(Settled::Partly(format!("{name} is there and invalid: drop it again")))
            }
            (Trail::Index { made, .. } | Trail::Database { made, .. }, found) => {
                Ok(if found.is_some() == *made { Settled::Done(json!({})) } else { Settled::NotDone })
            }
            // Setting it once more leaves what was wanted, and what was there before is known.
            (Trail::ServerSetting { .. } | Trail::StoredSetting { .. }, _) if !happened.before.is_null() => {
                Ok(Settled::NotDone)
            }
            _ => Err(unknown("the server does not tell whether the setting is the one it wrote")),
        }
    }

    /// The first value of a query, as text.
    async fn ask(&mut self, query: &str) -> Result<Option<String>, Settled> {
        let result = self.lent.query(query, &ResultLimits::default()).await;
        let result = result.map_err(|error| unknown(format!("the server cannot be asked: {error}")))?;
        Ok(match result.rows.into_iter().flatten().next() {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        })
    }
}

fn unknown(why: impl Into<String>) -> Settled {
    Settled::Unknown(why.into())
}
