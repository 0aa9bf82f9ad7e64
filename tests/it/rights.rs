//! The rights of an account: asked for before the first step, and enough for every verb.

use regex::Regex;

use crate::support::kubernetes::{Kubernetes, Namespace, pod};
use crate::support::live::{Live, Ran};

/// A namespace with a Deployment and a pod, and users of it.
struct Bench {
    cluster: &'static Kubernetes,
    namespace: Namespace,
    live: Live,
}

impl Bench {
    fn new(name: &str) -> Self {
        let cluster = Kubernetes::shared();
        Self { cluster, namespace: cluster.namespace(name), live: Live::new() }
    }

    /// Writes a kubeconfig of a user who may do only this, and gives the steps' runbook.
    fn as_user(&self, user: &str, rules: &[(&str, &str)], steps: &str) -> String {
        let kubeconfig = self.cluster.user(&self.namespace, user, rules);
        self.live.write_cluster(&kubeconfig);
        format!("connections: {{ cluster: kubernetes }}\nsteps:\n{steps}")
    }

    fn run(&self, user: &str, rules: &[(&str, &str)], steps: &str) -> Ran {
        self.live.run_with(&self.as_user(user, rules, steps), &["--env", "here"])
    }
}

/// The rules that a text names, as [`Kubernetes::user`] takes them.
fn rules(text: &str) -> Vec<(String, String)> {
    let rule =
        Regex::new(r#"- \{ apiGroups: \["([^"]*)"\], resources: \[([^\]]*)\], verbs: \[([^\]]*)\] \}"#)
            .unwrap();
    let found = rule.captures_iter(text).map(|found| {
        let (kind, part) = found[2]
            .split_once('/')
            .map_or((&found[2], String::new()), |(kind, part)| (kind, format!("/{part}")));
        let group = if found[1].is_empty() { String::new() } else { format!(".{}", &found[1]) };
        (found[3].replace(", ", ","), format!("{kind}{group}{part}"))
    });
    found.collect()
}

#[test]
fn every_verb_runs_with_the_rights_that_a_plan_without_any_names() {
    let bench = Bench::new("enough");
    let (cluster, namespace) = (bench.cluster, &bench.namespace);
    cluster.pod(namespace, "tools", "echo hello; exec sleep 600", &[("app", "tools")]);
    let deployment = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "backend", "labels": { "app": "backend" } },
        "spec": {
            "selector": { "matchLabels": { "app": "backend" } },
            "template": { "metadata": { "labels": { "app": "backend" } }, "spec": pod("exec sleep 600") },
        },
    });
    cluster.create(namespace, &deployment.to_string());
    cluster.wait(namespace, "condition=Available", "deployment/backend");
    cluster.kubectl(&["create", "configmap", "old", "--namespace", &namespace.name]);
    cluster.kubectl(&["create", "configmap", "there", "--namespace", &namespace.name]);
    let verbs = [
        "get: deployment/backend",
        "get: { kind: deployments, selector: app=backend }",
        "describe: { kind: deployment, selector: app=backend }",
        "logs: { pod: tools }",
        "logs: { selector: app=tools }",
        "exec: { pod: tools, command: ['true'] }",
        "exec: { selector: app=tools, command: ['true'] }",
        "cp: { from: { pod: tools, path: /etc/hosts }, to: hosts }",
        "cp: { from: hosts, to: { selector: app=tools, path: /tmp/ } }",
        "apply: { configmap: new, literals: { a: b } }",
        "apply: { object: { apiVersion: v1, kind: ConfigMap, metadata: { name: there }, data: { a: c } } }",
        "create: { configmap: newer, literals: { a: b } }",
        "patch: { target: cm/there, body: { data: { b: c } } }",
        "label: { target: cm/there, set: { a: b } }",
        "annotate: { target: { kind: deploy, selector: app=backend }, set: { a: b } }",
        "delete: { target: cm/old }",
        "delete: { target: { kind: cm, selector: a=b } }",
        "scale: { target: deployment/backend, replicas: 1 }",
        "rollout_restart: deployment/backend",
        "rollout_status: deployment/backend",
        "rollout_undo: { target: deployment/backend }",
        "wait: { target: pod/tools, for: { condition: Ready } }",
        "wait: { target: { kind: pod, selector: app=tools }, for: { condition: Ready } }",
    ];
    for (index, verb) in verbs.into_iter().enumerate() {
        let step =
            format!("  - {{ id: x, timeout: 1m, rollback: {{ none: a trial }}, kubectl: {{ {verb} }} }}\n");
        let nobody = format!("nobody-{index}");
        let refused = bench.run(&nobody, &[], &step).exits(1);
        assert!(refused.events.is_empty(), "{verb}: a run without rights began: {}", refused.stdout);
        let missing = rules(&refused.said());
        assert!(!missing.is_empty(), "{verb}: {}", refused.said());
        let rules: Vec<(&str, &str)> =
            missing.iter().map(|(verbs, kind)| (verbs.as_str(), kind.as_str())).collect();
        let user = format!("user-{index}");
        let ran = bench.run(&user, &rules, &step);
        assert_eq!(ran.exit, Some(0), "{verb} with {rules:?}: {}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn the_rights_of_an_undo_are_asked_for_before_the_first_step_too() {
    let bench = Bench::new("undo");
    let namespace = &bench.namespace.name;
    bench.cluster.kubectl(&["create", "configmap", "old", "--namespace", namespace]);
    let hook = "rollback: [{ id: back, kubectl: { delete: { target: cm/new } } }]";
    for (index, (verb, rollback)) in [
        ("create: { configmap: new, literals: { a: b } }", "rollback: auto"),
        ("apply: { configmap: new, literals: { a: b } }", "rollback: auto"),
        ("delete: { target: cm/old }", "rollback: auto"),
        ("patch: { target: cm/old, body: { data: { a: b } } }", "rollback: auto"),
        ("create: { configmap: new, literals: { a: b } }", hook),
    ]
    .into_iter()
    .enumerate()
    {
        let step = format!(
            "  - {{ id: x, {rollback}, kubectl: {{ {verb} }} }}\n  - {{ id: stop, assert: '1 == 2' }}\n"
        );
        let refused = bench.run(&format!("none-{index}"), &[], &step).exits(1);
        assert!(refused.events.is_empty(), "{verb}: a run without rights began: {}", refused.stdout);
        let missing = rules(&refused.said());
        let rules: Vec<(&str, &str)> =
            missing.iter().map(|(verbs, kind)| (verbs.as_str(), kind.as_str())).collect();
        let ran = bench.run(&format!("undoer-{index}"), &rules, &step);
        assert_eq!(ran.exit, Some(3), "{verb} with {rules:?}: {}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn all_missing_rights_are_named_with_their_steps_before_the_first_step() {
    let bench = Bench::new("missing");
    let steps = "
  - { id: read, kubectl: { get: { kind: pods } } }
  - { id: more, rollback: { none: a trial }, kubectl: { scale: { target: deployment/backend, replicas: 2 } } }
  - { id: key, rollback: { none: a trial }, kubectl: { patch: { target: secret/key, body: { data: { a: Yg== } } } } }
  - { id: survived, on_error: continue, kubectl: { get: nodes/one } }
  - { id: again, kubectl: { get: secret/key } }
";
    let body = bench.as_user("reader", &[("get,list", "pods")], steps);
    let refused = bench.live.run_with(&body, &["--env", "here"]).exits(1);
    assert!(refused.events.is_empty(), "{}", refused.stdout);
    let namespace = &bench.namespace.name;
    let text = refused.said();
    for line in [
        "rights are missing that the steps need",
        &format!("`more`: the right to get and patch deployments/scale in {namespace} is missing"),
        "- { apiGroups: [\"apps\"], resources: [deployments/scale], verbs: [get, patch] }",
        "`key`: the right to patch secrets",
        "`key`, `again`: the right to get secrets",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("pods") && !text.contains("nodes"), "{text}");
    let (output, plan) = bench.live.plan(&body, &["--env", "here"]);
    assert_eq!(output.exit, Some(1));
    let blockers = |index: usize| plan["steps"][index]["blockers"].as_array().map_or(0, Vec::len);
    assert_eq!([0, 1, 2, 3, 4].map(blockers), [0, 1, 2, 0, 1], "{plan:#}");
}

#[test]
fn a_right_to_one_object_is_enough_for_it_however_it_is_found() {
    let bench = Bench::new("single");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let objects = serde_json::json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "single" },
        "rules": [{ "apiGroups": [""], "resources": ["pods/exec"], "resourceNames": ["tools"], "verbs": ["get", "create"] }] });
    let body = bench.as_user(
        "single-reader",
        &[("list", "pods")],
        "
  - { id: x, rollback: { none: a trial }, kubectl: { exec: { selector: app=tools, command: ['true'] } } }
",
    );
    bench.live.run_with(&body, &["--env", "here"]).exits(1);
    bench.cluster.create(&bench.namespace, &objects.to_string());
    let account = format!("--serviceaccount={}:single-reader", bench.namespace.name);
    bench.cluster.kubectl(&[
        "create",
        "rolebinding",
        "single",
        "--role=single",
        &account,
        "-n",
        &bench.namespace.name,
    ]);
    bench.live.run_with(&body, &["--env", "here"]).exits(0);
}
