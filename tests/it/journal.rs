//! The journal of real runs: what is on disk before an effect, and what is left of a run that was killed.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::live::{Live, files_below};

/// The events in the only journal.
fn journal(live: &Live) -> Vec<Value> {
    let files = files_below(live.sandbox.state());
    let file = files
        .iter()
        .find(|path| path.extension().is_some_and(|e| e == "ndjson"))
        .unwrap_or_else(|| panic!("{files:?}"));
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const WAITS: &str = r"
steps:
  - { id: first, sql: SELECT 1 }
  - { id: waits, rollback: { none: a trial }, sql: INSERT INTO t VALUES (1) }
  - { id: after, sql: SELECT 1 }
finally:
  - { id: last, sql: SELECT 2 }
";

#[test]
fn what_is_on_the_screen_is_in_the_journal_numbered_without_gaps() {
    let live = Live::with("CREATE TABLE t (a int)");
    let ran = live.run(WAITS).exits(0);
    let numbers: Vec<u64> = ran.events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let text = live.journals();
    for event in &ran.events {
        assert!(text.contains(event["at"].as_str().unwrap()), "{event}");
    }
    let report = live.sandbox.run_args(&["report", "last"]);
    assert_eq!(report.exit, Some(0), "{}", report.stderr);
    assert!(report.stdout.contains("waits"), "{}", report.stdout);
}

#[test]
fn a_killed_run_has_its_intent_on_disk_and_can_be_read() {
    let live = Live::with("CREATE TABLE t (a int)");
    let holder = live.lock("t");
    let mut running = live.start(WAITS, &[]);
    running.wait_for("step_started", "waits");
    running.signal(Signal::KILL);
    let ran = running.finish();
    assert_eq!(ran.exit, None);
    assert!(!journal(&live).is_empty());
    assert!(live.journals().contains("INSERT INTO t VALUES (1)"));
    let runs = live.sandbox.run_args(&["runs", "--output", "json"]);
    let runs: Value = serde_json::from_str(&runs.stdout).unwrap();
    assert_eq!((&runs[0]["runbook"], &runs[0]["state"]), (&"trial".into(), &"interrupted".into()), "{runs}");
    let report = live.sandbox.run_args(&["report", "last"]);
    assert_eq!(report.exit, Some(0), "{}", report.stderr);
    assert!(report.stdout.contains("waits"), "{}", report.stdout);
    drop(holder);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}

#[test]
fn an_interrupt_cancels_on_the_server_and_leaves_a_run_that_goes_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let live = Live::with("CREATE TABLE t (a int)");
        let holder = live.lock("t");
        let mut running = live.start(WAITS, &[]);
        running.wait_for("step_started", "waits");
        live.wait_for(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event_type = 'Lock')",
        );
        running.signal(signal);
        let ran = running.finish().exits(130);
        assert_eq!(ran.states(&["first", "waits", "after"]), "succeeded failed cancelled");
        // The run is not over, so its `finally` has not run.
        assert_eq!(ran.events.last().unwrap()["event"], "run_paused");
        assert_eq!(ran.events("step_started", "last").count(), 0);
        assert_eq!(ran.end("waits")["failure"]["applied"], "no");
        assert_eq!(
            journal(&live).len(),
            ran.events.iter().filter(|e| e["event"] != "progressed" && e["event"] != "blocked").count()
        );
        drop(holder);
        assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
        let ran = live.resume(&[]).exits(0);
        assert_eq!(ran.states(&["waits", "after", "last"]), "succeeded succeeded succeeded");
        assert_eq!(ran.events("step_started", "first").count(), 0);
        assert_eq!(live.psql("SELECT count(*) FROM t"), "1");
    }
}

#[test]
fn when_the_journal_cannot_be_written_no_new_step_starts() {
    let live = Live::with("CREATE TABLE t (a int)");
    live.write(
        "trial",
        r#"
steps:
  - { id: big, sql: "SELECT repeat('x', 100000) AS x" }
  - { id: change, rollback: { none: a trial }, sql: INSERT INTO t VALUES (1) }
"#,
    );
    // A file may not grow beyond 16 kB here, as on a full disk.
    let output = live.sandbox.shell("trap '' XFSZ; ulimit -f 32; \"$RUNBOOK\" run ./trial.yaml");
    assert_eq!(output.exit, Some(1), "{output:?}");
    assert!(output.stderr.contains("journal"), "{}", output.stderr);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}
