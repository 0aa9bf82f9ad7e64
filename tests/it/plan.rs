//! A live plan: it reads, fills what it can, says what it cannot know, finds blockers, and writes nothing.

use serde_json::Value;

use crate::support::live::{Live, files_below};

fn step<'a>(plan: &'a Value, id: &str) -> &'a Value {
    plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("{plan}"))
}

const TABLES: &str = "CREATE TABLE t (name text); INSERT INTO t VALUES ('a'), ('b'); \
    CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO t VALUES (''c'') RETURNING 1'";

#[test]
fn reads_fill_the_templates_below_and_lists_have_their_children() {
    let live = Live::with(TABLES);
    let (output, plan) = live.plan(
        r#"
steps:
  - { id: names, sql: SELECT name FROM t ORDER BY 1 }
  - { id: each, for_each: { in: steps.names.rows, key: item.name }, rollback: { none: a trial }, sql: { query: DELETE FROM t WHERE name = $1, args: ["{{ item.name }}"] } }
  - { id: one, rollback: { none: a trial }, sql: "DELETE FROM t WHERE name = {{ steps.names.rows[0].name }}" }
  - { id: late, sql: "SELECT {{ steps.one.affected }} AS n" }
"#,
        &[],
    );
    assert_eq!(output.exit, Some(0), "{}", output.stderr);
    let keys: Vec<_> =
        step(&plan, "each")["children"].as_array().unwrap().iter().map(|c| c["key"].clone()).collect();
    assert_eq!(keys, ["a", "b"]);
    assert!(step(&plan, "one")["lines"].to_string().contains("name = 'a'"), "{plan}");
    assert!(step(&plan, "late")["knowledge"].to_string().contains("one"), "{plan}");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "2");
}

#[test]
fn nothing_is_written_and_nothing_unknown_is_run() {
    let live = Live::with(TABLES);
    let (output, plan) = live.plan(
        r"
steps:
  - { id: unknown, rollback: { none: a trial }, sql: SELECT sneaky() AS n }
  - { id: declared, effect: read, sql: SELECT sneaky() AS n }
  - { id: uses, assert: steps.unknown.value == 1 and steps.declared.value == 1 }
  - { id: change, rollback: { none: a trial }, sql: INSERT INTO t VALUES ('d') }
  - { id: vacuum, sql: VACUUM t }
",
        &[],
    );
    assert_eq!(output.exit, Some(0), "{} {plan}", output.stderr);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "2");
    assert_eq!(
        live.psql("SELECT count(*) FROM pg_stat_user_tables WHERE relname = 't' AND vacuum_count > 0"),
        "0"
    );
    assert!(files_below(live.sandbox.state()).is_empty());
}

#[test]
fn what_the_server_would_refuse_is_a_blocker() {
    let live = Live::with(TABLES);
    let (output, plan) = live.plan(
        "steps:\n  - { id: bad, rollback: { none: a trial }, sql: DELETE FROM nowhere }\n  - { id: good, sql: SELECT 1 }\n",
        &[],
    );
    assert_eq!(output.exit, Some(1));
    assert!(step(&plan, "bad")["blockers"].to_string().contains("nowhere"), "{plan}");
}

#[test]
fn offline_nothing_is_connected_to() {
    let live = Live::new().variable("PGPORT", "1");
    let (output, plan) = live.plan(
        "steps:\n  - { id: one, sql: SELECT 1 AS n }\n  - { id: two, sql: \"SELECT {{ steps.one.value }} AS m\" }\n",
        &["--offline"],
    );
    assert_eq!(output.exit, Some(0), "{}", output.stderr);
    assert!(step(&plan, "two")["knowledge"].to_string().contains("one"), "{plan}");
}

#[test]
fn a_condition_that_is_known_is_decided() {
    let (_, plan) = Live::with(TABLES).plan(
        r"
steps:
  - { id: count, sql: SELECT count(*) AS n FROM t }
  - { id: no, when: steps.count.value > 5, sql: SELECT 1 }
  - { id: yes, when: steps.count.value == 2, sql: SELECT 1 }
  - { id: gate, confirm: 'Go on?' }
",
        &[],
    );
    assert!(step(&plan, "no")["knowledge"].to_string().contains("skipped"), "{plan}");
    assert_eq!(step(&plan, "yes")["conditions"][0]["holds"], true);
    assert!(step(&plan, "gate")["knowledge"].to_string().contains("a person decides"), "{plan}");
}

#[test]
fn a_missing_parameter_is_an_error_and_nobody_is_asked() {
    let live = Live::new();
    live.write(
        "trial",
        "params: { n: { type: int }, m: { type: int } }\nsteps:\n  - { id: one, sql: SELECT 1 }\n",
    );
    let output = live.sandbox.run_args(&["plan", "./trial.yaml"]);
    assert_eq!(output.exit, Some(2));
    assert!(output.stderr.contains("--set n=") && output.stderr.contains("--set m="), "{}", output.stderr);
}
