//! `list`, `runs` and `report`.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

#[test]
fn shipped_runbooks_are_listed_everywhere() {
    let output = Sandbox::new().run("list --tag maintenance");
    assert_snapshot!(output, @r#"
    restart-postgres   Restart PostgreSQL
                       maintenance, restart · shipped
    weekly-statistics  Weekly statistics update
                       weekly, maintenance · At 03:30, on Sunday (UTC) · shipped
    weekly-vacuum      Weekly vacuum
                       weekly, maintenance · At 03:00, on Sunday (UTC) · shipped
    --- exit 0
    "#);
}

#[test]
fn own_runbooks_come_first_and_hide_shipped_ones() {
    let sandbox = sandbox();
    sandbox.write(
        "runbooks/table-sizes.yaml",
        "version: 1\nname: table-sizes\ntitle: My own sizes\nsteps: []\n",
    );
    sandbox.write("runbooks/broken.yaml", "title: [");
    let output = sandbox.run("list --output json");
    let rows: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let source = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        (row["title"].as_str().unwrap().to_owned(), row["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(source("table-sizes"), ("My own sizes".to_owned(), "runbooks/table-sizes.yaml".to_owned()));
    assert_eq!(source("sample").0, "A sample");
    assert_eq!(source("broken").0, "(cannot be read)");
    assert_eq!(source("weekly-vacuum").1, "shipped");
}

#[test]
fn without_runs_there_is_nothing_to_list_or_report() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run("runs"), @r#"
    --- stderr
    no runs are recorded here
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("runs --output json"), @r#"
    []
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("report last"), @r#"
    --- stderr
    error: there is no run `last`
    · No runs are recorded here; set `RUNBOOK_STATE` if they are kept elsewhere.
    --- exit 2
    "#);
}
