//! Problems that last only as long as someone causes them: sessions for the caller to hold open.

/// One session that is part of a live problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The number of the problem, as in [`super::PROBLEMS`].
    pub problem: u8,
    /// The `application_name` of the session.
    pub application_name: &'static str,
    /// The role that logs in.
    pub user: &'static str,
    /// What it sends, one statement at a time.
    pub statements: Vec<String>,
    /// The last statement does not return while the problem lasts: send it without waiting for the answer.
    pub hold: bool,
}

/// How many idle sessions of the application fill the pool above the usual threshold.
const FLOOD: usize = 26;

/// The sessions to open in database [`super::DATABASE`], in this order, and to keep open.
///
/// A session that holds must be seen waiting (a tenth of a second) before the next is opened: the lock queue is built in
/// order. Closing all of them ends the problems within a second or two; before PostgreSQL 14 only once those that hold
/// are cancelled as well, since the server does not notice that nobody waits for their answer any more.
pub fn live_sessions() -> Vec<LiveSession> {
    let mut sessions = vec![
        session(
            10,
            "wms-batch",
            &["BEGIN", "UPDATE inventory SET reserved = reserved + 1 WHERE id = 1"],
            false,
        ),
        session(11, "wms-report", &["SELECT pg_sleep(600)"], true),
        session(12, "wms-api", &["UPDATE inventory SET reserved = reserved + 1 WHERE id = 1"], true),
        session(12, "wms-migrate", &["ALTER TABLE inventory ADD COLUMN counted_at timestamptz"], true),
        session(12, "wms-api", &["SELECT sum(qty) FROM inventory"], true),
    ];
    sessions.extend((0..FLOOD).map(|_| session(13, "wms-api", &["SELECT 1"], false)));
    sessions
}

fn session(problem: u8, application_name: &'static str, statements: &[&str], hold: bool) -> LiveSession {
    let statements = statements.iter().map(|&statement| statement.to_owned()).collect();
    LiveSession { problem, application_name, user: super::OWNER, statements, hold }
}
