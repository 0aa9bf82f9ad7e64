//! The edges: help, unknown names, closed pipes, colours.

use insta::assert_snapshot;
use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::Sandbox;

#[test]
fn help_names_the_commands() {
    assert_snapshot!(Sandbox::new().run("--help"), @r#"
    Checks, plans and runs declarative runbooks for PostgreSQL maintenance

    Usage: runbook [OPTIONS] <COMMAND>

    Commands:
      list         List the runbooks that can be named
      show         Show what a runbook is for and what it does
      graph        Draw what waits for what
      check        Find every mistake in runbooks, without running them
      test         Try runbooks on canned results and on faults
      explain      Explain a diagnostic code, or what became of a step of a run
      plan         Show what a run would do, without doing anything
      run          Run a runbook
      resume       Go on with a run that was interrupted or left
      rollback     Undo what a run has done
      runs         List the runs that were recorded, newest first
      report       Show what a run did
      schema       Print the JSON Schema of a runbook, or explain one key
      demo         Try the shipped runbooks on a throwaway PostgreSQL
      completions  Print a script that completes the command line
      man          Print the manual as roff

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Everywhere:
          --output <FORM>
              The form of the output: text for people, json for programs

              Possible values:
              - text: For people
              - json: For programs: data and errors are JSON on stdout

              [default: text]

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   Where the terminal shows them and `NO_COLOR` is not set
              - always: In any case
              - never:  Never

              [default: auto]

          --config <FILE>
              The file of environments, instead of the runbook.yaml that is found
    --- exit 0
    "#);
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("").exit, Some(2));
    assert_eq!(sandbox.run("plan").exit, Some(2));
    assert_snapshot!(sandbox.run("plan table-sizes --set top"), @r#"
    --- stderr
    error: invalid value 'top' for '--set <NAME=VALUE>': write NAME=VALUE

    For more information, try '--help'.
    --- exit 2
    "#);
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("show smaple"), @r#"
    --- stderr
    error: there is no runbook `smaple`
    · Did you mean `sample`? `runbook list` shows them all.
    --- exit 2
    "#);
    let output = sandbox.run("show smaple --output json");
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["error"]["message"], "there is no runbook `smaple`");
    assert_eq!((answer["error"]["exit_code"].as_u64(), output.exit), (Some(2), Some(2)));
}

#[test]
fn a_runbook_with_mistakes_says_where_they_are() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.yaml", "version: 1\nname: bad\ntitel: Bad\nsteps: []\n");
    assert_snapshot!(sandbox.run("plan ./bad.yaml --offline"), @r#"
    --- stderr
    runbook::yaml::unknown_key

      ✗ error: unknown key `titel`
       ╭─[./bad.yaml:3:1]
     2 │ name: bad
     3 │ titel: Bad
       · ──┬──
       ·   ╰── not known here
     4 │ steps: []
       ╰────
      help: Did you mean `title`?

    runbook::structure::no_steps

      ✗ error: this list of steps is empty
       ╭─[./bad.yaml:4:8]
     3 │ titel: Bad
     4 │ steps: []
       ·        ──
       ╰────
      help: Add at least one step.

    2 errors

    error: ./bad.yaml cannot be used
    --- exit 2
    "#);
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
    // The mask of a secret is the same everywhere, so that it can be searched for.
    assert!(output.to_string().replace("«secret»", "").is_ascii(), "{output}");
}
