//! A secret never leaves: not by stdout, stderr, events, journal, report or diagnostics, in whatever form.

use crate::support::live::{Live, Ran};

const SECRET: &str = "s3cr'et/\"w0rd+ü";

/// The forms in which a secret could slip through.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    let url: String = secret
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    vec![
        secret.to_owned(),
        base64::engine::general_purpose::STANDARD.encode(secret),
        url,
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
        secret.replace('\'', "''"),
    ]
}

#[track_caller]
fn leaks_nothing(live: &Live, ran: &Ran, secret: &str) {
    let report = live.sandbox.run_args(&["report", "last"]);
    let report_json = live.sandbox.run_args(&["report", "last", "--output", "json"]);
    for form in forms(secret) {
        for (place, text) in [
            ("stdout", &ran.stdout),
            ("stderr", &ran.stderr),
            ("the journal", &live.journals()),
            ("the report", &report.stdout),
            ("the report's stderr", &report.stderr),
            ("the report as JSON", &report_json.stdout),
        ] {
            assert!(!text.contains(&form), "{place} has `{form}`: {text}");
        }
    }
}

const BODY: &str = r#"
params: { word: { type: string, secret: true }, n: { type: int, default: 1 } }
vars: { greeting: "hello {{ params.word }}", twisted: "{{ params.word | b64encode }}" }
steps:
  - { id: arg, show: true, sql: { query: "SELECT $1 AS w", args: ["{{ params.word }}"] } }
  - { id: var, show: true, sql: { query: "SELECT $1 AS w, $2 AS v", args: ["{{ vars.greeting }}", "{{ vars.twisted }}"] } }
  - { id: program, rollback: { none: a trial }, exec: { command: [printenv, WORD], env: { WORD: "{{ params.word }}" } } }
  - { id: says, on_error: continue, sql: { query: "SELECT $1::int", args: ["{{ params.word }}"] } }
  - { id: shouts, on_error: continue, rollback: { none: a trial }, exec: { command: [sh, -c, 'echo "$WORD" >&2; exit 1'], env: { WORD: "{{ params.word }}" } } }
  - { id: check, on_error: continue, assert: { that: params.word == 'nothing', message: "it is {{ params.word }}" } }
  - { id: uses, sql: { query: "SELECT length($1) AS n", args: ["{{ steps.arg.value }}"], } }
outputs: { word: params.word }
"#;

#[test]
fn a_secret_from_the_environment_a_file_or_a_flag_never_appears() {
    let live = Live::new().variable("RUNBOOK_PARAM_WORD", SECRET);
    let ran = live.run(BODY).exits(1);
    assert_eq!(
        ran.states(&["arg", "var", "program", "says", "shouts", "check", "uses"]),
        "succeeded succeeded succeeded failed failed failed succeeded"
    );
    leaks_nothing(&live, &ran, SECRET);

    let live = Live::new();
    let file = serde_json::json!({ "word": SECRET }).to_string();
    live.sandbox.write("params.json", &file);
    let ran = live.run_with(BODY, &["--params-file", "params.json"]).exits(1);
    leaks_nothing(&live, &ran, SECRET);

    let live = Live::new();
    let ran = live.run_with(BODY, &["--set", &format!("word={SECRET}")]).exits(1);
    leaks_nothing(&live, &ran, SECRET);
}

#[test]
fn text_for_people_hides_it_too() {
    let live = Live::new().variable("RUNBOOK_PARAM_WORD", SECRET);
    live.write("trial", BODY);
    let output = live.sandbox.run_args(&["run", "./trial.yaml"]);
    assert_eq!(output.exit, Some(1), "{output:?}");
    leaks_nothing(&live, &output.into(), SECRET);
    let plan = live.sandbox.run_args(&["plan", "./trial.yaml"]);
    leaks_nothing(&live, &plan.into(), SECRET);
    let plan = live.sandbox.run_args(&["plan", "./trial.yaml", "--output", "json"]);
    leaks_nothing(&live, &plan.into(), SECRET);
}

#[test]
fn the_output_of_a_step_that_reads_a_secret_is_masked_unless_it_says_otherwise() {
    let live = Live::new().variable("RUNBOOK_PARAM_WORD", SECRET);
    let ran = live
        .run(
            r#"
params: { word: { type: string, secret: true } }
steps:
  - { id: masked, sql: { query: "SELECT length($1) AS n", args: ["{{ params.word }}"] } }
  - { id: open, sensitive: false, sql: { query: "SELECT length($1) AS n", args: ["{{ params.word }}"] } }
"#,
        )
        .exits(0);
    assert_eq!(*ran.output("masked"), "«secret»");
    assert_eq!(ran.output("open")["rows"][0]["n"], SECRET.chars().count());
}

#[test]
fn a_generated_secret_is_drawn_once_a_run_and_never_shown() {
    let live = Live::with("CREATE TABLE t (w text)");
    let body = r#"
params: { word: { type: string, secret: true, generate: { length: 24 } } }
steps:
  - { id: one, rollback: { none: a trial }, sql: { query: INSERT INTO t VALUES ($1), args: ["{{ params.word }}"] } }
  - { id: two, rollback: { none: a trial }, sql: { query: INSERT INTO t VALUES ($1), args: ["{{ params.word }}"] } }
"#;
    let ran = live.run(body).exits(0);
    let drawn = live.psql("SELECT string_agg(DISTINCT w, ' ') FROM t");
    assert_eq!(drawn.len(), 24);
    leaks_nothing(&live, &ran, &drawn);
    live.run(body).exits(0);
    assert_eq!(live.psql("SELECT count(DISTINCT w) FROM t"), "2");
}

#[test]
fn a_secret_in_the_text_of_sql_is_refused() {
    let live = Live::new().variable("RUNBOOK_PARAM_WORD", SECRET);
    let refused = live.run(
        "params: { word: { type: string, secret: true } }\nsteps:\n  - { id: one, sql: \"SELECT {{ params.word }} AS w\" }\n",
    );
    assert_eq!(refused.exit, Some(2), "{}", refused.stdout);
    let verifier = live.run(
        "params: { word: { type: string, secret: true } }\nsteps:\n  - { id: one, sql: \"SELECT {{ params.word | scram_verifier }} AS w\" }\n",
    );
    let verifier = verifier.exits(0);
    leaks_nothing(&live, &verifier, SECRET);
}

#[test]
fn a_parameter_that_is_refused_does_not_say_its_value() {
    let live = Live::new();
    let ran = live
        .run_with(
            "params: { word: { type: string, secret: true, pattern: '[a-z]+' } }\nsteps:\n  - { id: one, sql: SELECT 1 }\n",
            &["--set", &format!("word={SECRET}")],
        )
        .exits(2);
    for form in forms(SECRET) {
        assert!(!ran.stdout.contains(&form) && !ran.stderr.contains(&form), "{} {}", ran.stdout, ran.stderr);
    }
}
