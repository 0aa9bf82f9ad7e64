//! The edges: help, unknown names, closed pipes, colours.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

#[test]
fn help_names_the_commands() {
    assert_snapshot!(Sandbox::new().run("--help"), @"");
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("").exit, Some(2));
    assert_eq!(sandbox.run("plan").exit, Some(2));
    assert_snapshot!(sandbox.run("plan table-sizes --set top"), @"");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("show smaple"), @"");
    let output = sandbox.run("show smaple --output json");
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["error"]["message"], "there is no runbook `smaple`");
    assert_eq!((answer["error"]["exit_code"].as_u64(), output.exit), (Some(2), Some(2)));
}

#[test]
fn a_runbook_with_mistakes_says_where_they_are() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.yaml", "version: 1\nname: bad\ntitel: Bad\nsteps: []\n");
    assert_snapshot!(sandbox.run("plan ./bad.yaml --offline"), @"");
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let sandbox = Sandbox::new();
    let output = sandbox.shell("{ runbook schema; echo \"exit $?\" >&2; } | head -n 1");
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("{\n", "exit 0\n"));
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let colourful = |sandbox: &Sandbox, arguments: &str| sandbox.run(arguments).stdout.contains('\u{1b}');
    let sandbox = Sandbox::new().with("TERM", "xterm-256color");
    assert!(!colourful(&sandbox, "list"));
    assert!(colourful(&sandbox, "list --color always"));
    let forced = sandbox.with("CLICOLOR_FORCE", "1");
    assert!(colourful(&forced, "list"));
    assert!(!colourful(&forced, "list --color never"));
    let plain = forced.with("NO_COLOR", "1");
    assert!(!colourful(&plain, "list") && !colourful(&plain, "--help"));
}

#[test]
fn without_a_locale_the_page_is_ascii() {
    let sandbox = sandbox().with("LANG", "C");
    let output = sandbox.run("plan sample --offline --set schema_name=shop");
    assert!(output.to_string().is_ascii(), "{output}");
}
