//! Runbooks of any length. No two steps have the same text, as in a real one.

use std::fmt::Write as _;

const HEAD: &str = "
version: 1
title: Generated
params:
  status: { type: string, default: open, description: The status to look for }
  days: { type: int, default: 30, description: How far back to look }
  tables: { type: list, items: identifier, default: [orders, customers], description: The tables to analyze }
connections:
  db: postgres
defaults: { statement_timeout: 1m }
steps:
";

/// Steps of every common shape, `count` of them.
pub(crate) fn varied(name: &str, count: usize) -> String {
    let mut text = format!("name: {name}{HEAD}");
    for block in 0..count / 10 {
        let i = &block;
        let _ = write!(
            text,
            r#"  - id: open_{i}
    title: Count the open orders of region {i}
    sql: SELECT count(*) AS n FROM shop.orders WHERE status = {{{{ params.status }}}} AND region = {i}
  - id: some_{i}
    assert:
      that: steps.open_{i}.value >= 0 and params.days > 0
      message: "{{{{ steps.open_{i}.value }}}} orders are {{{{ params.status }}}} in region {i}"
  - parallel:
      - id: old_{i}
        sql:
          query: |
            SELECT o.id, c.name, o.created_at
            FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id
            WHERE o.created_at < now() - make_interval(days => $1::int) AND o.region = {i}
            ORDER BY o.created_at
          args: ["{{{{ params.days }}}}"]
          max_rows: 100
      - id: size_{i}
        sql: SELECT pg_total_relation_size('shop.orders_{i}'::regclass) AS bytes
  - id: sure_{i}
    confirm: "Archive {{{{ steps.old_{i}.row_count }}}} orders of region {i}?"
  - id: archive_{i}
    title: Archive the old orders of region {i}
    needs: [sure_{i}, size_{i}]
    when: steps.old_{i}.row_count > 0
    timeout: 5m
    sql:
      query: |
        INSERT INTO shop.archive_{i} SELECT * FROM shop.orders WHERE region = {i} AND created_at < now() - interval '30 days';
        DELETE FROM shop.orders WHERE region = {i} AND created_at < now() - interval '30 days'
      lock_timeout: 5s
    rollback:
      - id: restore_{i}
        sql: INSERT INTO shop.orders SELECT * FROM shop.archive_{i} WHERE region = {i}
  - id: analyze_{i}
    for_each: params.tables
    sql: ANALYZE {{{{ item | ident }}}}
  - id: index_{i}
    sql: {{ query: "CREATE INDEX CONCURRENTLY orders_{i}_at ON shop.orders_{i} (created_at)", transaction: never }}
    retry: {{ attempts: 3, delay: 5s }}
    rollback:
      - id: drop_index_{i}
        sql: {{ query: "DROP INDEX CONCURRENTLY IF EXISTS shop.orders_{i}_at", transaction: never }}
  - id: left_{i}
    needs: [archive_{i}]
    sql: SELECT count(*) AS n, {i} AS region FROM shop.orders WHERE region = {i}
  - id: settled_{i}
    assert: steps.left_{i}.row.n <= steps.open_{i}.value
"#
        );
    }
    text
}

/// One step for each statement.
pub(crate) fn statements(name: &str, count: usize, sql: &dyn Fn(usize) -> String) -> String {
    let mut text =
        format!("version: 1\nname: {name}\ntitle: Statements\nconnections: {{ db: postgres }}\nsteps:\n");
    for index in 0..count {
        let sql = sql(index);
        // A step that changes something says how it is undone, or every run begins with a warning about it.
        let undo = if sql.starts_with("SELECT") {
            ""
        } else {
            "\n    rollback: { impossible: nobody needs it undone }"
        };
        let _ = writeln!(text, "  - id: step_{index}\n    sql: {sql}{undo}");
    }
    text
}

/// The same statements for `psql`.
pub(crate) fn script(count: usize, sql: &dyn Fn(usize) -> String) -> String {
    (0..count).map(|index| sql(index) + ";\n").collect()
}

/// A COPY of so many rows of one KiB each into a file.
pub(crate) fn copy(name: &str, rows: u64) -> String {
    format!(
        "version: 1\nname: {name}\ntitle: Copy\nconnections: {{ db: postgres }}\nsteps:\n  - id: copy\n    sql:\n      \
         query: COPY (SELECT repeat('x', 1023) FROM generate_series(1, {rows})) TO STDOUT\n      \
         stdout_file: {name}.txt\n      overwrite: true\n"
    )
}
