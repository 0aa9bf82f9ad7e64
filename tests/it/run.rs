//! The order of steps, conditions, lists, groups, hooks and outputs, as the real program runs them.

use serde_json::json;

use crate::support::live::Live;

#[test]
fn a_step_runs_after_everything_above_it_and_a_parallel_block_at_once() {
    let ran = Live::new()
        .run(
            "
steps:
  - { id: first, sql: SELECT 1 }
  - parallel:
      - { id: left, sql: SELECT pg_sleep(0.4) }
      - { id: right, sql: SELECT pg_sleep(0.4) }
  - { id: last, sql: SELECT 2 }
",
        )
        .exits(0);
    let at = |event, step| ran.position(event, step);
    assert!(at("step_finished", "first") < at("step_started", "left"));
    assert!(at("step_started", "right") < at("step_finished", "left"));
    assert!(at("step_started", "left") < at("step_finished", "right"));
    assert!(at("step_finished", "left") < at("step_started", "last"));
    assert!(at("step_finished", "right") < at("step_started", "last"));
}

#[test]
fn needs_replaces_the_order_for_one_step_and_never_loosens_those_below() {
    let ran = Live::new()
        .run(
            "
steps:
  - { id: slow, sql: SELECT pg_sleep(0.4) }
  - { id: early, needs: [], sql: SELECT 1 }
  - { id: last, sql: SELECT 2 }
",
        )
        .exits(0);
    assert!(ran.position("step_finished", "early") < ran.position("step_finished", "slow"));
    assert!(ran.position("step_finished", "slow") < ran.position("step_started", "last"));
}

#[test]
fn max_parallel_one_runs_one_step_at_a_time() {
    let body = "
steps:
  - parallel:
      - { id: left, sql: SELECT pg_sleep(0.1) }
      - { id: right, sql: SELECT pg_sleep(0.1) }
";
    let ran = Live::new().run_with(body, &["--max-parallel", "1"]).exits(0);
    let (left, right) = (ran.position("step_finished", "left"), ran.position("step_started", "right"));
    let (other_left, other_right) =
        (ran.position("step_started", "left"), ran.position("step_finished", "right"));
    assert!(left < right || other_right < other_left);
}

#[test]
fn when_skips_a_step_and_those_after_it_still_run() {
    let ran = Live::new()
        .run(
            r#"
params: { wanted: { type: bool, default: false } }
steps:
  - { id: some, sql: SELECT 3 AS n }
  - { id: not_wanted, when: params.wanted, sql: SELECT 1 }
  - { id: by_output, when: steps.some.value > 3, sql: SELECT 1 }
  - { id: after, sql: SELECT 2 }
  - { id: knows, assert: "steps.not_wanted.skipped and steps.not_wanted.state == 'skipped'" }
"#,
        )
        .exits(0);
    assert_eq!(
        ran.states(&["not_wanted", "by_output", "after", "knows"]),
        "skipped skipped succeeded succeeded"
    );
}

#[test]
fn when_takes_booleans_only() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: one, sql: SELECT 'no' AS answer }
  - { id: two, when: steps.one.value, sql: SELECT 1 }
",
        )
        .exits(1);
    assert!(ran.failure("two").contains("text"), "{}", ran.failure("two"));
}

#[test]
fn reading_the_output_of_a_skipped_step_fails_and_says_so() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - { id: one, when: "1 == 2", sql: SELECT 1 }
  - { id: two, sql: "SELECT {{ steps.one.value }}" }
"#,
        )
        .exits(1);
    assert!(ran.failure("two").contains("`one` is skipped"), "{}", ran.failure("two"));
}

#[test]
fn skipping_by_hand_keeps_the_reason() {
    let body = "
steps:
  - { id: one, sql: SELECT 1 }
  - { id: guard, assert: \"1 == 2\" }
";
    let live = Live::new();
    live.run_with(body, &["--skip", "guard"]).exits(2);
    let ran = live.run_with(body, &["--skip", "guard", "--reason", "known"]).exits(0);
    assert_eq!(ran.end("guard")["reason"], json!({ "because": "excluded", "reason": "known" }));
}

#[test]
fn a_list_runs_one_child_for_each_item_in_order() {
    let ran = Live::with("CREATE TABLE seen (n int, at serial)")
        .run(
            r#"
steps:
  - { id: items, sql: "SELECT * FROM (VALUES ('a', 1), ('b', 2), ('c', 3)) v (name, n)" }
  - id: each
    for_each: { in: steps.items.rows, key: item.name }
    rollback: { none: a trial }
    sql: { query: INSERT INTO seen VALUES ($1::int), args: ["{{ item.n }}"] }
  - { id: order, sql: "SELECT string_agg(n::text, ' ' ORDER BY at) AS ns FROM seen" }
  - id: knows
    assert:
      that:
        - steps.order.value == '1 2 3'
        - steps.each.count.succeeded == 3
        - steps.each.each[1].key == 'b'
        - steps.each.each[1].item.n == 2
        - steps.each.each[1].affected == 1
        - steps.each.each[1].state == 'succeeded'
"#,
        )
        .exits(0);
    assert_eq!(ran.events("step_finished", "each").count(), 4);
}

#[test]
fn an_empty_list_succeeds_and_a_wrong_one_fails() {
    let run = |list: &str, more: &str| {
        let body = format!(
            "
steps:
  - id: each
    for_each: {{ in: \"{list}\"{more} }}
    sql: SELECT 1
"
        );
        Live::new().run(&body)
    };
    assert_eq!(run("[]", "").exits(0).output("each")["count"]["succeeded"], 0);
    let twice = run("['a', 'a']", "").exits(1);
    assert!(twice.failure("each").contains("two items have the key `a`"), "{}", twice.failure("each"));
    let unkeyed = run("[{'a': 1}]", "").exits(1);
    assert!(unkeyed.failure("each").contains("has no key"), "{}", unkeyed.failure("each"));
    let scalar = run("3", "");
    assert_ne!(scalar.exit, Some(0));
}

#[test]
fn the_first_failed_child_stops_the_list_unless_it_says_continue() {
    let run = |on_error: &str| {
        let body = format!(
            "
steps:
  - id: each
    for_each: {{ in: '[1, 0, 2]', on_error: {on_error} }}
    on_error: continue
    sql: {{ query: SELECT 1 / $1::int, args: ['{{{{ item }}}}'] }}
  - id: after
    assert: steps.each.failed and steps.each.count.failed == 1
"
        );
        Live::new().run(&body).exits(1)
    };
    let stopped = run("stop");
    assert_eq!(stopped.output("each")["count"], json!({"succeeded":1,"failed":1,"skipped":0,"cancelled":1}));
    let went_on = run("continue");
    assert_eq!(went_on.output("each")["count"], json!({"succeeded":2,"failed":1,"skipped":0,"cancelled":0}));
    assert_eq!(went_on.states(&["each", "after"]), "failed succeeded");
    let entry = &went_on.output("each")["each"][1];
    assert_eq!(entry["error"]["sqlstate"], "22012");
}

#[test]
fn children_run_at_the_same_time_when_the_list_allows_it() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - id: each
    for_each: { in: "[1, 2, 3]", max_parallel: 3 }
    sql: SELECT pg_sleep(0.5)
"#,
        )
        .exits(0);
    let first_end = ran.position("step_finished", "each");
    let started = ran.events[..first_end].iter().filter(|e| e["event"] == "step_started");
    assert_eq!(started.count(), 3, "{}", ran.stdout);
}

#[test]
fn a_failed_child_lets_its_running_siblings_have_their_grace_and_no_more() {
    let ran = Live::new()
        .run(
            r#"
defaults: { grace: 300ms }
steps:
  - id: each
    for_each: { in: "[0, 20]", max_parallel: 2 }
    sql: { query: "SELECT 1 / $1::int, pg_sleep($1::int)", args: ["{{ item }}"] }
"#,
        )
        .exits(1);
    let slow = ran.events("step_finished", "each").find(|end| end["key"] == "20").unwrap();
    assert_eq!(slow["failure"]["stopped_by"], "neighbour", "{slow}");
}

#[test]
fn when_is_decided_for_each_child() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - id: each
    for_each: "[1, 2, 3]"
    when: item != 2
    sql: { query: SELECT $1::int, args: ["{{ item }}"] }
"#,
        )
        .exits(0);
    assert_eq!(ran.output("each")["count"]["skipped"], 1);
    assert_eq!(ran.output("each")["count"]["succeeded"], 2);
}

#[test]
fn a_group_runs_in_order_under_one_name() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - id: group
    steps:
      - { id: one, sql: SELECT 1 AS n }
      - { id: two, sql: "SELECT {{ steps.one.value }} + 1 AS n" }
  - { id: outside, assert: steps.group.two.value == 2 and steps.group.succeeded }
"#,
        )
        .exits(0);
    assert!(ran.position("step_finished", "group.one") < ran.position("step_started", "group.two"));
    assert_eq!(ran.states(&["group", "group.one", "group.two"]), "succeeded succeeded succeeded");
}

#[test]
fn a_skipped_group_skips_its_steps() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - id: group
    when: "1 == 2"
    steps:
      - { id: one, sql: SELECT 1 }
"#,
        )
        .exits(0);
    assert_eq!(ran.states(&["group", "group.one"]), "skipped skipped");
}

#[test]
fn a_failure_in_a_group_stops_the_group_and_continue_goes_on_behind_it() {
    let ran = Live::new()
        .run(
            r"
steps:
  - id: group
    on_error: continue
    steps:
      - { id: one, sql: SELECT 1 / 0 }
      - { id: two, sql: SELECT 1 }
  - { id: after, sql: SELECT 1 }
",
        )
        .exits(1);
    assert_eq!(
        ran.states(&["group", "group.one", "group.two", "after"]),
        "failed failed cancelled succeeded"
    );
}

#[test]
fn a_group_runs_once_for_each_item() {
    let ran = Live::with("CREATE TABLE seen (n int, what text, at serial)")
        .run(
            r#"
steps:
  - id: group
    for_each: "[1, 2]"
    steps:
      - id: one
        rollback: { none: a trial }
        sql: { query: "INSERT INTO seen VALUES ($1::int, 'one') RETURNING n * 10 AS ten", args: ["{{ item }}"] }
      - id: two
        rollback: { none: a trial }
        sql: { query: "INSERT INTO seen VALUES ($1::int, 'two')", args: ["{{ steps.one.value }}"] }
  - { id: seen, sql: "SELECT string_agg(n::text, ' ' ORDER BY at) AS ns FROM seen" }
  - { id: knows, assert: "steps.seen.value == '1 10 2 20' and steps.group.count.succeeded == 2" }
"#,
        )
        .exits(0);
    let keys: Vec<_> = ran.events("step_finished", "group.one").map(|end| end["key"].clone()).collect();
    assert_eq!(keys, ["1", "2"]);
}

#[test]
fn a_list_inside_a_looped_group_keeps_its_children_apart() {
    let ran = Live::new().run(
        r#"
steps:
  - id: group
    for_each: "['a', 'b']"
    steps:
      - id: inner
        for_each: "[1, 2]"
        sql: { query: SELECT $1::int, args: ["{{ item }}"] }
"#,
    );
    // Either the language refuses it, or all four children run.
    if ran.exit != Some(2) {
        let ran = ran.exits(0);
        assert_eq!(ran.events("step_started", "group.inner").count(), 4, "{}", ran.stdout);
    }
}

#[test]
fn a_groups_timeout_cancels_its_statement_on_the_server() {
    let live = Live::new();
    let ran = live
        .run(
            r"
steps:
  - id: group
    timeout: 500ms
    steps:
      - { id: slow, sql: SELECT pg_sleep(20) }
      - { id: never, sql: SELECT 1 }
",
        )
        .exits(1);
    assert_eq!(ran.states(&["group", "group.slow", "group.never"]), "failed failed cancelled");
    assert!(ran.failure("group").contains("timeout"), "{}", ran.failure("group"));
    assert_eq!(live.psql(ACTIVE), "0");
}

/// The statements of other sessions in the same database.
const ACTIVE: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                      AND state = 'active' AND pid <> pg_backend_pid()";

#[test]
fn continue_goes_on_and_the_run_still_ends_failed() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: bad, on_error: continue, sql: SELECT 1 / 0 }
  - { id: after, assert: steps.bad.failed and steps.bad.error.sqlstate == '22012' }
",
        )
        .exits(1);
    assert_eq!(ran.states(&["bad", "after"]), "failed succeeded");
}

#[test]
fn a_failure_starts_nothing_new_and_the_hooks_run_in_order() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: bad, sql: SELECT 1 / 0 }
  - { id: after, sql: SELECT 1 }
on_failure:
  - { id: tell, assert: steps.bad.failed }
finally:
  - { id: broken, sql: SELECT 1 / 0 }
  - { id: last, assert: steps.after.cancelled }
",
        )
        .exits(1);
    assert_eq!(
        ran.states(&["bad", "after", "tell", "broken", "last"]),
        "failed cancelled succeeded failed succeeded"
    );
    assert!(ran.position("step_finished", "tell") < ran.position("step_started", "broken"));
}

#[test]
fn on_failure_rests_and_finally_runs_when_all_is_well() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: good, sql: SELECT 1 }
on_failure:
  - { id: tell, sql: SELECT 1 }
finally:
  - { id: last, sql: SELECT 1 }
",
        )
        .exits(0);
    assert_eq!(ran.states(&["good", "last"]), "succeeded succeeded");
    assert_eq!(ran.events("step_started", "tell").count(), 0);
}

#[test]
fn a_failure_gives_running_steps_their_grace_and_then_cancels_them() {
    let live = Live::new();
    let ran = live
        .run(
            r"
defaults: { grace: 300ms }
steps:
  - parallel:
      - { id: bad, sql: SELECT 1 / 0 }
      - { id: slow, sql: SELECT pg_sleep(20) }
      - { id: quick, sql: SELECT pg_sleep(0.1) }
",
        )
        .exits(1);
    assert_eq!(ran.states(&["bad", "slow", "quick"]), "failed failed succeeded");
    assert_eq!(ran.end("slow")["failure"]["stopped_by"], "neighbour");
    assert_eq!(live.psql(ACTIVE), "0");
}

#[test]
fn variables_are_computed_once_and_journaled() {
    let ran = Live::new()
        .run(
            r#"
vars:
  base: 2
  twice: "{{ vars.base * 2 }}"
  stamp: "{{ now() }}"
  never: "{{ 1 / 0 }}"
steps:
  - { id: one, sql: "SELECT {{ vars.twice }} AS n, {{ vars.stamp }} AS at" }
  - { id: wait, sql: SELECT pg_sleep(0.05) }
  - { id: two, sql: "SELECT {{ vars.twice }} AS n, {{ vars.stamp }} AS at" }
  - { id: same, assert: steps.one.row.at == steps.two.row.at and steps.one.row.n == 4 }
"#,
        )
        .exits(0);
    let computed: Vec<_> = ran.events.iter().filter(|e| e["event"] == "variable_computed").collect();
    assert_eq!(computed.len(), 3, "{}", ran.stdout);
}

#[test]
fn now_is_one_value_in_a_step() {
    Live::new()
        .run(
            r#"
steps:
  - { id: one, sql: "SELECT {{ now() }} = {{ now() }} AS same" }
  - { id: same, assert: steps.one.value }
"#,
        )
        .exits(0);
}

#[test]
fn outputs_are_evaluated_at_the_end() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - { id: one, sql: SELECT 41 AS n }
  - { id: none, when: "1 == 2", sql: SELECT 1 }
outputs: { answer: steps.one.value + 1, ran: steps.none.skipped, missing: steps.none.value }
"#,
        )
        .exits(0);
    assert_eq!(*ran.outputs(), json!({ "answer": 42, "ran": true }));
}

#[test]
fn warnings_fail_a_strict_run_only() {
    let body = "
steps:
  - { id: odd, assert: { that: 1 == 2, level: warn } }
";
    Live::new().run(body).exits(0);
    Live::new().run_with(body, &["--strict"]).exits(1);
}
