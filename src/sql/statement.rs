//! [`Statement`]: everything that is known about one statement before it is sent. Data only; `describe` fills it.

use std::ops::Range;

use super::locks::LockForecast;
use crate::model::Class;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// As it will be sent: without the semicolon, with its comments.
    pub text: String,
    /// Where it is: in the template's source at load, in the bound text afterwards.
    pub range: Range<usize>,
    /// What it is called by people, such as `CREATE INDEX CONCURRENTLY`.
    pub verb: String,
    /// What it does to the world, and how sure that is.
    pub class: Class,
    /// Whether it may run in a transaction block.
    pub transaction: Transaction,
    /// The table locks it will ask for, in the order found.
    pub locks: Vec<LockForecast>,
    /// The settings of the session that outlive it.
    pub settings: Vec<SessionSetting>,
    /// Where its progress can be watched.
    pub progress: Option<ProgressView>,
    /// Whether it streams data.
    pub copy: Option<CopyDirection>,
    /// Whether it can be prepared, and so can carry parameters.
    pub prepared: bool,
    /// The highest parameter number used.
    pub parameters: usize,
    /// The functions it calls, by the name the server looks up.
    pub functions: Vec<String>,
    /// The relations it names, as written.
    pub relations: Vec<String>,
    /// What undoing it would mean.
    pub undo_note: UndoNature,
    /// Whether the server refuses it while other sessions use the database in question.
    pub closes_database_sessions: bool,
}

/// Whether a statement may run in a transaction block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// It may.
    Allowed,
    /// The server refuses it there, for the reason given.
    Forbidden(&'static str),
    /// It may, but is better sent alone because it can end transactions itself.
    Bare(&'static str),
}

/// A setting that outlives its statement and is replayed on every later session of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSetting {
    /// The setting's name in lower case; `all` for RESET ALL and DISCARD ALL.
    pub name: String,
    /// The statement to send again.
    pub statement: String,
}

/// The view in which a statement's progress appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgressView {
    /// `pg_stat_progress_vacuum`
    Vacuum,
    /// `pg_stat_progress_analyze`
    Analyze,
    /// `pg_stat_progress_create_index`
    CreateIndex,
    /// `pg_stat_progress_cluster`, which also shows VACUUM FULL
    Cluster,
    /// `pg_stat_progress_copy`
    Copy,
}

impl ProgressView {
    /// The view's name.
    pub fn view(self) -> &'static str {
        match self {
            Self::Vacuum => "pg_stat_progress_vacuum",
            Self::Analyze => "pg_stat_progress_analyze",
            Self::CreateIndex => "pg_stat_progress_create_index",
            Self::Cluster => "pg_stat_progress_cluster",
            Self::Copy => "pg_stat_progress_copy",
        }
    }
}

/// In which direction a COPY streams through the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyDirection {
    /// The server reads from us.
    FromStdin,
    /// The server writes to us.
    ToStdout,
}

/// What undoing a statement would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoNature {
    /// There is nothing to undo, because of the reason given.
    Nothing(&'static str),
    /// It is a point of no return, because of the reason given.
    Impossible(&'static str),
    /// Another statement can undo it.
    Possible,
}
