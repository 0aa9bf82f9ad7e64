//! Accounts in a cluster: plugins that bring credentials, tokens that run out, proxies, and the account of a pod.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::kubernetes::{Kubernetes, Namespace, pod};
use crate::support::live::{Live, Ran};
use crate::support::relay::Relay;

/// What a user of these tests may do.
const RULES: &[(&str, &str)] =
    &[("get,list,create", "configmaps"), ("get,list", "pods"), ("get,create", "pods/exec")];

/// A namespace with a user whose token a plugin brings.
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

    /// A user's token.
    fn token(&self, user: &str) -> String {
        self.cluster.user(&self.namespace, user, RULES);
        self.cluster.token(&self.namespace, user)
    }

    /// Writes a plugin, a script, and returns how a kubeconfig names it.
    fn plugin(&self, script: &str) -> Value {
        self.live.sandbox.write("plugin.sh", script);
        let path = self.live.sandbox.directory().join("plugin.sh").display().to_string();
        plugin("/bin/sh", &[&path])
    }

    fn run_as(&self, parts: &Value, steps: &str) -> Ran {
        let kubeconfig = self.cluster.kubeconfig_of(&self.namespace, "trial", parts);
        self.live.write_cluster(&kubeconfig);
        self.live
            .run_with(&format!("connections: {{ cluster: kubernetes }}\nsteps:\n{steps}"), &["--env", "here"])
    }
}

fn plugin(command: &str, arguments: &[&str]) -> Value {
    json!({ "user": { "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1", "command": command, "args": arguments,
        "interactiveMode": "IfAvailable", "installHint": "Install it from the shelf.",
    } } })
}

/// The lines of shell that print a token as a plugin does.
fn prints(token: &str) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": { "token": token },
    });
    format!("echo '{credential}'\n")
}

const READ: &str = "  - { id: read, kubectl: { get: { kind: cm } } }\n";

#[test]
fn a_plugin_brings_the_token_and_cannot_read_what_is_not_for_it() {
    let bench = Bench::new("plugin");
    let token = bench.token("robot");
    let script = format!("cat >&2\necho \"$KUBERNETES_EXEC_INFO\" >info\n{}", prints(&token));
    bench.run_as(&bench.plugin(&script), READ).exits(0);
    let info = std::fs::read_to_string(bench.live.sandbox.directory().join("info")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["spec"]["interactive"], false, "{info}");
    assert!(!bench.live.journals().contains(&token), "the token is in the journal");
}

#[test]
fn credentials_that_run_out_are_fetched_again_for_reads_and_for_writes() {
    let bench = Bench::new("renewed");
    bench.cluster.pod(&bench.namespace, "tools", "exec sleep 600", &[("app", "tools")]);
    let (first, second) = (bench.token("first"), bench.token("second"));
    let script = format!("if [ -e withdrawn ]; then {} else {} fi", prints(&second), prints(&first));
    let (cluster, namespace) = (bench.cluster, &bench.namespace.name);
    // The server believes a token for ten seconds after it has looked.
    let steps = |withdraw: &str, then: &str| {
        format!(
            "  - {{ id: read, kubectl: {{ get: {{ kind: cm }} }} }}
  - {{ id: withdrawn, rollback: {{ none: a trial }}, exec: {{ command: [sh, -c, {withdraw}] }} }}
  - {{ id: then, rollback: {{ none: a trial }}, kubectl: {{ {then} }} }}
"
        )
    };
    let withdraw = format!(
        "'touch withdrawn && {} --kubeconfig {} -n {namespace} delete secret first && sleep 12'",
        cluster.program().display(),
        cluster.kubeconfig().display()
    );
    let ran = bench
        .run_as(&bench.plugin(&script), &steps(&withdraw, "create: { configmap: made, literals: { a: b } }"));
    let ran = ran.exits(0);
    assert_eq!(ran.output("then")["after"]["metadata"]["name"], "made");
    // Without a plugin that knows another token, it is refused, and nothing is said to be uncertain.
    let withdrawn = json!({ "user": { "token": first } });
    let refused = bench.run_as(&withdrawn, READ).exits(1);
    assert!(refused.said().contains("Unauthorized"), "{}", refused.said());
    assert!(
        refused.said().contains("Log in again, or renew the token of the context."),
        "{}",
        refused.said()
    );
}

#[test]
fn a_copy_outlives_its_credentials() {
    let bench = Bench::new("copying");
    // The first file takes longer than the server believes a token that is withdrawn.
    let mut spec = pod(r"mkdir -p /data /slow; echo 1 >/data/a; echo 2 >/data/b
        printf '#!/bin/sh\n[ -e /slow/once ] || { : >/slow/once; sleep 16; }\nexec /usr/bin/cat\n' >/slow/cat
        chmod +x /slow/cat; exec sleep 600");
    spec["containers"][0]["env"] = json!([{ "name": "PATH", "value": "/slow:/usr/bin:/bin" }]);
    let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "tools" }, "spec": spec });
    bench.cluster.create(&bench.namespace, &object.to_string());
    bench.cluster.wait(&bench.namespace, "condition=Ready", "pod/tools");
    std::thread::sleep(Duration::from_secs(1));
    let (first, second) = (bench.token("first"), bench.token("second"));
    let script = format!("if [ -e withdrawn ]; then {} else {} fi", prints(&second), prints(&first));
    let parts = bench.plugin(&script);
    bench.live.write_cluster(&bench.cluster.kubeconfig_of(&bench.namespace, "trial", &parts));
    let copy = "cp: { from: { pod: tools, path: /data/* }, to: ./ }";
    let body =
        format!("connections: {{ cluster: kubernetes }}\nsteps:\n  - {{ id: x, kubectl: {{ {copy} }} }}\n");
    let mut running = bench.live.start(&body, &["--env", "here"]);
    running.wait_for("step_started", "x");
    std::thread::sleep(Duration::from_secs(2));
    bench.live.sandbox.write("withdrawn", "");
    bench.cluster.kubectl(&["delete", "secret", "first", "--namespace", &bench.namespace.name]);
    let ran = running.finish().exits(0);
    assert_eq!(ran.output("x")["count"], 2);
}

#[test]
fn a_plugin_that_brings_nothing_says_why_and_shows_no_token() {
    let bench = Bench::new("none");
    let check = |parts: &Value, messages: &[&str]| {
        let text = bench.run_as(parts, READ).exits(1).said();
        for message in messages {
            assert!(text.contains(message), "{message} is not in\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    };
    check(
        &plugin("no-such-plugin", &[]),
        &[
            "the credential plugin `no-such-plugin` cannot be started: No such file",
            "Install it from the shelf.",
        ],
    );
    check(
        &bench.plugin("echo hunter2; echo 'please log in at https://example.org' >&2; exit 3"),
        &["the credential plugin `/bin/sh` failed: exit status: 3", "please log in at https://example.org"],
    );
    check(
        &bench.plugin("echo hunter2: {"),
        &["what the credential plugin `/bin/sh` printed is no `ExecCredential`"],
    );
    check(&bench.plugin(&prints("hunter2")), &["Unauthorized", "Log in again"]);
    let mut asks = bench.plugin("true");
    asks["user"]["exec"]["interactiveMode"] = json!("Always");
    check(&asks, &["the credential plugin `/bin/sh` asks a person, and there is no terminal"]);
}

#[test]
fn a_proxy_leads_to_the_server_unless_the_server_is_excepted() {
    let mut bench = Bench::new("proxy");
    let proxy = Relay::proxy_to(&bench.cluster.server());
    let port = bench.cluster.server().rsplit(':').next().unwrap().to_owned();
    let own = json!({ "cluster": { "proxy-url": format!("http://{}", proxy.address) } });
    bench.run_as(&own, READ).exits(0);
    assert!(
        !proxy.asked().is_empty()
            && proxy.asked().iter().all(|line| line == &format!("CONNECT {}", bench.cluster.server()))
    );
    // A name that only the proxy can know.
    let server = format!("https://api.example.invalid:{port}");
    let far = json!({ "cluster": { "server": server, "tls-server-name": "127.0.0.1" } });
    bench.live = Live::new().variable("HTTPS_PROXY", &proxy.address.to_string());
    bench.run_as(&far, READ).exits(0);
    assert_eq!(proxy.asked().last().unwrap(), &format!("CONNECT api.example.invalid:{port}"));
    let asked = proxy.asked().len();
    bench.live = bench.live.variable("NO_PROXY", "10.0.0.0/8,.example.invalid");
    let text = bench.run_as(&far, READ).exits(1).said();
    assert!(text.contains("the API server cannot be reached"), "{text}");
    assert_eq!(proxy.asked().len(), asked);
    // The kubeconfig's own proxy is meant, whatever the environment excepts.
    let both = json!({ "cluster": { "server": server, "tls-server-name": "127.0.0.1", "proxy-url": format!("http://{}", proxy.address) } });
    bench.run_as(&both, READ).exits(0);
    let secure = json!({ "cluster": { "proxy-url": "https://proxy.example.org" } });
    let text = bench.run_as(&secure, READ).exits(1).said();
    assert!(text.contains("`proxy-url` names a proxy for https, which cannot be used"), "{text}");
}

#[test]
fn a_run_in_a_pod_uses_the_account_of_the_pod() {
    let bench = Bench::new("incluster");
    bench.token("robot");
    let program = Path::new(env!("CARGO_BIN_EXE_runbook"));
    let runbook = format!(
        "version: 1\nname: trial\ntitle: A trial\nconnections: {{ cluster: kubernetes }}\nsteps:\n{READ}"
    );
    let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "runbooks" }, "data": { "trial.yaml": runbook } });
    bench.cluster.create(&bench.namespace, &settings.to_string());
    let mut spec =
        pod("cd /runbooks; /program/runbook run ./trial.yaml --output json; echo exit $?; exec sleep 600");
    let (host, port) = bench
        .cluster
        .server()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    let main = &mut spec["containers"][0];
    let add = |list: &mut Value, entry: Value| list.as_array_mut().unwrap().push(entry);
    for (name, value) in
        [("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT", port), ("HOME", "/tmp".to_owned())]
    {
        add(&mut main["env"], json!({ "name": name, "value": value }));
    }
    add(&mut main["volumeMounts"], json!({ "name": "program", "mountPath": "/program", "readOnly": true }));
    add(&mut main["volumeMounts"], json!({ "name": "runbooks", "mountPath": "/runbooks" }));
    add(
        &mut spec["volumes"],
        json!({ "name": "program", "hostPath": { "path": program.parent().unwrap() } }),
    );
    add(&mut spec["volumes"], json!({ "name": "runbooks", "configMap": { "name": "runbooks" } }));
    // As the server itself does it where accounts are admitted to pods, which this cluster leaves to its tests.
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    add(&mut spec["containers"][0]["volumeMounts"], json!({ "name": "account", "mountPath": account }));
    add(&mut spec["volumes"], json!({ "name": "account", "secret": { "secretName": "robot" } }));
    let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "inside" }, "spec": spec });
    bench.cluster.create(&bench.namespace, &object.to_string());
    bench.cluster.wait(&bench.namespace, "condition=Ready", "pod/inside");
    let mut text = String::new();
    for _ in 0..100 {
        text = bench.cluster.kubectl(&["logs", "inside", "--namespace", &bench.namespace.name]);
        if text.contains("\nexit ") {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(text.ends_with("exit 0\n") && text.contains("the pod's own account"), "{text}");
}
