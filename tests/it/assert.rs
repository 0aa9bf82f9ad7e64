//! `assert`: levels, lists, messages, and comparisons that never guess.

use crate::support::live::Live;

#[test]
fn a_breach_names_the_expression_and_the_values_in_it() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - { id: one, sql: SELECT 3 AS n }
  - id: check
    assert: { that: [steps.one.value > 1, steps.one.value > 5, steps.one.value < 2], message: "it is {{ steps.one.value }}" }
"#,
        )
        .exits(1);
    let failure = ran.failure("check");
    assert!(failure.starts_with("it is 3\n"), "{failure}");
    assert!(failure.contains("steps.one.value > 5"), "{failure}");
    assert!(failure.contains("steps.one.value < 2"), "{failure}");
    assert!(!failure.contains("> 1"), "{failure}");
    assert!(failure.contains("= 3"), "{failure}");
}

#[test]
fn a_warning_goes_on_and_an_end_ends_well() {
    let ran = Live::new()
        .run(
            r"
steps:
  - { id: warns, assert: { that: 1 == 2, level: warn, message: odd } }
  - { id: ends, assert: { that: 1 == 2, level: end, message: nothing to do } }
  - { id: after, sql: SELECT 1 / 0 }
  - { id: group, steps: [{ id: inner, sql: SELECT 1 / 0 }] }
finally:
  - { id: last, sql: SELECT 1 }
",
        )
        .exits(0);
    assert_eq!(
        ran.states(&["warns", "ends", "after", "group", "last"]),
        "succeeded succeeded skipped skipped succeeded"
    );
    assert_eq!(ran.end("warns")["warnings"][0], "odd");
    assert_eq!(ran.end("after")["reason"]["message"], "nothing to do");
}

#[test]
fn an_end_inside_a_group_ends_the_run() {
    let ran = Live::new()
        .run(
            r"
steps:
  - id: group
    steps:
      - { id: ends, assert: { that: 1 == 2, level: end } }
      - { id: inner, sql: SELECT 1 / 0 }
  - { id: after, sql: SELECT 1 / 0 }
",
        )
        .exits(0);
    assert_eq!(ran.states(&["group", "group.inner", "after"]), "succeeded skipped skipped");
}

#[test]
fn an_end_inside_a_list_ends_the_run() {
    let ran = Live::new()
        .run(
            r#"
steps:
  - id: each
    for_each: "[1, 2, 3]"
    assert: { that: item < 2, level: end }
  - { id: after, sql: SELECT 1 / 0 }
"#,
        )
        .exits(0);
    assert_eq!(ran.state("after"), "skipped");
    assert_eq!(ran.output("each")["count"]["skipped"], 1, "{}", ran.stdout);
}

#[test]
fn comparisons_name_both_types_and_never_guess() {
    let check = |that: &str, one: &str, other: &str| {
        let body = format!(
            r#"
steps:
  - {{ id: row, sql: "SELECT 1 AS n, 'text' AS t, true AS b, NULL::int AS nothing, 1.5 AS f, ARRAY[1] AS l" }}
  - {{ id: check, assert: "{that}" }}
"#
        );
        let ran = Live::new().run(&body);
        assert_eq!(ran.exit, Some(1), "{that}: {}", ran.stdout);
        let failure = ran.failure("check");
        assert!(failure.contains(one) && failure.contains(other), "{that}: {failure}");
    };
    check("steps.row.row.n == steps.row.row.t", "number", "text");
    check("steps.row.row.n < steps.row.row.t", "number", "text");
    check("steps.row.row.n > steps.row.row.nothing", "number", "none");
    check("steps.row.row.b == steps.row.row.n", "boolean", "number");
    check("steps.row.row.t and true", "text", "boolean");
    check("not steps.row.row.n", "number", "boolean");
    check("steps.row.row.t", "text", "");
}

#[test]
fn numbers_compare_whatever_their_kind_and_none_is_asked_for_by_name() {
    Live::new()
        .run(
            r#"
steps:
  - { id: row, sql: "SELECT 2 AS n, 2.0 AS m, 2::float8 AS f, NULL::int AS nothing" }
  - { id: check, assert: { that: [steps.row.row.n == steps.row.row.m, steps.row.row.f >= steps.row.row.n, steps.row.row.nothing is none] } }
"#,
        )
        .exits(0);
}
