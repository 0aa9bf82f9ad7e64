//! Scripted runs, as a person would see them.

use serde_json::json;

use super::*;
use crate::event::{PinnedConnection, PinnedOptions, PinnedStep};
use crate::model::{Applied, Redactor, RunOutcome, StoppedBy};
use crate::ui::out::capture::{Broken, Captured, out};

fn id() -> RunId {
    RunId::parse("20261122-030000-abcd").unwrap()
}

fn event(kind: EventKind) -> Event {
    Event { seq: 1, at: "2026-11-22T03:00:00Z".parse().unwrap(), run: id(), kind }
}

fn pinned(id: &str, kind: &str, title: &str, effect: Effect) -> PinnedStep {
    let show = id == "biggest";
    PinnedStep {
        id: StepId::new(id),
        kind: kind.to_owned(),
        title: title.to_owned(),
        effect,
        needs: vec![],
        show,
    }
}

fn run_started() -> EventKind {
    let connection = PinnedConnection {
        name: "db".to_owned(),
        kind: "postgres".to_owned(),
        target: "wms_db at db1.example.com:5432 as maintenance".to_owned(),
        identity: Value::Null,
    };
    EventKind::RunStarted(Box::new(RunStarted {
        version: 1,
        program: "0.1.0".to_owned(),
        runbook: "weekly_vacuum".to_owned(),
        title: "Weekly vacuum".to_owned(),
        environment: Some("production".to_owned()),
        operator: "alice@bastion".to_owned(),
        reason: Some("ticket 4711".to_owned()),
        documents: vec![],
        parameters: Map::new(),
        connections: vec![connection],
        steps: vec![
            pinned("enough_space", "assert", "The data volume has room", Effect::Read),
            pinned("biggest", "sql", "The biggest tables", Effect::Read),
            pinned("go", "confirm", "Ask before the vacuum", Effect::Read),
            pinned("vacuum", "sql", "Vacuum each of them", Effect::Change),
            pinned("reindex", "sql", "Rebuild the primary key of orders", Effect::Disrupt),
            pinned("notify", "exec", "", Effect::Change),
        ],
        options: PinnedOptions::default(),
    }))
}

fn step(id: &str) -> Place {
    Place::step(&StepId::new(id))
}

fn child(id: &str, key: &str) -> Place {
    Place::child(&StepId::new(id), key)
}

fn started(at: &Place, attempt: u32, effect: Effect) -> EventKind {
    EventKind::StepStarted { at: at.clone(), attempt, effect, input: Value::Null, before: Value::Null }
}

fn done(at: &Place, output: Value, seconds: f64) -> EventKind {
    let (state, at) = (StepState::Succeeded, at.clone());
    EventKind::StepFinished { at, state, output, failure: None, warnings: vec![], seconds }
}

fn failed(at: &Place, failure: Failure, seconds: f64) -> EventKind {
    let (state, at) = (StepState::Failed, at.clone());
    EventKind::StepFinished {
        at,
        state,
        output: Value::Null,
        failure: Some(failure),
        warnings: vec![],
        seconds,
    }
}

fn lock_timeout() -> Failure {
    Failure {
        sqlstate: Some("55P03".to_owned()),
        details: vec![
            "while waiting for ShareUpdateExclusiveLock on relation 16402 of database 16384".to_owned(),
        ],
        ..Failure::new("canceling statement due to lock timeout")
    }
    .help("End the session that holds the lock, or raise `lock_timeout`.")
    .applied(Applied::Partly)
    .stopped_by(StoppedBy::Timeout)
}

fn a_night() -> Vec<EventKind> {
    let statement = |verb| json!({ "rows": [], "row_count": 0, "columns": [], "statements": [{ "verb": verb, "affected": 0 }] });
    let items = ["orders", "stock"].map(|key| Item { key: key.to_owned(), item: key.into() });
    let (orders, stock) = (child("vacuum", "orders"), child("vacuum", "stock"));
    let rows = json!([{ "name": "orders", "mib": 812 }, { "name": "stock", "mib": 64 }]);
    let counts = json!({ "each": [], "count": { "succeeded": 2, "failed": 0, "skipped": 0 } });
    vec![
        run_started(),
        started(&step("enough_space"), 1, Effect::Read),
        done(&step("enough_space"), json!({ "passed": true, "message": "12 GiB are free" }), 0.04),
        started(&step("biggest"), 1, Effect::Read),
        done(&step("biggest"), json!({ "rows": rows, "row_count": 2, "columns": ["name", "mib"] }), 0.4),
        done(&step("go"), json!({ "answer": true, "by": "alice", "at": "2026-11-22T03:01:00Z" }), 0.0),
        EventKind::ItemsListed { at: Place::step(&StepId::new("vacuum")), items: items.to_vec() },
        started(&orders, 1, Effect::Change),
        EventKind::Progressed {
            at: orders.clone(),
            phase: "scanning heap".to_owned(),
            percent: Some(42.0),
            detail: None,
        },
        done(&orders, statement("VACUUM"), 65.2),
        started(&stock, 1, Effect::Change),
        EventKind::StepFinished {
            at: stock,
            state: StepState::Succeeded,
            output: statement("VACUUM"),
            failure: None,
            warnings: vec![
                "skipping \"stock_archive\" --- only table or database owner can vacuum it".to_owned(),
            ],
            seconds: 3.0,
        },
        done(&step("vacuum"), counts, 68.3),
        started(&step("reindex"), 1, Effect::Disrupt),
        EventKind::Blocked {
            at: step("reindex"),
            blockers: vec!["pid 4711 wms-batch, idle in transaction 3m: UPDATE orders".to_owned()],
        },
        EventKind::AttemptFailed { at: step("reindex"), attempt: 1, failure: lock_timeout(), retry_in: 5.0 },
        started(&step("reindex"), 2, Effect::Disrupt),
        failed(&step("reindex"), lock_timeout(), 15.3),
        EventKind::StepSkipped {
            at: step("notify"),
            reason: SkipReason::When { expression: "params.notify".to_owned() },
        },
        EventKind::Remarked {
            message: "the progress session was given up: few connections are left".to_owned(),
        },
        EventKind::RunFinished {
            outcome: RunOutcome::Failed,
            exit_code: 1,
            outputs: Map::new(),
            seconds: 190.0,
        },
    ]
}

/// What a scripted run writes to stdout and stderr.
fn play(style: Style, events: Vec<EventKind>) -> (String, String) {
    let (out, stdout, stderr) = out(&Redactor::new());
    let mut terminal = Terminal::new(out, style);
    for kind in events {
        terminal.take(&event(kind)).unwrap();
    }
    drop(terminal);
    (stdout.text(), stderr.text())
}

#[test]
fn a_run_in_plain_lines() {
    let (stdout, stderr) = play(Style::plain(), a_night());
    assert!(stdout.starts_with("biggest: The biggest tables\n") && stdout.contains("orders"), "{stdout}");
    assert!(!stdout.contains("vacuum"), "only results are data: {stdout}");
    insta::assert_snapshot!(stderr, @r#"
    Weekly vacuum (weekly_vacuum)
      environment  production
      target       db = wms_db at db1.example.com:5432 as maintenance (postgres)
      operator     alice@bastion
      reason       ticket 4711
      steps        6: 3 read, 2 change, 1 disrupt
      run          20261122-030000-abcd

    ✓ done       enough_space  The data volume has room · holds
    ✓ done       biggest       The biggest tables · 2 rows                      0.4s
    ✓ done       go            Ask before the vacuum · yes, by alice
    ▸            vacuum        Vacuum each of them · 2 items
      ▸ started    orders
      ✓ done       orders      VACUUM                                         1m 05s
      ▸ started    stock
      ! warned     stock       VACUUM                                           3.0s
        ! warning: skipping "stock_archive" --- only table or database owner can
                   vacuum it
    ✓ done       vacuum        Vacuum each of them · 2 succeeded              1m 08s
    ▸ started    reindex       Rebuild the primary key of orders
    ! waiting    reindex
        for pid 4711 wms-batch, idle in transaction 3m: UPDATE orders
    ↻ retrying   reindex
        attempt 1 failed: canceling statement due to lock timeout; the next one in
        5.0s
    ▸ started    reindex       Rebuild the primary key of orders · attempt 2
    ✗ failed     reindex       canceling statement due to lock timeout         15.3s
        while waiting for ShareUpdateExclusiveLock on relation 16402 of database
        16384
        SQLSTATE 55P03; attempt 2; stopped by its timeout; part of it took effect
        help: End the session that holds the lock, or raise `lock_timeout`.
    – skipped    notify        `when: params.notify` is false
    · the progress session was given up: few connections are left

    ✗ failed in 3m 10s
      steps        4 done, 1 skipped, 1 failed, 1 warning
      failed       reindex
      exit code    1: a step failed
      run          20261122-030000-abcd
      next         runbook report 20261122-030000-abcd
    "#);
}

#[test]
fn lines_of_a_terminal_fit_it() {
    let style = Style { interactive: true, ..Style::plain() };
    let layout = Layout { style: &style, width: 60, label_width: 12 };
    let at = step("reindex");
    let subject = |attempts| step::Subject {
        at: &at,
        title: "Rebuild the primary key of orders",
        effect: Effect::Disrupt,
        in_block: false,
        attempts,
    };
    let warnings = ["a warning that is longer than the line that it has for itself".to_owned()];
    let ending = |result, failure, warnings| Ending {
        state: StepState::Succeeded,
        result,
        failure,
        warnings,
        seconds: 65.0,
    };
    let mut lines = step::finished(layout, subject(1), ending("REINDEX", None, &[]));
    lines.extend(step::finished(
        layout,
        subject(3),
        ending("a result that is too long for the line", None, &[]),
    ));
    lines.extend(step::finished(layout, subject(1), ending("", None, &warnings)));
    let failure = lock_timeout();
    let failed = Ending { state: StepState::Failed, failure: Some(&failure), ..ending("", None, &[]) };
    lines.extend(step::finished(layout, subject(1), failed));
    lines.extend(step::skipped(
        layout,
        subject(0),
        &SkipReason::Excluded { reason: Some("not tonight".to_owned()) },
    ));
    for line in &lines {
        assert!(console::measure_text_width(line) <= 60, "{line}");
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    ✓ reindex       Rebuild the primary key o… · REINDEX  1m 05s
    ✓ reindex       a result that is too long for the l…  1m 05s
    ! reindex       Rebuild the primary key of… · warned  1m 05s
        ! warning: a warning that is longer than the line that
                   it has for itself
    ✗ reindex       failed                                1m 05s
        canceling statement due to lock timeout
        while waiting for ShareUpdateExclusiveLock on relation
        16402 of database 16384
        SQLSTATE 55P03; stopped by its timeout; part of it took
        effect
        help: End the session that holds the lock, or raise
              `lock_timeout`.
    – reindex       skipped: excluded: not tonight
    ");
}

#[test]
fn a_live_display_ends_with_the_same_words_and_no_block() {
    let style = Style { interactive: true, ..Style::plain() };
    let (stdout, stderr) = play(style, a_night());
    assert!(stdout.contains("orders") && stdout.contains("812"), "{stdout}");
    let text = console::strip_ansi_codes(&stderr);
    assert!(
        text.contains("✗ reindex") && text.trim_end().ends_with("runbook report 20261122-030000-abcd"),
        "{text}"
    );
}

#[test]
fn a_question_has_the_screen_for_itself() {
    let (out, _, stderr) = out(&Redactor::new());
    let style = Style { interactive: true, ..Style::plain() };
    let mut terminal = Terminal::new(out, style);
    terminal.take(&event(run_started())).unwrap();
    let screen = terminal.screen();
    screen.pause();
    let before = stderr.text();
    terminal.take(&event(EventKind::Remarked { message: "meanwhile".to_owned() })).unwrap();
    terminal.take(&event(started(&step("vacuum"), 1, Effect::Change))).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(250));
    assert_eq!(stderr.text(), before);
    screen.resume();
    assert!(stderr.text().contains("meanwhile"));
}

#[test]
fn a_parallel_child_is_named_in_full() {
    let items = ["a", "b"].map(|key| Item { key: key.to_owned(), item: key.into() }).to_vec();
    let step_a = step("enough_space");
    let (_, stderr) = play(
        Style::plain(),
        vec![
            run_started(),
            EventKind::ItemsListed { at: Place::step(&StepId::new("vacuum")), items },
            done(&child("vacuum", "a"), Value::Null, 1.0),
            done(&step_a, Value::Null, 1.0),
            done(&child("vacuum", "b"), Value::Null, 1.0),
        ],
    );
    let lines: Vec<&str> = stderr.lines().rev().take(3).collect();
    assert!(lines[0].contains("vacuum[b]") && !lines[2].contains("vacuum[a]"), "{stderr}");
}

#[test]
fn every_outcome_has_its_words_and_commands() {
    let style = Style::plain();
    let layout = Layout { style: &style, width: 80, label_width: 8 };
    let check = |outcome, exit_code, holds: &[&str]| {
        let tally = closing::Tally { states: vec![(StepId::new("drop"), StepState::Stuck)], warnings: 1 };
        let text = closing::closing(layout, &id(), outcome, exit_code, 61.0, &tally).join("\n");
        for piece in holds {
            assert!(text.contains(piece), "{piece}: {text}");
        }
    };
    check(RunOutcome::Succeeded, 0, &["✓ succeeded in 1m 01s", "0: every step", "1 warning"]);
    check(RunOutcome::RolledBack, 3, &["↶ rolled back", "undone"]);
    check(RunOutcome::Stuck, 4, &["‼ stuck", "drop", "runbook rollback 20261122-030000-abcd"]);
    check(RunOutcome::Interrupted, 130, &["interrupted by the operator"]);
    let paused = closing::paused(layout, &id(), "SIGTERM", &closing::Tally::default()).join("\n");
    assert!(paused.contains("SIGTERM") && paused.contains("runbook resume 20261122-030000-abcd"), "{paused}");
}

#[test]
fn a_resumed_run_counts_what_was_done_before() {
    let mut state = RunState::default();
    let kinds =
        [run_started(), started(&step("biggest"), 1, Effect::Read), done(&step("biggest"), Value::Null, 0.1)];
    for (seq, kind) in (1..).zip(kinds) {
        state.apply(&Event { seq, ..event(kind) }).unwrap();
    }
    let (out, _, stderr) = out(&Redactor::new());
    let mut terminal = Terminal::new(out, Style::plain());
    terminal.catch_up(&id(), &state);
    assert!(stderr.text().ends_with("▸ resuming: 1 step done already\n"), "{}", stderr.text());
}

#[test]
fn secrets_in_passing_words_are_masked_before_they_are_cut() {
    let redactor = Redactor::new();
    redactor.learn("hunter2hunter2");
    let (out, _, stderr) = out(&redactor);
    let mut terminal = Terminal::new(out, Style::plain());
    terminal.take(&event(run_started())).unwrap();
    let blockers = vec!["pid 1: ALTER ROLE x PASSWORD 'hunter2hunter2'".to_owned()];
    terminal.take(&event(EventKind::Blocked { at: step("vacuum"), blockers })).unwrap();
    assert!(stderr.text().contains("PASSWORD '«secret»'"), "{}", stderr.text());
}

#[test]
fn the_display_goes_on_until_nobody_is_left() {
    let stderr = Captured::default();
    let mut terminal = Terminal::new(Out::to(Broken, stderr.clone(), Redactor::new()), Style::plain());
    for kind in a_night() {
        terminal.take(&event(kind)).unwrap();
    }
    assert!(stderr.text().contains("runbook report"));
    let mut terminal = Terminal::new(Out::to(Broken, Broken, Redactor::new()), Style::plain());
    let results: Vec<_> = a_night().into_iter().map(|kind| terminal.take(&event(kind))).collect();
    assert_eq!(results.last(), Some(&Err(SinkClosed)));
}
