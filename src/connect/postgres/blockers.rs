//! [`blockers`]: who keeps a session waiting.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::query_error::QueryError;
use super::session::Session;
use super::statement::ResultLimits;
use crate::model::format_duration;

/// A session that keeps another one waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blocker {
    /// Its process; 0 stands for a prepared transaction (see `pg_prepared_xacts`).
    pub pid: i32,
    /// Its role.
    pub user: Option<String>,
    /// Its application's name.
    pub application: Option<String>,
    /// What it is doing, such as `idle in transaction`; nothing if the role may not see it.
    pub state: Option<String>,
    /// How long its transaction has been open.
    pub xact_age_seconds: Option<f64>,
    /// The beginning of its current or last statement.
    pub query: Option<String>,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a prepared transaction");
        }
        write!(f, "pid {}", self.pid)?;
        for part in [&self.application, &self.user].into_iter().flatten().filter(|part| !part.is_empty()) {
            write!(f, " {part}")?;
        }
        if let Some(state) = &self.state {
            write!(f, ", {state}")?;
        }
        if let Some(seconds) = self.xact_age_seconds {
            write!(f, " for {}", format_duration(seconds.round()))?;
        }
        match &self.query {
            Some(query) => write!(f, ": {}", query.split_whitespace().collect::<Vec<_>>().join(" ")),
            None => Ok(()),
        }
    }
}

/// The sessions that directly keep `pid` waiting; asked over another session than the waiting one.
pub async fn blockers(session: &mut Session, pid: i32) -> Result<Vec<Blocker>, QueryError> {
    let query = format!(
        "SELECT b.pid, a.usename, a.application_name, a.state, \
         extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.float8, \
         pg_catalog.left(a.query, 200) \
         FROM (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids({pid})) AS pid) b \
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY a.xact_start NULLS LAST, b.pid"
    );
    let result = session.run(&query, &ResultLimits::default()).await?;
    result
        .rows
        .iter()
        .map(|row| {
            let text = |index: usize| row.get(index).and_then(|value| value.as_str()).map(str::to_owned);
            let pid = row.first().and_then(serde_json::Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
            Ok(Blocker {
                pid: pid.ok_or_else(|| QueryError::protocol("a blocking process has no number"))?,
                user: text(1),
                application: text(2).filter(|name| !name.is_empty()),
                state: text(3),
                xact_age_seconds: row.get(4).and_then(serde_json::Value::as_f64),
                query: text(5).filter(|query| !query.is_empty()),
            })
        })
        .collect()
}
