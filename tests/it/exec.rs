//! `exec`: programs get exactly what was written, end when they must, and leave whole files or none.

use serde_json::json;

use crate::support::kubernetes::{Kubernetes, Namespace};
use crate::support::live::{Live, Ran};
use crate::support::postgres::PASSWORD;

/// Steps that need no database.
fn run(steps: &str) -> Ran {
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

/// PostgreSQL in a pod, and environments in which the programs of `box` run here, or there.
struct Bench {
    namespace: Namespace,
    live: Live,
}

const SECRET: &str = "a password that nobody sees";

impl Bench {
    fn new(name: &str) -> Self {
        let cluster = Kubernetes::shared();
        let namespace = cluster.namespace(name);
        let port = cluster.postgres(&namespace);
        let bench = Self { namespace, live: Live::new().variable("DB_PASSWORD", SECRET) };
        bench.environments(&format!("127.0.0.1 port={port}"), "pod: postgres-0");
        bench
    }

    /// Writes the environments `here` and `pod`; in the second, the database is reached through a pod as well.
    fn environments(&self, host: &str, via: &str) {
        let (kubeconfig, namespace) = (Kubernetes::shared().kubeconfig().display(), &self.namespace.name);
        let db =
            format!("dsn: 'host={host} user=postgres dbname=postgres', password: {{ env: DB_PASSWORD }}");
        let cluster =
            format!("cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig}, namespace: {namespace} }} }}");
        self.live.sandbox.write(
            "runbook.yaml",
            &format!(
                "
environments:
  here:
    connections:
      db: {{ postgres: {{ {db} }} }}
      box: {{ host: {{ local: {{}} }} }}
      other: {{ host: {{ local: {{}} }} }}
  pod:
    connections:
      {cluster}
      db: {{ postgres: {{ {db}, via: {{ kubernetes: cluster, {via} }} }} }}
      box: {{ host: {{ kubernetes: cluster, pod: postgres-0 }} }}
      other: {{ host: {{ kubernetes: cluster, selector: app=postgres, container: postgres }} }}
  mixed:
    connections:
      {cluster}
      db: {{ postgres: {{ {db} }} }}
      box: {{ host: {{ kubernetes: cluster, pod: postgres-0 }} }}
      other: {{ host: {{ local: {{}} }} }}
"
            ),
        );
    }

    fn body(steps: &str) -> String {
        format!(
            "params: {{ secret: {{ type: string, secret: true, default: another secret }} }}\n\
             connections: {{ db: {{ postgres: null, optional: true }}, box: host, other: host }}\nsteps:\n{steps}"
        )
    }

    fn run(&self, environment: &str, steps: &str) -> Ran {
        self.live.run_with(&Self::body(steps), &["--env", environment])
    }

    /// The files of the last run, which are then removed.
    fn take(&self, name: &str) -> String {
        let path = self.live.sandbox.directory().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    }

    fn there(&self, name: &str) -> bool {
        self.live.sandbox.directory().join(name).exists()
    }
}

#[test]
fn a_step_ends_the_same_here_and_in_a_pod() {
    let bench = Bench::new("same");
    bench.live.sandbox.write("in.txt", &"a line of the file\n".repeat(20_000));
    let steps = r#"
  - id: words
    rollback: { none: a trial }
    exec: { on: box, command: [printf, "%s|", "$HOME", "a b", "x; y", ""] }
  - id: text
    rollback: { none: a trial }
    exec: { on: box, command: [sh, -c, 'cat; printf %s "$A $B"'], stdin: "from text ", env: { A: one, B: "{{ params.secret }}" } }
  - id: file
    rollback: { none: a trial }
    exec: { on: box, command: [wc, -l], stdin_file: in.txt, parse: lines }
  - id: out
    rollback: { none: a trial }
    exec: { on: box, command: [seq, "200000"], stdout_file: out.txt }
  - id: code
    rollback: { none: a trial }
    exec: { on: box, command: [sh, -c, 'echo why >&2; exit 3'], exit_codes: [3] }
  - id: ask
    rollback: { none: a trial }
    exec: { on: box, command: [psql, -XAtqw, -c, "SELECT current_database(), current_setting('port')"], postgres: db }
  - id: psql
    rollback: { none: a trial }
    exec: { on: box, command: [psql, -XAtqw], postgres: db, stdin: "SELECT 6 * 7", env: { PGDATABASE: template1 } }
  - id: pipe
    rollback: { none: a trial }
    exec: { on: box, command: [seq, "1000000"], stdout_to: { on: other, command: [sh, -c, 'sha256sum; echo said >&2'] } }
  - id: wrong
    rollback: { none: a trial }
    exec: { on: box, command: [sh, -c, 'echo why >&2; exit 4'] }
"#;
    let ids = ["words", "text", "file", "out", "code", "ask", "psql", "pipe", "wrong"];
    let results = ["here", "pod"].map(|environment| {
        let ran = bench.run(environment, steps).exits(1);
        let files = bench.take("out.txt");
        let ends = ids.map(|id| {
            let mut end = ran.end(id).clone();
            (end["state"].take(), end["output"].take(), end["failure"].take())
        });
        (ends, files)
    });
    assert_eq!(results[0], results[1]);
    let output = |id: &str| &results[1].0[ids.iter().position(|known| *known == id).unwrap()].1;
    assert_eq!(output("words")["stdout"], "$HOME|a b|x; y||");
    assert_eq!(output("file")["rows"], json!(["20000"]));
    assert_eq!(output("psql")["stdout"], "42\n");
    let sum = "90433fcbd9e16297e6a7c1dacb1056394743194776e52f78ebf0a44b80b6b14f";
    assert_eq!(output("pipe")["to"]["stdout"], format!("{sum}  -\n"));
}

#[test]
fn what_is_secret_reaches_the_pod_and_nobody_sees_it() {
    let bench = Bench::new("private");
    let look = r#"stat -c %a "$PGPASSFILE" "$(dirname "$PGPASSFILE")"; wc -c <"$PGPASSFILE"; echo "$PGPASSFILE"; printf %s "$TOKEN" | wc -c; for p in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$p; done 2>/dev/null | grep -c 'another secre[t]\|a password that nobody see[s]'; true"#;
    let steps = format!(
        "
  - id: look
    rollback: {{ none: a trial }}
    exec: {{ on: box, command: [sh, -c, {}], postgres: db, env: {{ TOKEN: '{{{{ params.secret }}}}' }}, parse: lines }}
    sensitive: false
  - id: file
    rollback: {{ none: a trial }}
    exec: {{ on: box, command: [ls, '{{{{ steps.look.rows[3] }}}}'] }}
",
        json!(look)
    );
    let ran = bench.run("pod", &steps).exits(1);
    let rows = &ran.output("look")["rows"];
    let file_bytes = "*:*:*:*:\n".len() + SECRET.len();
    let expected =
        json!(["600", "700", file_bytes.to_string(), rows[3], "another secret".len().to_string(), "0"]);
    assert_eq!(*rows, expected);
    assert!(
        ran.failure("file").contains("No such file"),
        "removed with the program: {}",
        ran.failure("file")
    );
    assert!(!ran.stdout.contains(SECRET) && !bench.live.journals().contains(SECRET));
    let argument = "  - { id: x, rollback: { none: a trial }, exec: { on: box, command: [echo, '{{ params.secret }}'] } }\n";
    bench.run("here", argument).exits(0);
    let refused = bench.run("pod", argument).exits(1).failure("x");
    assert!(refused.contains("a command in pod `postgres-0` is seen in audit logs"), "{refused}");
}

#[test]
fn a_pipe_counts_both_exit_codes_and_hides_a_half() {
    let bench = Bench::new("pipe");
    let steps = |writer: &str, reader: &str| {
        format!(
            "  - id: x
    rollback: {{ none: a trial }}
    exec: {{ on: box, command: [sh, -c, '{writer}'], stdout_to: {{ on: other, command: [sh, -c, '{reader}'] }} }}
"
        )
    };
    for environment in ["here", "pod", "mixed"] {
        let check = |writer: &str, reader: &str, message: &str| {
            let failure = bench.run(environment, &steps(writer, reader)).exits(1).failure("x");
            assert!(failure.contains(message), "{environment}: {message} is not in\n{failure}");
        };
        check("echo all", "cat; exit 5", "`sh` ended with exit code 5");
        check("seq 1000000", "exit 6", "`sh` ended with exit code 6");
        let mark = format!("/tmp/{}-finished", bench.namespace.name);
        check(
            "echo half; exit 4",
            &format!("cat >/dev/null; touch {mark}"),
            "`sh` ended with exit code 4\n`sh` was stopped before the end of its input",
        );
        let finished = bench.run(environment, &steps("sleep 1", &format!("cat; ls {mark}; true"))).exits(0);
        assert_eq!(
            finished.output("x")["to"]["stdout"],
            "",
            "{environment}: half an input looked like all of it"
        );
    }
}

#[test]
fn a_pipe_takes_as_much_memory_as_it_needs_and_no_more() {
    let bench = Bench::new("stream");
    let steps = "
  - id: x
    rollback: { none: a trial }
    exec: { on: box, command: [head, -c, '300000000', /dev/zero], stdout_to: { on: other, command: [wc, -c] } }
";
    bench.live.write("trial", &Bench::body(steps));
    for environment in ["pod", "mixed"] {
        // In kilobytes, of address space: what 300 MB would not fit into.
        let line = format!("ulimit -v 1500000; runbook run ./trial.yaml --output json --env {environment}");
        let ran: Ran = bench.live.sandbox.shell(&line).into();
        let ran = ran.exits(0);
        assert_eq!(ran.output("x")["to"]["stdout"].as_str().unwrap().trim(), "300000000");
    }
}

#[test]
fn a_dump_goes_from_one_database_into_another() {
    let bench = Bench::new("dump");
    let make = "
  - id: made
    sql: |
      CREATE TABLE t AS SELECT n, md5(n::text) AS x FROM generate_series(1, 20000) AS n
    rollback: { none: a trial }
  - id: copy
    sql: CREATE DATABASE copy
    rollback: { none: a trial }
";
    let copied = "
  - id: move
    rollback: { none: a trial }
    exec:
      on: box
      command: [pg_dump, --format=custom]
      postgres: db
      stdout_to: { on: other, command: [pg_restore, --exit-on-error, --dbname=copy], postgres: db }
  - id: count
    rollback: { none: a trial }
    exec: { on: other, command: [psql, -XAtqw, -d, copy, -c, SELECT count(*) FROM t], postgres: db }
  - id: again
    rollback: { none: a trial }
    exec:
      on: box
      command: [pg_dump, --format=custom]
      postgres: db
      stdout_to: { on: other, command: [pg_restore, --exit-on-error, --single-transaction, --dbname=copy], postgres: db }
";
    bench.run("here", make).exits(0);
    let ran = bench.run("pod", copied).exits(1);
    assert_eq!(ran.output("count")["stdout"], "20000\n");
    assert!(ran.failure("again").contains("`pg_restore` ended with exit code 1"), "{}", ran.failure("again"));
}

#[test]
fn where_a_program_cannot_run_or_reach_the_database_it_says_why() {
    let bench = Bench::new("why");
    let ask = "  - { id: x, rollback: { none: a trial }, exec: { on: box, command: [psql, -c, SELECT 1], postgres: db } }\n";
    let check = |environment: &str, message: &str| {
        let failure = bench.run(environment, ask).exits(1).failure("x");
        assert!(failure.contains(message), "{message} is not in\n{failure}");
    };
    check("mixed", "of this machine, which a program in pod `postgres-0` does not see");
    let cluster = Kubernetes::shared();
    cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let text = std::fs::read_to_string(bench.live.sandbox.directory().join("runbook.yaml")).unwrap();
    let write = |from: &str, to: &str| bench.live.sandbox.write("runbook.yaml", &text.replace(from, to));
    write(
        "box: { host: { kubernetes: cluster, pod: postgres-0",
        "box: { host: { kubernetes: cluster, pod: tools",
    );
    check("pod", "`db` is behind pod `postgres-0`, and the program would run in pod `tools`");
    write("pod: postgres-0 } }\n      other", "pod: nowhere } }\n      other");
    check("pod", "pods \"nowhere\" not found");
    write("box: { host: { kubernetes: cluster, pod", "box: { host: { kubernetes: db, pod");
    let ran = bench.run("pod", ask).exits(2);
    assert!((ran.stdout + &ran.stderr).contains("which is no cluster here"));
}

#[test]
fn a_program_in_a_pod_ends_with_its_time_or_stays_uncertain() {
    let bench = Bench::new("time");
    let ran = bench.run("pod", "  - { id: x, timeout: 2s, rollback: { none: a trial }, exec: { on: box, command: [sleep, '73'] } }\n");
    assert_eq!(ran.end("x")["failure"]["stopped_by"], "timeout");
    let exec = [
        "--namespace",
        &bench.namespace.name,
        "exec",
        "postgres-0",
        "--",
        "sh",
        "-c",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
    ];
    let left = Kubernetes::shared().kubectl(&exec);
    assert!(!left.contains("sleep 73"), "{left}");
    let step = "
  - id: long
    rollback: { none: a trial }
    exec: { on: box, command: [sh, -c, 'seq 100000; exec sleep 60'], stdout_file: long.txt }
";
    let running = bench.live.start(&Bench::body(step), &["--env", "pod"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let namespace = &bench.namespace.name;
    Kubernetes::shared().kubectl(&[
        "--namespace",
        namespace,
        "delete",
        "pod",
        "postgres-0",
        "--grace-period=0",
        "--force",
    ]);
    let ran = running.finish();
    let failure = ran.failure("long");
    // A status 137 is an answer; a connection that is gone is none.
    match ran.exit {
        Some(4) => assert!(failure.contains("no answer from `sh`"), "{failure}"),
        Some(1) => assert!(failure.contains("exit code 137"), "{failure}"),
        other => panic!("{other:?}: {failure}"),
    }
    assert!(!bench.there("long.txt") && !bench.there("long.txt.part"));
}
