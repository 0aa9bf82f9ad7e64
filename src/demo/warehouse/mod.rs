//! The demo's warehouse as data: roles, schema, rows, and what is wrong with them.
//!
//! Works unchanged on PostgreSQL 12 to 18. The rows come from arithmetic on `generate_series`, so every demo is the same.

mod plant;
mod rows;
mod schema;

/// The database that the demo makes.
pub const DATABASE: &str = "wms_db";
/// The role that owns it, as the application does.
pub const OWNER: &str = "wms_user";
/// The size that loads within seconds; 1.0 is about 300 MB.
pub const DEFAULT_SCALE: f64 = 0.05;

const SUPERUSER: &str = "postgres";

/// One statement of the set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupStatement {
    /// The database to send it to.
    pub database: &'static str,
    /// The role that logs in to send it.
    pub role: &'static str,
    /// The statement.
    pub sql: String,
    /// The SQLSTATE with which it must fail, where failing is the point.
    pub expect_error: Option<&'static str>,
    /// What it is for, in words for a progress line; consecutive statements may share it.
    pub about: &'static str,
}

/// The statements that make the warehouse and plant its lasting problems.
///
/// They are sent one at a time, in order, over one session for each (database, role), since one of them locks what
/// another must wait for. Close the sessions at the end: only then are all usage counters visible to others.
pub fn setup(scale: f64) -> Vec<SetupStatement> {
    let scale = if scale.is_finite() { scale.clamp(0.01, 20.0) } else { DEFAULT_SCALE };
    let mut statements = schema::roles();
    statements.extend(schema::tables());
    statements.extend(rows::rows(scale));
    statements.extend(rows::workload());
    statements.extend(plant::problems());
    statements
}

fn owner(about: &'static str, sql: impl Into<String>) -> SetupStatement {
    SetupStatement { database: DATABASE, role: OWNER, sql: sql.into(), expect_error: None, about }
}

/// Makes the server count what this session did so far, so that a VACUUM that follows is not overtaken by older numbers.
fn flush_counters(about: &'static str) -> SetupStatement {
    let sql = "DO $$ BEGIN
       IF current_setting('server_version_num')::int >= 150000
       THEN PERFORM pg_stat_force_next_flush(); ELSE PERFORM pg_sleep(0.7); END IF;
     END $$";
    owner(about, sql)
}

fn superuser(database: &'static str, about: &'static str, sql: impl Into<String>) -> SetupStatement {
    SetupStatement { database, role: SUPERUSER, sql: sql.into(), expect_error: None, about }
}
