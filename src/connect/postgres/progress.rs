//! [`progress()`]: how far a maintenance statement of another session has come, from the server's progress views.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::query_error::QueryError;
use super::session::Session;
use super::statement::ResultLimits;

/// The view that shows a kind of statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressView {
    /// VACUUM without FULL, autovacuum included.
    Vacuum,
    /// ANALYZE; PostgreSQL 13 and later.
    Analyze,
    /// CREATE INDEX and REINDEX.
    CreateIndex,
    /// CLUSTER and VACUUM FULL.
    Cluster,
    /// COPY; PostgreSQL 14 and later.
    Copy,
}

/// How far a statement has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase in the server's words; empty for COPY, which has none, and for roles that may not see it.
    pub phase: String,
    /// The part done, of the phase or of the whole as the server counts; nothing when it cannot be known.
    pub percent: Option<f64>,
    /// The table, named as the search path requires; nothing for COPY of a query.
    pub relation: Option<String>,
    /// One more fact in words, such as `3 index passes`.
    pub detail: Option<String>,
}

impl ProgressView {
    /// The first version that has the view.
    fn since(self) -> i32 {
        match self {
            Self::Vacuum | Self::CreateIndex | Self::Cluster => 120_000,
            Self::Analyze => 130_000,
            Self::Copy => 140_000,
        }
    }

    /// The view's name and the expressions for phase, percentage and detail.
    fn columns(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Vacuum => (
                "pg_stat_progress_vacuum",
                "p.phase",
                // Both counts only grow, however many index passes there are.
                "(70.0*p.heap_blks_scanned + 25.0*p.heap_blks_vacuumed)/nullif(p.heap_blks_total,0)",
                "CASE WHEN p.index_vacuum_count > 0 THEN p.index_vacuum_count || ' index passes' END",
            ),
            Self::Analyze => (
                "pg_stat_progress_analyze",
                "p.phase",
                "CASE WHEN p.child_tables_total > 0 THEN 100.0*least(p.child_tables_total, p.child_tables_done \
                 + coalesce(p.sample_blks_scanned::numeric/nullif(p.sample_blks_total,0),0))/p.child_tables_total \
                 ELSE 100.0*p.sample_blks_scanned/nullif(p.sample_blks_total,0) END",
                "CASE WHEN p.child_tables_total > 0 \
                 THEN p.child_tables_done || ' of ' || p.child_tables_total || ' partitions' END",
            ),
            Self::CreateIndex => (
                "pg_stat_progress_create_index",
                "p.phase",
                "100.0 * CASE WHEN p.phase LIKE 'waiting for%' THEN p.lockers_done::numeric/nullif(p.lockers_total,0) \
                 WHEN p.tuples_total > 0 THEN p.tuples_done::numeric/p.tuples_total \
                 ELSE p.blocks_done::numeric/nullif(p.blocks_total,0) END",
                "CASE WHEN p.current_locker_pid > 0 THEN 'waiting for process ' || p.current_locker_pid \
                 WHEN p.partitions_total > 0 THEN p.partitions_done || ' of ' || p.partitions_total || ' partitions' \
                 WHEN p.index_relid <> 0 THEN p.index_relid::regclass::text END",
            ),
            Self::Cluster => (
                "pg_stat_progress_cluster",
                "p.phase",
                "CASE WHEN p.heap_blks_total > 0 THEN 100.0*p.heap_blks_scanned/p.heap_blks_total \
                 ELSE 100.0*p.heap_tuples_scanned/(SELECT nullif(greatest(c.reltuples,0),0)::numeric \
                 FROM pg_catalog.pg_class c WHERE c.oid = p.relid) END",
                "CASE WHEN p.index_rebuild_count > 0 THEN p.index_rebuild_count || ' indexes rebuilt' END",
            ),
            Self::Copy => (
                "pg_stat_progress_copy",
                "''::text",
                "CASE WHEN p.bytes_total > 0 THEN 100.0*p.bytes_processed/p.bytes_total \
                 WHEN p.command = 'COPY TO' THEN 100.0*p.tuples_processed/(SELECT nullif(greatest(c.reltuples,0),0)\
                 ::numeric FROM pg_catalog.pg_class c WHERE c.oid = p.relid) END",
                "p.tuples_processed || ' rows, ' || p.bytes_processed || ' bytes'",
            ),
        }
    }
}

/// How far the statement of process `pid` has come; nothing when it is not running, or the server has no such view.
///
/// Asked over another session in the same database; the absence of a row is not a failure of the statement.
pub async fn progress(
    session: &mut Session,
    pid: i32,
    view: ProgressView,
) -> Result<Option<Progress>, QueryError> {
    if session.server().version_num < view.since() {
        return Ok(None);
    }
    let (name, phase, percent, detail) = view.columns();
    let query = format!(
        "SELECT {phase}, round(({percent})::numeric, 1)::float8, nullif(p.relid, 0)::regclass::text, {detail} \
         FROM pg_catalog.{name} p WHERE p.pid = {pid}"
    );
    let result = session.run(&query, &ResultLimits::default()).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(result.rows.first().and_then(|row| {
        let [phase, percent, relation, detail] = &row[..] else { return None };
        Some(Progress {
            phase: text(phase).unwrap_or_default(),
            // Estimates may be stale, and the server's own counts run over at the end.
            percent: percent.as_f64().map(|percent| percent.clamp(0.0, 100.0)),
            relation: text(relation),
            detail: text(detail),
        })
    }))
}
