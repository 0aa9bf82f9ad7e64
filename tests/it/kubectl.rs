//! `kubectl`: each verb on a real cluster, beside kubectl itself.

use serde_json::{Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace, pod};
use crate::support::live::{Live, Ran};
use crate::support::snapshot;
use crate::support::webhook::Webhook;

/// A namespace, and the program with the kubeconfig that leads there.
pub(crate) struct Bench {
    pub(crate) cluster: &'static Kubernetes,
    pub(crate) namespace: Namespace,
    pub(crate) live: Live,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let cluster = Kubernetes::shared();
        let kubeconfig = cluster.kubeconfig().display().to_string();
        Self::with(cluster, cluster.namespace(name), &kubeconfig)
    }

    fn with(cluster: &'static Kubernetes, namespace: Namespace, kubeconfig: &str) -> Self {
        Self { cluster, namespace, live: Live::new().variable("KUBECONFIG", kubeconfig) }
    }

    pub(crate) fn body(&self, steps: &str) -> String {
        let namespace = &self.namespace.name;
        format!(
            "connections: {{ cluster: kubernetes }}\ndefaults: {{ namespace: {namespace} }}\nsteps:\n{steps}"
        )
    }

    pub(crate) fn run(&self, steps: &str) -> Ran {
        self.live.run(&self.body(steps))
    }

    /// The same with a secret parameter, and arguments.
    fn run_with(&self, steps: &str, arguments: &[&str]) -> Ran {
        let params = "params: { password: { type: string, secret: true } }\n";
        self.live.run_with(&(params.to_owned() + &self.body(steps)), arguments)
    }

    /// What a plan prints, in one line.
    pub(crate) fn plan(&self, steps: &str) -> String {
        self.live.write("trial", &self.body(steps));
        let planned = self.live.sandbox.run("plan ./trial.yaml");
        assert_eq!(planned.exit, Some(0), "{planned:?}");
        in_one_line(&planned.stdout)
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[arguments, &["--namespace", &self.namespace.name]].concat())
    }

    fn json(&self, object: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", object, "--output=json"])).unwrap()
    }

    /// A Deployment of pods that sleep.
    fn deployment(&self, name: &str, replicas: u32) {
        let labels = json!({ "app": name });
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "labels": labels },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": pod("exec sleep 600") },
            },
        });
        self.cluster.create(&self.namespace, &object.to_string());
        self.cluster.wait(&self.namespace, "condition=Available", &format!("deployment/{name}"));
    }
}

pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn scaling_restarting_and_waiting_end_as_with_kubectl() {
    let bench = Bench::new("scale");
    bench.deployment("backend", 1);
    let ran = bench
        .run(
            r"
  - id: more
    kubectl: { scale: { target: deploy/backend, replicas: 2 } }
    rollback: { none: a trial }
  - id: restart
    kubectl: { rollout_restart: deployment/backend }
    rollback: { none: a trial }
  - id: done
    timeout: 1m
    kubectl: { rollout_status: deployments.apps/backend }
  - id: pods
    kubectl: { get: { kind: po, selector: app=backend, sort_by: .metadata.creationTimestamp } }
",
        )
        .exits(0);
    assert_eq!(ran.output("more")["before"]["spec"]["replicas"], 1);
    assert_eq!(ran.output("more")["after"]["spec"]["replicas"], 2);
    assert_eq!(ran.output("more")["changed"], json!(["spec.replicas: 1 → 2"]));
    assert_eq!(ran.output("done")["object"]["status"]["availableReplicas"], 2);
    // By the same annotation as kubectl's, so that both see the same restart.
    let template = &bench.json("deployment/backend")["spec"]["template"]["metadata"]["annotations"];
    assert!(template["kubectl.kubernetes.io/restartedAt"].is_string(), "{template}");
    let ready =
        ran.output("pods")["items"].as_array().unwrap().iter().filter(|pod| {
            pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["phase"] == "Running"
        });
    assert_eq!(ready.count(), 2);
    bench.kubectl(&["rollout", "status", "deployment/backend", "--timeout=1s"]);
}

#[test]
fn objects_are_made_changed_marked_and_deleted() {
    let bench = Bench::new("objects");
    bench.live.sandbox.write("blob", "text\n");
    let ran = bench
        .run(
            r#"
  - id: made
    kubectl:
      create: { configmap: settings, literals: { color: blue }, files: { blob: blob }, labels: { app: shop } }
    rollback: { none: a trial }
  - id: patched
    kubectl: { patch: { target: cm/settings, body: { data: { color: red, blob: null } } } }
    rollback: { none: a trial }
  - id: labelled
    kubectl: { label: { target: configmap/settings, set: { tier: front, app: null } } }
    rollback: { none: a trial }
  - id: noted
    kubectl: { annotate: { target: configmap/settings, set: { example.org/why: "a trial" } } }
    rollback: { none: a trial }
  - id: applied
    kubectl:
      apply:
        object: { apiVersion: v1, kind: ConfigMap, metadata: { name: settings }, data: { size: "2" } }
    rollback: { none: a trial }
  - id: looked
    kubectl: { wait: { target: cm/settings, for: { jsonpath: .data.size, equals: "2" } } }
"#,
        )
        .exits(0);
    assert_eq!(ran.output("made")["before"], Value::Null);
    assert_eq!(ran.output("patched")["before"]["data"], json!({ "blob": "text\n", "color": "blue" }));
    let now = bench.json("configmap/settings");
    assert_eq!(now["data"], json!({ "color": "red", "size": "2" }));
    assert_eq!(now["metadata"]["labels"], json!({ "tier": "front" }));
    assert_eq!(now["metadata"]["annotations"]["example.org/why"], "a trial");
    let ran = bench
        .run(
            r"
  - { id: gone, kubectl: { delete: { target: cm/settings } } }
  - { id: again, kubectl: { delete: { target: cm/settings, missing: ok } } }
  - { id: absent, kubectl: { get: { kind: cm, name: settings, missing: ok } } }
  - { id: none, kubectl: { wait: { target: cm/settings, for: delete } } }
",
        )
        .exits(0);
    assert_eq!(ran.output("gone")["deleted"], json!(["settings"]));
    assert_eq!(ran.output("again")["deleted"], json!([]));
    assert_eq!(*ran.output("absent"), json!({ "object": null, "found": false }));
}

#[test]
fn the_newest_are_kept_whatever_their_names_say() {
    let bench = Bench::new("newest");
    for name in ["backup-z", "backup-m", "backup-a"] {
        bench.kubectl(&["create", "configmap", name]);
        bench.kubectl(&["label", "configmap", name, "kind=backup"]);
        // The server knows creation times by the second.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let step = "
  - id: old
    kubectl: { delete: { target: { kind: cm, selector: kind=backup }, keep_newest: 2 } }
";
    let planned = bench.plan(step);
    assert!(planned.contains("goes now: backup-z stays: backup-m, backup-a"), "{planned}");
    let ran = bench.run(step).exits(0);
    assert_eq!(ran.output("old")["deleted"], json!(["backup-z"]));
    let left = bench.kubectl(&["get", "configmaps", "--selector=kind=backup", "--output=name"]);
    assert_eq!(left, "configmap/backup-a\nconfigmap/backup-m\n");
}

#[test]
fn a_plan_shows_what_would_differ_and_changes_nothing() {
    let bench = Bench::new("plan");
    bench.deployment("backend", 1);
    let before = bench.json("deployment/backend");
    let text = bench.plan(
        r"
  - id: more
    kubectl: { scale: { target: deployment/backend, replicas: 3 } }
    rollback: { none: a trial }
  - id: restart
    kubectl: { rollout_restart: deployment/backend }
    rollback: { none: a trial }
  - id: made
    kubectl: { create: { secret: key, literals: { password: hunter2 } } }
    rollback: { none: a trial }
  - id: gone
    kubectl: { delete: { target: deployment/backend } }
",
    );
    for line in [
        "spec.replicas: 1 → 3",
        "the server would replace its pods",
        "the server would make it",
        "goes now: backend",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let after = bench.json("deployment/backend");
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert!(!bench.cluster.try_kubectl(&["get", "secret/key", "-n", &bench.namespace.name]).status.success());
}

#[test]
fn the_values_of_a_secret_are_neither_shown_nor_kept() {
    let bench = Bench::new("secrets");
    let ran = bench
        .run_with(
            r#"
  - id: made
    kubectl: { create: { secret: key, literals: { password: "{{ params.password }}" } } }
    rollback: { none: a trial }
  - id: read
    kubectl: { get: secret/key }
"#,
            &["--set", "password=hunter2"],
        )
        .exits(0);
    assert_eq!(bench.json("secret/key")["data"]["password"], "aHVudGVyMg==");
    assert_eq!(ran.output("read")["object"]["data"]["password"], "[secret]");
    let kept = bench.live.journals() + &ran.said();
    assert!(!kept.contains("hunter2") && !kept.contains("aHVudGVyMg"), "{kept}");
}

#[test]
fn a_log_is_read_from_the_container_that_crashed() {
    let bench = Bench::new("logs");
    bench.cluster.pod(&bench.namespace, "talker", "echo one; echo two; exec sleep 600", &[("app", "talker")]);
    let ran = bench
        .run(
            r"
  - { id: all, kubectl: { logs: { selector: app=talker } } }
  - { id: end, kubectl: { logs: { pod: talker, tail: 1 } } }
",
        )
        .exits(0);
    assert_eq!(ran.output("all")["lines"], json!(["one", "two"]));
    assert_eq!(ran.output("end")["text"], "two\n");
    let failed = bench.run("  - { id: old, kubectl: { logs: { pod: talker, previous: true } } }\n").exits(1);
    assert!(failed.said().contains("previous terminated container"), "{}", failed.said());
}

#[test]
fn a_program_runs_in_a_container_as_it_is_written() {
    let bench = Bench::new("programs");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    bench.live.sandbox.write("in.txt", &"line\n".repeat(500_000));
    let ran = bench
        .run(
            r#"
  - id: words
    rollback: { none: a trial }
    kubectl: { exec: { selector: app=tools, command: [printf, "%s|", "$HOME", "a b", "x; y"] } }
  - id: sent
    rollback: { none: a trial }
    kubectl: { exec: { pod: tools, command: [cat], stdin: "secret text" } }
  - id: counted
    rollback: { none: a trial }
    kubectl: { exec: { pod: tools, command: [wc, -c], stdin_file: in.txt, parse: lines } }
  - id: fetched
    rollback: { none: a trial }
    kubectl: { exec: { pod: tools, command: [seq, "300000"], stdout_file: out.txt } }
  - id: codes
    rollback: { none: a trial }
    kubectl: { exec: { pod: tools, command: [sh, -c, "echo why >&2; exit 3"], exit_codes: [0, 3], env: { A: b } } }
"#,
        )
        .exits(0);
    assert_eq!(ran.output("words")["stdout"], "$HOME|a b|x; y|");
    assert_eq!(ran.output("sent")["stdout"], "secret text");
    assert_eq!(ran.output("counted")["rows"], json!(["2500000"]));
    assert_eq!(
        (&ran.output("codes")["exit_code"], &ran.output("codes")["stderr"]),
        (&json!(3), &json!("why\n"))
    );
    let fetched = std::fs::read_to_string(bench.live.sandbox.directory().join("out.txt")).unwrap();
    assert!(
        fetched.lines().map(|line| line.parse::<u32>().unwrap()).eq(1..=300_000),
        "{} bytes",
        fetched.len()
    );
    assert_eq!(ran.output("fetched")["file"]["bytes"], fetched.len());
}

#[test]
fn a_program_that_does_not_succeed_says_how_it_ended() {
    let bench = Bench::new("ends");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let check = |exec: &str, step: &str, exit: i32, message: &str| {
        let ran = bench.run(&format!(
            "  - {{ id: x, rollback: {{ none: a trial }}, {step}kubectl: {{ exec: {exec} }} }}\n"
        ));
        let text = ran.exits(exit).said();
        assert!(text.contains(message), "{message} is not in\n{text}");
    };
    check(
        "{ pod: tools, command: [sh, -c, 'echo it broke >&2; exit 7'] }",
        "",
        1,
        "`sh` ended with exit code 7",
    );
    check("{ pod: tools, command: [sh, -c, 'echo it broke >&2; exit 7'] }", "", 1, "it broke");
    check("{ pod: tools, command: [no-such-program] }", "", 1, "`no-such-program` was not started");
    check(
        "{ pod: tools, container: side, command: [ls] }",
        "",
        1,
        "pod `tools` has no container `side`; it has main",
    );
    check("{ pod: none, command: [ls] }", "", 1, "pods \"none\" not found");
    let out = "{ pod: tools, command: [seq, '9'], stdout_file: out.txt, exit_codes: [1] }";
    check(out, "", 1, "`seq` ended with exit code 0");
    assert!(!bench.live.sandbox.directory().join("out.txt").exists());
    // Its time limit ends it in the pod, too.
    check("{ pod: tools, command: [sleep, '77'] }", "timeout: 2s, ", 1, "\"stopped_by\":\"timeout\"");
    let processes = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
    let exec = ["--namespace", &bench.namespace.name, "exec", "tools", "--", "sh", "-c", processes];
    let left = bench.cluster.kubectl(&exec);
    assert!(!left.contains("sleep 77"), "{left}");
}

#[test]
fn output_that_cannot_be_written_ends_the_step() {
    let bench = Bench::new("full");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[]);
    let check = |script: &str, exit: i32| {
        let exec = format!("{{ pod: tools, command: [sh, -c, '{script}'], stdout_file: out.txt }}");
        let step = format!("  - {{ id: x, rollback: {{ none: a trial }}, kubectl: {{ exec: {exec} }} }}\n");
        bench.live.write("trial", &bench.body(&step));
        // A file may not grow beyond some 500 kB here, as on a full disk.
        let command = "trap '' XFSZ; ulimit -f 1000; \"$RUNBOOK\" run ./trial.yaml --output json";
        let ran = Ran::from(bench.live.sandbox.shell(command)).exits(exit);
        assert!(ran.said().contains("out.txt: File too large"), "{}", ran.said());
        assert_eq!(ran.end("x")["failure"]["applied"], "unknown", "{}", ran.said());
        let folder = bench.live.sandbox.directory();
        assert!(!folder.join("out.txt").exists() && !folder.join("out.txt.part").exists());
    };
    check("yes; sleep 600", 4);
    check("head -c 700000 /dev/zero", 1);
}

#[test]
fn a_pod_that_goes_in_the_middle_leaves_the_outcome_open() {
    let bench = Bench::new("gone");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let step = "
  - id: long
    rollback: { none: a trial }
    kubectl: { exec: { pod: tools, command: [sh, -c, 'echo begun; exec sleep 60'] } }
";
    let running = bench.live.start(&bench.body(step), &[]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    bench.kubectl(&["delete", "pod", "tools", "--grace-period=0", "--force"]);
    let ran = running.finish();
    let text = ran.said();
    // A status 137 is an answer; a connection that is gone is none.
    match ran.exit {
        Some(4) => assert!(text.contains("no answer from `sh`"), "{text}"),
        Some(1) => assert!(text.contains("exit code 137"), "{text}"),
        other => panic!("{other:?}: {text}"),
    }
}

#[test]
fn what_is_wrong_names_the_object_and_what_to_do() {
    let bench = Bench::new("wrong");
    let check = |step: &str, messages: &[&str]| {
        let ran =
            bench.run(&format!("  - {{ id: x, rollback: {{ none: a trial }}, kubectl: {step} }}\n")).exits(1);
        let text = ran.said();
        for message in messages {
            assert!(text.contains(message), "{message} is not in\n{text}");
        }
    };
    check(
        "{ get: deployment/none }",
        &["deployments.apps \"none\" not found", "Check the name, the kind and the namespace."],
    );
    check(
        "{ get: deploymentz/none }",
        &["the cluster serves no kind `deploymentz`; did you mean `deployments`?"],
    );
    check("{ logs: { selector: app=none } }", &["there is no pods with the labels `app=none`"]);
    check(
        "{ apply: { object: { apiVersion: v1, kind: ConfigMap, metadata: { name: Bad_Name } } } }",
        &["Invalid value: \"Bad_Name\"", "Correct the fields named here."],
    );
    check(
        "{ apply: { object: { apiVersion: v1, kind: ConfigMap, metadata: { name: typo }, daata: { a: b } } } }",
        &[".daata: field not declared in schema", "Correct the field named here."],
    );
    check("{ rollout_restart: cm/kube-root-ca.crt }", &["is no workload that can be restarted"]);
    bench.kubectl(&["create", "configmap", "there"]);
    check("{ create: { configmap: there } }", &["\"there\" already exists", "Choose another name"]);
    bench.live.sandbox.write("dump", &"x".repeat(2 << 20));
    check(
        "{ create: { configmap: big, files: { dump: dump } } }",
        &["ConfigMap `big` would hold 2 MB, and 1 MiB is the most"],
    );
}

#[test]
fn a_conflict_names_the_manager_and_the_field() {
    let bench = Bench::new("conflict");
    bench.deployment("backend", 1);
    let apply = |force: bool| {
        let step = format!(
            "
  - id: owned
    rollback: {{ none: a trial }}
    kubectl:
      apply:
        force_conflicts: {force}
        object: {{ apiVersion: apps/v1, kind: Deployment, metadata: {{ name: backend }}, spec: {{ replicas: 2 }} }}
"
        );
        bench.run(&step)
    };
    let refused = apply(false).exits(1);
    let text = refused.said();
    assert!(text.contains(".spec.replicas: conflict with \"kubectl-create\""), "{text}");
    assert!(text.contains("force_conflicts: true"), "{text}");
    assert_eq!(bench.json("deployment/backend")["spec"]["replicas"], 1);
    apply(true).exits(0);
    assert_eq!(bench.json("deployment/backend")["spec"]["replicas"], 2);
}

const MANIFEST: &str = r#"# Two objects, as kubectl takes them.
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { text: "{{ $labels.pod }} is down" }
---
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: ConfigMap, metadata: { name: limits }, data: { size: "SIZE" } }
"#;

#[test]
fn a_manifest_is_applied_object_by_object_and_as_it_stands() {
    let bench = Bench::new("manifest");
    let apply = "
  - id: applied
    rollback: { none: a trial }
    kubectl: { apply: { file: manifests/settings.yaml } }
";
    bench.live.sandbox.write("manifests/settings.yaml", &MANIFEST.replace("SIZE", "1"));
    let planned = bench.plan(apply);
    assert!(planned.contains("configmap/limits: it is not there yet, and is made"), "{planned}");
    let ran = bench.run(apply).exits(0);
    assert_eq!(ran.output("applied")["objects"][1]["before"], Value::Null);
    assert_eq!(bench.json("cm/settings")["data"]["text"], "{{ $labels.pod }} is down");
    bench.live.sandbox.write("manifests/settings.yaml", &MANIFEST.replace("SIZE", "2"));
    let ran = bench.run(apply).exits(0);
    let changed = |index: usize| ran.output("applied")["objects"][index]["changed"].clone();
    assert_eq!([changed(0), changed(1)], [json!([]), json!(["data.size: 1 → 2"])]);
    // What was written before the one that is refused stays, and the failure says so.
    bench.kubectl(&["delete", "configmap", "settings"]);
    let create = apply.replace("apply:", "create:");
    let refused = bench.run(&create).exits(1);
    let text = refused.failure("applied");
    assert!(
        text.contains("cannot create configmap/limits")
            && text.contains("written before: configmap/settings"),
        "{text}"
    );
    assert_eq!(refused.end("applied")["failure"]["applied"], "partly");
    // The file that was applied is part of the journal.
    assert!(bench.live.journals().contains("$labels.pod"), "the manifest is not pinned");
}

#[test]
fn what_is_wrong_in_a_manifest_is_shown_in_the_manifest() {
    let live = Live::new();
    live.write(
        "trial",
        "connections: { cluster: kubernetes }
steps:
  - { id: x, rollback: { none: a trial }, kubectl: { apply: { file: objects.yaml } } }
",
    );
    live.sandbox.write(
        "objects.yaml",
        "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: key }\n\
         stringData: { password: hunter2 }\n---\na: [1\n",
    );
    let checked = live.sandbox.run("check ./trial.yaml");
    assert_eq!(checked.exit, Some(2), "{checked:?}");
    snapshot::compare("manifest__problems", &checked.to_string());
}

#[test]
fn a_rollout_that_can_never_end_ends_at_once() {
    let bench = Bench::new("hopeless");
    bench.deployment("backend", 1);
    let began = tokio::time::Instant::now();
    let failed = bench
        .run(
            r"
  - id: broken
    rollback: { none: a trial }
    kubectl:
      patch:
        target: deployment/backend
        type: strategic
        body: { spec: { template: { spec: { containers: [{ name: main, image: docker.io/no/such:1 }] } } } }
  - id: done
    timeout: 1m
    kubectl: { rollout_status: deployment/backend }
",
        )
        .exits(1);
    assert!(failed.said().contains("does not start: ErrImageNeverPull"), "{}", failed.said());
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let undo = "
  - { id: undo, kubectl: { rollout_undo: { target: deployment/backend } }, rollback: { none: a trial } }
  - { id: done, timeout: 1m, kubectl: { rollout_status: deployment/backend } }
  - { id: told, kubectl: { describe: deployment/backend } }
";
    let planned = bench.plan(undo);
    assert!(planned.contains("back to revision 1"), "{planned}");
    let undone = bench.run(undo).exits(0);
    assert_eq!(undone.output("undo")["revision"], 1);
    let image = "/spec/template/spec/containers/0/image";
    let now = bench.json("deployment/backend");
    assert_eq!(now.pointer(image), Some(&json!("docker.io/runbook/empty:1")));
    assert!(now.pointer("/spec/template/metadata/labels/pod-template-hash").is_none());
    let events = undone.output("told")["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["reason"] == "ScalingReplicaSet"), "{events:?}");
}

#[test]
fn a_plan_looks_for_the_pod_before_a_program_is_started_in_it() {
    let bench = Bench::new("look");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let step = "
  - id: run
    rollback: { none: a trial }
    kubectl: { exec: { selector: app=tools, command: [touch, /tmp/there] } }
";
    let text = bench.plan(step);
    assert!(text.contains("pod tools runs, and has the container main"), "{text}");
}

#[test]
fn the_wrong_cluster_is_noticed_before_the_first_step() {
    let bench = Bench::new("expect");
    let uid = bench.json("namespace/kube-system")["metadata"]["uid"].as_str().unwrap().to_owned();
    let environment = |uid: &str| {
        let kubeconfig = bench.cluster.kubeconfig().display();
        format!(
            "environments: {{ here: {{ connections: {{ cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig}, \
             expect: {{ uid: '{uid}' }} }} }} }} }} }}"
        )
    };
    let body = bench.body("  - { id: read, kubectl: { get: { kind: pods } } }\n");
    bench.live.sandbox.write("runbook.yaml", &environment(&uid));
    bench.live.run_with(&body, &["--env", "here"]).exits(0);
    bench.live.sandbox.write("runbook.yaml", &environment("another"));
    let refused = bench.live.run_with(&body, &["--env", "here"]).exits(6);
    assert!(refused.said().contains("leads to another target than expected"), "{}", refused.said());
}

#[test]
fn without_a_cluster_the_first_words_say_why() {
    let live = Live::new();
    let body = "connections: { cluster: kubernetes }\nsteps:\n  - { id: x, kubectl: { get: pod/x } }\n";
    let nothing = live.run(body).exits(1);
    assert!(nothing.said().contains("there is no kubeconfig, and this is not a pod"), "{}", nothing.said());
    live.sandbox.write("config", "{ apiVersion: v1, kind: Config, contexts: [], clusters: [], users: [] }");
    let live = live.variable("KUBECONFIG", "config");
    let empty = live.run(body).exits(1);
    assert!(empty.said().contains("the kubeconfig has no current context"), "{}", empty.said());
    live.sandbox.write(
        "config",
        "{ apiVersion: v1, kind: Config, current-context: a, contexts: [{ name: a, context: { cluster: a, user: a } }], \
         clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1' } }], users: [{ name: a, user: {} }] }",
    );
    let dead = live.run(body).exits(1);
    assert!(dead.said().contains("the API server cannot be reached"), "{}", dead.said());
}

#[test]
fn a_policy_that_refuses_is_named_before_and_during_the_run() {
    let bench = Bench::new("policy");
    let step = "  - { id: x, rollback: { none: a trial }, kubectl: { create: { configmap: made, literals: { a: b } } } }\n";
    let policy = Webhook::start(&bench.namespace, |request| {
        let name = request["object"]["metadata"]["name"].as_str().unwrap_or_default();
        (name == "made").then(|| "every ConfigMap needs an owner".to_owned())
    });
    let refused = bench.run(step).exits(1);
    let text = refused.failure("x");
    for part in [
        "cannot create configmap/made: admission webhook \"policy.example.org\" denied the request",
        "every ConfigMap needs an owner",
        "Ask the owner of the policy that refused it.",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(refused.end("x")["failure"]["applied"], "no");
    assert!(bench.plan(step).contains("every ConfigMap needs an owner"), "{}", bench.plan(step));
    drop(policy);
    let _dead = Webhook::dead(&bench.namespace);
    // The server may still know the old one for a moment.
    std::thread::sleep(std::time::Duration::from_secs(2));
    // Policies are asked before anything is stored, so this is no uncertain write.
    let text = bench.run(step).exits(1).failure("x");
    assert!(text.contains("failed calling webhook \"policy.example.org\""), "{text}");
    assert!(text.contains("A policy of the cluster does not answer"), "{text}");
}

#[test]
fn a_pod_that_ends_in_the_middle_or_before_is_told_apart() {
    let bench = Bench::new("completes");
    let exec = |pod: &str| {
        format!(
            "  - {{ id: x, rollback: {{ none: a trial }}, kubectl: {{ exec: {{ pod: {pod}, command: [sleep, '60'] }} }} }}\n"
        )
    };
    let mut spec = pod("exec sleep 6");
    spec["restartPolicy"] = json!("Never");
    let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "short" }, "spec": spec });
    bench.cluster.create(&bench.namespace, &object.to_string());
    bench.cluster.wait(&bench.namespace, "condition=Ready", "pod/short");
    let ran = bench.run(&exec("short"));
    match ran.exit {
        Some(4) => assert!(ran.failure("x").contains("no answer from `sleep`"), "{}", ran.said()),
        Some(1) => assert!(ran.failure("x").contains("exit code 137"), "{}", ran.said()),
        other => panic!("{other:?}: {}", ran.said()),
    }
    for _ in 0..100 {
        if bench.json("pod/short")["status"]["phase"] == "Succeeded" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let text = bench.run(&exec("short")).exits(1).failure("x");
    assert!(text.contains("pod `short` is succeeded"), "{text}");
}

#[test]
fn a_context_that_is_not_there_is_answered_with_those_that_are() {
    let bench = Bench::new("context");
    let kubeconfig = bench.cluster.kubeconfig().display();
    let environment = format!(
        "environments: {{ here: {{ connections: {{ cluster: {{ kubernetes: {{ kubeconfig: {kubeconfig}, context: nowhere }} }} }} }} }}"
    );
    bench.live.sandbox.write("runbook.yaml", &environment);
    let body = bench.body("  - { id: x, kubectl: { get: { kind: pods } } }\n");
    let text = bench.live.run_with(&body, &["--env", "here"]).exits(1).said();
    assert!(text.contains("the kubeconfig has no context `nowhere`") && text.contains("It has: "), "{text}");
}
