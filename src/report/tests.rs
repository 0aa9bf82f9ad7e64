//! Reports of scripted runs.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Report;
use crate::event::{
    Event, EventKind, Item, PinnedConnection, PinnedOptions, PinnedStep, Place, RunStarted, VERSION,
};
use crate::model::{Applied, Effect, Failure, RunId, RunOutcome, SkipReason, StepId, StepState};

fn id(step: &str) -> StepId {
    StepId::new(step)
}

fn pinned(id: &str, kind: &str, effect: Effect, title: &str) -> PinnedStep {
    let show = kind == "sql" && effect == Effect::Read;
    PinnedStep {
        id: StepId::new(id),
        kind: kind.into(),
        title: title.into(),
        effect,
        needs: Vec::new(),
        show,
    }
}

fn started() -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        version: VERSION,
        program: "0.1.0".into(),
        runbook: "reindex".into(),
        title: "Rebuild bloated indexes".into(),
        environment: Some("production".into()),
        operator: "dba@wms".into(),
        reason: Some("ticket 4711".into()),
        documents: Vec::new(),
        parameters: Map::from_iter([("limit".to_owned(), json!(3))]),
        connections: vec![PinnedConnection {
            name: "db".into(),
            kind: "postgres".into(),
            target: "wms_db at 10.0.0.5:5432 as dba".into(),
            identity: Value::Null,
        }],
        steps: vec![
            pinned("space", "assert", Effect::Read, "enough free space"),
            pinned("bloat", "sql", Effect::Read, "find bloated indexes"),
            pinned("sure", "confirm", Effect::Read, "ask"),
            pinned("rebuild", "sql", Effect::Disrupt, "REINDEX INDEX CONCURRENTLY"),
            pinned("notify", "exec", Effect::Change, "tell the team"),
            pinned("settle", "sql", Effect::Change, "ANALYZE"),
        ],
        options: PinnedOptions::default(),
    }))
}

fn begin(at: &Place, effect: Effect) -> EventKind {
    EventKind::StepStarted { at: at.clone(), attempt: 1, effect, input: json!({}), before: Value::Null }
}

fn end(at: &Place, state: StepState, output: Value, failure: Option<Failure>, seconds: f64) -> EventKind {
    EventKind::StepFinished { at: at.clone(), state, output, failure, warnings: Vec::new(), seconds }
}

fn failed() -> Failure {
    Failure {
        sqlstate: Some("55P03".into()),
        details: vec!["while waiting for a lock on relation \"orders\"".into()],
        ..Failure::new("canceling statement due to lock timeout")
            .help("Wait for pid 4711, or end it.")
            .applied(Applied::Partly)
    }
}

/// A run in which one index of three could not be rebuilt.
fn events() -> Vec<Event> {
    let place = |step: &str| Place::step(&id(step));
    let [space, bloat, sure, rebuild] = ["space", "bloat", "sure", "rebuild"].map(place);
    let [first, second] = ["orders_pkey", "orders_state"].map(|key| Place::child(&id("rebuild"), key));
    let rows = json!([{"index": "orders_pkey", "mb": 812}, {"index": "orders_state", "mb": 90}]);
    let kinds = vec![
        started(),
        begin(&space, Effect::Read),
        EventKind::StepFinished {
            at: space,
            state: StepState::Succeeded,
            output: json!({"passed": false, "message": "only 12 GB are free"}),
            failure: None,
            warnings: vec!["only 12 GB are free".into()],
            seconds: 0.1,
        },
        begin(&bloat, Effect::Read),
        end(
            &bloat,
            StepState::Succeeded,
            json!({"rows": rows, "row_count": 2, "columns": ["index", "mb"]}),
            None,
            0.4,
        ),
        EventKind::AnswerGiven {
            at: sure.clone(),
            question: "go?".into(),
            answer: json!(true),
            by: "dba".into(),
            how: "terminal".into(),
        },
        end(&sure, StepState::Succeeded, json!({"answer": true, "by": "dba"}), None, 0.0),
        EventKind::ItemsListed {
            at: Place::step(&id("rebuild")),
            items: vec![Item { key: "orders_pkey".into(), item: json!(1) }],
        },
        begin(&first, Effect::Disrupt),
        end(&first, StepState::Succeeded, json!({"statements": [{"verb": "REINDEX"}]}), None, 65.2),
        begin(&second, Effect::Disrupt),
        end(&second, StepState::Failed, Value::Null, Some(failed()), 5.0),
        end(
            &rebuild,
            StepState::Failed,
            json!({"count": {"succeeded": 1, "failed": 1}}),
            Some(Failure::new("1 of 2 items failed")),
            70.2,
        ),
        EventKind::StepSkipped {
            at: place("notify"),
            reason: SkipReason::ConnectionAbsent { connection: "chat".into() },
        },
        end(&place("settle"), StepState::Cancelled, Value::Null, None, 0.0),
        EventKind::RunFinished {
            outcome: RunOutcome::Failed,
            exit_code: 1,
            outputs: Map::from_iter([("rebuilt".to_owned(), json!(["orders_pkey"]))]),
            seconds: 71.0,
        },
    ];
    let began: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
    let event = |(kind, seq): (EventKind, u64)| Event {
        seq,
        at: began + SignedDuration::from_secs(i64::try_from(seq).unwrap() * 5),
        run: RunId::parse("20261122-030000-ab12").unwrap(),
        kind,
    };
    kinds.into_iter().zip(1..).map(event).collect()
}

#[test]
fn a_tired_person_can_read_it() {
    insta::assert_snapshot!(Report::from_events(&events()).unwrap().to_text(80), @r#"
        Rebuild bloated indexes
          state        failed, exit code 1
          run          20261122-030000-ab12 of `reindex`
          when         2026-11-22 03:00:05 to 2026-11-22 03:01:20 UTC, 1m 11s
          operator     dba@wms
          reason       ticket 4711
          environment  production
          target       db (postgres): wms_db at 10.0.0.5:5432 as dba
          with         limit = 3

        ✓ succeeded      0.1s  space: does not hold
        ✓ succeeded      0.4s  bloat: 2 rows

            index          mb
            ─────────────────
            orders_pkey   812
            orders_state   90

        ✓ succeeded            sure: yes, by dba
        ✗ failed               rebuild: REINDEX INDEX CONCURRENTLY
            1 of 2 items failed
            ✓ succeeded    1m 05s  [orders_pkey]: REINDEX
            ✗ failed         5.0s  [orders_state]: REINDEX INDEX CONCURRENTLY
                canceling statement due to lock timeout (55P03)
                  while waiting for a lock on relation "orders"
                some of it took effect
                help: Wait for pid 4711, or end it.
        – skipped              notify: the environment has no connection `chat`
        ⊘ cancelled            settle: ANALYZE

        6 steps: 3 succeeded, 1 failed, 1 skipped, 1 cancelled

        Outputs
          rebuilt = ["orders_pkey"]

        Findings
          ! warning  space: only 12 GB are free
        "#);
}

#[test]
fn json_has_every_step_and_child() {
    let json = Report::from_events(&events()).unwrap().to_json();
    assert_eq!(json["outcome"], "failed");
    assert_eq!(json["exit_code"], 1);
    assert_eq!(json["counts"], json!({"cancelled": 1, "failed": 1, "skipped": 1, "succeeded": 3}));
    assert_eq!(json["steps"][1]["output"]["rows"][0]["mb"], 812);
    assert_eq!(json["steps"][3]["children"][1]["failure"]["sqlstate"], "55P03");
    assert_eq!(json["findings"][0]["level"], "warning");
    let schema = serde_json::to_value(schemars::schema_for!(Report)).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&json).map_err(|error| error.to_string()).unwrap();
}

#[test]
fn an_unfinished_run_says_so() {
    let check = |events: &[Event], expected: &str| {
        let report = Report::from_events(events).unwrap();
        assert_eq!((report.state.as_str(), report.outcome), (expected, None));
        assert!(report.to_text(80).contains(expected));
    };
    let mut events = events()[..4].to_vec();
    check(&events, "unfinished");
    let pause = Event {
        seq: 5,
        kind: EventKind::RunPaused { reason: "suspended by dba".into() },
        ..events[3].clone()
    };
    events.push(pause);
    check(&events, "paused");
    events.push(Event { seq: 6, kind: begin(&Place::step(&id("bloat")), Effect::Read), ..events[3].clone() });
    check(&events, "unfinished");
    assert!(Report::from_events(&[]).is_err());
    assert!(Report::from_events(&events[1..]).is_err());
}

#[test]
fn no_line_is_wider_than_asked() {
    use unicode_width::UnicodeWidthStr as _;
    let report = Report::from_events(&events()).unwrap();
    for width in 40..120 {
        let text = report.to_text(width);
        assert!(text.lines().all(|line| line.width() <= width && line == line.trim_end()), "{text}");
    }
}

#[test]
fn many_children_are_summed_up() {
    let mut events = events()[..8].to_vec();
    for index in 0..30_u64 {
        let at = Place::child(&id("rebuild"), format!("item{index}"));
        let kind = end(&at, StepState::Succeeded, Value::Null, None, 0.0);
        events.push(Event { seq: 9 + index, kind, ..events[7].clone() });
    }
    let text = Report::from_events(&events).unwrap().to_text(80);
    assert!(text.contains("… and 30 more that succeeded") && !text.contains("item7"), "{text}");
}
