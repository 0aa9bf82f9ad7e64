//! Undo of `kubectl` steps, and what becomes of those whose answer was lost.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace, pod};
use crate::support::live::{Live, Ran};
use crate::support::relay::{PAUSE, Relay, relayed};
use crate::support::webhook::Webhook;

/// What the server keeps for itself.
const OWN: &[&str] =
    &["uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"];

/// A step that fails, so that those before it are undone.
const STOP: &str = "  - { id: stop, assert: { that: '1 == 2', message: a trial } }\n";

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
        format!("connections: {{ cluster: kubernetes }}\ndefaults: {{ timeout: 1m }}\nsteps:\n{steps}")
    }

    fn run(&self, steps: &str) -> Ran {
        self.live.run_with(&Self::body(steps), &["--env", "here"])
    }

    /// Runs a step that is undone by itself, and something else between the two.
    fn undo(&self, kubectl: &str, meanwhile: impl FnOnce()) -> Ran {
        let step = format!("  - {{ id: x, rollback: auto, kubectl: {{ {kubectl} }} }}\n");
        let body = Self::body(&format!("{step}{PAUSE}{STOP}"));
        let mut running = self.live.start(&body, &["--env", "here"]);
        running.wait_for("step_started", "pause");
        meanwhile();
        self.live.sandbox.write("go", "");
        let ran = running.finish();
        std::fs::remove_file(self.live.sandbox.directory().join("go")).unwrap();
        ran
    }

    /// Kills a run once its step is done, and undoes the step in another process.
    fn killed_and_undone(&self, kubectl: &str) -> Ran {
        self.killed_after(kubectl);
        self.live.rollback(&[])
    }

    fn killed_after(&self, kubectl: &str) {
        let step = format!("  - {{ id: x, rollback: auto, kubectl: {{ {kubectl} }} }}\n");
        // A read under way leaves nothing to settle.
        let waits =
            "  - { id: pause, timeout: 60s, kubectl: { wait: { target: configmap/never, for: create } } }\n";
        let mut running = self.live.start(&Self::body(&format!("{step}{waits}")), &["--env", "here"]);
        running.wait_for("step_started", "pause");
        running.signal(Signal::KILL);
        running.finish();
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[arguments, &["--namespace", &self.namespace.name]].concat())
    }

    fn exists(&self, object: &str) -> bool {
        self.cluster.try_kubectl(&["get", object, "--namespace", &self.namespace.name]).status.success()
    }

    fn object(&self, object: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", object, "--output=json"])).unwrap()
    }

    /// An object without what the server keeps for itself.
    fn state(&self, object: &str) -> Value {
        normal(self.object(object))
    }

    fn configmap(&self, name: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "labels": { "app": "shop", "tier": "front" }, "annotations": { "why": "a trial" } },
            "data": { "color": "blue", "template": "{{ \"x\" }} {% if %}" },
        });
        self.cluster.create(&self.namespace, &object.to_string());
    }

    /// A Deployment without pods.
    fn deployment(&self) {
        let labels = json!({ "app": "backend" });
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "backend", "labels": labels },
            "spec": {
                "replicas": 0, "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": pod("exec sleep 600") },
            },
        });
        self.cluster.create(&self.namespace, &object.to_string());
        // The controller writes the revision once.
        self.cluster.wait(&self.namespace, "condition=Available", "deployment/backend");
    }

    /// What nobody but the owner may read of the runs, and what everybody saw.
    fn seen(&self, ran: &Ran) -> String {
        let report = self.live.sandbox.run_args(&["report", "last"]);
        let explained = self.live.sandbox.run_args(&["explain", "last", "x"]);
        let texts = [ran.stdout.as_str(), &ran.stderr, &report.stdout, &report.stderr, &explained.stdout];
        texts.concat() + &self.live.journals_without_seal()
    }
}

fn normal(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    object["metadata"].as_object_mut().unwrap().retain(|key, _| !OWN.contains(&key.as_str()));
    // A controller counts what was, and counts on.
    if let Some(notes) = object["metadata"]["annotations"].as_object_mut() {
        notes.remove("deployment.kubernetes.io/revision");
    }
    object
}

#[test]
fn every_change_is_taken_back_and_what_others_changed_meanwhile_stays() {
    let bench = Bench::new("back");
    bench.configmap("settings");
    bench.deployment();
    let check = |object: &str, kubectl: &str| {
        let before = bench.state(object);
        let ran = bench
            .undo(kubectl, || {
                assert_ne!(bench.state(object), before, "{kubectl} changes something");
                bench.kubectl(&["annotate", object, "meanwhile=yes", "--overwrite"]);
            })
            .exits(3);
        assert_eq!(ran.undone("x"), "rolled_back", "{kubectl}");
        assert_eq!(bench.object(object)["metadata"]["annotations"]["meanwhile"], "yes", "{kubectl}");
        bench.kubectl(&["annotate", object, "meanwhile-"]);
        assert_eq!(bench.state(object), before, "{kubectl}");
    };
    let settings = "configmap/settings";
    check(settings, "label: { target: cm/settings, set: { tier: back, app: null, new: yes } }");
    check(settings, "annotate: { target: cm/settings, set: { why: another, how: so } }");
    check(
        settings,
        "patch: { target: { kind: cm, name: settings }, body: { data: { color: red, template: null, size: '2' } } }",
    );
    check(
        settings,
        "patch: { target: cm/settings, type: json, body: [{ op: replace, path: /data/color, value: red }] }",
    );
    check(
        settings,
        "apply: { force_conflicts: true, object: { apiVersion: v1, kind: ConfigMap, metadata: { name: settings }, data: { color: red, more: '1' } } }",
    );
    let backend = "deployment/backend";
    check(backend, "scale: { target: deploy/backend, replicas: 1 }");
    check(
        backend,
        "patch: { target: deploy/backend, type: strategic, body: { spec: { template: { spec: { containers: [{ name: main, env: [{ name: A, value: b }] }] } } } } }",
    );
    check(
        backend,
        "patch: { target: deploy/backend, body: { spec: { strategy: { type: Recreate, rollingUpdate: null } } } }",
    );
}

#[test]
fn a_list_that_somebody_else_has_changed_is_left_to_a_person() {
    let bench = Bench::new("list");
    bench.deployment();
    let image = |image: &str| {
        format!(
            "--patch={{\"spec\":{{\"template\":{{\"spec\":{{\"containers\":[{{\"name\":\"main\",\"image\":\"{image}\"}}]}}}}}}}}"
        )
    };
    let ran = bench
        .undo("patch: { target: deploy/backend, type: strategic, body: { spec: { template: { spec: { containers: [{ name: main, env: [{ name: A, value: b }] }] } } } } }", || {
            bench.kubectl(&["patch", "deployment/backend", &image("other")]);
        })
        .exits(4);
    assert_eq!(ran.undone("x"), "stuck");
    let containers = &bench.object("deployment/backend")["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], "other");
}

#[test]
fn what_was_made_is_deleted_and_nothing_that_others_made_of_its_name() {
    let bench = Bench::new("made");
    bench.configmap("there");
    let manifest = |name: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ color: red }}\n")
    };
    bench.live.sandbox.write("several.yaml", &["there", "made", "more"].map(manifest).join("---\n"));
    bench.live.sandbox.write("new.yaml", &["made", "more"].map(manifest).join("---\n"));
    let before = bench.state("configmap/there");
    for kubectl in [
        "create: { configmap: made, literals: { a: b } }",
        "apply: { configmap: made, literals: { a: b } }",
        "create: { file: new.yaml }",
        "apply: { file: several.yaml, force_conflicts: true }",
    ] {
        bench.undo(kubectl, || assert!(bench.exists("configmap/made"), "{kubectl}")).exits(3);
        assert!(!bench.exists("configmap/made") && !bench.exists("configmap/more"), "{kubectl}");
        assert_eq!(bench.state("configmap/there"), before, "{kubectl}");
    }
    // The second object is refused, so only the first one was made.
    bench.configmap("more");
    let ran = bench.run("  - { id: x, rollback: auto, kubectl: { create: { file: new.yaml } } }\n").exits(3);
    assert_eq!(ran.undone("x"), "rolled_back");
    assert!(!bench.exists("configmap/made"));
    assert_eq!(bench.state("configmap/more")["data"]["color"], "blue");
    // Another one of its name is not ours.
    bench
        .undo("create: { configmap: made, literals: { a: b } }", || {
            bench.kubectl(&["delete", "configmap/made"]);
            bench.configmap("made");
        })
        .exits(3);
    assert_eq!(bench.state("configmap/made")["data"]["color"], "blue");
}

#[test]
fn what_was_deleted_is_made_again_as_it_was() {
    let bench = Bench::new("deleted");
    bench.configmap("one");
    bench.configmap("two");
    bench.deployment();
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "backend" },
        "spec": { "selector": { "app": "backend" }, "ports": [{ "port": 80 }] } });
    bench.cluster.create(&bench.namespace, &service.to_string());
    let objects = ["configmap/one", "configmap/two", "deployment/backend", "service/backend"];
    let before = objects.map(|object| bench.state(object));
    for kubectl in [
        "delete: { target: { kind: cm, selector: app=shop } }",
        "delete: { target: deploy/backend }",
        "delete: { target: svc/backend }",
    ] {
        let ran = bench.undo(kubectl, || {}).exits(3);
        assert_eq!(ran.undone("x"), "rolled_back", "{kubectl}");
        assert_eq!(objects.map(|object| bench.state(object)), before, "{kubectl}");
    }
}

#[test]
fn a_restart_leaves_nothing_to_undo() {
    let bench = Bench::new("restart");
    bench.deployment();
    let step = "  - { id: x, rollback: auto, kubectl: { rollout_restart: deploy/backend } }\n";
    // There is nothing to go back to, so nothing is called undone.
    let ran = bench.run(&format!("{step}{STOP}")).exits(1);
    assert_eq!(ran.order(), ["x", "stop"]);
}

#[test]
fn a_secret_comes_back_with_its_values_and_nobody_sees_them() {
    let check = |name: &str, kubectl: &str, killed: bool| {
        let bench = Bench::new(name);
        let object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" },
            "data": { "password": "aHVudGVyMnNlY3JldA==", "short": "YWI=" } });
        bench.cluster.create(&bench.namespace, &object.to_string());
        let before = bench.state("secret/key");
        let ran = if killed { bench.killed_and_undone(kubectl) } else { bench.undo(kubectl, || {}) };
        assert_eq!(ran.undone("x"), "rolled_back", "{kubectl}: {}", ran.said());
        assert_eq!(bench.state("secret/key"), before, "{kubectl}");
        let seen = bench.seen(&ran);
        for value in ["aHVudGVyMnNlY3JldA", "hunter2secret", "YWI="] {
            assert!(!seen.contains(value), "{value} is in\n{seen}");
        }
        assert_eq!(bench.live.seal(), None);
    };
    for (name, kubectl) in [
        ("deleted-secret", "delete: { target: secret/key }"),
        (
            "patched-secret",
            "patch: { target: secret/key, body: { data: { password: YW5vdGhlcg==, short: null } } }",
        ),
        ("applied-secret", "apply: { secret: key, literals: { password: another }, force_conflicts: true }"),
    ] {
        check(name, kubectl, false);
        check(name, kubectl, true);
    }
}

#[test]
fn without_its_seal_a_secret_is_not_written_back_as_a_mask() {
    let bench = Bench::new("unsealed");
    bench.kubectl(&["create", "secret", "generic", "key", "--from-literal=password=hunter2secret"]);
    bench.killed_after("delete: { target: secret/key }");
    std::fs::remove_file(bench.live.seal().expect("a seal")).unwrap();
    let ran = bench.live.rollback(&[]).exits(4);
    assert!(!bench.exists("secret/key"));
    assert!(ran.said().contains("sealed beside the journal, and are gone"), "{}", ran.said());
}

#[test]
fn a_hook_may_be_a_step_of_kubectl() {
    let bench = Bench::new("hooks");
    bench.deployment();
    let steps = "
  - id: x
    kubectl: { scale: { target: deploy/backend, replicas: 2 } }
    rollback:
      - { id: back, kubectl: { scale: { target: deploy/backend, replicas: '{{ this.before.spec.replicas }}' } } }
      - { id: read, kubectl: { get: deploy/backend } }
";
    let ran = bench.run(&format!("{steps}{STOP}")).exits(3);
    assert_eq!(ran.order().last(), Some(&"x.rollback.read"));
    assert_eq!(bench.object("deployment/backend")["spec"]["replicas"], 0);
}

/// A run that was killed when its write had reached the server, which carries it out all the same.
fn killed_in_a_write(bench: &Bench, kubectl: &str) {
    let (asked, seen) = channel();
    let (allow, allowed) = channel::<()>();
    let allowed = Mutex::new(allowed);
    let _policy = Webhook::start(&bench.namespace, move |_| {
        asked.send(()).ok();
        allowed.lock().unwrap().recv().ok();
        None
    });
    let step = format!("  - {{ id: x, rollback: auto, kubectl: {{ {kubectl} }} }}\n");
    let mut running = bench.live.start(&Bench::body(&step), &["--env", "here"]);
    running.wait_for("step_traced", "x");
    seen.recv_timeout(Duration::from_secs(20)).unwrap();
    bench.relay.outlive_clients();
    running.signal(Signal::KILL);
    running.finish();
    allow.send(()).unwrap();
}

#[test]
fn a_write_that_arrived_is_settled_and_not_repeated() {
    let check = |name: &str, kubectl: &str, object: &str| {
        let bench = Bench::new(name);
        bench.configmap("settings");
        killed_in_a_write(&bench, kubectl);
        let ran = bench.live.resume(&[]).exits(0);
        assert!(ran.said().contains("it took effect: the other side says so"), "{kubectl}: {}", ran.said());
        assert_eq!(ran.events("step_started", "x").count(), 0, "{kubectl}");
        let now = bench.object(object);
        assert_eq!(ran.output("x")["after"]["metadata"]["uid"], now["metadata"]["uid"], "{kubectl}");
        assert_eq!(now["data"]["color"], "red", "{kubectl}");
        // What was settled can be undone as what was answered.
        let ran = bench.live.rollback(&[]).exits(3);
        assert_eq!(ran.undone("x"), "rolled_back", "{kubectl}");
        assert_eq!(bench.object("configmap/settings")["data"]["color"], "blue");
        assert!(!bench.exists("configmap/made"), "{kubectl}");
    };
    check(
        "patched",
        "patch: { target: cm/settings, type: json, body: [{ op: add, path: /data/color, value: red }] }",
        "configmap/settings",
    );
    check("created", "create: { configmap: made, literals: { color: red } }", "configmap/made");
    check("applied", "apply: { configmap: made, literals: { color: red } }", "configmap/made");
}

#[test]
fn a_write_that_never_arrived_is_done_once_it_cannot_arrive_any_more() {
    let bench = Bench::new("swallowed");
    let step =
        "  - { id: x, rollback: auto, kubectl: { create: { configmap: made, literals: { a: b } } } }\n";
    let mut running = bench.live.start(&Bench::body(&format!("{PAUSE}{step}")), &["--env", "here"]);
    running.wait_for("step_started", "pause");
    bench.relay.swallow();
    bench.live.sandbox.write("go", "");
    running.wait_for("step_traced", "x");
    running.signal(Signal::KILL);
    running.finish();
    bench.relay.restore();
    let ran = bench.live.resume(&[]).exits(0);
    assert_eq!(ran.events("step_started", "x").count(), 1, "{}", ran.said());
    assert!(bench.exists("configmap/made"));
}

/// A run that was killed while it waited for the end of `one`, which is let go then.
fn killed_in_a_delete(bench: &Bench, target: &str) {
    let finalizers = |value: &str| {
        let patch = format!("--patch={{\"metadata\":{{\"finalizers\":{value}}}}}");
        bench.kubectl(&["patch", "configmap/one", &patch]);
    };
    finalizers("[\"example.org/hold\"]");
    let step = format!("  - {{ id: x, rollback: auto, kubectl: {{ delete: {{ target: {target} }} }} }}\n");
    let mut running = bench.live.start(&Bench::body(&step), &["--env", "here"]);
    running.wait_for("progressed", "x");
    running.signal(Signal::KILL);
    running.finish();
    finalizers("null");
}

#[test]
fn a_delete_is_settled_by_the_objects_that_are_left() {
    let bench = Bench::new("gone");
    bench.configmap("one");
    killed_in_a_delete(&bench, "cm/one");
    let ran = bench.live.resume(&[]).exits(0);
    assert_eq!(ran.events("step_started", "x").count(), 0, "{}", ran.said());
    assert_eq!(ran.output("x")["deleted"], json!(["one"]));
}

#[test]
fn a_delete_that_was_done_in_part_is_undone_in_part() {
    let bench = Bench::new("partly");
    bench.configmap("one");
    bench.configmap("two");
    let before = [bench.object("configmap/one"), bench.object("configmap/two")];
    killed_in_a_delete(&bench, "{ kind: cm, selector: app=shop }");
    let ran = bench.live.resume(&[]).exits(3);
    assert!(ran.failure("x").contains("still there: two"), "{}", ran.said());
    let after = [bench.object("configmap/one"), bench.object("configmap/two")];
    assert_eq!(after[0]["data"], before[0]["data"]);
    // It is made again with what held it, which would hold its namespace, too.
    bench.kubectl(&["patch", "configmap/one", "--patch={\"metadata\":{\"finalizers\":null}}"]);
    let uid = |object: &Value| object["metadata"]["uid"].clone();
    assert!(uid(&after[0]) != uid(&before[0]) && uid(&after[1]) == uid(&before[1]));
}
