//! The head of a runbook: schedule, connections, defaults, concurrency.

use schemars::JsonSchema;
use serde::Deserialize;

use super::keys::Retry;
use crate::step::templated::Seconds;

/// When the procedure is due; a maintenance window, not a daemon.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five fields, as cron has them; `SUN#1` is the first Sunday.
    pub cron: String,
    /// An IANA time zone; UTC by default.
    #[serde(default = "utc")]
    pub timezone: String,
    /// How long the window is open.
    pub duration: Option<Seconds>,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Schedule {
    /// When it is due, in words: `At 03:00, on Sunday (UTC)`; the fields themselves when they are not understood.
    pub fn in_words(&self) -> String {
        let words =
            self.cron.parse::<croner::Cron>().map_or_else(|_| self.cron.clone(), |cron| cron.describe());
        format!("{} ({})", words.trim_end_matches('.'), self.timezone)
    }

    /// What is wrong with it: the key and the reason.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let cron = self.cron.parse::<croner::Cron>().err().map(|error| ("cron", reason(&error.to_string())));
        let zone = jiff::tz::TimeZone::get(&self.timezone).err();
        let zone = zone.map(|_| ("timezone", format!("there is no time zone `{}`", self.timezone)));
        cron.into_iter().chain(zone).collect()
    }
}

/// The last part of the parser's words, as a fragment.
fn reason(words: &str) -> String {
    let last = words.rsplit(": ").next().unwrap_or(words).trim_end_matches('.');
    let mut letters = last.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// What a runbook demands of a PostgreSQL connection, checked before anything runs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresNeeds {
    /// The server's major version, such as `>=12` or `>=14 <18`.
    pub version: Option<String>,
    /// Roles of which the login must be a member, all of them.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Roles of which the login must be a member of at least one; a superuser is of every one.
    #[serde(default)]
    pub any_role: Vec<String>,
    /// Rights that the login must have, each as `PRIVILEGE ON object`.
    #[serde(default)]
    pub rights: Vec<String>,
    /// Extensions that must be installed in the database.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Whether it must be a primary (`true`) or a standby (`false`).
    pub primary: Option<bool>,
    /// How many sessions the runbook may use at once.
    pub max_sessions: Option<usize>,
}

/// A connection that a runbook talks through.
#[derive(Debug, Clone)]
pub struct ConnectionNeed {
    /// Its kind and what is demanded of it.
    pub kind: ConnectionKind,
    /// Whether steps that use it are skipped where the environment does not name it.
    pub optional: bool,
}

/// The kinds of connections.
#[derive(Debug, Clone)]
pub enum ConnectionKind {
    /// A PostgreSQL database.
    Postgres(PostgresNeeds),
    /// A machine where programs run.
    Host,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl ConnectionNeed {
    /// The kind's name.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            ConnectionKind::Postgres(_) => "postgres",
            ConnectionKind::Host => "host",
            ConnectionKind::Kubernetes => "kubernetes",
        }
    }
}

/// A comparison of major versions, such as `>=12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionBound {
    operator: Operator,
    major: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// Parses a version demand: comparisons separated by blanks or commas, all of which must hold.
pub fn parse_version(text: &str) -> Result<Vec<VersionBound>, String> {
    let parts: Vec<&str> = text.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err("is empty".to_owned());
    }
    parts.into_iter().map(parse_bound).collect()
}

fn parse_bound(text: &str) -> Result<VersionBound, String> {
    const OPERATORS: &[(&str, Operator)] = &[
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
    ];
    let (operator, rest) = OPERATORS
        .iter()
        .find_map(|(sign, operator)| text.strip_prefix(sign).map(|rest| (*operator, rest)))
        .unwrap_or((Operator::Equal, text));
    let major = rest.parse().map_err(|_| format!("`{text}` is not a comparison such as `>=12`"))?;
    Ok(VersionBound { operator, major })
}

impl VersionBound {
    /// Whether a server's version number, such as 150018, meets the demand.
    pub fn holds(self, version_num: i32) -> bool {
        let major = version_num / 10_000;
        match self.operator {
            Operator::Less => major < self.major,
            Operator::AtMost => major <= self.major,
            Operator::Equal => major == self.major,
            Operator::AtLeast => major >= self.major,
            Operator::Greater => major > self.major,
        }
    }
}

/// What steps have that do not say otherwise.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// What an unattended run does after a failure.
    #[serde(default)]
    pub on_failure: OnFailurePolicy,
    /// The connection of steps that name none.
    pub connection: Option<String>,
    /// The namespace of kubectl steps that name none.
    pub namespace: Option<String>,
    /// How long an attempt may take.
    pub timeout: Option<Seconds>,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Seconds>,
    /// How long a statement may take.
    pub statement_timeout: Option<Seconds>,
    /// When and how often failed attempts are repeated.
    pub retry: Option<Retry>,
    /// How long running steps may go on after another one failed.
    pub grace: Option<Seconds>,
}

impl Defaults {
    /// The grace in seconds.
    pub fn grace_seconds(&self) -> f64 {
        self.grace.as_ref().and_then(Seconds::fixed).unwrap_or(30.0)
    }
}

/// What an unattended run does after a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailurePolicy {
    /// Undo what was done.
    #[default]
    Rollback,
    /// Leave everything as it is.
    Stop,
}

/// Which runs exclude each other, and where they meet. A runbook that only reads excludes nobody without it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Runs with the same key exclude each other; the runbook's name and the database by default.
    pub key: Option<String>,
    /// The connection that holds the lock: a cluster by a Lease, a server by an advisory lock, a host by a file here. By
    /// default the cluster, else the database.
    pub connection: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_demands() {
        let holds =
            |text: &str, version| parse_version(text).unwrap().iter().all(|bound| bound.holds(version));
        assert!(holds(">=12", 150_018) && holds("15", 150_018) && holds(">=14 <18", 170_004));
        assert!(!holds(">15", 150_018) && !holds(">=14, <18", 180_000));
        assert!(parse_version("twelve").is_err() && parse_version("").is_err());
    }

    #[test]
    fn schedules_are_checked() {
        let problems = |cron: &str, timezone: &str| {
            Schedule { cron: cron.into(), timezone: timezone.into(), duration: None }.problems().len()
        };
        assert_eq!(problems("0 4 * * SUN#1", "UTC"), 0);
        assert_eq!(problems("0 4 * * *", "Europe/Berlin"), 0);
        assert_eq!(problems("0 25 * * *", "Mars/Olympus"), 2);
    }
}
