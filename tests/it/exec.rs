//! `exec`: programs get exactly what was written, end when they must, and leave whole files or none.

use serde_json::json;

use crate::support::live::Live;
use crate::support::postgres::PASSWORD;

/// Steps that need no database.
fn run(steps: &str) -> crate::support::live::Ran {
    Live::new().run(&format!("connections: {{}}\nsteps:\n{steps}"))
}

#[test]
fn arguments_are_never_split_nor_expanded() {
    let live = Live::new();
    let body = r#"
connections: {}
params: { word: { type: string } }
steps:
  - id: say
    rollback: { none: a trial }
    exec: { command: [printf, "%s|", "{{ params.word }}", "$HOME", "a b", ""] }
"#;
    let ran = live.run_with(body, &["--set", "word=x; touch stolen $(id) 'q'"]).exits(0);
    assert_eq!(ran.output("say")["stdout"], "x; touch stolen $(id) 'q'|$HOME|a b||");
    assert!(!live.sandbox.directory().join("stolen").exists());
}

#[test]
fn standard_input_comes_from_text_or_from_a_file() {
    let live = Live::new();
    live.sandbox.write("in.txt", "from a file");
    let ran = live
        .run(
            r"
connections: {}
steps:
  - { id: text, rollback: { none: a trial }, exec: { command: [cat], stdin: from text } }
  - { id: file, rollback: { none: a trial }, exec: { command: [cat], stdin_file: in.txt } }
  - { id: none, rollback: { none: a trial }, exec: { command: [cat] } }
  - { id: unread, rollback: { none: a trial }, exec: { command: ['true'], stdin: not read } }
",
        )
        .exits(0);
    assert_eq!(ran.output("text")["stdout"], "from text");
    assert_eq!(ran.output("file")["stdout"], "from a file");
    assert_eq!(ran.output("none")["stdout"], "");
}

#[test]
fn standard_output_becomes_data() {
    let ran = run(r#"
  - { id: lines, rollback: { none: a trial }, exec: { command: [printf, 'a\nb c\n'], parse: lines } }
  - { id: json, rollback: { none: a trial }, exec: { command: [echo, '{"a": [1, null]}'], parse: json } }
  - { id: tsv, rollback: { none: a trial }, exec: { command: [printf, 'a\tb\n1\tx y\n'], parse: tsv } }
  - { id: bad, rollback: { none: a trial }, exec: { command: [echo, '{'], parse: json } }
"#)
    .exits(1);
    assert_eq!(ran.output("lines")["rows"], json!(["a", "b c"]));
    assert_eq!(ran.output("json")["rows"], json!({ "a": [1, null] }));
    assert_eq!(ran.output("tsv")["rows"], json!([{ "a": "1", "b": "x y" }]));
    assert!(ran.failure("bad").contains("not JSON"), "{}", ran.failure("bad"));
}

#[test]
fn an_exit_code_is_success_only_when_it_is_listed() {
    let ran = run(r"
  - { id: listed, rollback: { none: a trial }, exec: { command: [sh, -c, exit 3], exit_codes: [0, 3] } }
  - { id: other, on_error: continue, rollback: { none: a trial }, exec: { command: [sh, -c, 'echo why >&2; exit 4'] } }
  - { id: nowhere, on_error: continue, rollback: { none: a trial }, exec: { command: [no-such-program] } }
")
    .exits(1);
    assert_eq!(ran.output("listed")["exit_code"], 3);
    assert!(ran.failure("other").contains("exit code 4") && ran.failure("other").contains("why"));
    assert!(ran.failure("nowhere").contains("cannot start"), "{}", ran.failure("nowhere"));
}

#[test]
fn a_file_is_whole_or_not_there() {
    let live = Live::new();
    let body = r"
connections: {}
steps:
  - { id: good, rollback: { none: a trial }, exec: { command: [printf, abc], stdout_file: good.txt } }
  - { id: bad, on_error: continue, rollback: { none: a trial }, exec: { command: [sh, -c, 'echo half; exit 1'], stdout_file: bad.txt } }
";
    let ran = live.run(body).exits(1);
    assert_eq!(ran.output("good")["file"]["bytes"], 3);
    assert_eq!(
        ran.output("good")["file"]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let there = |name: &str| live.sandbox.directory().join(name).exists();
    assert!(there("good.txt") && !there("bad.txt") && !there("bad.txt.part") && !there("good.txt.part"));
    assert!(live.run(body).exits(1).failure("good").contains("exists already"));
}

#[test]
fn data_files_are_relative_to_the_folder_of_files() {
    let live = Live::new();
    std::fs::create_dir(live.sandbox.directory().join("data")).unwrap();
    let body = r"
connections: {}
steps:
  - { id: one, rollback: { none: a trial }, exec: { command: [pwd], stdout_file: out.txt } }
";
    live.run_with(body, &["--files", "data"]).exits(0);
    assert!(live.sandbox.directory().join("data/out.txt").exists());
}

#[test]
fn a_program_gets_the_connection_without_a_word_of_it_in_its_arguments() {
    let live = Live::new();
    live.sandbox.write(
        "runbook.yaml",
        &format!(
            "environments:\n  here:\n    connections:\n      db: {{ postgres: {{ dsn: \"host=127.0.0.1 port={} \
             user=scram_user dbname={}\", password: {{ env: DB_PASSWORD }} }} }}\n",
            crate::support::postgres::server().port,
            live.database
        ),
    );
    let live = live.variable("DB_PASSWORD", PASSWORD);
    let body = r#"
connections: { db: postgres }
steps:
  - id: ask
    rollback: { none: a trial }
    exec: { command: [psql, -XAtqw, -c, "SELECT session_user || '@' || current_database()"], postgres: db }
  - id: look
    rollback: { none: a trial }
    exec: { command: [sh, -c, 'stat -c %a "$PGPASSFILE"; echo "${PGPASSWORD-unset}"; echo "$PGPASSFILE"'], postgres: db, parse: lines }
"#;
    let ran = live.run_with(body, &["--env", "here"]).exits(0);
    assert_eq!(ran.output("ask")["stdout"], format!("scram_user@{}\n", live.database));
    let seen = ran.output("look")["rows"].as_array().unwrap();
    assert_eq!((&seen[0], &seen[1]), (&json!("600"), &json!("unset")));
    assert!(!std::path::Path::new(seen[2].as_str().unwrap()).exists(), "the password file is removed");
    assert!(!ran.stdout.contains(PASSWORD) && !live.journals().contains(PASSWORD));
}

#[test]
fn a_timeout_ends_everything_the_program_started() {
    let live = Live::new();
    let ran = live
        .run(
            r#"
connections: {}
steps:
  - id: stubborn
    timeout: 500ms
    rollback: { none: a trial }
    exec: { command: [sh, -c, '(trap "" TERM; echo started > started; sleep 3; echo survived > survived) & wait'] }
"#,
        )
        .exits(1);
    assert_eq!(ran.end("stubborn")["failure"]["stopped_by"], "timeout");
    assert!(live.sandbox.directory().join("started").exists());
    std::thread::sleep(std::time::Duration::from_millis(3200));
    assert!(!live.sandbox.directory().join("survived").exists());
}

#[test]
fn no_plan_runs_a_program() {
    let live = Live::new();
    let (output, plan) = live.plan(
        "connections: {}\nsteps:\n  - { id: one, rollback: { none: a trial }, exec: { command: [touch, ran] } }\n",
        &[],
    );
    assert_eq!(output.exit, Some(0), "{}", output.stderr);
    assert!(plan.to_string().contains("no plan runs a program"), "{plan}");
    assert!(!live.sandbox.directory().join("ran").exists());
}
