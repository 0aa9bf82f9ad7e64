//! Runs that keep each other out: on a server, in a cluster, on one machine; who is told what, and how a key is lost.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace};
use crate::support::live::{Live, Running};
use crate::support::postgres::server;
use crate::support::sandbox::{Output, Sandbox};

/// Waits in the middle for whoever has locked `l`.
const BODY: &str = r"
defaults: { on_failure: stop }
steps:
  - { id: first, sql: INSERT INTO t VALUES (1) }
  - { id: waits, sql: INSERT INTO l VALUES (1) }
  - { id: last, sql: INSERT INTO t VALUES (2) }
";

const TABLES: &str = "CREATE TABLE t (a int); CREATE TABLE l (a int)";

const RUN: &[&str] = &["run", "./trial.yaml", "--output", "json"];

/// The session that holds a key of this database's runs.
fn lock_sessions(live: &Live) -> String {
    format!(
        "FROM pg_stat_activity WHERE application_name LIKE 'runbook:trial:%:lock' AND pid IN (SELECT pid FROM pg_locks \
         WHERE locktype = 'advisory' AND granted) AND application_name LIKE '%' || (SELECT substr(application_name, 15, 20) \
         FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'runbook:trial:%' LIMIT 1) || '%'",
        live.database
    )
}

/// The number that this database's run holds, and its lower half as the server lists it.
fn key(live: &Live) -> (i64, u64) {
    let sessions = lock_sessions(live);
    let found = live.psql(&format!(
        "SELECT classid || ' ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid IN (SELECT pid {sessions})"
    ));
    let (high, low) = found.split_once(' ').unwrap();
    let (high, low) = (high.parse::<u64>().unwrap(), low.parse::<u64>().unwrap());
    (((high << 32) | low).cast_signed(), low)
}

/// A run that is under way and will not end by itself.
fn at_work(live: &Live, arguments: &[&str]) -> Running {
    let mut running = live.start(BODY, arguments);
    running.wait_for("step_started", "waits");
    live.wait_for(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
    );
    running
}

fn run_args(live: &Live, arguments: &[&str]) -> Output {
    live.sandbox.run_args(&[RUN, arguments].concat())
}

#[test]
fn the_second_of_two_operators_is_told_who_is_at_work_and_how_to_wait() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    let other = live.beside();
    other.write("trial", BODY);
    let refused = run_args(&other, &[]);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    let said = refused.stdout.clone() + &refused.stderr;
    for words in ["another run holds", "of trial as postgres", "since 20", "--wait 10m"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(other.journals(), "", "a refused run leaves nothing behind");
    let (planned, plan) = other.plan(BODY, &[]);
    assert_eq!(planned.exit, Some(1));
    assert!(plan["problems"][0]["message"].as_str().unwrap().contains("another run holds"), "{plan}");

    let waiting = other.start(BODY, &["--wait", "1m"]);
    let (_, low) = key(&live);
    live.wait_for(&format!(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'postgres' AND query LIKE '%pg_locks%{low}%')"
    ));
    drop(holder);
    running.finish().exits(0);
    let ran = waiting.finish().exits(0);
    assert!(ran.stderr.contains("waiting up to"), "{}", ran.stderr);
    assert_eq!(live.psql("SELECT count(*) FROM t"), "4");
}

#[test]
fn a_wait_has_an_end() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    let other = live.beside();
    other.write("trial", BODY);
    let refused = run_args(&other, &["--wait", "300ms"]);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    assert!(refused.stdout.contains("did not end within"), "{refused:?}");
    drop(holder);
    running.finish().exits(0);
}

#[test]
fn a_run_that_was_killed_keeps_nobody_out_and_resume_takes_its_turn() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    running.signal(Signal::KILL);
    assert_eq!(running.finish().exit, None);
    let other = live.beside();
    let rival = at_work(&other, &[]);
    for verb in ["resume", "rollback"] {
        let refused = live.sandbox.run_args(&[verb, "last"]);
        assert_eq!(refused.exit, Some(7), "{verb}: {refused:?}");
    }
    drop(holder);
    rival.finish().exits(0);
    live.resume(&[]).exits(0);
}

#[test]
fn a_lost_lock_is_taken_again_before_the_next_step() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    let sessions = lock_sessions(&live);
    assert_eq!(live.psql(&format!("SELECT count(pg_terminate_backend(pid)) {sessions}")), "1");
    drop(holder);
    let ran = running.finish().exits(0);
    assert!(ran.stdout.contains("was lost and taken again"), "{}", ran.stdout);
    assert_eq!(ran.states(&["waits", "last"]), "succeeded succeeded");
}

#[test]
fn where_another_run_took_a_lost_lock_no_new_step_starts() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    let sessions = lock_sessions(&live);
    let (key, low) = key(&live);
    // Waits for the lock in the same database, so it has it as soon as it is lost.
    let rival = server().background("postgres", &format!("SELECT pg_advisory_lock({key}), pg_sleep(60)"));
    live.wait_for(&format!(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = {low} AND NOT granted)"
    ));
    live.psql(&format!("SELECT count(pg_terminate_backend(pid)) {sessions}"));
    live.wait_for(&format!(
        "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {low} AND granted"
    ));
    drop(holder);
    let ran = running.finish().exits(7);
    assert_eq!(ran.states(&["waits", "last"]), "succeeded cancelled");
    let paused = ran.events.iter().find(|event| event["event"] == "run_paused").unwrap();
    assert!(paused["reason"].as_str().unwrap().contains("another run took it"), "{paused}");
    drop(rival);
    let ran = live.resume(&["--wait", "20s"]).exits(0);
    assert_eq!(ran.order(), ["last"]);
}

#[test]
fn other_keys_other_databases_and_runs_without_effects_go_on() {
    let live = Live::with(TABLES);
    let holder = live.lock("l");
    let running = at_work(&live, &[]);
    let other = live.beside();
    other
        .run("concurrency: { key: another }\nsteps:\n  - { id: a, sql: INSERT INTO t VALUES (1) }\n")
        .exits(0);
    other.run("steps:\n  - { id: a, sql: SELECT 1 }\n").exits(0);
    Live::with(TABLES).run("steps:\n  - { id: a, sql: INSERT INTO t VALUES (1) }\n").exits(0);
    // A key that two runbooks share is one key.
    let shared = "concurrency: { key: shared }\n".to_owned() + BODY;
    let mut first = other.start(&shared, &[]);
    first.wait_for("step_started", "waits");
    let third = live.beside();
    third.write("another", &shared);
    let refused = third.sandbox.run_args(&["run", "./another.yaml"]);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    assert!(refused.stderr.contains("`shared`"), "{}", refused.stderr);
    drop(holder);
    running.finish().exits(0);
    first.finish().exits(0);
}

#[test]
fn behind_a_pooler_a_lock_is_refused() {
    let live = Live::with(TABLES);
    let pooler = pooler(&format!("127.0.0.1:{}", server().port));
    let dsn = format!("host=127.0.0.1 port={} dbname={} sslmode=disable", pooler.port(), live.database);
    let live =
        live.variable("PGUSER", "scram_user").variable("PGPASSWORD", crate::support::postgres::PASSWORD);
    let text = format!(
        "environments: {{ here: {{ connections: {{ db: {{ postgres: {{ dsn: '{dsn} user=scram_user', password: {{ env: PGPASSWORD }} }} }} }} }} }}\n"
    );
    live.sandbox.write("runbook.yaml", &text);
    let ran = live.run_with("steps:\n  - { id: a, sql: INSERT INTO t VALUES (1) }\n", &["--env", "here"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.said().contains("leads to a pooler"), "{}", ran.said());
}

#[test]
fn side_sessions_are_given_up_before_the_lock_is() {
    let live = Live::with(TABLES);
    let role = format!("few_{}", live.database);
    live.psql(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 2; GRANT ALL ON t TO {role}"));
    let live = live.variable("PGUSER", &role);
    let slow = "steps:\n  - { id: a, sql: 'INSERT INTO t SELECT 1 FROM pg_sleep(1.5)' }\n";
    let ran = live.run(slow).exits(0);
    assert!(ran.stdout.contains("progress and blockers are not watched"), "{}", ran.stdout);
}

/// Announces every session as a pooler does: by a number that is no backend's.
fn pooler(target: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, target) = (listener.local_addr().unwrap(), target.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&target).unwrap();
            let (asked, sent) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(asked, sent, |_| {}));
            std::thread::spawn(move || pass(server, client, disguise));
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&mut [u8])) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        change(&mut buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn disguise(bytes: &mut [u8]) {
    if let Some(at) = bytes.windows(5).position(|window| window == [b'K', 0, 0, 0, 12]) {
        bytes[at + 5..at + 9].copy_from_slice(&77_i32.to_be_bytes());
    }
}

#[test]
fn on_one_machine_a_file_keeps_rivals_out() {
    let sandbox = Sandbox::new();
    let body = "version: 1\nname: trial\ntitle: A trial\nowner: dba\nconnections: { here: host }\nsteps:\n  - { id: a, exec: { on: here, command: [sleep, '30'] } }\n";
    sandbox.write("trial.yaml", body);
    sandbox.write(
        "runbook.yaml",
        "environments: { here: { connections: { here: { host: { local: {} } } } } }\n",
    );
    let live = Live { sandbox, database: String::new() };
    let arguments = [RUN, &["--env", "here"]].concat();
    let mut running = live.start_args(&arguments);
    running.wait_for("step_started", "a");
    let refused = live.sandbox.run_args(&arguments);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    assert!(refused.stdout.contains("of trial by"), "{refused:?}");
    running.signal(Signal::TERM);
    running.finish();
}

/// A runbook with a cluster and a database: its key is a Lease.
struct Bench {
    cluster: &'static Kubernetes,
    namespace: Namespace,
    live: Live,
    body: String,
}

impl Bench {
    fn new() -> Self {
        let cluster = Kubernetes::shared();
        let namespace = cluster.namespace("exclusion");
        let body = format!(
            "connections: {{ db: postgres, cluster: kubernetes }}\ndefaults: {{ namespace: {}, connection: db, on_failure: stop }}\n{}",
            namespace.name,
            BODY.replace("defaults: { on_failure: stop }\n", "")
        );
        let live = Live::with(TABLES);
        let bench = Self { cluster, namespace, live, body };
        bench.lead(&bench.live);
        bench
    }

    /// Writes the environment of an operator.
    fn lead(&self, live: &Live) {
        let kubeconfig = self.cluster.kubeconfig().display().to_string();
        Self::lead_as(live, &kubeconfig);
    }

    fn lead_as(live: &Live, kubeconfig: &str) {
        let server = server();
        let dsn = format!(
            "host={} port={} user=postgres dbname={}",
            server.directory.display(),
            server.port,
            live.database
        );
        let connections = json!({
            "db": { "postgres": { "dsn": dsn } }, "cluster": { "kubernetes": { "kubeconfig": kubeconfig } },
        });
        let text = json!({ "environments": { "here": { "connections": connections } } });
        live.sandbox.write("runbook.yaml", &text.to_string());
    }

    fn at_work(&self) -> Running {
        let mut running = self.live.start(&self.body, &["--env", "here"]);
        running.wait_for("step_started", "waits");
        running
    }

    fn rival(&self) -> Live {
        let other = self.live.beside();
        self.lead(&other);
        other.write("trial", &self.body);
        other
    }

    fn lease(&self) -> Value {
        let list = self.cluster.kubectl(&["get", "leases", "-n", &self.namespace.name, "--output=json"]);
        serde_json::from_str::<Value>(&list).unwrap()["items"][0].take()
    }
}

#[test]
fn a_lease_keeps_rivals_out_and_is_given_back() {
    let bench = Bench::new();
    let holder = bench.live.lock("l");
    let running = bench.at_work();
    let other = bench.rival();
    let refused = run_args(&other, &["--env", "here"]);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    let lease = bench.lease();
    let identity = lease["spec"]["holderIdentity"].as_str().unwrap();
    let (run, operator) = identity.split_once(' ').unwrap();
    assert!(refused.stdout.contains(run) && refused.stdout.contains(operator), "{refused:?}");
    assert!(refused.stdout.contains(", since 20"), "{refused:?}");
    // It is renewed beside the steps.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_ne!(bench.lease()["spec"]["renewTime"], lease["spec"]["renewTime"]);
    drop(holder);
    running.finish().exits(0);
    assert_eq!(bench.lease()["spec"]["holderIdentity"], "");
    run_args(&other, &["--env", "here"]);
    assert_eq!(bench.lease()["spec"]["leaseTransitions"], 2);
}

#[test]
fn the_lease_of_a_killed_run_expires() {
    let bench = Bench::new();
    let holder = bench.live.lock("l");
    let running = bench.at_work();
    running.signal(Signal::KILL);
    assert_eq!(running.finish().exit, None);
    drop(holder);
    let other = bench.rival();
    let refused = run_args(&other, &["--env", "here"]);
    assert_eq!(refused.exit, Some(7), "{refused:?}");
    let waited = run_args(&other, &["--env", "here", "--wait", "40s"]);
    assert_eq!(waited.exit, Some(0), "{waited:?}");
}

#[test]
fn a_lease_that_another_run_had_stops_this_one() {
    let bench = Bench::new();
    let holder = bench.live.lock("l");
    let running = bench.at_work();
    let lease = bench.lease();
    let name = lease["metadata"]["name"].as_str().unwrap();
    let patch = json!({ "spec": { "holderIdentity": "", "leaseTransitions": 2 } }).to_string();
    bench.cluster.kubectl(&[
        "patch",
        "lease",
        name,
        "-n",
        &bench.namespace.name,
        "--type=merge",
        "-p",
        &patch,
    ]);
    // Until the next renewal meets it.
    std::thread::sleep(std::time::Duration::from_secs(6));
    drop(holder);
    let ran = running.finish().exits(7);
    assert_eq!(ran.states(&["waits", "last"]), "succeeded cancelled");
    let again = bench.live.resume(&[]).exits(0);
    assert_eq!(again.order(), ["last"]);
}

#[test]
fn an_account_without_leases_is_told_which_right_it_needs() {
    let bench = Bench::new();
    let kubeconfig = bench.cluster.user_without_leases(&bench.namespace, "dba", &[("get", "pods")]);
    Bench::lead_as(&bench.live, &kubeconfig.display().to_string());
    let ran = bench.live.run_with(&bench.body, &["--env", "here"]).exits(1);
    assert!(ran.said().contains("leases.coordination.k8s.io"), "{}", ran.said());
    assert!(ran.said().contains("`concurrency:`"), "{}", ran.said());
    assert_eq!(ran.order(), Vec::<&str>::new());
    let moved = "concurrency: { connection: db }\n".to_owned() + &bench.body;
    bench.live.run_with(&moved, &["--env", "here"]).exits(0);
}
