//! `--only`, `--from` and `--skip`: what runs, what is left out, and what never is.

use crate::support::live::{Live, Ran};

const BODY: &str = r"
steps:
  - { id: look, sql: SELECT count(*) AS n FROM t }
  - { id: guard, assert: 'steps.look.row.n >= 0' }
  - { id: first, sql: INSERT INTO t VALUES (1), rollback: { none: a trial } }
  - id: group
    steps:
      - { id: inner, sql: INSERT INTO t VALUES (2), rollback: { none: a trial } }
      - { id: read, sql: SELECT 2 }
  - { id: last, sql: INSERT INTO t VALUES (3), rollback: { none: a trial } }
  - { id: alone, needs: [], sql: INSERT INTO t VALUES (4), rollback: { none: a trial } }
";

const ALL: &[&str] = &["look", "guard", "first", "group.inner", "group.read", "last", "alone"];

fn live() -> Live {
    Live::with("CREATE TABLE t (a int)")
}

/// The steps that were left out.
fn excluded(ran: &Ran) -> String {
    let left = |step: &&&str| ran.state(step) == "skipped";
    ALL.iter().filter(left).copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn only_runs_the_steps_and_the_reads_and_guards_before_them() {
    let live = live();
    let ran = live.run_with(BODY, &["--only", "last"]).exits(0);
    assert_eq!(excluded(&ran), "first group.inner alone");
    assert_eq!(live.psql("SELECT string_agg(a::text, ',') FROM t"), "3");
    assert!(ran.stderr.contains("runs: look, guard, group.read, last\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("excluded: first, group.inner, alone\n"), "{}", ran.stderr);
    let ran = live.run_with(BODY, &["--only", "group,alone"]).exits(0);
    assert_eq!(excluded(&ran), "first last");
    let ran = live.run_with(BODY, &["--only", "alone"]).exits(0);
    assert_eq!(excluded(&ran), "look guard first group.inner group.read last");
}

#[test]
fn from_runs_a_step_and_what_comes_after_it() {
    let live = live();
    let ran = live.run_with(BODY, &["--from", "group"]).exits(0);
    assert_eq!(excluded(&ran), "first alone");
    let ran = live.run_with(BODY, &["--from", "first", "--skip", "group"]).exits(0);
    assert_eq!(excluded(&ran), "group.inner group.read alone");
}

#[test]
fn a_plan_leaves_out_the_same() {
    let live = live();
    let (planned, plan) = live.plan(BODY, &["--only", "last"]);
    assert_eq!(planned.exit, Some(0), "{planned:?}");
    let steps = plan["steps"].as_array().unwrap().iter();
    let skipped = steps.filter(|step| step["knowledge"]["know"] == "skipped");
    let skipped: Vec<_> = skipped.map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["first", "group.inner", "alone"]);
}

#[test]
fn guards_and_names_are_looked_at_first() {
    let live = live();
    let refused = |arguments: &[&str], words: &str| {
        let ran = live.run_with(BODY, arguments).exits(2);
        assert!(ran.said().contains(words), "{words}: {}", ran.said());
    };
    refused(&["--skip", "guard"], "excluding it needs a reason");
    refused(&["--only", "lst"], "Did you mean `last`?");
    live.run_with(BODY, &["--skip", "guard", "--reason", "a trial"]).exits(0);
    let guarded =
        "steps:\n  - { id: g, steps: [{ id: sure, assert: 'true' }, { id: read, sql: SELECT 1 }] }\n";
    let ran = live.run_with(guarded, &["--skip", "g", "--reason", "a trial"]).exits(2);
    assert!(ran.said().contains("`g.sure` in `g` is a guard"), "{}", ran.said());
}

#[test]
fn what_was_left_out_stays_out_when_the_run_goes_on() {
    let live = Live::with("CREATE TABLE t (a int); CREATE TABLE l (a int)");
    let body = "defaults: { on_failure: stop }\n".to_owned()
        + &BODY.replace("INSERT INTO t VALUES (3)", "INSERT INTO l VALUES (3)");
    let holder = live.lock("l");
    let mut running = live.start(&body, &["--only", "last"]);
    running.wait_for("step_started", "last");
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    drop(holder);
    let ran = live.resume(&[]).exits(0);
    assert_eq!(ran.order(), ["last"]);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "0");
}
