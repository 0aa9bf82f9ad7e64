//! Roles, extensions and tables.

use super::{DATABASE, SetupStatement, owner, superuser};

const ROLES: &str = "creating roles and the database";
const TABLES: &str = "creating tables";

/// Roles, the database, and the extensions that this server has.
pub(super) fn roles() -> Vec<SetupStatement> {
    let cluster = [
        "CREATE ROLE wms_user LOGIN",
        "CREATE ROLE wms_mon LOGIN IN ROLE pg_monitor",
        // May signal sessions but not see them: shows why a runbook checks what it can see.
        "CREATE ROLE wms_ops LOGIN IN ROLE pg_signal_backend",
        "DO $$ BEGIN
           IF current_setting('server_version_num')::int >= 140000 THEN GRANT pg_read_all_data TO wms_mon; END IF;
         END $$",
        "CREATE DATABASE wms_db OWNER wms_user",
    ];
    let mut statements: Vec<_> = cluster.into_iter().map(|sql| superuser("postgres", ROLES, sql)).collect();
    let extensions = ["pg_stat_statements", "pgstattuple", "amcheck"];
    statements.extend(extensions.map(|name| superuser(DATABASE, "creating extensions", extension(name))));
    statements
}

/// Creates an extension where the server has it; `pg_stat_statements` also has to be loaded at start.
fn extension(name: &str) -> String {
    format!(
        "DO $$ BEGIN
           IF EXISTS (SELECT FROM pg_available_extensions WHERE name = '{name}')
              AND ('{name}' <> 'pg_stat_statements' OR current_setting('shared_preload_libraries') LIKE '%{name}%')
           THEN CREATE EXTENSION {name}; END IF;
         END $$"
    )
}

/// Tables, their indexes and partitions.
pub(super) fn tables() -> Vec<SetupStatement> {
    DEFINITIONS.iter().map(|&sql| owner(TABLES, sql)).collect()
}

const DEFINITIONS: [&str; 21] = [
    "CREATE TABLE customers (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       name text NOT NULL,
       email text NOT NULL,
       created_at timestamptz NOT NULL DEFAULT now())",
    "CREATE TABLE products (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       sku text NOT NULL UNIQUE,
       barcode text NOT NULL,
       name text NOT NULL,
       weight_g integer NOT NULL CHECK (weight_g > 0),
       attrs jsonb NOT NULL DEFAULT '{}')",
    "CREATE TABLE locations (
       id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       zone text NOT NULL,
       aisle integer NOT NULL,
       bay integer NOT NULL,
       level integer NOT NULL,
       UNIQUE (zone, aisle, bay, level))",
    "CREATE TABLE inventory (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       product_id bigint NOT NULL REFERENCES products,
       location_id integer NOT NULL REFERENCES locations,
       qty integer NOT NULL CHECK (qty >= 0),
       reserved integer NOT NULL DEFAULT 0,
       updated_at timestamptz NOT NULL DEFAULT now(),
       UNIQUE (location_id, product_id))",
    "CREATE INDEX idx_inventory_product ON inventory (product_id)",
    "CREATE TABLE orders (
       id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       customer_id bigint NOT NULL REFERENCES customers,
       status text NOT NULL,
       priority smallint NOT NULL DEFAULT 5,
       legacy_ref text,
       placed_at timestamptz NOT NULL,
       shipped_at timestamptz,
       total_cents bigint NOT NULL DEFAULT 0)",
    "CREATE INDEX idx_orders_status ON orders (status, placed_at)",
    "CREATE INDEX idx_orders_customer ON orders (customer_id)",
    "CREATE TABLE order_lines (
       order_id bigint NOT NULL REFERENCES orders,
       line_no smallint NOT NULL,
       product_id bigint NOT NULL REFERENCES products,
       qty integer NOT NULL,
       price_cents integer NOT NULL,
       picked_at timestamptz,
       PRIMARY KEY (order_id, line_no))",
    "CREATE TABLE stock_movements (
       id bigint GENERATED ALWAYS AS IDENTITY,
       moved_at timestamptz NOT NULL,
       product_id bigint NOT NULL,
       from_location integer,
       to_location integer,
       qty integer NOT NULL,
       PRIMARY KEY (id, moved_at)) PARTITION BY RANGE (moved_at)",
    "CREATE TABLE stock_movements_2024_01 PARTITION OF stock_movements FOR VALUES FROM ('2024-01-01Z') TO ('2024-02-01Z')",
    "CREATE TABLE stock_movements_2024_02 PARTITION OF stock_movements FOR VALUES FROM ('2024-02-01Z') TO ('2024-03-01Z')",
    "CREATE TABLE stock_movements_2024_03 PARTITION OF stock_movements FOR VALUES FROM ('2024-03-01Z') TO ('2024-04-01Z')",
    "CREATE TABLE stock_movements_default PARTITION OF stock_movements DEFAULT",
    // An `integer` key on purpose: it can run out.
    "CREATE TABLE audit_log (
       id serial PRIMARY KEY,
       at timestamptz NOT NULL,
       actor text NOT NULL,
       action text NOT NULL,
       entity text NOT NULL,
       entity_id bigint NOT NULL,
       detail jsonb NOT NULL)",
    "CREATE INDEX idx_audit_log_at ON audit_log (at)",
    "CREATE INDEX idx_audit_log_entity ON audit_log (entity, entity_id)",
    // Without a key on purpose.
    "CREATE TABLE carrier_rates (
       carrier text NOT NULL,
       zone text NOT NULL,
       weight_from integer NOT NULL,
       cents integer NOT NULL,
       valid_from date NOT NULL)",
    "CREATE TABLE schema_migrations (
       version text PRIMARY KEY,
       name text NOT NULL,
       checksum text NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now(),
       applied_by text NOT NULL DEFAULT current_user)",
    // Every name needs quotes, on purpose.
    r#"CREATE TABLE "Dock Schedule" ("Dock" text, "From" timestamptz, "To" timestamptz)"#,
    "CREATE VIEW open_orders AS SELECT id, customer_id, placed_at, total_cents FROM orders WHERE status = 'new'",
];
