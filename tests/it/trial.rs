//! `runbook test`: cases on canned results, what is told of those that fail, and the faults that find a wrong undo.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::sandbox::{Output, Sandbox};
use crate::support::{files, package, stem};

/// A batch, and the orders in it: two effects with an undo of their own, the second one a list with a retry.
const MOVE: &str = "
version: 1
name: move-orders
title: Move orders
params:
  limit: { type: int, default: 10, description: How many }
connections:
  db: postgres
steps:
  - id: old
    sql: SELECT id FROM orders LIMIT {{ params.limit }}
  - id: batch
    sql: INSERT INTO batches (size) VALUES ({{ steps.old.row_count }}) RETURNING id
    rollback:
      - id: forget
        sql: DELETE FROM batches WHERE id = {{ steps.batch.row.id }}
  - id: move
    for_each: { in: steps.old.rows, key: item.id }
    sql: UPDATE orders SET batch = {{ steps.batch.row.id }} WHERE id = {{ item.id }}
    retry: { attempts: 2, delay: 5m }
    rollback:
      - id: move_back
        sql: UPDATE orders SET batch = NULL WHERE id = {{ item.id }}
outputs:
  batch: steps.batch.row.id
";

/// Tries a runbook on cases.
fn try_out(runbook: &str, cases: &str, options: &str) -> Output {
    let sandbox = Sandbox::new();
    let name = runbook.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
    sandbox.write(format!("runbooks/{name}.yaml"), runbook.trim_start());
    sandbox.write(
        format!("runbooks/{name}.test.yaml"),
        &format!("version: 1\nrunbook: {name}\ncases:\n{}\n", cases.trim_matches('\n')),
    );
    sandbox.run(&format!("test {options}"))
}

#[test]
fn every_shipped_runbook_is_tried() {
    let folder = package().join("runbooks");
    let names: Vec<String> = files(&folder, "yaml").iter().map(|path| stem(path)).collect();
    let fixtures: Vec<String> = files(&folder, "test.yaml").iter().map(|path| stem(path)).collect();
    let expected: Vec<String> = names.iter().map(|name| format!("{name}.test")).collect();
    assert_eq!(fixtures, expected);
    let arguments: Vec<&str> =
        ["test", "--output", "json"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let output = Sandbox::new().run_args(&arguments);
    assert_eq!(output.exit, Some(0), "{output}");
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    for fixture in answer["fixtures"].as_array().unwrap() {
        assert!(fixture["cases"].as_array().unwrap().len() >= 3, "{}", fixture["runbook"]);
    }
}

#[test]
fn a_fixture_is_no_runbook() {
    let sandbox = Sandbox::new();
    sandbox.write("runbooks/move-orders.yaml", MOVE.trim_start());
    sandbox.write("runbooks/move-orders.test.yaml", "version: 1\nrunbook: move-orders\ncases: []\n");
    assert_snapshot!(sandbox.run("check").stdout, @"1 file checked: no problems");
    let named = sandbox.run("check runbooks/move-orders.test.yaml");
    assert!(named.stdout.contains("there is no case"), "{named}");
    assert!(!sandbox.run("list").stdout.contains("test"));
}

#[test]
fn what_is_not_as_expected_is_shown() {
    let cases = "
  - name: another result
    steps: { batch: { fail: { message: disk full, sqlstate: '53100' } }, old: { rows: [] } }
    expect:
      outcome: succeeded
      states: { batch: succeeded }
      outputs: { batch: 7 }
      sent: { old: [SELECT id FROM orders LIMIT 11] }
      says: { batch: no space }
  - name: no result
    expect: { outcome: failed }
";
    assert_snapshot!(try_out(MOVE, cases, ""), @r#"
    move-orders  runbooks/move-orders.test.yaml
      ✗ another result
          outcome
            expected  succeeded
            got       failed; batch failed: disk full
          states.batch
            expected  succeeded
            got       failed: disk full
          outputs.batch
            expected  7
            got       null
          sent.old
            expected  SELECT id FROM orders LIMIT 11
            got       SELECT id FROM orders LIMIT 10
          says.batch
            expected  no space
            got       disk full
      ✗ no result
          `old` ran, and the case has no result for it; below `steps:` write
            old: { rows: [{ column: value }] }

    1 runbook, 2 cases, 0 faults: 2 not as declared
    --- exit 1
    "#);
}

#[test]
fn every_effect_fails_is_cut_and_is_repeated_in_turn() {
    let cases = "
  - name: two orders
    steps:
      old: { rows: [{ id: 1 }, { id: 2 }] }
      batch: { row: { id: 7 } }
    expect: { outcome: succeeded, outputs: { batch: 7 } }
    faults: { undone: { 'move[2]': ['move[1]', batch], 'move[1]': [batch, 'move[1]'] } }
";
    assert_snapshot!(try_out(MOVE, cases, ""), @r#"
    move-orders  runbooks/move-orders.test.yaml
      ✓ two orders
        ✓ fail batch
        ✓ cut batch
        ✗ fail move[1]
            undone
              expected  batch, move[1]
              got       batch
        ✓ cut move[1]
        ✓ repeat move[1]
        ✓ fail move[2]
        ✓ cut move[2]
        ✓ repeat move[2]

    1 runbook, 1 case, 8 faults: 1 not as declared
    --- exit 1
    "#);
}

#[test]
fn a_wrong_undo_is_found() {
    let runbook = "
version: 1
name: wrong-undo
title: Wrong undo
connections:
  db: postgres
steps:
  - id: batch
    sql: INSERT INTO batches (size) VALUES (1) RETURNING id
    rollback:
      - id: forget
        sql: DELETE FROM batches WHERE id = {{ steps.batch.row.number }}
  - id: setting
    sql: ALTER SYSTEM SET work_mem = '8MB'
    rollback: auto
  - id: notify
    sql: INSERT INTO notices (text) VALUES ('a batch')
  - id: move
    sql: UPDATE orders SET batch = {{ steps.batch.row.id }}
    rollback: { none: an example }
";
    let cases = "
  - name: a batch
    steps: { batch: { row: { id: 7 } } }
    expect: { outcome: succeeded }
    faults: each
";
    assert_snapshot!(try_out(runbook, cases, "").stdout, @r#"
    wrong-undo  runbooks/wrong-undo.test.yaml
      ✓ a batch
        ✓ fail batch
        ✓ cut batch
        ✗ fail setting
            batch.rollback.forget
              expected  succeeded
              got       failed: `steps.batch.row.number` is not defined, in `steps.batch.row.number`
            undo of batch
              expected  rolled_back
              got       stuck: `steps.batch.row.number` is not defined, in `steps.batch.row.number`
        ✗ cut setting
            undo of setting
              expected  declared under `rollback`
              got       `auto` cannot: what was there before is not known: only settings of the server, a database or a role are undone by themselves
        ✗ fail notify
            undo of setting
              expected  declared under `rollback`
              got       `auto` cannot: what was there before is not known: only settings of the server, a database or a role are undone by themselves
        ✗ cut notify
            undo of setting
              expected  declared under `rollback`
              got       `auto` cannot: what was there before is not known: only settings of the server, a database or a role are undone by themselves
            undo of notify
              expected  declared under `rollback`
              got       the runbook does not say how
        ✗ fail move
            undo of setting
              expected  declared under `rollback`
              got       `auto` cannot: what was there before is not known: only settings of the server, a database or a role are undone by themselves
            undo of notify
              expected  declared under `rollback`
              got       the runbook does not say how
        ✗ cut move
            undo of setting
              expected  declared under `rollback`
              got       `auto` cannot: what was there before is not known: only settings of the server, a database or a role are undone by themselves
            undo of notify
              expected  declared under `rollback`
              got       the runbook does not say how

    1 runbook, 1 case, 8 faults: 6 not as declared
    "#);
}

#[test]
fn what_was_there_before_is_what_auto_brings_back() {
    let runbook = "
version: 1
name: settings
title: Settings
connections:
  db: postgres
steps:
  - id: memory
    sql: ALTER SYSTEM SET work_mem = '8MB'
    rollback: auto
  - id: table
    sql: CREATE TABLE t ()
    rollback: [{ id: drop, sql: DROP TABLE t }]
";
    let cases = r#"
  - name: 4 MB before
    steps: { memory: { before: { "ALTER SYSTEM SET work_mem = '8MB'": 4MB } } }
    expect: { outcome: succeeded }
    faults: { undone: { table: [memory] } }
  - name: the table cannot be made
    steps:
      memory: { before: { "ALTER SYSTEM SET work_mem = '8MB'": 4MB } }
      table: { fail: { message: no right } }
    expect:
      outcome: rolled_back
      states: { memory: rolled_back, table: failed }
      sent: { memory.rollback.auto: ["ALTER SYSTEM SET work_mem TO '4MB'", SELECT pg_catalog.pg_reload_conf()] }
"#;
    let output = try_out(runbook, cases, "");
    assert_eq!(output.exit, Some(0), "{output}");
}

#[test]
fn mistakes_in_a_fixture_are_shown_at_their_place() {
    let cases = "
  - name: a misspelt step
    steps: { odl: { rows: [] } }
    expect: { outcome: succeded }
  - name: a misspelt field
    steps: { batch: { row: { id: 1 }, valeu: 2 } }
    expect: { outcome: succeeded }
";
    assert_snapshot!(try_out(MOVE, cases, "").stderr, @r#"
    runbook::test::fixture

      ✗ error: there is no step `odl`
       ╭─[runbooks/move-orders.test.yaml:5:14]
     4 │   - name: a misspelt step
     5 │     steps: { odl: { rows: [] } }
       ·              ───
     6 │     expect: { outcome: succeded }
       ╰────
      help: Did you mean `old`?

    runbook::yaml::bad_value

      ✗ error: unknown value `succeded`
       ╭─[runbooks/move-orders.test.yaml:6:24]
     5 │     steps: { odl: { rows: [] } }
     6 │     expect: { outcome: succeded }
       ·                        ────────
     7 │   - name: a misspelt field
       ╰────
      help: Did you mean `succeeded`?

    runbook::test::fixture

      ✗ error: there is no field `valeu`
       ╭─[runbooks/move-orders.test.yaml:8:39]
     7 │   - name: a misspelt field
     8 │     steps: { batch: { row: { id: 1 }, valeu: 2 } }
       ·                                       ─────
     9 │     expect: { outcome: succeeded }
       ╰────
      help: Did you mean `value`?

    3 errors

    error: runbooks/move-orders.test.yaml cannot be used
    "#);
}

#[test]
fn a_runbook_without_a_fixture_is_a_usage_error() {
    let sandbox = Sandbox::new();
    sandbox.write("runbooks/move-orders.yaml", MOVE.trim_start());
    assert_snapshot!(sandbox.run("test move-orders"), @r#"
    --- stderr
    error: `move-orders` has no fixture
    · Write one as runbooks/move-orders.test.yaml; the README has an example.
    --- exit 2
    "#);
    assert_snapshot!(sandbox.run("test"), @r#"
    --- stderr
    error: there are no fixtures in runbooks
    · The fixture of a runbook lies beside it and ends in .test.yaml.
    --- exit 2
    "#);
}

#[test]
fn programs_are_told_the_same() {
    let cases = "
  - name: nothing to move
    steps: { old: { rows: [] } }
    expect: { outcome: failed }
    faults: each
";
    let output = try_out(MOVE, cases, "--output json");
    assert_eq!(output.exit, Some(1));
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    let case = &answer["fixtures"][0]["cases"][0];
    assert_eq!((&answer["passed"], &answer["failed"]), (&Value::from(0), &Value::from(1)));
    assert_eq!(case["differences"][0]["what"], "outcome");
    assert_eq!(case["faults"], serde_json::json!([]));
}

/// The step of an included runbook, its `verify`, and what closes the run and reads too much.
#[test]
fn closing_steps_must_do_whatever_failed() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "runbooks/inner.yaml",
        "version: 1
name: inner
title: Inner
connections:
  db: postgres
steps:
  - id: make
    sql: INSERT INTO notes (text) VALUES ('made')
    verify: { sql: SELECT count(*) FROM notes, that: this.value > 0 }
    rollback: [{ id: unmake, sql: DELETE FROM notes }]
finally:
  - id: log
    sql: INSERT INTO log (rows) VALUES ({{ steps.make.affected }})
    rollback: { none: it is a log }
",
    );
    sandbox.write(
        "runbooks/outer.yaml",
        "version: 1
name: outer
title: Outer
connections:
  shop: postgres
steps:
  - id: within
    runbook: { name: inner, connections: { db: shop } }
  - id: last
    sql: UPDATE orders SET noted = true
    rollback: { none: an example }
",
    );
    sandbox.write(
        "runbooks/outer.test.yaml",
        "version: 1
runbook: outer
cases:
  - name: all is well
    steps: { within.make: { affected: 1, verify: [{ count: 1 }] } }
    expect: { outcome: succeeded, sent: { within.log: [INSERT INTO log (rows) VALUES (1)] } }
    faults: { undone: { last: [within.make] } }
  - name: the answer is lost, and it did not take effect
    steps: { within.make: { cut: the connection was lost, verify: [{ count: 0 }] } }
    expect: { outcome: failed, states: { within.make: failed, last: cancelled } }
",
    );
    assert_snapshot!(sandbox.run("test outer"), @r#"
    outer  runbooks/outer.test.yaml
      ✓ all is well
        ✗ fail within.make
            within.log
              expected  succeeded
              got       failed: `make` is failed, so it has no `affected`, in `steps.make.affected`
        ✗ cut within.make
            within.log
              expected  succeeded
              got       failed: `steps.make.affected` is not defined, in `steps.make.affected`
        ✓ fail last
        ✓ cut last
      ✓ the answer is lost, and it did not take effect

    1 runbook, 2 cases, 4 faults: 2 not as declared
    --- exit 1
    "#);
}

/// A policy that leaves everything as it is does not hide an undo that cannot be bound: a person will want it.
#[test]
fn an_undo_that_only_a_person_asks_for_is_tried_too() {
    let runbook = "
version: 1
name: left
title: Left as it is
connections:
  db: postgres
defaults: { on_failure: stop }
steps:
  - id: batch
    sql: INSERT INTO batches (size) VALUES (1) RETURNING id
    rollback:
      - id: forget
        sql: DELETE FROM batches WHERE id = {{ steps.batch.row.number }}
  - id: move
    sql: UPDATE orders SET batch = {{ steps.batch.row.id }}
    rollback: { none: an example }
";
    let cases = "
  - name: a batch
    steps: { batch: { row: { id: 7 } } }
    expect: { outcome: succeeded }
    faults: each
";
    let output = try_out(runbook, cases, "");
    assert!(output.stdout.contains("✗ fail move\n        batch.rollback.forget"), "{output}");
}

/// A day of retries and polls is over at once.
#[test]
fn waits_take_no_time() {
    let runbook = "
version: 1
name: patient
title: Patient
connections:
  db: postgres
steps:
  - id: there
    sql: SELECT true AS done
    until: { that: this.value, every: 1h, timeout: 1d }
  - id: gone
    sql: SELECT true AS done
    until: { that: this.value, every: 1h, timeout: 1d }
";
    let cases = "
  - name: one comes, the other one does not
    steps: { there: [{ value: false }, { value: false }, { value: true }], gone: { value: false } }
    expect: { outcome: failed, states: { there: succeeded }, says: { gone: did not come to hold in time } }
";
    let output = try_out(runbook, cases, "");
    assert_eq!(output.exit, Some(0), "{output}");
}
