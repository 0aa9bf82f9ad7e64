//! `sql` steps against a real server: values, arguments, sessions, transactions, limits, files, and what is refused.

use serde_json::{Value, json};

use crate::support::live::{Live, Ran};
use crate::support::postgres::{PASSWORD, server};

/// Runs one statement and returns the value it comes to.
fn value(live: &Live, sql: &str) -> Value {
    let body = format!("steps:\n  - id: one\n    sql: |\n      SELECT {sql} AS v\n");
    live.run(&body).exits(0).output("one")["rows"][0]["v"].clone()
}

#[test]
fn every_type_becomes_the_value_it_is() {
    let cases = [
        ("1::smallint", json!(1)),
        ("9007199254740993::bigint", json!(9_007_199_254_740_993_i64)),
        ("3::oid", json!(3)),
        ("2.00::numeric", json!(2)),
        ("2.5::numeric", json!(2.5)),
        ("0.1::float8", json!(0.1)),
        ("true", json!(true)),
        ("interval '1 hour 30 seconds 250 milliseconds'", json!(3630.25)),
        ("timestamptz '2024-02-29 12:00:00.5+02'", json!("2024-02-29T10:00:00.500000Z")),
        ("date '2024-02-29'", json!("2024-02-29")),
        ("'{\"a\": [1, null]}'::jsonb", json!({ "a": [1, null] })),
        ("ARRAY[[1, 2], [3, NULL]]", json!([[1, 2], [3, null]])),
        ("ARRAY['a,b', 'c\"d', NULL]", json!(["a,b", "c\"d", null])),
        ("NULL::text", json!(null)),
        ("'pg_class'::regclass", json!("pg_class")),
        ("'08'", json!("08")),
        ("'no'", json!("no")),
    ];
    let columns: Vec<String> =
        cases.iter().enumerate().map(|(i, (sql, _))| format!("{sql} AS c{i}")).collect();
    let body = format!("steps:\n  - id: one\n    sql: |\n      SELECT {}\n", columns.join(", "));
    let ran = Live::new().run(&body).exits(0);
    for (index, (sql, expected)) in cases.iter().enumerate() {
        assert_eq!(ran.output("one")["rows"][0][format!("c{index}")], *expected, "{sql}");
    }
}

#[test]
fn values_read_the_same_whatever_the_session_was_set_to() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - { id: zone, sql: SET TIME ZONE 'America/New_York' }
  - { id: in_zone, sql: SELECT timestamptz '2024-02-29 12:00:00+02' AS at }
  - { id: reset, sql: RESET ALL }
  - { id: after, sql: "SELECT timestamptz '2024-02-29 12:00:00+02' AS at, interval '1 day 1 second' AS i" }
"#,
        )
        .exits(0);
    assert_eq!(ran.output("in_zone")["rows"][0]["at"], "2024-02-29T10:00:00.000000Z");
    assert_eq!(ran.output("after")["rows"][0], json!({ "at": "2024-02-29T10:00:00.000000Z", "i": 86401 }));
}

#[test]
fn arguments_are_parameters_and_never_text() {
    let hostile = "x'; DROP TABLE t; --";
    let live = Live::with("CREATE TABLE t (a text, n int[], j jsonb)");
    let body = r#"
params: { word: { type: string } }
steps:
  - id: put
    rollback: { none: a trial }
    sql:
      query: INSERT INTO t VALUES ($1, $2, $3)
      args: ["{{ params.word }}", [1, 2], { k: "{{ params.word }}" }]
  - id: get
    sql: { query: "SELECT a, n, j FROM t WHERE a = $1", args: ["{{ params.word }}"] }
"#;
    let ran = live.run_with(body, &["--set", &format!("word={hostile}")]).exits(0);
    assert_eq!(ran.output("get")["rows"][0], json!({ "a": hostile, "n": [1, 2], "j": { "k": hostile } }));
}

#[test]
fn holes_are_escaped_whatever_they_hold() {
    let check = |word: &str| {
        let live = Live::with("CREATE TABLE t (a text); INSERT INTO t VALUES ('kept')");
        let body = r#"
params: { word: { type: string } }
steps:
  - { id: literal, sql: "SELECT {{ params.word }} AS a" }
  - { id: name, sql: "SELECT 1 AS {{ params.word | ident }}" }
  - { id: list, sql: "SELECT 'kept' IN ({{ [params.word, 'kept'] }}) AS found" }
"#;
        let ran = live.run_with(body, &["--set", &format!("word={word}")]).exits(0);
        assert_eq!(ran.output("literal")["rows"][0]["a"], word);
        assert_eq!(ran.output("name")["columns"], json!([word]));
        assert_eq!(ran.output("list")["rows"][0]["found"], true);
        assert_eq!(live.psql("SELECT a FROM t"), "kept");
    };
    check("a'b");
    check(r"\'; DROP TABLE t; --");
    check("a\"b; DROP TABLE t; --");
    check("$$; DROP TABLE t; $$");
    check("/* */ -- x");
    check("日本語 ü");
}

#[test]
fn a_relation_hole_takes_a_relation_and_nothing_else() {
    let body = r#"
params: { table: { type: string } }
steps:
  - { id: count, sql: "SELECT count(*) AS n FROM {{ params.table | relation }}" }
"#;
    let live = Live::with("CREATE SCHEMA \"S 1\"; CREATE TABLE \"S 1\".\"T.2\" (a int)");
    let ran = live.run_with(body, &["--set", "table=\"S 1\".\"T.2\""]).exits(0);
    assert_eq!(ran.output("count")["rows"][0]["n"], 0);
    let refused = live.run_with(body, &["--set", "table=pg_class; DROP TABLE x"]).exits(1);
    assert_eq!(refused.state("count"), "failed");
}

#[test]
fn a_step_of_changes_is_one_transaction() {
    let live = Live::with("CREATE TABLE t (a int PRIMARY KEY)");
    let ran = live
        .run(
            r"
steps:
  - id: both
    rollback: { none: a trial }
    sql: |
      INSERT INTO t VALUES (1);
      INSERT INTO t VALUES (2);
      INSERT INTO t VALUES (1);
",
        )
        .exits(1);
    assert_eq!(ran.end("both")["failure"]["applied"], "no");
    assert_eq!(ran.end("both")["failure"]["sqlstate"], "23505");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn without_a_transaction_each_statement_stands_alone() {
    let live = Live::with("CREATE TABLE t (a int PRIMARY KEY)");
    let ran = live
        .run(
            r"
steps:
  - id: both
    rollback: { none: a trial }
    sql:
      transaction: never
      query: |
        INSERT INTO t VALUES (1);
        INSERT INTO t VALUES (1);
",
        )
        .exits(1);
    assert_eq!(ran.end("both")["failure"]["applied"], "partly");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
}

#[test]
fn a_transaction_around_reads_sees_one_moment() {
    let ran = Live::new()
        .run(
            r"
steps:
  - id: reads
    sql:
      transaction: always
      query: |
        SELECT pg_sleep(0.05);
        SELECT now() = statement_timestamp() AS same;
",
        )
        .exits(0);
    assert_eq!(ran.output("reads")["rows"][0]["same"], false);
}

#[test]
fn statements_that_cannot_share_a_transaction_are_refused_before_anything_runs() {
    let check = |sql: &str| {
        let live = Live::with("CREATE TABLE t (a int)");
        let body = format!(
            "steps:\n  - id: one\n    rollback: {{ none: a trial }}\n    sql: |\n      INSERT INTO t VALUES (1);\n      {sql}\n"
        );
        let ran = live.run(&body);
        assert_eq!(ran.exit, Some(2), "{sql}: {}", ran.stdout);
        assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    };
    check("VACUUM t");
    check("CREATE INDEX CONCURRENTLY i ON t (a)");
    check("COMMIT");
    check("SAVEPOINT s");
}

#[test]
fn what_cannot_run_in_a_transaction_runs_bare() {
    let live = Live::with(
        "CREATE TABLE t (a int); CREATE PROCEDURE p() LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); END'",
    );
    live.run(
        r"
steps:
  - { id: vacuum, sql: VACUUM t }
  - { id: index, sql: CREATE INDEX CONCURRENTLY i ON t (a), rollback: [{ id: drop, sql: DROP INDEX CONCURRENTLY i }] }
  - { id: call, sql: CALL p(), rollback: { none: a trial } }
",
    )
    .exits(0);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "2");
}

#[test]
fn fields_hold_for_their_step_and_set_holds_for_the_run() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: before, sql: SHOW work_mem }
  - { id: field, sql: { query: SHOW work_mem, settings: { work_mem: 9MB }, search_path: [pg_catalog, public] } }
  - { id: without, sql: 'SELECT current_setting($$work_mem$$) AS m, current_setting($$search_path$$) AS p' }
  - { id: set, sql: SET work_mem = '7MB' }
  - { id: again, sql: { query: SHOW work_mem, settings: { work_mem: 9MB } } }
  - parallel:
      - { id: left, sql: 'SELECT current_setting($$work_mem$$) AS m, pg_sleep(0.3)' }
      - { id: right, sql: 'SELECT current_setting($$work_mem$$) AS m, pg_sleep(0.3)' }
  - { id: other, sql: { query: SHOW work_mem, database: postgres } }
  - { id: reset, sql: RESET work_mem }
  - { id: after, sql: SHOW work_mem }
",
        )
        .exits(0);
    let seen = |step: &str| ran.output(step)["rows"][0].as_object().unwrap().values().next().unwrap().clone();
    let all: Vec<Value> =
        ["before", "field", "without", "again", "left", "right", "other", "after"].map(seen).into();
    assert_eq!(all, ["4MB", "9MB", "4MB", "9MB", "7MB", "7MB", "7MB", "4MB"]);
    assert_eq!(ran.output("without")["rows"][0]["p"], "\"$user\", public");
}

#[test]
fn sessions_that_were_open_before_a_set_take_it_too() {
    let ran = Live::new()
        .run(
            r"
steps:
  - parallel:
      - { id: one, sql: SELECT pg_sleep(0.2) }
      - { id: two, sql: SELECT pg_sleep(0.2) }
  - { id: set, sql: SET work_mem = '7MB' }
  - parallel:
      - { id: left, sql: 'SELECT current_setting($$work_mem$$) AS m, pg_sleep(0.2)' }
      - { id: right, sql: 'SELECT current_setting($$work_mem$$) AS m, pg_sleep(0.2)' }
",
        )
        .exits(0);
    assert_eq!(ran.output("left")["rows"][0]["m"], "7MB");
    assert_eq!(ran.output("right")["rows"][0]["m"], "7MB");
}

#[test]
fn a_set_of_a_transaction_that_failed_is_forgotten() {
    let ran = Live::with("CREATE TABLE t (a int PRIMARY KEY)")
        .run(
            r"
steps:
  - id: set
    on_error: continue
    rollback: { none: a trial }
    sql: |
      SET work_mem = '7MB';
      INSERT INTO t VALUES (1), (1);
  - { id: after, sql: SHOW work_mem }
",
        )
        .exits(1);
    assert_eq!(ran.output("after")["rows"][0]["work_mem"], "4MB");
}

#[test]
fn a_verify_sees_what_the_runbook_has_set() {
    Live::with("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (a int)")
        .run(
            r"
steps:
  - { id: path, sql: SET search_path = elsewhere }
  - id: flaky
    rollback: { none: a trial }
    retry: { attempts: 2, delay: 10ms }
    verify: { sql: SELECT count(*) AS n FROM t, that: this.value == 0 }
    sql: INSERT INTO t SELECT 1 / 0
",
        )
        .exits(0);
}

#[test]
fn temporary_tables_prepared_statements_and_session_locks_end_with_their_step() {
    let live = Live::new();
    let ran = live
        .run(
            r"
steps:
  - { id: temp, sql: CREATE TEMP TABLE scratch (a int), rollback: { none: gone by itself } }
  - { id: gone, sql: { query: SELECT * FROM scratch, expect_error: 42P01 } }
  - { id: prepare, sql: PREPARE p AS SELECT 1 }
  - { id: forgotten, sql: SELECT count(*) AS n FROM pg_prepared_statements }
  - { id: lock, sql: SELECT pg_advisory_lock(4711), rollback: { none: gone by itself } }
  - { id: unlocked, sql: SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 }
",
        )
        .exits(0);
    assert_eq!(ran.output("forgotten")["rows"][0]["n"], 0);
    assert_eq!(ran.output("unlocked")["rows"][0]["n"], 0);
}

#[test]
fn a_role_is_taken_for_one_step_only() {
    let live = Live::new();
    let role = format!("reader_{}", live.database);
    live.psql(&format!("CREATE ROLE {role}"));
    let body = r#"
params: { role: { type: identifier } }
steps:
  - { id: as_role, sql: { query: SELECT current_user AS who, role: "{{ params.role }}" } }
  - { id: after, sql: SELECT current_user AS who }
  - { id: missing, sql: { query: SELECT 1, role: nobody_at_all } }
"#;
    let ran = live.run_with(body, &["--set", &format!("role={role}")]).exits(1);
    assert_eq!(ran.output("as_role")["rows"][0]["who"], role.as_str());
    assert_eq!(ran.output("after")["rows"][0]["who"], "postgres");
    assert!(ran.failure("missing").contains("nobody_at_all"), "{}", ran.failure("missing"));
}

#[test]
fn a_login_is_a_fresh_session_that_must_prove_itself() {
    let login = |live: Live, user: &str, password: &str| {
        let body = r#"
params: { user: { type: string }, word: { type: string, secret: true } }
steps:
  - id: login
    sql:
      query: SELECT session_user AS who
      login: { user: "{{ params.user }}", password: "{{ params.word }}" }
"#;
        live.variable("PGHOST", "127.0.0.1")
            .variable("PGSSLMODE", "prefer")
            .run_with(body, &["--set", &format!("user={user}"), "--set", &format!("word={password}")])
    };
    let ran = login(Live::new(), "scram_user", PASSWORD).exits(0);
    assert_eq!(ran.output("login"), "«secret»", "the output of a step that reads a secret");
    login(Live::new(), "scram_user", "wrong password").exits(1);
    // The server trusts `postgres` here, which proves nothing about the password.
    let trusted = login(Live::new(), "postgres", "any password").exits(1);
    assert!(trusted.failure("login").contains("require_auth"), "{}", trusted.failure("login"));
}

#[test]
fn the_bounds_on_a_statement_and_on_a_lock_are_the_servers() {
    let live = Live::with("CREATE TABLE t (a int)");
    let holder = live.lock("t");
    let ran = live
        .run(
            r"
steps:
  - id: waits
    on_error: continue
    rollback: { none: a trial }
    sql: { query: ALTER TABLE t ADD b int, lock_timeout: 100ms }
  - { id: slow, on_error: continue, sql: { query: SELECT pg_sleep(20), statement_timeout: 100ms } }
  - { id: bound, on_error: continue, timeout: 200ms, sql: SELECT pg_sleep(20) }
",
        )
        .exits(1);
    drop(holder);
    assert_eq!(ran.end("waits")["failure"]["sqlstate"], "55P03");
    assert_eq!(ran.end("slow")["failure"]["sqlstate"], "57014");
    assert_eq!(ran.end("bound")["failure"]["stopped_by"], "timeout");
    assert!(["waits", "slow", "bound"].iter().all(|step| ran.end(step)["failure"]["applied"] == "no"));
}

#[test]
fn the_server_is_given_the_time_left() {
    let ran = Live::new()
        .run("steps:\n  - { id: one, timeout: 7s, sql: SELECT setting::int AS ms FROM pg_settings WHERE name = 'statement_timeout' }\n")
        .exits(0);
    let given = ran.output("one")["rows"][0]["ms"].as_i64().unwrap();
    assert!((5_000..=7_000).contains(&given), "{given}");
}

#[test]
fn what_was_cut_off_is_shown_and_never_used() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: many, show: true, sql: { query: 'SELECT n FROM generate_series(1, 10) n', max_rows: 3 } }
  - { id: counted, assert: steps.many.row_count == 10 and steps.many.truncated }
  - { id: used, assert: (steps.many.rows | length) == 3 }
",
        )
        .exits(1);
    assert_eq!(ran.output("many")["rows"].as_array().unwrap().len(), 3);
    assert_eq!(ran.states(&["counted", "used"]), "succeeded failed");
    assert!(ran.failure("used").contains("cut off"), "{}", ran.failure("used"));
}

#[test]
fn row_and_value_want_one_row() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - { id: two, sql: "SELECT n FROM generate_series(1, 2) n" }
  - { id: none, sql: "SELECT 1 WHERE false" }
  - { id: absent, assert: steps.none.value is none and steps.none.row is none }
  - { id: several, assert: steps.two.value == 1 }
"#,
        )
        .exits(1);
    assert_eq!(ran.states(&["absent", "several"]), "succeeded failed");
    assert!(ran.failure("several").contains("2 rows"), "{}", ran.failure("several"));
}

#[test]
fn an_expected_error_is_success_and_only_that_one() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: expected, sql: { query: SELECT 1 / 0, expect_error: '22012' } }
  - { id: usable, sql: SELECT 1 }
  - { id: none, on_error: continue, sql: { query: SELECT 1, expect_error: '22012' } }
  - { id: other, on_error: continue, sql: { query: SELECT 1 / 0, expect_error: 42P01 } }
",
        )
        .exits(1);
    assert_eq!(ran.states(&["expected", "usable", "none", "other"]), "succeeded succeeded failed failed");
}

#[test]
fn copy_reads_and_writes_files_whole_or_not_at_all() {
    let live = Live::with("CREATE TABLE t (a int, b text)");
    live.sandbox.write("in.csv", "1,one\n2,two\n");
    let body = |overwrite: bool| {
        format!(
            r"
steps:
  - {{ id: load, rollback: {{ none: a trial }}, sql: {{ query: COPY t FROM STDIN (FORMAT csv), stdin_file: in.csv }} }}
  - {{ id: dump, sql: {{ query: COPY t TO STDOUT (FORMAT csv), stdout_file: out.csv, overwrite: {overwrite} }} }}
"
        )
    };
    let ran = live.run(&body(false)).exits(0);
    assert_eq!(ran.output("load")["affected"], 2);
    let file = &ran.output("dump")["file"];
    assert_eq!(file["bytes"], 12);
    let sum = live.sandbox.shell("sha256sum < out.csv").stdout;
    assert!(sum.starts_with(file["sha256"].as_str().unwrap()), "{sum} {file}");
    let refused = live.run(&body(false)).exits(1);
    assert!(refused.failure("dump").contains("exists already"), "{}", refused.failure("dump"));
    assert_eq!(std::fs::read(live.sandbox.directory().join("out.csv")).unwrap().len(), 12);
    live.run(&body(true)).exits(0);
    assert_eq!(std::fs::read(live.sandbox.directory().join("out.csv")).unwrap().len(), 36);
}

#[test]
fn a_copy_that_fails_leaves_no_file_and_no_rows() {
    let live = Live::with("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (0)");
    live.sandbox.write("bad.csv", "1\nnot a number\n");
    let ran = live
        .run(
            r"
steps:
  - { id: dump, on_error: continue, sql: { query: COPY (SELECT 1 / a FROM t ORDER BY a DESC) TO STDOUT, stdout_file: out.txt } }
  - { id: load, on_error: continue, rollback: { none: a trial }, sql: { query: COPY t FROM STDIN (FORMAT csv), stdin_file: bad.csv } }
  - { id: missing, on_error: continue, rollback: { none: a trial }, sql: { query: COPY t FROM STDIN, stdin_file: no.csv } }
",
        )
        .exits(1);
    assert_eq!(ran.states(&["dump", "load", "missing"]), "failed failed failed");
    assert!(ran.failure("load").contains("not a number"), "{}", ran.failure("load"));
    assert!(!live.sandbox.directory().join("out.txt").exists());
    assert!(!live.sandbox.directory().join("out.txt.part").exists());
    assert_eq!(live.psql("SELECT count(*) FROM t"), "2");
}

#[test]
fn warnings_are_data_or_an_error() {
    let says = "CREATE FUNCTION says() RETURNS int LANGUAGE plpgsql AS \
                $$BEGIN RAISE WARNING 'careful'; RAISE NOTICE 'by the way'; RETURN 1; END$$";
    let run = |more: &str| {
        let body = format!("steps:\n  - {{ id: one, effect: read, {more} sql: SELECT says() }}\n");
        Live::with(says).run(&body)
    };
    let ran = run("").exits(0);
    assert_eq!(ran.output("one")["warnings"], json!(["careful"]));
    assert_eq!(ran.output("one")["notices"], json!(["by the way"]));
    assert_eq!(ran.end("one")["warnings"], json!(["careful"]));
    assert_eq!(run("on_warning: ignore,").exits(0).end("one")["warnings"], json!(null));
    let failed = run("on_warning: error,").exits(1);
    assert!(failed.failure("one").contains("careful"), "{}", failed.failure("one"));
}

#[test]
fn a_declared_read_that_writes_is_refused_by_the_server() {
    let live = Live::with(
        "CREATE TABLE t (a int); CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql VOLATILE AS \
         'INSERT INTO t VALUES (1) RETURNING a'",
    );
    let declared = live.run("steps:\n  - { id: one, effect: read, sql: SELECT sneaky() }\n").exits(1);
    assert_eq!(declared.end("one")["failure"]["sqlstate"], "25006");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    let ran =
        live.run("steps:\n  - { id: one, rollback: { none: a trial }, sql: SELECT sneaky() }\n").exits(0);
    assert_eq!(ran.events("step_started", "one").next().unwrap()["effect"], "change");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
}

#[test]
fn the_place_of_a_mistake_is_shown() {
    let ran =
        Live::new().run("steps:\n  - id: one\n    sql: |\n      SELECT 1,\n             nosuch\n").exits(1);
    let failure = ran.failure("one");
    assert!(failure.contains("42703") && failure.contains("line 2:"), "{failure}");
}

#[test]
fn a_statement_on_another_database_closes_our_own_sessions_there() {
    let live = Live::new();
    let other = server().database();
    let body = r#"
params: { other: { type: identifier } }
steps:
  - { id: use, sql: { query: SELECT 1, database: "{{ params.other }}" } }
  - { id: drop, sql: "DROP DATABASE {{ params.other | ident }}" }
"#;
    let ran: Ran = live.run_with(body, &["--set", &format!("other={other}")]);
    ran.exits(0);
}

#[test]
fn a_bare_value_reads_back() {
    assert_eq!(value(&Live::new(), "'a' || 'b'"), "ab");
}
