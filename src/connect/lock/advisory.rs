//! [`Advisory`]: a key as an advisory lock, held by a session of its own that does nothing else.
//!
//! The server frees it the moment the session ends, however it ends. What cannot be seen is a rival that took it and
//! gave it back while this session was gone: advisory locks leave no trace.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Claim, Holder, Taken};
use crate::connect::connections::{Connections, LentSession, Purpose, SessionKey};
use crate::connect::postgres::{QueryError, ResultLimits};
use crate::model::{Failure, RunId};

/// The database that every server has: advisory locks are of one database each, so rivals must meet in the same one.
const MAINTENANCE: &str = "postgres";

/// Stands before every key that is hashed, so that nobody else's hashes are ours.
const NAMESPACE: &str = "runbook lock: ";

/// PostgreSQL cuts longer names of applications.
const LONGEST_NAME: usize = 63;

const BEGIN: &str = "runbook:";
const END: &str = ":lock";

/// The SQLSTATE of a database that does not exist.
const NO_DATABASE: &str = "3D000";

/// A key as an advisory lock.
#[derive(Debug)]
pub(super) struct Advisory {
    connection: String,
    claim: Claim,
    session: Option<LentSession>,
    held: bool,
}

impl Advisory {
    pub(super) fn new(connection: String, claim: Claim) -> Self {
        Self { connection, claim, session: None, held: false }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held && self.session.as_ref().is_some_and(|lent| !lent.session.is_closed())
    }

    pub(super) async fn take(&mut self, connections: &Connections) -> Result<Taken, Failure> {
        if self.is_held() {
            return Ok(Taken::Held);
        }
        self.held = false;
        let mut lent = match self.session.take().filter(|lent| !lent.session.is_closed()) {
            Some(lent) => lent,
            None => self.open(connections).await?,
        };
        let taken = self.take_over(&mut lent).await.map_err(|error| unanswered(&error))?;
        self.held = matches!(taken, Taken::Held);
        self.session = Some(lent);
        Ok(taken)
    }

    pub(super) async fn look(&self, connections: &Connections) -> Result<Option<Holder>, Failure> {
        let key = SessionKey::of(&self.connection, Purpose::Planning);
        let mut lent = connections.lend(&key, None, "runbook:plan").await?;
        let found = holder(&mut lent, &self.claim.key).await.map_err(|error| unanswered(&error))?;
        connections.give_back(lent);
        Ok(found)
    }

    pub(super) async fn release(self) {
        if let Some(lent) = self.session {
            lent.session.close().await;
        }
    }

    /// Opens a session in the maintenance database or, where it was dropped, in the connection's own.
    async fn open(&self, connections: &Connections) -> Result<LentSession, Failure> {
        let name = application_name(&self.claim);
        let own = SessionKey::of(&self.connection, Purpose::Locking);
        let key = SessionKey { database: Some(MAINTENANCE.to_owned()), ..own.clone() };
        let lent = match connections.lend(&key, None, &name).await {
            Err(failure) if failure.sqlstate.as_deref() == Some(NO_DATABASE) => {
                connections.lend(&own, None, &name).await
            }
            lent => lent,
        };
        let lent = lent.map_err(|failure| Failure {
            message: format!("the lock of the run cannot be taken: {}", failure.message),
            ..failure
        })?;
        if lent.session.is_pooled() {
            return Err(pooled(&self.connection));
        }
        Ok(lent)
    }

    async fn take_over(&self, lent: &mut LentSession) -> Result<Taken, QueryError> {
        let server = lent.session.server().clone();
        // Idle is what this session is there for.
        let idle = if server.version_num >= 140_000 {
            "pg_catalog.set_config('idle_session_timeout', '0', false)"
        } else {
            "''"
        };
        let key = hash(&self.claim.key);
        let take =
            format!("SELECT pg_catalog.pg_try_advisory_lock({key}), pg_catalog.pg_backend_pid(), {idle}");
        // A holder that is gone before it was looked up is no reason to give up.
        for _ in 0..3 {
            let result = lent.query(&take, &ResultLimits::default()).await?;
            let row = result.rows.into_iter().next().unwrap_or_default();
            if row.first() == Some(&Value::Bool(true)) {
                return Ok(Taken::Held);
            }
            if let Some(holder) = holder(lent, &self.claim.key).await? {
                return Ok(Taken::Busy(holder));
            }
        }
        Ok(Taken::Busy(Holder::default()))
    }
}

/// Who holds the lock, asked in any database of the server.
async fn holder(lent: &mut LentSession, key: &str) -> Result<Option<Holder>, QueryError> {
    let [high, low] = halves(hash(key));
    let ask = format!(
        "SELECT a.application_name, a.usename, pg_catalog.host(a.client_addr), a.backend_start, l.pid \
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.classid = {high} AND l.objid = {low} AND l.pid <> pg_catalog.pg_backend_pid() LIMIT 1"
    );
    let result = lent.query(&ask, &ResultLimits::default()).await?;
    Ok(result.rows.first().map(|row| {
        let text = |index: usize| row.get(index).and_then(Value::as_str).unwrap_or_default();
        let pid = row.get(4).map(Value::to_string).unwrap_or_default();
        described(text(0), text(1), text(2), text(3), &pid)
    }))
}

fn described(application: &str, user: &str, address: &str, since: &str, pid: &str) -> Holder {
    let from = if address.is_empty() { String::new() } else { format!(" from {address}") };
    let by = format!("as {user}{from}, backend {pid}");
    let named = application.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let named = named.and_then(|rest| rest.rsplit_once(':'));
    let (run, about) = match named {
        Some((runbook, run)) => (RunId::parse(run), format!("of {runbook} {by}")),
        None => (None, by),
    };
    Holder { run, about, since: since.parse::<Timestamp>().ok(), silent: None }
}

/// `runbook:NAME:RUN:lock`; a long name is cut, so that the run's is whole.
fn application_name(claim: &Claim) -> String {
    let rest = format!(":{}{END}", claim.run);
    let room = LONGEST_NAME - BEGIN.len() - rest.len();
    let name = &claim.runbook[..claim.runbook.floor_char_boundary(room)];
    format!("{BEGIN}{name}{rest}")
}

fn hash(key: &str) -> i64 {
    let digest = Sha256::digest(format!("{NAMESPACE}{key}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

/// As `pg_locks` shows a lock of one number.
fn halves(key: i64) -> [u32; 2] {
    let (whole, mut low) = (key.cast_unsigned(), [0; 4]);
    low.copy_from_slice(&whole.to_be_bytes()[4..]);
    [u32::try_from(whole >> 32).unwrap_or_default(), u32::from_be_bytes(low)]
}

fn unanswered(error: &QueryError) -> Failure {
    let failure = Failure::new(format!("the lock of the run cannot be asked for: {error}"));
    if error.is_connection_lost() { failure.retryable() } else { failure }
}

fn pooled(connection: &str) -> Failure {
    Failure::new(format!(
        "`{connection}` leads to a pooler, behind which no session can hold the lock of the run"
    ))
    .help("Connect to the server itself, or name another connection in the runbook's `concurrency:`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(runbook: &str) -> Claim {
        let run = RunId::parse("20261122-184855-abcd").unwrap();
        Claim { key: "k".into(), runbook: runbook.into(), run, operator: "dba@host".into() }
    }

    #[test]
    fn whoever_looks_reads_the_run_in_the_name_of_its_session() {
        let long = "a-name-that-is-longer-than-anything-a-server-would-show-of-it".repeat(2);
        for runbook in ["sample", &long] {
            let name = application_name(&claim(runbook));
            assert!(name.len() <= LONGEST_NAME, "{name}");
            let holder = described(&name, "dba", "10.0.0.4", "2026-11-22T18:48:55.5Z", "7");
            assert_eq!(holder.run.as_ref().map(RunId::as_str), Some("20261122-184855-abcd"));
            assert!(holder.about.ends_with("as dba from 10.0.0.4, backend 7"), "{holder}");
        }
        assert_eq!(described("psql", "dba", "", "", "7").to_string(), "somebody as dba, backend 7");
    }

    #[test]
    fn a_key_is_one_number_in_two_halves() {
        let key = hash("sample in shop");
        let [high, low] = halves(key);
        assert_eq!(key, ((u64::from(high) << 32) | u64::from(low)).cast_signed());
        assert_ne!(key, hash("sample in other"));
    }
}
