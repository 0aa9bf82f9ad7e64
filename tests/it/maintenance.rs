//! The runbooks that work on a whole server, from end to end, on a real PostgreSQL in a real StatefulSet, and again with
//! the pod deleted in the middle.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace};
use crate::support::live::{Live, Ran};
use crate::support::postgres::binary;
use crate::support::sandbox::Output;

/// PostgreSQL in a pod, and environments that lead to it directly and through the pod.
struct Bench {
    namespace: Namespace,
    port: u16,
    live: Live,
}

impl Bench {
    fn new(name: &str) -> Self {
        let cluster = Kubernetes::shared();
        let namespace = cluster.namespace(name);
        let port = cluster.postgres(&namespace);
        let kubeconfig = cluster.kubeconfig().display().to_string();
        let dsn = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
        let cluster = format!(
            "cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig}, namespace: {} }} }}",
            namespace.name
        );
        let live = Live::new();
        live.sandbox.write(
            "runbook.yaml",
            &format!(
                "
environments:
  direct:
    connections:
      {cluster}
      db: {{ postgres: {{ dsn: '{dsn}' }} }}
      dbhost: {{ host: {{ local: {{}} }} }}
  pod:
    connections:
      {cluster}
      db: {{ postgres: {{ dsn: '{dsn}', via: {{ kubernetes: cluster, pod: postgres-0 }} }} }}
      dbhost: {{ host: {{ kubernetes: cluster, pod: postgres-0 }} }}
"
            ),
        );
        Self { namespace, port, live }
    }

    fn run(&self, runbook: &str, environment: &str, more: &[&str]) -> Ran {
        let arguments = ["run", runbook, "--env", environment, "--yes", "--output", "json"];
        self.live.sandbox.run_args(&[&arguments, more].concat()).into()
    }

    /// Runs it, and deletes the pod once a step has begun.
    fn run_without_pod(&self, runbook: &str, step: &str, more: &[&str]) -> Ran {
        let arguments = ["run", runbook, "--env", "pod", "--yes", "--output", "json"];
        let mut running = self.live.start_args(&[&arguments, more].concat());
        running.wait_for("step_started", step);
        std::thread::sleep(Duration::from_secs(1));
        self.kubectl(&["delete", "pod", "postgres-0", "--grace-period=0", "--force"]);
        running.finish()
    }

    fn plan(&self, runbook: &str, more: &[&str]) -> Output {
        self.live.sandbox.run_args(&[&["plan", runbook, "--env", "pod"], more].concat())
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let namespace = ["--namespace", &self.namespace.name];
        Kubernetes::shared().kubectl(&[&namespace, arguments].concat())
    }

    fn psql(&self, sql: &str) -> String {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-h", "127.0.0.1", "-U", "postgres", "-c", sql, "-p", &self.port.to_string()]);
        let output = psql.env_clear().output().unwrap();
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Another session, which goes on until its last statement ends or the server does.
    fn hold(&self, statements: &[&str]) -> Child {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()]);
        psql.args(statements.iter().flat_map(|statement| ["-c", statement]));
        let holder = psql.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        holder
    }

    /// The names of the files that begin like a backup.
    fn backups(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.live.sandbox.directory()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("postgres-"));
        files.sort();
        files
    }
}

#[test]
fn each_can_be_planned_with_and_without_a_look() {
    let bench = Bench::new("planned");
    for runbook in ["restart-postgres", "backup-on-demand", "crash-recovery"] {
        for more in [&[][..], &["--offline"]] {
            let planned = bench.plan(runbook, more);
            assert_eq!(planned.exit, Some(0), "{runbook}: {planned}");
        }
    }
}

#[test]
fn a_restart_brings_another_process_and_the_new_setting() {
    let bench = Bench::new("restart");
    let started = "SELECT pg_postmaster_start_time()";
    let before = bench.psql(started);
    bench.psql("ALTER SYSTEM SET max_connections = 77");
    bench.psql("SELECT pg_reload_conf()");
    let ran = bench.run("restart-postgres", "pod", &[]).exits(0);
    assert_eq!(ran.output("pending")["rows"][0]["name"], "max_connections");
    // The data of this pod goes with it, so the setting is gone as well; that shows among the differences.
    assert_ne!(bench.psql(started), before);
    assert_ne!(ran.outputs()["started_after"], ran.outputs()["started_before"]);
    assert!(ran.outputs()["settings"]["changed"].is_array(), "{}", ran.outputs());
}

#[test]
fn a_restart_waits_for_nobody_who_would_lose_work() {
    let bench = Bench::new("busy");
    let mut holder = bench.hold(&["SELECT pg_sleep(30)"]);
    std::thread::sleep(Duration::from_secs(1));
    let ran = bench.run("restart-postgres", "pod", &["--set", "max_transaction=1s"]).exits(1);
    assert!(ran.failure("no_long_transaction").contains("open for more than 1s: 1"), "{}", ran.stdout);
    assert_eq!(ran.events("step_started", "restart").count(), 0);
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_backup_is_the_same_directly_and_through_the_pod() {
    let bench = Bench::new("backup");
    bench.psql("CREATE TABLE t AS SELECT n, md5(n::text) AS x FROM generate_series(1, 50000) AS n");
    for environment in ["direct", "pod"] {
        let ran = bench.run("backup-on-demand", environment, &[]).exits(0);
        let files = bench.backups();
        let [dump, globals, manifest] = files.as_slice() else { panic!("{files:?}") };
        assert!(globals.to_string_lossy().ends_with(".globals.sql"), "{files:?}");
        let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        assert_eq!(manifest["dump"]["sha256"], ran.outputs()["sha256"]);
        assert_eq!(manifest["dump"]["bytes"], json!(std::fs::metadata(dump).unwrap().len()));
        assert!(std::fs::read_to_string(globals).unwrap().contains("CREATE ROLE postgres"));
        let list = Command::new(binary("pg_restore")).arg("--list").arg(dump).output().unwrap();
        assert!(String::from_utf8(list.stdout).unwrap().contains("TABLE DATA public t postgres"));
        for file in &files {
            std::fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn half_a_backup_never_has_a_name() {
    let bench = Bench::new("half");
    bench.psql("CREATE TABLE t AS SELECT n, md5(random()::text) AS x FROM generate_series(1, 10) AS n");
    // Slow enough to be caught in the middle: the dump waits for the lock.
    let mut holder = bench.hold(&["BEGIN", "LOCK TABLE t", "SELECT pg_sleep(60)"]);
    let ran = bench.run_without_pod("backup-on-demand", "dump", &[]);
    let failure = ran.failure("dump");
    match ran.state("dump") {
        "uncertain" => assert!(failure.contains("no answer from `pg_dump`"), "{failure}"),
        "failed" => assert!(failure.contains("`pg_dump` ended with exit code"), "{failure}"),
        other => panic!("{other}: {failure}"),
    }
    assert!(ran.exit == Some(4) || ran.exit == Some(1), "{:?}", ran.exit);
    assert_eq!(bench.backups(), Vec::<PathBuf>::new());
    holder.wait().unwrap();
}

#[test]
fn a_pod_that_is_deleted_in_the_middle_of_a_restart_is_told_as_it_is() {
    let bench = Bench::new("deleted");
    let ran = bench.run_without_pod("restart-postgres", "replaced", &[]);
    // The controller makes the pod again, so the restart may well succeed; whatever it says is proved afterwards.
    match ran.exit {
        Some(0) => assert_ne!(ran.outputs()["started_after"], ran.outputs()["started_before"]),
        Some(1 | 4) => assert!(ran.stdout.contains("\"message\""), "{}", ran.stdout),
        other => panic!("{other:?}: {}", ran.stdout),
    }
}

#[test]
fn after_a_crash_the_verdict_says_what_is_there_and_what_is_not() {
    let bench = Bench::new("crash");
    let set = ["--set", "data_directory=/data"];
    bench.psql("CREATE EXTENSION amcheck");
    bench.psql("CREATE UNLOGGED TABLE u (n int PRIMARY KEY)");
    let ran = bench.run("crash-recovery", "pod", &set).exits(0);
    assert_eq!(ran.output("state")["rows"]["in_recovery"], false);
    assert_eq!(ran.state("indexes"), "succeeded");
    assert_eq!(ran.state("previous"), "skipped");
    bench.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'u_pkey'::regclass");
    let ran = bench.run("crash-recovery", "pod", &set).exits(0);
    assert_eq!(ran.output("state")["rows"]["invalid_indexes"], json!(["u_pkey"]));
    assert!(ran.stdout.contains("drop each with DROP INDEX CONCURRENTLY"), "{}", ran.stdout);
}

#[test]
fn a_pod_that_is_deleted_while_its_indexes_are_checked_has_no_clean_bill() {
    let bench = Bench::new("gone");
    bench.psql("CREATE EXTENSION amcheck");
    bench.psql("CREATE TABLE t (n int PRIMARY KEY)");
    let mut holder = bench.hold(&["BEGIN", "LOCK TABLE t", "SELECT pg_sleep(60)"]);
    let ran = bench.run_without_pod("crash-recovery", "indexes", &["--set", "data_directory=/data"]);
    let failure = ran.failure("indexes");
    match ran.state("indexes") {
        "uncertain" => assert!(failure.contains("no answer from `psql`"), "{failure}"),
        "failed" => {
            assert!(failure.contains("`psql` ended with exit code"), "{failure}");
            assert!(ran.failure("indexes_sound").contains("did not succeed"), "{}", ran.stdout);
        }
        other => panic!("{other}: {failure}"),
    }
    assert!(ran.exit == Some(4) || ran.exit == Some(1), "{:?}", ran.exit);
    holder.wait().unwrap();
}

#[test]
fn a_pod_that_crashes_again_and_again_has_a_verdict_too() {
    let bench = Bench::new("loop");
    bench.kubectl(&["delete", "statefulset", "postgres"]);
    Kubernetes::shared().wait(&bench.namespace, "delete", "pod/postgres-0");
    let mut pod =
        crate::support::kubernetes::pod("echo PANIC: could not locate a valid checkpoint record; exit 1");
    pod["restartPolicy"] = json!("Always");
    let object =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "postgres-0" }, "spec": pod });
    Kubernetes::shared().create(&bench.namespace, &object.to_string());
    let waiting = "{.status.containerStatuses[0].state.waiting.reason}";
    for _ in 0..60 {
        if bench.kubectl(&["get", "pod", "postgres-0", &format!("--output=jsonpath={waiting}")])
            == "CrashLoopBackOff"
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let ran = bench.run("crash-recovery", "pod", &[]).exits(1);
    assert!(ran.output("previous")["text"].as_str().unwrap().contains("PANIC"), "{}", ran.stdout);
    assert!(ran.failure("not_looping").contains("crashes again and again"), "{}", ran.stdout);
    assert_eq!(ran.events("step_started", "ready").count(), 0);
}

#[test]
fn the_weekly_vacuum_is_the_same_directly_and_through_the_pod() {
    let bench = Bench::new("vacuum");
    bench.psql("CREATE TABLE t (n int) WITH (autovacuum_enabled = off)");
    let results = ["direct", "pod"].map(|environment| {
        bench.psql("TRUNCATE t; INSERT INTO t SELECT generate_series(1, 100000)");
        bench.psql("DELETE FROM t WHERE n > 50000");
        let ran = bench.run("weekly-vacuum", environment, &[]).exits(0);
        let rows = ran.outputs()["tables"].as_array().unwrap().clone();
        let facts = |row: &Value| {
            ["table_name", "dead_before", "dead_after", "vacuumed", "still_held"].map(|key| row[key].clone())
        };
        let finished = ran.events.iter().filter(|event| event["event"] == "step_finished");
        // What runs side by side ends in any order.
        let mut states: Vec<_> = finished.map(|end| format!("{} {}", end["step"], end["state"])).collect();
        states.sort();
        (rows.iter().map(facts).collect::<Vec<_>>(), states)
    });
    assert_eq!(
        results[0].0,
        [json!(["public.t", 50_000, 0, true, false])]
            .map(|row| serde_json::from_value::<[Value; 5]>(row).unwrap())
    );
    assert_eq!(results[0], results[1]);
}
