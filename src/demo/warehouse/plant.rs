//! The problems that last without anyone's help, each with the number it has in [`crate::demo::PROBLEMS`].

use super::{DATABASE, SetupStatement, flush_counters, owner, superuser};

/// Plants every lasting problem.
pub(super) fn problems() -> Vec<SetupStatement> {
    let mut statements = Vec::new();
    statements.extend(bloat());
    statements.extend(dead_rows());
    statements.extend(indexes());
    statements.extend(failed_reindex());
    statements.extend(stale_statistics());
    statements.extend(time_bombs());
    statements
}

/// 1 and 2, and most of 14: nine of ten rows deleted and the space kept.
fn bloat() -> [SetupStatement; 4] {
    const ABOUT: &str = "planting table and index bloat";
    [
        owner(ABOUT, "ALTER TABLE audit_log SET (autovacuum_enabled = false)"),
        owner(ABOUT, "DELETE FROM audit_log WHERE id % 10 <> 0"),
        flush_counters(ABOUT),
        owner(ABOUT, "VACUUM (ANALYZE, TRUNCATE off) audit_log"),
    ]
}

/// 3.
fn dead_rows() -> [SetupStatement; 2] {
    const ABOUT: &str = "planting dead rows";
    [
        owner(ABOUT, "ALTER TABLE inventory SET (autovacuum_enabled = false)"),
        owner(ABOUT, "UPDATE inventory SET updated_at = now() WHERE id % 2 = 0"),
    ]
}

/// 4, 5 and 6.
fn indexes() -> [SetupStatement; 4] {
    const ABOUT: &str = "planting unused, duplicate and invalid indexes";
    [
        owner(ABOUT, "CREATE INDEX idx_orders_legacy_ref ON orders (legacy_ref)"),
        owner(ABOUT, "CREATE INDEX idx_order_lines_order ON order_lines (order_id)"),
        owner(ABOUT, "CREATE INDEX idx_order_lines_order_id ON order_lines (order_id)"),
        SetupStatement {
            expect_error: Some("23505"),
            ..owner(ABOUT, "CREATE UNIQUE INDEX CONCURRENTLY idx_products_barcode ON products (barcode)")
        },
    ]
}

/// 7: the owner's session holds a row while the superuser's gives up waiting in the middle of a rebuild.
fn failed_reindex() -> [SetupStatement; 6] {
    const ABOUT: &str = "planting the remains of a failed reindex";
    [
        owner(ABOUT, "BEGIN"),
        owner(ABOUT, "UPDATE orders SET priority = 4 WHERE id = 1"),
        superuser(DATABASE, ABOUT, "SET lock_timeout = '200ms'"),
        SetupStatement {
            expect_error: Some("55P03"),
            ..superuser(DATABASE, ABOUT, "REINDEX INDEX CONCURRENTLY idx_orders_status")
        },
        superuser(DATABASE, ABOUT, "RESET lock_timeout"),
        owner(ABOUT, "ROLLBACK"),
    ]
}

/// 9.
fn stale_statistics() -> [SetupStatement; 2] {
    const ABOUT: &str = "planting stale statistics";
    [
        owner(ABOUT, "ALTER TABLE carrier_rates SET (autovacuum_enabled = false)"),
        owner(
            ABOUT,
            "INSERT INTO carrier_rates
             SELECT 'carrier ' || g % 40, 'zone ' || g % 25, g % 50, 100 + g % 5000, date '2024-01-01' + g % 365
             FROM generate_series(1, 50000) g",
        ),
    ]
}

/// 15, 16 and 17.
fn time_bombs() -> [SetupStatement; 3] {
    const ABOUT: &str = "planting a key near its end, an unvalidated constraint and an orphan slot";
    [
        owner(ABOUT, "SELECT setval('audit_log_id_seq', 2040000000)"),
        owner(
            ABOUT,
            "ALTER TABLE orders ADD CONSTRAINT orders_total_nonneg CHECK (total_cents >= 0) NOT VALID",
        ),
        superuser(DATABASE, ABOUT, "SELECT pg_create_physical_replication_slot('demo_orphan', true)"),
    ]
}
