//! `runbook:` steps: another runbook's steps, parameters, connections and outputs under one id.

use serde_json::json;

use crate::support::live::Live;

const INNER: &str = r#"
params: { n: { type: int }, word: { type: string, default: plain } }
connections: { store: postgres }
steps:
  - id: say
    sql: { query: "SELECT $1::int AS n, $2 AS word", args: ["{{ params.n }}", "{{ params.word }}"] }
  - { id: check, assert: params.n > 0 }
finally:
  - { id: bye, sql: SELECT 1 }
outputs: { twice: steps.say.row.n * 2, word: steps.say.row.word }
"#;

fn live() -> Live {
    let live = Live::with("CREATE TABLE seen (n int)");
    live.write("runbooks/inner", INNER);
    let text = std::fs::read_to_string(live.sandbox.directory().join("runbooks/inner.yaml")).unwrap();
    live.sandbox.write("runbooks/inner.yaml", &text.replace("name: runbooks/inner", "name: inner"));
    live
}

#[test]
fn its_steps_run_under_the_id_and_only_its_outputs_are_seen() {
    let ran = live()
        .run(
            r#"
steps:
  - id: one
    runbook: { name: inner, params: { n: 3 }, connections: { store: db } }
  - { id: after, assert: "steps.one.outputs.twice == 6 and steps.one.outputs.word == 'plain'" }
finally:
  - { id: mine, sql: SELECT 2 }
"#,
        )
        .exits(0);
    assert_eq!(*ran.output("one"), json!({ "outputs": { "twice": 6, "word": "plain" } }));
    assert_eq!(
        ran.states(&["one", "one.say", "one.check", "after"]),
        "succeeded succeeded succeeded succeeded"
    );
    assert!(ran.position("step_finished", "after") < ran.position("step_started", "one.bye"));
    assert!(ran.position("step_finished", "one.bye") < ran.position("step_started", "mine"));
}

#[test]
fn the_inside_cannot_be_seen_from_outside() {
    let ran = live().run(
        r"
steps:
  - { id: one, runbook: { name: inner, params: { n: 3 }, connections: { store: db } } }
  - { id: after, assert: steps.one.say.value == 3 }
",
    );
    assert_ne!(ran.exit, Some(0), "{}", ran.stdout);
}

#[test]
fn mistakes_of_the_caller_are_found_before_anything_runs() {
    let check = |given: &str, hint: &str| {
        let body = format!("steps:\n  - {{ id: one, runbook: {given} }}\n");
        let ran = live().run(&body).exits(2);
        assert!(ran.stdout.contains(hint), "{hint}: {}", ran.stdout);
    };
    check("{ name: inner, connections: { store: db } }", "needs a value for its parameter `n`");
    check("{ name: inner, params: { m: 1, n: 1 }, connections: { store: db } }", "no parameter `m`");
    check("{ name: inner, params: { n: 1 } }", "no connection `store`");
    check("{ name: iner, params: { n: 1 } }", "inner");
    check("{ name: trial }", "");
}

#[test]
fn a_failure_inside_fails_the_step_and_its_finally_still_runs() {
    let ran = live()
        .run(
            r"
steps:
  - { id: one, runbook: { name: inner, params: { n: 0 }, connections: { store: db } } }
  - { id: after, sql: SELECT 1 }
",
        )
        .exits(1);
    assert_eq!(
        ran.states(&["one", "one.say", "one.check", "after", "one.bye"]),
        "failed succeeded failed cancelled succeeded"
    );
}

#[test]
fn a_skipped_runbook_runs_nothing_of_itself() {
    let ran = live()
        .run(
            r#"
steps:
  - { id: one, when: "1 == 2", runbook: { name: inner, params: { n: 1 }, connections: { store: db } } }
  - { id: after, sql: SELECT 1 }
"#,
        )
        .exits(0);
    assert_eq!(ran.states(&["one", "after"]), "skipped succeeded");
    assert_eq!(
        ran.events("step_started", "one.say").count() + ran.events("step_started", "one.bye").count(),
        0
    );
}

#[test]
fn it_runs_once_for_each_item() {
    let run = |on_error: &str| {
        let body = format!(
            r#"
steps:
  - id: many
    for_each: {{ in: "[1, 0, 2]", on_error: {on_error} }}
    runbook: {{ name: inner, params: {{ n: "{{{{ item }}}}" }}, connections: {{ store: db }} }}
"#
        );
        live().run(&body).exits(1)
    };
    let went_on = run("continue");
    assert_eq!(went_on.output("many")["count"], json!({"succeeded":2,"failed":1,"skipped":0,"cancelled":0}));
    assert_eq!(went_on.output("many")["each"][2]["outputs"]["twice"], 4);
    let keys: Vec<_> = went_on.events("step_finished", "many.say").map(|end| end["key"].clone()).collect();
    assert_eq!(keys, ["1", "0", "2"]);
    assert_eq!(went_on.events("step_finished", "many.bye").count(), 3);
    let stopped = run("stop");
    assert_eq!(stopped.output("many")["count"], json!({"succeeded":1,"failed":1,"skipped":0,"cancelled":1}));
}
