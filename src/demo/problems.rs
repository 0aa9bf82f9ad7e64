//! What is wrong with the demo's warehouse, and the thresholds under which a small one shows it.

/// A planted problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// Its number, stable across versions.
    pub number: u8,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// It exists only while the sessions of [`super::live_sessions`] are open.
    pub live: bool,
    /// The extension without which it cannot be shown.
    pub extension: Option<&'static str>,
    /// The shipped runbook that finds it, and a name that its results then hold.
    pub finder: Option<(&'static str, &'static str)>,
}

impl Problem {
    const fn found_by(self, runbook: &'static str, evidence: &'static str) -> Self {
        Self { finder: Some((runbook, evidence)), ..self }
    }
}

/// Every planted problem.
pub const PROBLEMS: [Problem; 17] = [
    planted(1, "table `audit_log` is nine tenths empty space").found_by("weekly-vacuum", "audit_log"),
    shown_by(2, "the indexes of `audit_log` are nine tenths empty space", "pgstattuple"),
    planted(3, "a third of `inventory` is dead rows").found_by("weekly-vacuum", "inventory"),
    planted(4, "index `idx_orders_legacy_ref` is never used")
        .found_by("index-usage", "idx_orders_legacy_ref"),
    planted(5, "two indexes on `order_lines (order_id)` repeat each other and the primary key")
        .found_by("index-usage", "order_lines"),
    planted(6, "index `idx_products_barcode` is invalid: its build failed on duplicates")
        .found_by("index-usage", "idx_products_barcode"),
    planted(7, "a failed reindex left an invalid `_ccnew` index on `orders`")
        .found_by("index-usage", "_ccnew"),
    shown_by(8, "the query on `order_lines (product_id)` has no index", "pg_stat_statements"),
    planted(9, "`carrier_rates` was filled and never analyzed")
        .found_by("weekly-statistics", "carrier_rates"),
    live(10, "`wms-batch` is idle in a transaction and holds a row")
        .found_by("long-running-queries", "wms-batch"),
    live(11, "`wms-report` runs a query that does not end").found_by("long-running-queries", "wms-report"),
    live(12, "a migration waits for `wms-batch`, and the application waits for the migration")
        .found_by("long-running-queries", "wms-migrate"),
    live(13, "`wms-api` holds most of the connections").found_by("connection-pool", "wms-api"),
    planted(14, "`audit_log` and `stock_movements` have grown").found_by("table-sizes", "audit_log"),
    planted(15, "the key of `audit_log` is near the end of its type"),
    planted(16, "constraint `orders_total_nonneg` was never validated"),
    planted(17, "replication slot `demo_orphan` keeps WAL for nobody"),
];

/// A parameter of a shipped runbook, and the value with which a demo of the default size shows its problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// The runbook.
    pub runbook: &'static str,
    /// The parameter.
    pub parameter: &'static str,
    /// Its value as it would be written on the command line.
    pub value: &'static str,
}

/// The thresholds for the demo, whose tables are megabytes and whose sessions are seconds old.
pub const THRESHOLDS: [Threshold; 6] = [
    threshold("table-sizes", "max_bytes", "6MB"),
    threshold("index-usage", "min_bytes", "64kB"),
    threshold("long-running-queries", "min_age", "2s"),
    threshold("long-running-queries", "max_idle", "2s"),
    threshold("connection-pool", "max_idle", "2s"),
    threshold("weekly-vacuum", "min_bloat_bytes", "1MB"),
];

const fn planted(number: u8, title: &'static str) -> Problem {
    Problem { number, title, live: false, extension: None, finder: None }
}

const fn live(number: u8, title: &'static str) -> Problem {
    Problem { number, title, live: true, extension: None, finder: None }
}

const fn shown_by(number: u8, title: &'static str, extension: &'static str) -> Problem {
    Problem { number, title, live: false, extension: Some(extension), finder: None }
}

const fn threshold(runbook: &'static str, parameter: &'static str, value: &'static str) -> Threshold {
    Threshold { runbook, parameter, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_name_parameters_of_shipped_runbooks() {
        for Threshold { runbook, parameter, .. } in THRESHOLDS {
            let path = format!("{}/runbooks/{runbook}.yaml", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap();
            assert!(
                text.contains(&format!("\n  {parameter}: {{ type:")),
                "{runbook} has no parameter {parameter}"
            );
        }
    }

    #[test]
    fn problems_are_numbered_in_order() {
        assert!(PROBLEMS.iter().map(|problem| problem.number).eq(1..=17));
    }
}
