//! `explain`, `schema`, `completions` and `man`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::sandbox::Sandbox;

#[test]
fn codes_are_found_by_any_of_their_names() {
    let sandbox = Sandbox::new();
    let full = sandbox.run("explain runbook::yaml::duplicate_key");
    assert!(
        full.stdout.starts_with("runbook::yaml::duplicate_key\nthe same key twice in one map\n"),
        "{full}"
    );
    assert_eq!(full.stdout, sandbox.run("explain yaml::duplicate_key").stdout);
    assert_eq!(full.stdout, sandbox.run("explain duplicate_key").stdout);
    assert_snapshot!(sandbox.run("explain duplicate_kye"), @r#"
    --- stderr
    error: there is no code `duplicate_kye`
    · Did you mean `yaml::duplicate_key`? `runbook explain` lists every code.
    --- exit 2
    "#);
    let all = sandbox.run("explain --output json");
    let all: Vec<Value> = serde_json::from_str(&all.stdout).unwrap();
    assert!(all.len() > 20 && all.iter().all(|code| code["code"].as_str().unwrap().starts_with("runbook::")));
}

#[test]
fn keys_are_explained() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run("schema sql.lock_timeout"), @r#"
    sql.lock_timeout
    How long a statement may wait for a lock.
    Takes a text, or a number.
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("schema steps.retry"), @r#"
    steps.retry
    When and how often a failed attempt is repeated.
    Takes a map.

      attempts   How many attempts there are at most, the first included.
      delay      The time before the second attempt.
      backoff    How the time grows from attempt to attempt.
      max_delay  The longest time between two attempts.
      when       Which failures are repeated, read from `this.error`; all that can
                 be when absent.
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("schema on_error"), @r#"
    on_error
    What its failure means for the run.
    Takes one of the words below.
      stop: Nothing new starts.
      continue: The run goes on, and ends with exit code 1.
    --- exit 0
    "#);
    assert_snapshot!(sandbox.run("schema params.tpye"), @r#"
    --- stderr
    error: there is no key `tpye` in `params`
    · Did you mean `type`?
    --- exit 2
    "#);
    let whole: Value = serde_json::from_str(&sandbox.run("schema").stdout).unwrap();
    assert_eq!(whole["title"], "Runbook");
}

#[test]
fn the_manual_and_completions_name_every_command() {
    let sandbox = Sandbox::new();
    let (manual, script) = (sandbox.run("man"), sandbox.run("completions bash"));
    for command in ["list", "show", "graph", "check", "explain", "plan", "runs", "report", "schema"] {
        assert!(manual.stdout.contains(&format!("runbook {command}")), "{command} is not in the manual");
        assert!(script.stdout.contains(command), "{command} is not completed");
    }
    assert!(manual.stdout.contains("EXIT STATUS"));
    assert_eq!((manual.exit, script.exit), (Some(0), Some(0)));
}
