//! Runs that go on in another process: what is kept, what runs again, what is refused.

use rustix::process::Signal;

use crate::support::live::Live;
use crate::support::postgres::server;

const BODY: &str = r"
vars: { when: '{{ now() }}' }
params: { secret: { type: string, secret: true, default: correct horse battery } }
steps:
  - id: first
    sql: { query: 'SELECT count(*) AS n, $1 AS w FROM t', args: ['{{ vars.when }}'] }
  - id: each
    for_each: '[1, 2]'
    sql: 'INSERT INTO t VALUES ({{ item }})'
    rollback: [{ id: back, sql: 'DELETE FROM t WHERE a = {{ item }}' }]
  - id: waits
    sql: 'INSERT INTO l VALUES ({{ steps.first.row.n }})'
    rollback: [{ id: back, sql: DELETE FROM l }]
  - id: after
    sql: { query: 'SELECT $1 AS same, $2 AS secret', args: ['{{ vars.when }}', '{{ params.secret }}'] }
finally:
  - { id: last, sql: SELECT 2 }
";

/// A run that was killed while it waited for a lock.
fn killed() -> Live {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE l (a int)");
    let holder = live.lock("l");
    let mut running = live.start(BODY, &[]);
    running.wait_for("step_started", "waits");
    live.wait_for(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
    );
    running.signal(Signal::KILL);
    assert_eq!(running.finish().exit, None);
    drop(holder);
    live
}

#[test]
fn a_killed_run_goes_on_and_nothing_runs_twice() {
    let live = killed();
    let ran = live.resume(&[]).exits(0);
    assert_eq!(ran.order(), ["waits", "after", "last"]);
    assert_eq!(live.psql("SELECT string_agg(a::text, ',') FROM t"), "1,2");
    assert_eq!(live.psql("SELECT string_agg(a::text, ',') FROM l"), "0");
    let again = live.sandbox.run_args(&["resume", "last"]);
    assert_eq!(again.exit, Some(2), "{again:?}");
    assert!(again.stderr.contains("is over: succeeded"), "{}", again.stderr);
}

#[test]
fn a_killed_run_can_be_rolled_back() {
    let live = killed();
    let ran = live.rollback(&[]).exits(3);
    // What was in flight was never committed, so there is nothing of it to undo.
    assert_eq!(ran.order(), ["each.rollback.back", "each.rollback.back", "last"]);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
    assert_eq!(live.psql("SELECT count(*) FROM l"), "0");
}

#[test]
fn an_uncertain_commit_is_settled_by_the_server() {
    // The deferred trigger keeps COMMIT busy until somebody ends its backend, before or after it counts.
    let live = Live::with(
        "CREATE TABLE t (a int); \
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let mut running = live.start(
        "steps:\n  - { id: change, sql: INSERT INTO t VALUES (1), rollback: [{ id: back, sql: DELETE FROM t }] }\n",
        &[],
    );
    running.wait_for("step_traced", "change");
    live.wait_for(
        "SELECT (SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND query = 'COMMIT')",
    );
    let ran = running.finish().exits(1);
    assert_eq!(ran.end("change")["failure"]["applied"], "no", "{}", ran.stdout);
    assert!(ran.stdout.contains("the other side says so"), "{}", ran.stdout);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_changed_file_is_named_and_adopted_only_where_nothing_begun_differs() {
    let live = killed();
    let other = BODY.replace("id: after", "id: later");
    live.write("trial", &other.replace("INSERT INTO l", "INSERT INTO  l"));
    let refused = live.sandbox.run_args(&["resume", "last", "--adopt"]);
    assert_eq!(refused.exit, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`waits` has begun"), "{}", refused.stderr);
    live.write("trial", &other);
    let ran = live.resume(&["--adopt"]).exits(0);
    assert_eq!(ran.order(), ["waits", "later", "last"]);

    let live = killed();
    live.write("trial", &other);
    let ran = live.resume(&[]).exits(0);
    assert!(ran.stderr.contains("has changed since"), "{}", ran.stderr);
    assert_eq!(ran.order(), ["waits", "after", "last"]);
}

#[test]
fn secrets_survive_in_the_seal_until_the_run_is_over() {
    let live = killed();
    assert!(!live.journals_without_seal().contains("correct horse"));
    let seal = live.seal().expect("a seal");
    assert!(std::fs::read_to_string(&seal).unwrap().contains("correct horse"));
    live.resume(&[]).exits(0);
    assert!(!seal.exists());
    // Without its seal a run stops at the first step that needs what was in it.
    let live = killed();
    std::fs::remove_file(live.seal().unwrap()).unwrap();
    let ran = live.resume(&[]);
    assert_eq!(ran.state("waits"), "succeeded");
    assert_eq!(ran.state("after"), "failed");
    assert!(ran.failure("after").contains("secret"), "{}", ran.failure("after"));
}

#[test]
fn a_failed_step_that_left_something_is_tried_again_only_on_request() {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE u (a int)");
    let body = r"
defaults: { on_failure: stop }
steps:
  - id: part
    sql: { query: 'INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)', transaction: never }
    rollback: { none: a trial }
  - { id: after, sql: SELECT 1 }
";
    let interrupted = |live: &Live| {
        let holder = live.lock("u");
        let mut running = live.start(body, &[]);
        running.wait_for("step_started", "part");
        live.wait_for(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
        );
        running.signal(Signal::TERM);
        let ran = running.finish().exits(130);
        assert_eq!(ran.end("part")["failure"]["applied"], "partly");
        drop(holder);
    };
    interrupted(&live);
    let ran = live.resume(&[]).exits(1);
    assert_eq!(ran.order(), Vec::<&str>::new());
    assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
    interrupted(&live);
    live.resume(&["--retry", "part"]).exits(0);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "3");
}

#[test]
fn a_run_goes_on_only_where_it_began() {
    let live = killed();
    let other = server().database();
    let elsewhere = Live { sandbox: live.sandbox.with("PGDATABASE", &other), database: other };
    let refused = elsewhere.sandbox.run_args(&["resume", "last"]);
    assert_eq!(refused.exit, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("another target"), "{}", refused.stderr);
}

#[test]
fn a_run_at_work_is_left_alone() {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE l (a int)");
    let holder = live.lock("l");
    let mut running = live.start(BODY, &[]);
    running.wait_for("step_started", "waits");
    let refused = live.sandbox.run_args(&["resume", "last"]);
    assert_eq!(refused.exit, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("at work in another process"), "{}", refused.stderr);
    drop(holder);
    running.finish().exits(0);
}

/// The same without what takes another time in every run.
fn untimed(mut value: serde_json::Value) -> serde_json::Value {
    const TIMES: [&str; 5] = ["seconds", "started_at", "finished_at", "attempts", "statements"];
    match &mut value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| !TIMES.contains(&name.as_str()));
            fields.values_mut().for_each(|field| *field = untimed(field.take()));
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| *item = untimed(item.take())),
        _ => {}
    }
    value
}

/// What a run came to: the state and the output of every step, and its outputs.
fn end_state(live: &Live) -> serde_json::Value {
    let report = live.sandbox.run_args(&["report", "last", "--format", "json"]);
    let report: serde_json::Value =
        serde_json::from_str(&report.stdout).unwrap_or_else(|_| panic!("{report:?}"));
    let steps: Vec<_> =
        report["steps"].as_array().unwrap().iter().map(|step| untimed(step.clone())).collect();
    serde_json::json!([report["outcome"], report["outputs"], steps])
}

#[test]
fn any_prefix_of_a_journal_resumes_to_the_same_end() {
    let live = Live::with("CREATE TABLE t AS SELECT generate_series(1, 3) AS a");
    let body = r"
vars: { half: '{{ steps.look.rows | length // 2 }}' }
steps:
  - { id: look, sql: SELECT a FROM t ORDER BY a }
  - parallel:
      - { id: each, for_each: 'steps.look.rows', key: item.a, sql: 'SELECT {{ item.a }} * 2 AS twice' }
      - { id: never, when: steps.look.row_count == 0, sql: SELECT 0 AS nothing }
  - id: group
    steps:
      - { id: in, sql: 'SELECT {{ vars.half }} + {{ steps.each.count.succeeded }} AS sum' }
      - { id: holds, assert: steps.in.value == 4 }
  - { id: warns, assert: { that: steps.group.in.value == 5, level: warn, message: not five } }
finally:
  - { id: last, sql: 'SELECT {{ steps.group.in.value }} AS sum' }
outputs:
  sum: steps.group.in.value
";
    let body = body.replace(
        "for_each: 'steps.look.rows', key: item.a",
        "for_each: { in: steps.look.rows, key: item.a }",
    );
    live.run(&body).exits(0);
    let whole = end_state(&live);
    let files = crate::support::live::files_below(live.sandbox.state());
    let journal = files.iter().find(|path| path.ends_with("journal.ndjson")).unwrap();
    let lines: Vec<String> =
        std::fs::read_to_string(journal).unwrap().lines().map(|line| format!("{line}\n")).collect();
    assert!(lines.len() > 20, "{lines:?}");
    for length in 1..lines.len() {
        std::fs::write(journal, lines[..length].concat()).unwrap();
        std::fs::write(journal.with_file_name("head"), "").unwrap();
        let ran = live.resume(&[]).exits(0);
        assert_eq!(end_state(&live), whole, "after {length} lines: {}", ran.stdout);
    }
}
