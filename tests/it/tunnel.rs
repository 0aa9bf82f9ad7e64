//! A database behind a pod: every runbook works through the API server as it does directly.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::kubernetes::{Kubernetes, Namespace};
use crate::support::live::{Live, Ran};
use crate::support::postgres::binary;

/// PostgreSQL in a pod, and two environments that lead to it.
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
        let bench = Self { namespace, port, live: Live::new() };
        bench.environments("pod: postgres-0", port);
        bench
    }

    /// Writes the environments `direct` and `tunnel`.
    fn environments(&self, pod: &str, port: u16) {
        self.environments_of(Kubernetes::shared().kubeconfig(), pod, port);
    }

    /// The same for somebody else.
    fn environments_of(&self, kubeconfig: &Path, pod: &str, port: u16) {
        let (kubeconfig, namespace) = (kubeconfig.display(), &self.namespace.name);
        let dsn = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
        self.live.sandbox.write(
            "runbook.yaml",
            &format!(
                "
environments:
  direct:
    connections:
      db: {{ postgres: {{ dsn: '{dsn}' }} }}
  tunnel:
    connections:
      cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig}, namespace: {namespace} }} }}
      db: {{ postgres: {{ dsn: '{dsn}', via: {{ kubernetes: cluster, {pod} }} }} }}
"
            ),
        );
    }

    fn run(&self, environment: &str, steps: &str) -> Ran {
        let body = format!("connections: {{ db: postgres }}\nsteps:\n{steps}");
        self.live.run_with(&body, &["--env", environment])
    }

    fn psql(&self, sql: &str) -> String {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-h", "127.0.0.1", "-U", "postgres", "-c", sql, "-p", &self.port.to_string()]);
        let output = psql.env_clear().output().unwrap();
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

const WORK: &str = "
  - { id: made, rollback: { none: a trial }, sql: \"CREATE TABLE IF NOT EXISTS t AS SELECT generate_series(1, 50000) AS n\" }
  - { id: read, sql: \"SELECT n, repeat('x', 100) AS x FROM t ORDER BY n\" }
  - { id: vacuum, rollback: { none: a trial }, sql: \"VACUUM (ANALYZE) t\" }
  - { id: sum, sql: \"SELECT sum(n) AS sum FROM t\" }
";

#[test]
fn steps_end_the_same_directly_and_through_the_pod() {
    let bench = Bench::new("tunnel");
    let [direct, tunnel] = ["direct", "tunnel"].map(|environment| bench.run(environment, WORK).exits(0));
    for step in ["read", "sum"] {
        assert_eq!(direct.output(step)["rows"], tunnel.output(step)["rows"], "{step}");
    }
    assert_eq!(tunnel.output("read")["row_count"], 50_000);
    // A service has ports of its own.
    let ports = format!("--tcp=5432:{}", bench.port);
    let service = ["create", "service", "clusterip", "postgres", &ports, "-n", &bench.namespace.name];
    Kubernetes::shared().kubectl(&service);
    let sum = "  - { id: sum, sql: \"SELECT sum(n) AS sum FROM t\" }\n";
    for (place, port) in [("selector: app=postgres", bench.port), ("service: postgres", 5432)] {
        bench.environments(place, port);
        let ran = bench.run("tunnel", sum).exits(0);
        assert_eq!(ran.output("sum")["rows"], json!([{ "sum": 1_250_025_000 }]), "{place}");
    }
    bench.environments("service: postgres", 5433);
    let refused = bench.run("tunnel", sum).exits(1);
    assert!(refused.stdout.contains("service `postgres` has no port 5433"), "{}", refused.stdout);
}

#[test]
fn a_statement_is_cancelled_through_the_pod() {
    let bench = Bench::new("cancel");
    let ran = bench.run("tunnel", "  - { id: long, timeout: 2s, sql: 'SELECT pg_sleep(60)' }\n").exits(1);
    assert!(ran.stdout.contains("\"stopped_by\":\"timeout\""), "{}", ran.stdout);
    let left =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    assert_eq!(bench.psql(left), "0");
    // Ctrl-C asks the server over a second connection.
    let body = "connections: { db: postgres }\nsteps:\n  - { id: long, sql: 'SELECT pg_sleep(61)' }\n";
    let mut running = bench.live.start(body, &["--env", "tunnel"]);
    running.wait_for("step_started", "long");
    std::thread::sleep(std::time::Duration::from_secs(1));
    running.signal(rustix::process::Signal::INT);
    let ran = running.finish();
    assert_eq!(ran.exit, Some(130), "{}", ran.stdout);
    assert!(ran.stdout.contains("cancelled on the server"), "{}", ran.stdout);
}

#[test]
fn the_rights_on_the_way_are_asked_for_before_the_first_step() {
    let bench = Bench::new("way");
    let step = "  - { id: x, sql: 'SELECT 1' }\n";
    let check = |user: &str, rules: &[(&str, &str)], place: &str, missing: &[&str]| {
        let kubeconfig = Kubernetes::shared().user(&bench.namespace, user, rules);
        bench.environments_of(&kubeconfig, place, bench.port);
        let ran = bench.run("tunnel", step);
        let text = ran.stdout + &ran.stderr;
        for right in missing {
            let line = format!("`db`, which is reached through a pod: the right to {right} in");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert_eq!(ran.exit, Some(i32::from(!missing.is_empty())), "{text}");
    };
    check("nobody", &[], "pod: postgres-0", &["get pods/portforward", "create pods/portforward"]);
    check("half", &[("get,create", "pods/portforward")], "selector: app=postgres", &["list pods"]);
    check(
        "service",
        &[("get,create", "pods/portforward")],
        "service: postgres",
        &["get services", "list pods"],
    );
    check("named", &[("get,create", "pods/portforward")], "pod: postgres-0", &[]);
    let enough = [("get,create", "pods/portforward"), ("list", "pods")];
    check("selecting", &enough, "selector: app=postgres", &[]);
}

#[test]
fn what_does_not_lead_to_the_database_says_why() {
    let bench = Bench::new("nowhere");
    let check = |pod: &str, port: u16, message: &str| {
        bench.environments(pod, port);
        let ran = bench.run("tunnel", "  - { id: x, sql: 'SELECT 1' }\n").exits(1);
        let text = (ran.stdout + &ran.stderr).replace("\\\"", "\"");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(message), "{message} is not in\n{text}");
    };
    check("pod: postgres-7", bench.port, "pods \"postgres-7\" not found");
    check("selector: app=none", bench.port, "has the labels `app=none`");
    check("service: none", bench.port, "services \"none\" not found");
    check("pod: postgres-0", 1, "onnection refused");
    bench.environments("pod: postgres-0, selector: app=postgres", bench.port);
    let ran = bench.run("tunnel", "  - { id: x, sql: 'SELECT 1' }\n").exits(2);
    assert!((ran.stdout + &ran.stderr).contains("names no pod, or more than one"));
}
