//! `explain`, `schema`, `completions` and `man`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::sandbox::Sandbox;

#[test]
fn codes_are_found_by_any_of_their_names() {
    let sandbox = Sandbox::new();
    let full = sandbox.run("explain runbook::yaml::duplicate_key");
    assert!(full.stdout.starts_with("runbook::yaml::duplicate_key\nthe same key twice in one map\n"), "{full}");
    assert_eq!(full.stdout, sandbox.run("explain yaml::duplicate_key").stdout);
    assert_eq!(full.stdout, sandbox.run("explain duplicate_key").stdout);
    assert_snapshot!(sandbox.run("explain duplicate_kye"), @"");
    let all = sandbox.run("explain --output json");
    let all: Vec<Value> = serde_json::from_str(&all.stdout).unwrap();
    assert!(all.len() > 20 && all.iter().all(|code| code["code"].as_str().unwrap().starts_with("runbook::")));
}

#[test]
fn keys_are_explained() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run("schema sql.lock_timeout"), @"");
    assert_snapshot!(sandbox.run("schema steps.retry"), @"");
    assert_snapshot!(sandbox.run("schema on_error"), @"");
    assert_snapshot!(sandbox.run("schema params.tpye"), @"");
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
