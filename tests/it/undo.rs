//! Undo: what runs, in which order, what it may read, and what happens when it cannot finish.

use serde_json::{Value, json};

use crate::support::live::{Live, Ran};

/// The `means` of each effect, the last one first.
fn planned(ran: &Ran) -> Vec<(String, String)> {
    let event = ran.events.iter().rfind(|seen| seen["event"] == "undo_planned").expect("an undo was planned");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    event["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (text(&step["step"]), text(&step["means"])))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(step, means)| ((*step).to_owned(), (*means).to_owned())).collect()
}

#[test]
fn a_failed_run_is_undone_the_last_effect_first() {
    let live = Live::with("CREATE TABLE t (a int)");
    let ran = live
        .run(
            r"
steps:
  - id: one
    sql: INSERT INTO t VALUES (1) RETURNING a AS was
    rollback:
      - { id: back, sql: 'DELETE FROM t WHERE a = {{ steps.one.value }}' }
  - id: looked
    sql: SELECT 1
  - id: two
    sql: INSERT INTO t VALUES (2)
    rollback:
      - { id: look, sql: SELECT count(*) AS n FROM t }
      - { id: back, when: steps.look.value == 2 and this.state == 'succeeded', sql: DELETE FROM t WHERE a = 2 }
  - id: three
    sql: SELECT 1/0
  - { id: four, sql: SELECT 4 }
on_failure:
  - { id: told, sql: 'SELECT count(*) AS left FROM t' }
finally:
  - { id: last, sql: SELECT 2 }
",
        )
        .exits(3);
    assert_eq!(planned(&ran), pairs(&[("two", "hooks"), ("one", "hooks")]));
    assert_eq!(
        ran.order(),
        [
            "one",
            "looked",
            "two",
            "three",
            "two.rollback.look",
            "two.rollback.back",
            "one.rollback.back",
            "told",
            "last"
        ]
    );
    assert_eq!((ran.undone("two"), ran.undone("one")), ("rolled_back", "rolled_back"));
    assert_eq!(ran.output("told")["rows"], json!([{ "left": 0 }]));
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    let report = live.sandbox.run_args(&["report", "last"]);
    assert!(report.stdout.contains("rolled back"), "{}", report.stdout);
}

#[test]
fn a_runbook_may_want_to_stop_instead_and_a_person_undoes_it_later() {
    let live = Live::with("CREATE TABLE t (a int)");
    let ran = live
        .run(
            r"
defaults: { on_failure: stop }
steps:
  - { id: one, sql: INSERT INTO t VALUES (1), rollback: [{ id: back, sql: DELETE FROM t }] }
  - { id: two, sql: SELECT 1/0 }
finally:
  - { id: last, sql: SELECT 2 }
",
        )
        .exits(1);
    assert_eq!(ran.order(), ["one", "two", "last"]);
    assert!(ran.stdout.contains("were not undone: one"), "{}", ran.stdout);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
    let back = live.rollback(&[]).exits(3);
    assert_eq!(back.order(), ["one.rollback.back"]);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    let again = live.sandbox.run_args(&["rollback", "last"]);
    assert_eq!(again.exit, Some(2));
    assert!(again.stderr.contains("rolled back already"), "{}", again.stderr);
}

#[test]
fn automatic_undo_stops_at_the_last_point_of_no_return() {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE gone ()");
    let body = r"
steps:
  - { id: one, sql: INSERT INTO t VALUES (1), rollback: [{ id: back, sql: DELETE FROM t WHERE a = 1 }] }
  - { id: drop, sql: DROP TABLE gone }
  - { id: nothing, sql: ANALYZE t }
  - { id: two, sql: INSERT INTO t VALUES (2), rollback: [{ id: back, sql: DELETE FROM t WHERE a = 2 }] }
  - { id: three, sql: SELECT 1/0 }
";
    let ran = live.run(body).exits(4);
    assert_eq!(
        planned(&ran),
        pairs(&[("two", "hooks"), ("nothing", "nothing"), ("drop", "impossible"), ("one", "beyond")])
    );
    assert_eq!(live.psql("SELECT string_agg(a::text, ',') FROM t"), "1");
    assert_eq!(ran.events.last().unwrap()["outcome"], "partly_rolled_back");
    let back = live.rollback(&["--past-no-return"]).exits(4);
    assert_eq!(back.order(), ["one.rollback.back"]);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_failed_hook_holds_what_its_step_needed_and_nothing_else() {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE broken (a int CHECK (a < 2))");
    let body = r"
steps:
  - { id: base, sql: INSERT INTO t VALUES (1), rollback: [{ id: back, sql: DELETE FROM t WHERE a = 1 }] }
  - parallel:
      - { id: left, sql: INSERT INTO t VALUES (2), rollback: [{ id: back, sql: INSERT INTO broken VALUES (2) }] }
      - { id: right, needs: [], sql: INSERT INTO t VALUES (3), rollback: [{ id: back, sql: DELETE FROM t WHERE a = 3 }] }
  - { id: stop, sql: SELECT 1/0 }
";
    let ran = live.run(body).exits(4);
    assert_eq!(
        (ran.undone("left"), ran.undone("right"), ran.undone("base")),
        ("stuck", "rolled_back", "stuck")
    );
    assert_eq!(live.psql("SELECT string_agg(a::text, ',' ORDER BY a) FROM t"), "1,2");
    let report = live.sandbox.run_args(&["report", "last"]).stdout;
    assert!(report.contains("held: the undo of `left`"), "{report}");
    assert!(report.contains("by hand: DELETE FROM t WHERE a = 1"), "{report}");
    // Somebody repairs the world, and the undo goes on where it was.
    live.psql("ALTER TABLE broken DROP CONSTRAINT broken_a_check");
    let back = live.rollback(&[]).exits(3);
    assert_eq!(back.order(), ["left.rollback.back", "base.rollback.back"]);
    assert_eq!(live.psql("SELECT string_agg(a::text, ',' ORDER BY a) FROM t"), "2");
}

#[test]
fn children_and_groups_are_undone_one_by_one() {
    let live = Live::with("CREATE TABLE t (a int)");
    let ran = live
        .run(
            r"
steps:
  - id: each
    for_each: '[1, 2, 3]'
    sql: 'INSERT INTO t VALUES (10 / (3 - {{ item }}))'
    rollback: [{ id: back, sql: 'INSERT INTO t VALUES (-{{ item }})' }]
",
        )
        .exits(3);
    assert_eq!(planned(&ran), pairs(&[("each", "hooks"), ("each", "hooks")]));
    let keys: Vec<&Value> = ran.events("step_undone", "each").map(|event| &event["key"]).collect();
    assert_eq!(keys, ["2", "1"]);
    assert_eq!(live.psql("SELECT string_agg(a::text, ',') FROM t"), "5,10,-2,-1");
    let live = Live::with("CREATE TABLE t (a int)");
    live.run(
        r"
steps:
  - id: all
    for_each: '[1, 2]'
    steps:
      - { id: in, sql: 'INSERT INTO t VALUES ({{ item }})', rollback: [{ id: back, sql: 'DELETE FROM t WHERE a = {{ item }}' }] }
      - { id: check, sql: 'SELECT 1 / (2 - {{ item }})' }
",
    )
    .exits(3);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn included_runbooks_are_undone_too() {
    let live = Live::with("CREATE TABLE t (a int)");
    live.write(
        "inner",
        r"
params: { n: { type: int } }
steps:
  - { id: in, sql: 'INSERT INTO t VALUES ({{ params.n }})', rollback: [{ id: back, sql: 'DELETE FROM t WHERE a = {{ params.n }}' }] }
",
    );
    let runbooks = live.sandbox.directory().join("runbooks");
    std::fs::create_dir(&runbooks).unwrap();
    std::fs::rename(live.sandbox.directory().join("inner.yaml"), runbooks.join("inner.yaml")).unwrap();
    let ran = live
        .run(
            r"
steps:
  - { id: other, runbook: { name: inner, params: { n: 7 } } }
  - { id: stop, sql: SELECT 1/0 }
",
        )
        .exits(3);
    assert_eq!(ran.order().last(), Some(&"other.in.rollback.back"));
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn settings_are_brought_back_by_themselves() {
    let live = Live::new();
    let database = &live.database;
    let role = format!("r_{database}");
    live.psql(&format!("CREATE ROLE {role}; ALTER ROLE {role} SET work_mem = '5MB'"));
    let auto = "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf' AND name = 'log_min_messages'";
    let before = live.psql(auto);
    let ran = live
        .run(&format!(
            r"
steps:
  - {{ id: server, sql: ALTER SYSTEM SET log_min_messages = 'notice', rollback: auto }}
  - {{ id: stored, sql: 'ALTER DATABASE {database} SET search_path = a, b', rollback: auto }}
  - {{ id: both, sql: 'ALTER ROLE {role} SET work_mem = $$9MB$$; ALTER ROLE {role} IN DATABASE {database} SET jit = off', rollback: auto }}
  - {{ id: stop, sql: SELECT 1/0 }}
"
        ))
        .exits(3);
    assert_eq!(planned(&ran), pairs(&[("both", "auto"), ("stored", "auto"), ("server", "auto")]));
    assert_eq!(live.psql(auto), before);
    let stored = "SELECT string_agg(concat_ws(' ', rolname, unnested), ';') FROM pg_db_role_setting \
                  LEFT JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) AS unnested \
                  WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) OR rolname LIKE 'r_%'";
    assert_eq!(live.psql(stored), format!("{role} work_mem=5MB"));
}

#[test]
fn a_step_that_failed_in_part_is_undone_and_one_that_left_nothing_is_not() {
    let live = Live::with("CREATE TABLE t (a int)");
    let ran = live
        .run(
            r"
steps:
  - id: part
    sql: { query: 'INSERT INTO t VALUES (1); INSERT INTO t VALUES (1/0)', transaction: never }
    rollback: [{ id: back, sql: DELETE FROM t }]
",
        )
        .exits(3);
    assert_eq!(ran.undone("part"), "rolled_back");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    let ran = live
        .run(
            r"
steps:
  - id: whole
    sql: INSERT INTO t VALUES (1), (1/0)
    rollback: [{ id: back, sql: DELETE FROM t }]
",
        )
        .exits(1);
    assert!(ran.events.iter().all(|event| event["event"] != "undo_planned"));
}
