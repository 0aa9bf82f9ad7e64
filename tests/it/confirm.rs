//! `confirm` without a terminal: what is answered beforehand, by whom, and what is never started.

use crate::support::live::Live;

const THREE_GATES: &str = r#"
steps:
  - id: first
    rollback: { none: a trial }
    sql: INSERT INTO seen VALUES (1)
  - { id: plain, confirm: "Go on?" }
  - { id: typed, confirm: { message: Sure?, type: "wms_db" } }
  - { id: chosen, confirm: { message: Which?, choices: [red, green] } }
  - { id: last, sql: SELECT 1 }
"#;

#[test]
fn every_open_gate_is_listed_before_anything_runs() {
    let live = Live::with("CREATE TABLE seen (n int)");
    let ran = live.run(THREE_GATES).exits(5);
    for gate in ["plain=yes", "typed=wms_db", "chosen=red|green"] {
        assert!(ran.stdout.contains(&format!("--answer {gate}")), "{gate}: {}", ran.stdout);
    }
    assert!(ran.events.is_empty());
    assert_eq!(live.psql("SELECT count(*) FROM seen"), "0");
    assert_eq!(live.journals(), "");
}

#[test]
fn yes_answers_plain_gates_only() {
    let live = Live::with("CREATE TABLE seen (n int)");
    let ran = live.run_with(THREE_GATES, &["--yes"]).exits(5);
    assert!(!ran.stdout.contains("plain="), "{}", ran.stdout);
    assert!(ran.stdout.contains("typed=") && ran.stdout.contains("chosen="), "{}", ran.stdout);
    assert_eq!(live.psql("SELECT count(*) FROM seen"), "0");
}

#[test]
fn answers_given_beforehand_open_the_gates_and_are_journaled() {
    let live = Live::with("CREATE TABLE seen (n int)");
    let answers = ["--yes", "--answer", "typed=wms_db", "--answer", "chosen=green"];
    let ran = live.run_with(THREE_GATES, &answers).exits(0);
    let given: Vec<_> = ran.events.iter().filter(|event| event["event"] == "answer_given").collect();
    assert_eq!(given.len(), 3);
    assert_eq!((&given[2]["answer"], &given[2]["how"]), (&"green".into(), &"flag".into()));
    assert_eq!(ran.output("chosen")["answer"], "green");
    assert!(ran.output("chosen")["by"].as_str().unwrap().contains('@'));
}

#[test]
fn a_wrong_answer_declines_and_names_the_gate() {
    let check = |answer: &str| {
        let live = Live::with("CREATE TABLE seen (n int)");
        let base = ["--answer", "plain=yes", "--answer", "typed=wms_db", "--answer", "chosen=red"];
        let ran = live.run_with(THREE_GATES, &[&base[..], &["--answer", answer]].concat());
        assert_eq!(ran.exit, Some(5), "{answer}: {}", ran.stdout);
        if !ran.events.is_empty() {
            assert_eq!(ran.state("last"), "cancelled");
        }
    };
    check("plain=no");
    check("typed=wms");
    check("chosen=blue");
}

#[test]
fn answers_come_from_a_file_too() {
    let live = Live::with("CREATE TABLE seen (n int)");
    live.sandbox.write("answers.yaml", "plain: yes\ntyped: wms_db\nchosen: red\n");
    live.run_with(THREE_GATES, &["--answers", "answers.yaml"]).exits(0);
}

#[test]
fn an_answer_to_no_gate_is_a_mistake() {
    let live = Live::with("CREATE TABLE seen (n int)");
    let ran = live.run_with(THREE_GATES, &["--answer", "plian=yes"]).exits(2);
    assert!(ran.stdout.contains("plain"), "{}", ran.stdout);
}

#[test]
fn a_no_may_go_on() {
    let body = r#"
steps:
  - { id: ask, confirm: { message: "Go on?", on_no: continue } }
  - { id: only_then, when: steps.ask.answer, sql: SELECT 1 }
  - { id: after, sql: SELECT 1 }
"#;
    let ran = Live::new().run_with(body, &["--answer", "ask=no"]).exits(0);
    assert_eq!(ran.states(&["ask", "only_then", "after"]), "succeeded skipped succeeded");
}

#[test]
fn an_unattended_gate_answers_itself_where_nobody_is() {
    let body = r#"
steps:
  - { id: ask, confirm: { message: "Go on?", on_no: continue, unattended: "no" } }
  - { id: which, confirm: { message: Which?, choices: [red, green], unattended: green } }
  - { id: knows, assert: "not steps.ask.answer and steps.which.answer == 'green'" }
"#;
    let ran = Live::new().run(body).exits(0);
    let how: Vec<_> = ran.events.iter().filter(|event| event["event"] == "answer_given").collect();
    assert_eq!(how[0]["how"], "unattended");
}

#[test]
fn choices_come_from_what_was_found() {
    let body = r#"
steps:
  - { id: found, sql: "SELECT * FROM (VALUES (1, 'one'), (2, 'two')) v (id, name)" }
  - { id: which, confirm: { message: Which?, choices: { from: steps.found.rows, value: id, label: name, many: true } } }
  - { id: knows, assert: "steps.which.answer[0] == 2" }
"#;
    Live::new().run_with(body, &["--answer", "which=two"]).exits(0);
    Live::new().run_with(body, &["--answer", "which=three"]).exits(5);
    let by_value = Live::new().run_with(body, &["--answer", "which=2"]).exits(0);
    assert_eq!(by_value.output("which")["answer"], serde_json::json!([2]));
}

#[test]
fn a_declined_gate_in_a_group_declines_the_run_and_finally_runs() {
    let body = r#"
steps:
  - id: group
    steps:
      - { id: ask, confirm: "Go on?" }
      - { id: inner, sql: SELECT 1 }
  - { id: after, sql: SELECT 1 }
finally:
  - { id: last, sql: SELECT 1 }
"#;
    let ran = Live::new().run_with(body, &["--answer", "group.ask=no"]).exits(5);
    assert_eq!(
        ran.states(&["group", "group.inner", "after", "last"]),
        "cancelled cancelled cancelled succeeded"
    );
}

#[test]
fn a_gate_behind_a_false_condition_is_not_open() {
    let body = r#"
params: { ask: { type: bool, default: false } }
steps:
  - { id: gate, when: params.ask, confirm: "Go on?" }
  - { id: after, sql: SELECT 1 }
"#;
    Live::new().run(body).exits(0);
    Live::new().run_with(body, &["--set", "ask=true"]).exits(5);
}
