//! Second attempts, waiting for something to hold, timeouts, side checks, and asking whether it took effect.

use tokio::time::Instant;

use crate::support::live::Live;

/// A sequence is not undone with the transaction that fails, so it counts attempts.
const COUNTER: &str = "CREATE SEQUENCE tries; CREATE TABLE t (a int)";

#[test]
fn a_failure_that_left_nothing_is_attempted_again_with_growing_pauses() {
    let began = Instant::now();
    let ran = Live::with(COUNTER)
        .run(
            r"
steps:
  - id: third
    rollback: { none: a trial }
    retry: { attempts: 5, delay: 100ms, backoff: exponential, max_delay: 10s }
    sql: INSERT INTO t SELECT 1 / (CASE WHEN nextval('tries') < 3 THEN 0 ELSE 1 END)
",
        )
        .exits(0);
    assert_eq!(ran.events("attempt_failed", "third").count(), 2);
    let pauses: Vec<f64> =
        ran.events("attempt_failed", "third").map(|event| event["retry_in"].as_f64().unwrap()).collect();
    assert!(pauses[1] > pauses[0], "{pauses:?}");
    assert!(began.elapsed().as_secs_f64() > pauses.iter().sum());
    let attempts: Vec<_> =
        ran.events("step_started", "third").map(|event| event["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn attempts_run_out_and_a_condition_ends_them_early() {
    let run = |when: &str| {
        let body = format!(
            "
steps:
  - id: bad
    retry: {{ attempts: 3, delay: 10ms{when} }}
    sql: SELECT 1 / 0
"
        );
        let ran = Live::new().run(&body).exits(1);
        ran.events("step_started", "bad").count()
    };
    assert_eq!(run(""), 3);
    assert_eq!(run(", when: this.error.sqlstate == '40001'"), 1);
    assert_eq!(run(", when: this.error.sqlstate == '22012' and this.attempt < 2"), 2);
}

#[test]
fn a_failure_that_left_something_is_repeated_only_when_that_is_harmless() {
    let attempts = |more: &str| {
        let live = Live::with(COUNTER);
        let body = format!(
            "
steps:
  - id: partly
    rollback: {{ none: a trial }}
    retry: {{ attempts: 3, delay: 10ms }}
    {more}
    sql:
      transaction: never
      query: |
        INSERT INTO t VALUES (1);
        SELECT 1 / 0;
"
        );
        let ran = live.run(&body).exits(1);
        (ran.events("step_started", "partly").count(), live.psql("SELECT count(*) FROM t"))
    };
    assert_eq!(attempts(""), (1, "1".to_owned()));
    assert_eq!(attempts("idempotent: true"), (3, "3".to_owned()));
}

#[test]
fn every_attempt_uses_the_same_input() {
    let ran = Live::with(COUNTER)
        .run(
            r#"
steps:
  - id: second
    effect: change
    rollback: { none: a trial }
    retry: { attempts: 3, delay: 50ms }
    sql: "SELECT {{ now() }} AS at, 1 / (nextval('tries') - 1)"
"#,
        )
        .exits(0);
    let inputs: Vec<_> = ran.events("step_started", "second").map(|event| event["input"].clone()).collect();
    assert_eq!(inputs.len(), 2);
    assert_eq!(inputs[0], inputs[1]);
}

#[test]
fn until_polls_in_transactions_of_its_own_until_it_holds() {
    let live = Live::with("CREATE TABLE t (a int)");
    let mut running = live.start(
        r"
steps:
  - id: wait
    until: { that: this.value > 0, every: 100ms, timeout: 10s, hold: 200ms }
    sql: SELECT count(*) AS n FROM t
  - { id: after, assert: steps.wait.value == 1 }
",
        &[],
    );
    running.wait_for("progressed", "wait");
    live.psql("INSERT INTO t VALUES (1)");
    let ran = running.finish().exits(0);
    assert_eq!(ran.states(&["wait", "after"]), "succeeded succeeded");
}

#[test]
fn until_gives_up_in_time_and_may_go_on() {
    let run = |on_timeout: &str| {
        let body = format!(
            "
steps:
  - id: wait
    until: {{ that: this.value > 0, every: 5s, timeout: 400ms{on_timeout} }}
    sql: SELECT 0 AS n
  - {{ id: after, sql: SELECT 1 }}
"
        );
        let began = Instant::now();
        let ran = Live::new().run(&body);
        let seconds = began.elapsed().as_secs_f64();
        assert!((0.4..4.0).contains(&seconds), "the time is used, and no more: {seconds}");
        ran
    };
    let failed = run("").exits(1);
    assert!(failed.failure("wait").contains("did not come to hold"), "{}", failed.failure("wait"));
    let went_on = run(", on_timeout: continue").exits(0);
    assert_eq!(went_on.states(&["wait", "after"]), "succeeded succeeded");
    assert_eq!(went_on.end("wait")["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_poll_that_hangs_does_not_outlast_the_wait() {
    let live = Live::with("CREATE TABLE t (a int)");
    let holder = live.lock("t");
    let began = Instant::now();
    live.run(
        "steps:\n  - { id: wait, until: { that: this.value > 0, every: 1s, timeout: 500ms }, sql: SELECT count(*) FROM t }\n",
    )
    .exits(1);
    assert!(began.elapsed().as_secs_f64() < 8.0);
    drop(holder);
}

#[test]
fn a_timeout_cancels_on_the_server() {
    let live = Live::new();
    let ran = live.run("steps:\n  - { id: slow, timeout: 300ms, sql: SELECT pg_sleep(30) }\n").exits(1);
    assert_eq!(ran.end("slow")["failure"]["stopped_by"], "timeout");
    assert_eq!(ran.end("slow")["failure"]["applied"], "no");
    let left = live.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND datname = current_database() AND pid <> pg_backend_pid()");
    assert_eq!(left, "0");
}

#[test]
fn a_lock_wait_counts_towards_the_timeout() {
    let live = Live::with("CREATE TABLE t (a int)");
    let holder = live.lock("t");
    let ran = live
        .run("steps:\n  - { id: waits, timeout: 300ms, rollback: { none: a trial }, sql: INSERT INTO t VALUES (1) }\n")
        .exits(1);
    drop(holder);
    assert_eq!(ran.end("waits")["failure"]["applied"], "no");
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_breached_side_check_cancels_the_step() {
    let live = Live::with("CREATE TABLE t (a int)");
    let mut running = live.start(
        r"
steps:
  - id: slow
    rollback: { none: a trial }
    abort_when: { every: 100ms, sql: SELECT count(*) AS n FROM t, that: this.value > 0 }
    sql: CREATE TABLE u AS SELECT 1 AS a FROM pg_sleep(30)
",
        &[],
    );
    running.wait_for("step_started", "slow");
    live.psql("INSERT INTO t VALUES (1)");
    let ran = running.finish().exits(1);
    assert!(ran.failure("slow").contains("was breached"), "{}", ran.failure("slow"));
    assert_eq!(ran.end("slow")["failure"]["stopped_by"], "abort_when");
    assert_eq!(live.psql("SELECT to_regclass('u') IS NULL"), "t");
}

#[test]
fn a_side_check_that_cannot_be_asked_is_told_and_does_not_stop_the_step() {
    let ran = Live::new()
        .run(
            r"
steps:
  - id: slow
    abort_when: { every: 50ms, sql: SELECT 1 AS n FROM nowhere, that: this.value > 0 }
    sql: SELECT pg_sleep(0.4)
",
        )
        .exits(0);
    assert!(ran.stdout.contains("cannot be asked"), "{}", ran.stdout);
}

#[test]
fn a_failure_that_took_effect_after_all_is_success() {
    let live = Live::with(COUNTER);
    live.run(
        r"
steps:
  - id: done
    idempotent: true
    rollback: { none: a trial }
    retry: { attempts: 3, delay: 10ms }
    verify: { sql: SELECT count(*) AS n FROM t, that: this.value > 0 }
    sql:
      transaction: never
      query: |
        INSERT INTO t VALUES (1);
        SELECT 1 / 0;
",
    )
    .exits(0);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
}
