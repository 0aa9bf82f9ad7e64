//! An API server that goes away in the middle of a run, and comes back, or not.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::json;

use crate::support::kubernetes::{Kubernetes, Namespace};
use crate::support::live::{Live, Ran};
use crate::support::relay::{PAUSE, Relay, relayed};
use crate::support::webhook::Webhook;

/// A namespace that the program reaches through a relay.
struct Bench {
    cluster: &'static Kubernetes,
    namespace: Namespace,
    live: Live,
    relay: Relay,
}

impl Bench {
    fn new(name: &str) -> Self {
        let (namespace, relay, live) = relayed(name);
        Self { cluster: Kubernetes::shared(), namespace, live, relay }
    }

    fn body(steps: &str) -> String {
        format!("connections: {{ cluster: kubernetes }}\nsteps:\n{steps}")
    }

    /// Runs a step while the server is away for so long, beginning just before it.
    fn run_without_server(&self, away: Duration, step: &str) -> Ran {
        let mut running = self.live.start(&Self::body(&format!("{PAUSE}{step}")), &["--env", "here"]);
        running.wait_for("step_started", "pause");
        self.relay.cut();
        self.live.sandbox.write("go", "");
        std::thread::sleep(away);
        self.relay.restore();
        let ran = running.finish();
        std::fs::remove_file(self.live.sandbox.directory().join("go")).unwrap();
        ran
    }

    fn exists(&self, object: &str) -> bool {
        self.cluster.try_kubectl(&["get", object, "--namespace", &self.namespace.name]).status.success()
    }
}

#[test]
fn reads_and_waits_outlast_a_server_that_is_restarted() {
    let bench = Bench::new("restarted");
    let read = "  - { id: x, kubectl: { get: { kind: cm } } }\n";
    bench.run_without_server(Duration::from_millis(600), read).exits(0);
    let wait = "  - { id: x, timeout: 30s, kubectl: { wait: { target: cm/none, for: delete } } }\n";
    bench.run_without_server(Duration::from_secs(4), wait).exits(0);
    let hurried = "  - { id: x, timeout: 1s, kubectl: { wait: { target: cm/none, for: delete } } }\n";
    let ended = bench.run_without_server(Duration::from_secs(4), hurried).exits(1);
    assert!(ended.stdout.contains("\"stopped_by\":\"timeout\""), "{}", ended.stdout);
}

#[test]
fn what_was_never_sent_has_failed_and_nothing_more() {
    let bench = Bench::new("away");
    let away = Duration::from_secs(4);
    for step in ["get: { kind: cm }", "create: { configmap: made, literals: { a: b } }"] {
        let step = format!("  - {{ id: x, rollback: {{ none: a trial }}, kubectl: {{ {step} }} }}\n");
        let ran = bench.run_without_server(away, &step).exits(1);
        assert!(ran.failure("x").contains("the API server cannot be reached: "), "{}", ran.said());
        let failure = &ran.end("x")["failure"];
        assert_eq!((&failure["applied"], &failure["retryable"]), (&json!("no"), &json!(true)), "{failure}");
    }
    assert!(!bench.exists("configmap/made"));
    let retried = "  - { id: x, rollback: { none: a trial }, retry: { attempts: 20, delay: 500ms },
      kubectl: { create: { configmap: made, literals: { a: b } } } }\n";
    bench.run_without_server(away, retried).exits(0);
    assert!(bench.exists("configmap/made"));
}

#[test]
fn a_write_whose_answer_is_lost_is_settled_and_not_sent_again() {
    let bench = Bench::new("lost");
    // The policy is asked when the write has arrived, and lets it pass when the answer can no longer come through.
    let (asked, seen) = channel();
    let (allow, allowed): (Sender<()>, _) = channel();
    let allowed = std::sync::Mutex::new(allowed);
    let _policy = Webhook::start(&bench.namespace, move |_| {
        asked.send(()).unwrap();
        allowed.lock().unwrap().recv().ok();
        None
    });
    let write = "  - { id: x, retry: { attempts: 3, delay: 10ms }, rollback: { none: a trial },
      kubectl: { create: { configmap: made, literals: { a: b } } } }\n";
    let running = bench.live.start(&Bench::body(write), &["--env", "here"]);
    seen.recv_timeout(Duration::from_secs(20)).unwrap();
    bench.relay.lose_answers();
    allow.send(()).unwrap();
    // It arrived all the same.
    let ran = running.finish().exits(0);
    assert!(
        ran.said().contains("`x` was uncertain: it took effect: the other side says so"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.output("x")["object"]["data"]["a"], "b");
    assert!(seen.try_recv().is_err(), "it was sent again");
}
