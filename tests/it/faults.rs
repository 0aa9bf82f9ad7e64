//! What goes wrong outside: servers that refuse, connections that die at every moment, readers that leave.

use crate::support::live::Live;
use crate::support::postgres::server;

/// Ends the program's sessions whose statement matches.
fn terminate(live: &Live, pattern: &str) {
    live.wait_for(&format!(
        "SELECT (SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND query LIKE '{pattern}' AND pid <> pg_backend_pid())"
    ));
}

#[test]
fn a_server_that_refuses_is_named_and_nothing_starts() {
    let live = Live::new().variable("PGHOST", "127.0.0.1").variable("PGPORT", "1");
    let ran = live.run("steps:\n  - { id: one, sql: SELECT 1 }\n").exits(1);
    assert!(ran.events.is_empty());
    assert!(ran.stdout.contains("127.0.0.1") && ran.stdout.contains('1'), "{}", ran.stdout);
}

#[test]
fn a_database_or_a_role_that_is_not_there_is_named() {
    let refused = |name: &str, value: &str| {
        let ran = Live::new().variable(name, value).run("steps:\n  - { id: one, sql: SELECT 1 }\n").exits(1);
        assert!(ran.stdout.contains(value), "{}", ran.stdout);
    };
    refused("PGDATABASE", "no_such_database");
    refused("PGUSER", "no_such_role");
}

#[test]
fn a_connection_lost_while_reading_is_a_failure_that_is_retried() {
    let live = Live::with("CREATE SEQUENCE tries");
    let body = r"
steps:
  - id: read
    retry: { attempts: 2, delay: 10ms }
    sql: SELECT pg_sleep(CASE WHEN (SELECT count(*) FROM done) = 0 THEN 30 ELSE 0 END) AS marker
";
    live.psql("CREATE TABLE done (a int)");
    let running = live.start(body, &[]);
    live.wait_for(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND query LIKE '%marker%' AND pid <> pg_backend_pid())",
    );
    live.psql("INSERT INTO done VALUES (1)");
    terminate(&live, "%marker%");
    let ran = running.finish().exits(0);
    let failed = ran.events("attempt_failed", "read").next().unwrap();
    assert_eq!(failed["failure"]["applied"], "no", "{failed}");
}

#[test]
fn a_connection_lost_during_a_change_outside_a_transaction_is_uncertain() {
    let live = Live::with("CREATE PROCEDURE slow() LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); END'");
    let running = live.start(
        "steps:\n  - { id: change, rollback: { none: a trial }, sql: CALL slow() }\n  - { id: after, sql: SELECT 1 }\n",
        &[],
    );
    terminate(&live, "CALL slow%");
    let ran = running.finish().exits(4);
    assert_eq!(ran.states(&["change", "after"]), "uncertain cancelled");
    assert_eq!(ran.end("change")["failure"]["applied"], "unknown");
}

#[test]
fn verify_settles_what_is_uncertain() {
    let settled = |that: &str| {
        let live =
            Live::with("CREATE PROCEDURE slow() LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); END'");
        let running = live.start(
            &format!(
                "steps:\n  - id: change\n    rollback: {{ none: a trial }}\n    verify: {{ sql: SELECT 1 AS n, that: {that} }}\n    sql: CALL slow()\n"
            ),
            &[],
        );
        terminate(&live, "CALL slow%");
        running.finish()
    };
    assert_eq!(settled("this.value == 1").exits(0).state("change"), "succeeded");
    let not_done = settled("this.value == 2").exits(1);
    assert_eq!(not_done.end("change")["failure"]["applied"], "no");
}

#[test]
fn a_connection_lost_before_commit_has_applied_nothing() {
    let live = Live::with("CREATE TABLE t (a int)");
    let running = live.start(
        "steps:\n  - { id: change, rollback: { none: a trial }, sql: INSERT INTO t SELECT 1 FROM pg_sleep(30) }\n",
        &[],
    );
    terminate(&live, "INSERT INTO t%");
    let ran = running.finish().exits(1);
    assert_eq!(ran.end("change")["failure"]["applied"], "no");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_session_that_died_while_idle_is_replaced() {
    let live = Live::new();
    let running = live.start(
        r"
steps:
  - { id: first, sql: SELECT 1 }
  - { id: pause, rollback: { none: a trial }, exec: { command: [sleep, '1'] } }
  - { id: second, sql: SELECT 2 }
",
        &[],
    );
    live.wait_for(
        "SELECT (SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'idle' AND application_name LIKE 'runbook:%first' AND pid <> pg_backend_pid())",
    );
    running.finish().exits(0);
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_run() {
    let live = Live::with("CREATE TABLE t (a int)");
    live.write(
        "trial",
        "steps:\n  - { id: wait, sql: SELECT pg_sleep(0.3) }\n  - { id: change, rollback: { none: a trial }, sql: INSERT INTO t VALUES (1) }\n",
    );
    let output = live.sandbox.shell(
        "{ \"$RUNBOOK\" run ./trial.yaml --output json 2>/dev/null; echo $? > exit; } | head -n 1 > /dev/null; cat exit",
    );
    assert_eq!(output.stdout.trim(), "0", "{output:?}");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
}

#[test]
fn demands_on_the_target_are_checked_before_anything_starts() {
    let check = |need: &str, hint: &str| {
        let body = format!(
            "connections: {{ db: {{ postgres: {need} }} }}\nsteps:\n  - {{ id: one, sql: SELECT 1 }}\n"
        );
        let ran = Live::new().run(&body).exits(1);
        assert!(ran.events.is_empty() && ran.stdout.contains(hint), "{need}: {}", ran.stdout);
    };
    check("{ version: \">=99\" }", "99");
    check("{ extensions: [no_such_extension] }", "no_such_extension");
    check("{ primary: false }", "a primary");
    let fits = "connections: { db: { postgres: { version: \">=12\", primary: true } } }\nsteps:\n  - { id: one, sql: SELECT 1 }\n";
    Live::new().run(fits).exits(0);
}

#[test]
fn another_target_than_expected_is_drift() {
    let live = Live::new();
    let config = |database: &str| {
        let server = server();
        live.sandbox.write(
            "runbook.yaml",
            &format!(
                "environments:\n  here:\n    connections:\n      db: {{ postgres: {{ dsn: \"host={} port={} user=postgres dbname={}\", expect: {{ database: {database} }} }} }}\n",
                server.directory.display(),
                server.port,
                live.database
            ),
        );
    };
    let body = "steps:\n  - { id: one, sql: SELECT 1 }\n";
    config(&live.database);
    live.run_with(body, &["--env", "here"]).exits(0);
    config("another");
    let ran = live.run_with(body, &["--env", "here"]).exits(6);
    assert!(ran.events.is_empty());
}
