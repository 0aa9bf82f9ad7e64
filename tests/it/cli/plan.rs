//! `plan --offline`.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

#[test]
fn a_plan_is_a_page_to_read() {
    assert_snapshot!(sandbox().run("plan sample --offline --set schema_name=shop"), @r#"
    A sample
    sample · offline: no server was asked

      with schema_name=shop, limit=10, token=«secret»

    4 steps: 3 read only, 1 changes something.
    Known: 1 will do exactly what is shown, 3 known after another step.
    If it fails, what it did stays: it cannot be undone.
    It stops for a person at `sure`.
    Without a terminal it wants --answer sure=yes.

     1 ○ look  sql · read
         Count the rows
         will do exactly this:
           SELECT count(*) FROM shop.orders

     2 ○ sure  confirm · read · a person answers
         known after `look`
           Really delete {{ steps.look.value }} rows?

     3 ● clear  sql · change
         Delete what is old
         when steps.look.value > params.limit (decided later)
         known after `look`
           DELETE FROM {{ params.schema_name | ident }}.orders WHERE ordered_at <
             now() - interval '1 year'
         cannot be undone: Deleted rows do not come back.

     4 ○ fits  assert · read
         after `look`
         known after `look`
           steps.look.value < 1000

    Ask the server: runbook plan sample
    --- exit 0
    "#);
}

#[test]
fn shipped_runbooks_plan_offline() {
    assert_snapshot!(Sandbox::new().run("plan table-sizes --offline"), @r#"
    Table sizes
    table-sizes · offline: no server was asked

      with max_bytes=10737418240, top=20

    3 steps: 3 read only.
    Known: 2 will do exactly what is shown, 1 known after another step.

     1 ○ database  sql · read
         Measure the database
         will do exactly this:
           SELECT current_database() AS database, pg_database_size(current_database…

     2 ○ tables  sql · read
         Measure the largest tables
         starts at once, beside the steps above
         will do exactly this:
           WITH locked AS (
             SELECT coalesce(i.indrelid, l.relation) AS oid
             FROM pg_locks l LEFT JOIN pg_index i ON i.indexrelid = l.relation
             WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
           … 41 more lines

     3 ○ below_limit  assert · read
         Every table is below the limit
         after `database`, `tables`
         known after `tables`
           steps.tables.rows | selectattr('too_large') | list | length == 0

    Ask the server: runbook plan table-sizes
    --- exit 0
    "#);
}

#[test]
fn a_plan_is_data_for_programs() {
    let output = sandbox().run("plan sample --offline --set schema_name=shop --output json");
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(plan["runbook"], "sample");
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(4));
    assert_eq!(plan["steps"][2]["class"]["effect"], "change");
}

#[test]
fn a_server_that_is_not_there_blocks_the_plan() {
    let sandbox = sandbox().with("PGHOST", "/nowhere").with("PGUSER", "dba");
    assert_snapshot!(sandbox.run("plan sample --set schema_name=shop"), @r#"
    A sample
    sample

      with schema_name=shop, limit=10, token=«secret»

    4 steps: 3 read only, 1 changes something.
    Known: 1 will do exactly what is shown, 3 known after another step.
    If it fails, what it did stays: it cannot be undone.
    It stops for a person at `sure`.
    Without a terminal it wants --answer sure=yes.
    ✗ cannot connect to dba on /nowhere/.s.PGSQL.5432 as dba: No such file or
        directory (os error 2)
        Check that the server runs on this machine and which
          `unix_socket_directories` it uses, or give a `host`.

     1 ○ look  sql · read
         Count the rows
         will do exactly this:
           SELECT count(*) FROM shop.orders

     2 ○ sure  confirm · read · a person answers
         known after `look`
           Really delete {{ steps.look.value }} rows?

     3 ● clear  sql · change
         Delete what is old
         when steps.look.value > params.limit (decided later)
         known after `look`
           DELETE FROM {{ params.schema_name | ident }}.orders WHERE ordered_at <
             now() - interval '1 year'
         cannot be undone: Deleted rows do not come back.

     4 ○ fits  assert · read
         after `look`
         known after `look`
           steps.look.value < 1000

    When that is put right: runbook plan sample
    --- exit 1
    "#);
}
