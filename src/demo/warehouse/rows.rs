//! Rows, and the queries that give the usage counters something to count.

use super::{SetupStatement, flush_counters, owner};

const ROWS: &str = "loading rows";

/// How many rows each table gets at a scale.
struct Counts {
    customers: u32,
    products: u32,
    inventory: u32,
    orders: u32,
    movements: u32,
    audit: u32,
}

impl Counts {
    fn at(scale: f64) -> Self {
        // The clamped scale keeps every product far inside the range.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.01 <= scale <= 20")]
        let rows = |at_one: f64| (at_one * scale).round() as u32;
        Self {
            customers: rows(10_000.0),
            products: rows(20_000.0),
            // Never so small that half of it dead would be below the usual threshold of 10,000 dead rows.
            inventory: rows(100_000.0).max(30_000),
            orders: rows(200_000.0),
            movements: rows(200_000.0),
            audit: rows(400_000.0),
        }
    }
}

/// Fills the tables, then brings their statistics up to date.
pub(super) fn rows(scale: f64) -> Vec<SetupStatement> {
    let counts = Counts::at(scale);
    let mut sql = goods(&counts);
    sql.extend(trade(&counts));
    sql.extend(history(&counts));
    let mut statements: Vec<_> = sql.into_iter().map(|sql| owner(ROWS, sql)).collect();
    statements.extend([flush_counters(ROWS), owner(ROWS, "VACUUM ANALYZE")]);
    statements
}

fn goods(counts: &Counts) -> Vec<String> {
    let Counts { products, inventory, .. } = counts;
    vec![
        // Every 500th barcode repeats its predecessor, so a unique index on it cannot be built.
        format!(
            "INSERT INTO products (sku, barcode, name, weight_g, attrs)
             SELECT 'SKU-' || lpad(g::text, 8, '0'),
                    'BC' || lpad((CASE WHEN g % 500 = 0 THEN g - 1 ELSE g END)::text, 10, '0'),
                    'Product ' || g, 50 + g % 20000, jsonb_build_object('color', g % 12, 'fragile', g % 7 = 0)
             FROM generate_series(1, {products}) g"
        ),
        "INSERT INTO locations (zone, aisle, bay, level)
         SELECT z, a, b, l FROM unnest('{A,B,C,D,E}'::text[]) z,
                generate_series(1, 10) a, generate_series(1, 25) b, generate_series(1, 4) l"
            .to_owned(),
        format!(
            "INSERT INTO inventory (product_id, location_id, qty)
             SELECT 1 + g % {products}, 1 + (g * 7919 + (g / {products}) * 17) % 5000, g % 200
             FROM generate_series(1, {inventory}) g ON CONFLICT DO NOTHING"
        ),
    ]
}

fn trade(counts: &Counts) -> Vec<String> {
    let Counts { customers, products, orders, .. } = counts;
    vec![
        format!(
            "INSERT INTO customers (name, email)
             SELECT 'Customer ' || g, 'customer' || g || '@example.com' FROM generate_series(1, {customers}) g"
        ),
        // About three months of orders at every scale.
        format!(
            "INSERT INTO orders (customer_id, status, legacy_ref, placed_at, shipped_at, total_cents)
             SELECT 1 + g % {customers}, s, 'L-' || md5(g::text), t,
                    CASE WHEN s = 'shipped' THEN t + interval '2 days' END, 1000 + g % 90000
             FROM generate_series(1, {orders}) g,
                  LATERAL (SELECT ('{{new,picking,packed,cancelled,shipped,shipped,shipped,shipped,shipped,shipped}}'::text[])[1 + g % 10] AS s,
                                  timestamptz '2024-01-01Z' + g * interval '90 days' / {orders} AS t) x"
        ),
        format!(
            "INSERT INTO order_lines (order_id, line_no, product_id, qty, price_cents)
             SELECT o, l, 1 + (o * 3 + l * 7919) % {products}, 1 + o % 9, 100 + (o + l) % 9900
             FROM generate_series(1, {orders}) o, generate_series(1, 3) l"
        ),
    ]
}

fn history(counts: &Counts) -> Vec<String> {
    let Counts { products, movements, audit, .. } = counts;
    vec![
        // A little longer than the three months that have partitions, so the default one gets rows.
        format!(
            "INSERT INTO stock_movements (moved_at, product_id, from_location, to_location, qty)
             SELECT timestamptz '2024-01-01Z' + g * interval '93 days' / {movements},
                    1 + g % {products}, 1 + g % 5000, 1 + (g * 31) % 5000, 1 + g % 40
             FROM generate_series(1, {movements}) g"
        ),
        format!(
            "INSERT INTO audit_log (at, actor, action, entity, entity_id, detail)
             SELECT timestamptz '2024-01-01Z' + g * interval '30 days' / {audit}, 'user' || g % 97,
                    (ARRAY['create', 'update', 'pick', 'ship'])[1 + g % 4], 'order', g,
                    jsonb_build_object('note', repeat(md5(g::text), 5), 'ip', '10.0.0.' || g % 250)
             FROM generate_series(1, {audit}) g"
        ),
        "INSERT INTO schema_migrations (version, name, checksum)
         SELECT lpad(g::text, 4, '0'), 'migration ' || g, md5(g::text) FROM generate_series(1, 12) g"
            .to_owned(),
        r#"INSERT INTO "Dock Schedule" ("Dock", "From", "To")
           SELECT 'Dock ' || g % 8, timestamptz '2024-01-01Z' + g * interval '1 hour', timestamptz '2024-01-01Z' + (g + 1) * interval '1 hour'
           FROM generate_series(1, 500) g"#
            .to_owned(),
    ]
}

/// Sixty passes of the application's queries: every healthy index is used, one query has none to use.
pub(super) fn workload() -> Vec<SetupStatement> {
    let sql = "DO $$ BEGIN
       PERFORM set_config('enable_seqscan', 'off', true);
       FOR i IN 1..60 LOOP
         EXECUTE 'SELECT count(*) FROM orders WHERE status = $1 AND placed_at > $2' USING 'new', timestamptz '2024-02-01Z';
         EXECUTE 'SELECT id, total_cents FROM orders WHERE customer_id = $1' USING i;
         EXECUTE 'SELECT * FROM order_lines WHERE order_id = $1 AND line_no = 2' USING i;
         EXECUTE 'SELECT sum(qty) FROM inventory WHERE product_id = $1' USING i;
         EXECUTE 'SELECT count(*) FROM audit_log WHERE at BETWEEN $1 AND $2' USING timestamptz '2024-01-10Z', timestamptz '2024-01-10 01:00Z';
         EXECUTE 'SELECT * FROM audit_log WHERE entity = $1 AND entity_id = $2' USING 'order', i;
         EXECUTE 'SELECT sum(qty), count(*) FROM order_lines WHERE product_id = $1' USING i;
       END LOOP;
     END $$";
    vec![owner("running the application's queries", sql)]
}
