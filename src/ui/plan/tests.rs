//! Pages of plans made by hand: what an offline plan of a file does not show.

use serde_json::Map;

use super::plan_page;
use crate::model::{Class, Effect, Failure, StepId};
use crate::plan::{
    Condition, Knowledge, Plan, PlannedChild, PlannedEdge, PlannedStep, PlannedTarget, PlannedUndo,
    UndoResult,
};
use crate::ui::style::{ColorChoice, Style};

fn step(id: &str, kind: &str, effect: Effect) -> PlannedStep {
    PlannedStep {
        id: StepId::new(id),
        kind: kind.to_owned(),
        title: format!("Title of {id}"),
        depth: 0,
        class: Class::known(effect),
        knowledge: Knowledge::Exactly,
        parents: Vec::new(),
        conditions: Vec::new(),
        lines: vec![format!("SELECT '{id}'")],
        children: None,
        locks: Vec::new(),
        facts: Vec::new(),
        blockers: Vec::new(),
        undo: None,
        gate: false,
        answer: None,
        show: false,
    }
}

fn after(step: &str) -> Vec<PlannedEdge> {
    vec![PlannedEdge { step: StepId::new(step), because: "stands above" }]
}

fn plan(steps: Vec<PlannedStep>) -> Plan {
    Plan {
        runbook: "sample".to_owned(),
        title: "A sample".to_owned(),
        environment: Some("production".to_owned()),
        offline: false,
        parameters: Map::new(),
        targets: vec![PlannedTarget {
            name: "db".to_owned(),
            kind: "postgres".to_owned(),
            target: "orders on db1, PostgreSQL 16.4".to_owned(),
        }],
        rolls_back: true,
        problems: Vec::new(),
        steps,
    }
}

#[test]
fn what_stands_in_the_way_is_said_first_and_at_its_step() {
    let mut plan = plan(vec![
        PlannedStep {
            class: Class::because(Effect::Destroy, "DROP TABLE removes the table"),
            blockers: vec!["the table `old` does not exist".to_owned()],
            undo: Some(PlannedUndo {
                means: "cannot be undone: dropped rows do not come back".to_owned(),
                lines: Vec::new(),
                comes_to: UndoResult::NoReturn,
            }),
            locks: vec!["AccessExclusiveLock on old: blocks everything".to_owned()],
            facts: vec!["took 3m 10s last time".to_owned()],
            ..step("drop", "sql", Effect::Destroy)
        },
        PlannedStep {
            knowledge: Knowledge::Skipped { because: "excluded".to_owned() },
            ..step("b", "sql", Effect::Read)
        },
    ]);
    plan.problems
        .push(Failure::new("`dba` is not a member of `pg_monitor`").help("GRANT pg_monitor TO dba;"));
    insta::assert_snapshot!(plan_page(&plan, &Style::plain(), false), @r#"
    A sample
    sample · environment production

      db: orders on db1, PostgreSQL 16.4

    1 step: 1 cannot be undone.
    Known: 1 will do exactly what is shown, 1 skipped.
    If it fails, what it did stays: it cannot be undone.
    ✗ `dba` is not a member of `pg_monitor`
        GRANT pg_monitor TO dba;
    ✗ Something stands in the way of `drop`; see below.

     1 ✖ drop  sql · destroy
         Title of drop
         will do exactly this:
           SELECT 'drop'
         destroy: DROP TABLE removes the table
         lock: AccessExclusiveLock on old: blocks everything
         took 3m 10s last time
         cannot be undone: dropped rows do not come back
         ✗ blocked: the table `old` does not exist

     2 ○ b  sql · read
         Title of b
         starts at once, beside the steps above
         – skipped: excluded

    When that is put right: runbook plan sample --env production
    "#);
}

#[test]
fn long_lists_are_cut_unless_everything_is_to_be_shown() {
    let child = |n: u32| PlannedChild { key: format!("t{n}"), lines: vec![format!("VACUUM t{n}")] };
    let plan = plan(vec![
        PlannedStep { gate: true, answer: Some("yes".to_owned()), ..step("sure", "confirm", Effect::Read) },
        PlannedStep {
            children: Some((1..=20).map(child).collect()),
            conditions: vec![Condition { when: "params.vacuum".to_owned(), holds: Some(true) }],
            parents: after("sure"),
            ..step("vacuum", "sql", Effect::Change)
        },
    ]);
    let brief = plan_page(&plan, &Style::plain(), false);
    assert!(brief.contains("[t10]") && !brief.contains("[t11]") && brief.contains("and 10 more"), "{brief}");
    assert!(brief.contains("Without a terminal it wants --answer sure=yes."), "{brief}");
    assert!(brief.contains("when params.vacuum (holds now)"), "{brief}");
    assert!(brief.ends_with("To do it: runbook run sample --env production\n"), "{brief}");
    let full = plan_page(&plan, &Style::plain(), true);
    assert!(full.contains("[t20]") && !full.contains("and 10 more"), "{full}");
}

#[test]
fn what_changes_something_is_shown_to_the_last_word() {
    let statement =
        format!("DELETE FROM orders WHERE {}ordered_at < '2020-01-01'", "note <> 'a  b' AND ".repeat(4));
    let plan = plan(vec![PlannedStep { lines: vec![statement.clone()], ..step("a", "sql", Effect::Change) }]);
    let page = plan_page(&plan, &Style::plain(), false);
    let (_, below) = page.split_once("exactly this:\n").unwrap();
    let shown: Vec<&str> = below.lines().take_while(|line| !line.is_empty()).map(str::trim_start).collect();
    assert_eq!(shown.join(" "), statement);
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

#[test]
fn colours_and_symbols_say_nothing_that_words_do_not() {
    let plan = plan(vec![step("a", "sql", Effect::Disrupt), step("b", "sql", Effect::Destroy)]);
    let colourless = plan_page(&plan, &Style::plain(), false);
    let colourful = plan_page(&plan, &Style::plain().with_color(ColorChoice::Always), false);
    assert_ne!(colourless, colourful);
    assert_eq!(console::strip_ansi_codes(&colourful), colourless);
    let ascii = plan_page(&plan, &Style { unicode: false, ..Style::plain() }, false);
    assert!(ascii.is_ascii() && ascii.contains("disrupt") && ascii.contains("destroy"), "{ascii}");
}
