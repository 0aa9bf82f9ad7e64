//! `check`.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

const BAD: &str = "version: 1\nname: bad\nsteps:\n  - id: first\n    sqll: SELECT 1\n  - id: second\n    needs: [frist]\n    sql: SELECT 1\nconnections: { db: postgres }\n";
const WARNED: &str = "version: 1\nname: warned\nconnections: { db: postgres }\nsteps:\n  - id: a\n    sql: UPDATE t SET a = 1\n";

#[test]
fn a_good_folder_has_no_problems() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "runbooks/fine.yaml",
        "version: 1\nname: fine\nconnections: { db: postgres }\nsteps:\n  - { id: a, sql: SELECT 1 }\n",
    );
    assert_snapshot!(sandbox.run("check"), @r#"
    1 file checked: no problems
    --- exit 0
    "#);
}

#[test]
fn every_problem_of_every_file_is_reported_at_once() {
    let sandbox = sandbox();
    sandbox.write("runbooks/bad.yaml", BAD);
    sandbox.write("other.yaml", "- not a map\n");
    assert_snapshot!(sandbox.run("check runbooks other.yaml"), @r#"
    runbook::step::no_kind

      ✗ error: there is no kind of step `sqll`
       ╭─[runbooks/bad.yaml:5:5]
     4 │   - id: first
     5 │     sqll: SELECT 1
       ·     ────
     6 │   - id: second
       ╰────
      help: Did you mean `sql`?

    runbook::graph::unknown_step

      ✗ error: there is no step `frist` here
       ╭─[runbooks/bad.yaml:7:13]
     6 │   - id: second
     7 │     needs: [frist]
       ·             ──┬──
       ·               ╰── no such step
     8 │     sql: SELECT 1
       ╰────
      help: Did you mean `first`?

    2 errors

    runbook::structure::not_a_runbook

      ✗ error: a runbook is a map
       ╭─[other.yaml:1:1]
     1 │ - not a map
       · ───────────
       ╰────
      help: Begin with `version: 1` and `name:`.

    1 error

    3 files checked: 3 errors
    --- exit 2
    "#);
}

#[test]
fn problems_are_data_for_programs() {
    let sandbox = sandbox();
    sandbox.write("runbooks/bad.yaml", BAD);
    let output = sandbox.run("check --output json runbooks/bad.yaml");
    let found: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.exit, found["errors"].as_u64()), (Some(2), Some(2)), "{output}");
    let first = &found["files"][0]["diagnostics"][0];
    assert_eq!((&first["file"], &first["line"]), (&Value::from("runbooks/bad.yaml"), &Value::from(5)));
}

#[test]
fn warnings_fail_only_when_strict() {
    let sandbox = Sandbox::new();
    sandbox.write("warned.yaml", WARNED);
    let check = |arguments: &str, exit| {
        let output = sandbox.run(arguments);
        assert_eq!(output.exit, Some(exit), "{output}");
        assert!(output.stdout.contains("1 warning"), "{output}");
    };
    check("check warned.yaml", 0);
    check("check --strict warned.yaml", 1);
}

#[test]
fn what_is_not_there_cannot_be_checked() {
    assert_snapshot!(Sandbox::new().run("check"), @r#"
    --- stderr
    error: there is no folder ./runbooks
    · Name the files or folders to check.
    --- exit 2
    "#);
    assert_snapshot!(Sandbox::new().run("check nowhere/a.yaml"), @r#"
    --- stderr
    error: cannot read nowhere/a.yaml: No such file or directory (os error 2)
    · Check the path, or give the name of a runbook: `runbook list` shows them.
    --- exit 2
    "#);
}
