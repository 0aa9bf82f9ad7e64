//! Every verb beside kubectl: the same thing done by both to the same objects ends in the same state, or reads the same.

use serde_json::{Map, Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace, pod};
use crate::support::live::Live;

/// Fields that the server gives each object anew, or by which it notes who wrote what and when.
const OWN: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "selfLink",
    "managedFields",
    "namespace",
];

/// A verb as a step, what kubectl is given for the same, and the objects that are compared then.
struct Case {
    step: &'static str,
    kubectl: &'static [&'static str],
    objects: &'static [&'static str],
}

/// In their order: each pair of namespaces goes through all of them.
const WRITES: &[Case] = &[
    Case {
        step: "create: { configmap: made, literals: { a: b }, files: { blob: blob } }",
        kubectl: &["create", "configmap", "made", "--from-literal=a=b", "--from-file=blob=BLOB"],
        objects: &["configmap/made"],
    },
    Case {
        step: "create: { secret: key, literals: { password: hunter2 } }",
        kubectl: &["create", "secret", "generic", "key", "--from-literal=password=hunter2"],
        objects: &["secret/key"],
    },
    Case {
        step: "apply: { file: objects.yaml }",
        kubectl: &["apply", "--server-side", "-f", "MANIFEST"],
        objects: &["configmap/applied", "service/backend"],
    },
    Case {
        step: "patch: { target: cm/made, body: { data: { a: c, d: e, blob: null } } }",
        kubectl: &[
            "patch",
            "cm",
            "made",
            "--type=merge",
            "--patch={\"data\":{\"a\":\"c\",\"d\":\"e\",\"blob\":null}}",
        ],
        objects: &["configmap/made"],
    },
    Case {
        step: "patch: { target: deployment/backend, type: strategic, body: { spec: { template: { spec: { containers: [{ name: main, env: [{ name: A, value: b }] }] } } } } }",
        kubectl: &[
            "patch",
            "deployment",
            "backend",
            "--patch={\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"main\",\"env\":[{\"name\":\"A\",\"value\":\"b\"}]}]}}}}",
        ],
        objects: &["deployment/backend"],
    },
    Case {
        step: "patch: { target: cm/made, type: json, body: [{ op: replace, path: /data/a, value: f }] }",
        kubectl: &[
            "patch",
            "cm",
            "made",
            "--type=json",
            "--patch=[{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"f\"}]",
        ],
        objects: &["configmap/made"],
    },
    Case {
        step: "label: { target: cm/made, set: { tier: front, old: null } }",
        kubectl: &["label", "cm", "made", "tier=front", "old-"],
        objects: &["configmap/made"],
    },
    Case {
        step: "annotate: { target: cm/made, set: { example.org/why: a trial } }",
        kubectl: &["annotate", "cm", "made", "example.org/why=a trial"],
        objects: &["configmap/made"],
    },
    Case {
        step: "scale: { target: deployment/backend, replicas: 2 }",
        kubectl: &["scale", "deployment/backend", "--replicas=2"],
        objects: &["deployment/backend"],
    },
    Case {
        step: "rollout_restart: deployment/backend",
        kubectl: &["rollout", "restart", "deployment/backend"],
        objects: &["deployment/backend"],
    },
    Case {
        step: "rollout_status: deployment/backend",
        kubectl: &["rollout", "status", "deployment/backend", "--timeout=60s"],
        objects: &["deployment/backend"],
    },
    Case {
        step: "rollout_undo: { target: deployment/backend, to_revision: 1 }",
        kubectl: &["rollout", "undo", "deployment/backend", "--to-revision=1"],
        objects: &["deployment/backend"],
    },
    Case {
        step: "wait: { target: deployment/backend, for: { condition: Available } }",
        kubectl: &["wait", "--for=condition=Available", "deployment/backend", "--timeout=60s"],
        objects: &["deployment/backend"],
    },
    Case {
        step: "delete: { target: { kind: cm, selector: tier=front } }",
        kubectl: &["delete", "cm", "--selector=tier=front"],
        objects: &["configmaps"],
    },
    Case {
        step: "delete: { target: secret/key }",
        kubectl: &["delete", "secret", "key"],
        objects: &["secrets"],
    },
];

const MANIFEST: &str = "apiVersion: v1
kind: ConfigMap
metadata: { name: applied, labels: { app: shop } }
data:
  text: |
    two
    lines
---
apiVersion: v1
kind: Service
metadata: { name: backend }
spec: { clusterIP: None, selector: { app: backend }, ports: [{ port: 80, protocol: TCP, targetPort: 8080 }] }
";

/// Two namespaces with the same in them: one for the program, one for kubectl.
struct Bench {
    cluster: &'static Kubernetes,
    ours: Namespace,
    theirs: Namespace,
    live: Live,
}

impl Bench {
    fn new() -> Self {
        let cluster = Kubernetes::shared();
        let [ours, theirs] = ["ours", "theirs"].map(|name| cluster.namespace(name));
        let labels = json!({ "app": "backend" });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "backend" },
            "spec": {
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": pod("exec sleep 600") },
            },
        });
        for namespace in [&ours, &theirs] {
            cluster.create(namespace, &deployment.to_string());
            cluster.pod(namespace, "tools", "echo one; echo two; exec sleep 600", &[("app", "tools")]);
            cluster.wait(namespace, "condition=Available", "deployment/backend");
        }
        let live = Live::new().variable("KUBECONFIG", &cluster.kubeconfig().display().to_string());
        live.sandbox.write("blob", "some\ntext\n");
        live.sandbox.write("objects.yaml", MANIFEST);
        Self { cluster, ours, theirs, live }
    }

    /// Does it with the program; the output of the step.
    fn run(&self, verb: &str) -> Value {
        let namespace = &self.ours.name;
        let ran = self.live.run(&format!(
            "connections: {{ cluster: kubernetes }}
defaults: {{ namespace: {namespace}, timeout: 1m }}
steps:
  - {{ id: x, rollback: {{ none: a trial }}, kubectl: {{ {verb} }} }}
"
        ));
        assert_eq!(ran.exit, Some(0), "{verb}: {}\n{}", ran.stdout, ran.stderr);
        ran.output("x").clone()
    }

    /// Does it with kubectl; what it printed.
    fn kubectl(&self, arguments: &[&str]) -> String {
        let file = |name: &str| self.live.sandbox.directory().join(name).display().to_string();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| {
                argument.replace("BLOB", &file("blob")).replace("MANIFEST", &file("objects.yaml"))
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let place = ["--namespace", &self.theirs.name];
        self.cluster.kubectl(&[&place[..], &arguments].concat())
    }

    /// An object, or all of a kind, without what differs by nature.
    fn state(&self, namespace: &Namespace, object: &str) -> Value {
        let found = self.cluster.kubectl(&["get", object, "--output=json", "--namespace", &namespace.name]);
        normal(serde_json::from_str(&found).unwrap())
    }
}

/// An object without what the server gives it anew, what says when, and how far a controller is.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter_map(field).collect::<Map<_, _>>()),
        Value::Array(list) => list.into_iter().filter(|value| !is_of_the_server(value)).map(normal).collect(),
        other => other,
    }
}

fn field((key, value): (String, Value)) -> Option<(String, Value)> {
    // The status follows the rest, and has its own verbs here: `rollout_status` and `wait`.
    if OWN.contains(&key.as_str()) || key == "status" || key.ends_with("last-applied-configuration") {
        return None;
    }
    match key.as_str() {
        "kubectl.kubernetes.io/restartedAt" => Some((key, "once".into())),
        _ => Some((key, normal(value))),
    }
}

/// Whether controllers make it in every namespace.
fn is_of_the_server(object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    name == "kube-root-ca.crt" || object["type"] == "kubernetes.io/service-account-token"
}

#[test]
fn every_verb_that_changes_something_ends_in_the_state_that_kubectl_leaves() {
    let bench = Bench::new();
    for Case { step, kubectl, objects } in WRITES {
        bench.run(step);
        bench.kubectl(kubectl);
        for object in *objects {
            let [ours, theirs] = [&bench.ours, &bench.theirs].map(|namespace| bench.state(namespace, object));
            assert_eq!(ours, theirs, "{object} after {step}");
        }
    }
}

#[test]
fn every_verb_that_reads_reads_what_kubectl_does() {
    let bench = Bench::new();
    let json = |arguments: &[&str]| normal(serde_json::from_str(&bench.kubectl(arguments)).unwrap());
    // Each pod has its own name and node's view, so the one that was made by hand is compared.
    let tools = normal(bench.run("get: pod/tools")["object"].clone());
    assert_eq!(tools, json(&["get", "pod/tools", "--output=json"]));
    let listed = normal(bench.run("get: { kind: deploy, selector: '!none' }")["items"].clone());
    assert_eq!(listed, json(&["get", "deploy", "--selector=!none", "--output=json"])["items"]);
    let sorted = bench.run("get: { kind: sa, sort_by: .metadata.name }")["items"].clone();
    assert_eq!(normal(sorted).as_array().map(Vec::len), Some(1));
    let logs = bench.run("logs: { pod: tools, tail: 1 }");
    assert_eq!(logs["text"], bench.kubectl(&["logs", "tools", "--tail=1"]));
    let ran = bench.run("exec: { pod: tools, command: [sh, -c, 'echo out; cat; exit 0'], stdin: in }");
    assert_eq!(ran["stdout"], "out\nin");
    let command = ["exec", "tools", "--", "sh", "-c", "printf '%s|' \"$0\" \"$@\"", "a b", "$HOME", "c;d"];
    let words = bench.run(
        "exec: { pod: tools, command: [sh, -c, \"printf '%s|' \\\"$0\\\" \\\"$@\\\"\", a b, $HOME, 'c;d'] }",
    );
    assert_eq!(words["stdout"], bench.kubectl(&command));
    // kubectl's page is for people: each event that the step has is on it, and nothing else is.
    let page = bench.kubectl(&["describe", "deployment/backend"]);
    let described = bench.run("describe: deployment/backend");
    let reasons: Vec<&str> = described["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["ScalingReplicaSet"]);
    assert_eq!(page.matches("ScalingReplicaSet").count(), 1, "{page}");
}
