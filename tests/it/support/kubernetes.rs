//! [`Kubernetes`]: one real one-node cluster per test process, started by `tests/cluster/up.sh` when a test asks.
//!
//! Every test makes its own namespace, so tests never meet. No cluster is a failure that says what to install.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::package;
use super::postgres::{binary, free_port};

/// A running cluster, of which this process may do everything.
pub(crate) struct Kubernetes {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    /// Where kubectl keeps what it learned of a server, by address: another cluster may have had this one's.
    learned: Option<PathBuf>,
}

/// A namespace of its own for a test, deleted when it is dropped.
pub(crate) struct Namespace {
    pub(crate) name: String,
    folder: TempDir,
}

static CLUSTER: OnceLock<Kubernetes> = OnceLock::new();
static NAMESPACES: AtomicU32 = AtomicU32::new(0);

impl Kubernetes {
    /// The cluster of this test process; started by the first test that asks.
    pub(crate) fn shared() -> &'static Self {
        CLUSTER.get_or_init(Self::start)
    }

    /// The one in `RUNBOOK_TEST_KUBECONFIG`, or a new one.
    #[allow(clippy::disallowed_methods, reason = "tests find the cluster's programs as a shell would")]
    fn start() -> Self {
        let named = std::env::var_os("RUNBOOK_TEST_KUBECONFIG").map(PathBuf::from);
        let ours = named.is_none();
        let kubeconfig = named.unwrap_or_else(bring_up);
        let learned = ours.then(|| kubeconfig.with_file_name("kubectl"));
        let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        // The kubectl that was built with the cluster, so that what is compared with it does not vary.
        let built = cache.map(|cache| cache.join("runbook/kubernetes/1.20.2/kubectl"));
        let kubectl = built.filter(|path| path.is_file()).unwrap_or_else(|| "kubectl".into());
        Self { kubeconfig, kubectl, learned }
    }

    /// The file with which one may do everything.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl itself.
    pub(crate) fn program(&self) -> &Path {
        &self.kubectl
    }

    /// Runs kubectl beside the code under test, and returns what it printed.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        printed(arguments, self.try_kubectl(arguments))
    }

    /// Runs kubectl, however it may end.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Output {
        self.command(&self.kubeconfig, arguments).output().expect("kubectl is installed")
    }

    /// Runs kubectl with another kubeconfig file, however it may end.
    pub(crate) fn try_kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Output {
        self.command(kubeconfig, arguments).output().expect("kubectl is installed")
    }

    /// Makes objects from a manifest, in YAML or JSON.
    #[track_caller]
    pub(crate) fn create(&self, namespace: &Namespace, manifest: &str) {
        let arguments = ["create", "--namespace", &namespace.name, "--validate=false", "-f", "-"];
        let mut command = self.command(&self.kubeconfig, &arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl is installed");
        child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
        printed(&arguments, child.wait_with_output().unwrap());
    }

    /// A new namespace, whose name starts as given.
    #[track_caller]
    pub(crate) fn namespace(&self, name: &str) -> Namespace {
        // Another process may use the same cluster, or may have used it with this number.
        let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        self.kubectl(&["create", "namespace", &name]);
        Namespace { name, folder: tempfile::tempdir().unwrap() }
    }

    /// A user who may do in the namespace what the rules say and hold the key of a run, and its kubeconfig file. A rule
    /// is verbs and resources as kubectl writes them: `("get,list", "pods,statefulsets.apps")`, `("create", "pods/exec")`.
    #[track_caller]
    pub(crate) fn user(&self, namespace: &Namespace, name: &str, rules: &[(&str, &str)]) -> PathBuf {
        let leases = ("get,create,update", "leases.coordination.k8s.io");
        self.user_without_leases(namespace, name, &[rules, &[leases]].concat())
    }

    /// The same for somebody who may hold no key.
    #[track_caller]
    pub(crate) fn user_without_leases(
        &self,
        namespace: &Namespace,
        name: &str,
        rules: &[(&str, &str)],
    ) -> PathBuf {
        let rules: Vec<Value> = rules.iter().flat_map(|(verbs, resources)| rule(verbs, resources)).collect();
        let metadata = json!({ "name": name });
        let annotations = json!({ "kubernetes.io/service-account.name": name });
        let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata },
            { "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
              "metadata": { "name": name, "annotations": annotations } },
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules },
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
              "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
              "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace.name }] },
        ]});
        self.create(namespace, &objects.to_string());
        self.kubeconfig_with(namespace, name, &self.token(namespace, name))
    }

    /// A kubeconfig file with a token; one that the cluster does not know is as good as an expired one.
    #[track_caller]
    pub(crate) fn kubeconfig_with(&self, namespace: &Namespace, name: &str, token: &str) -> PathBuf {
        self.kubeconfig_of(namespace, name, &json!({ "user": { "token": token } }))
    }

    /// A kubeconfig file with another user, and with these fields of the cluster instead of its own.
    #[track_caller]
    pub(crate) fn kubeconfig_of(&self, namespace: &Namespace, name: &str, parts: &Value) -> PathBuf {
        let mut config = self.config();
        if let Some(user) = parts.get("user") {
            config["users"] = json!([{ "name": name, "user": user }]);
            config["contexts"][0]["context"]["user"] = json!(name);
        }
        for (field, value) in parts["cluster"].as_object().into_iter().flatten() {
            config["clusters"][0]["cluster"][field] = value.clone();
        }
        config["contexts"][0]["context"]["namespace"] = json!(namespace.name);
        let path = namespace.folder.path().join(name);
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// The address of the API server, as `host:port`.
    pub(crate) fn server(&self) -> String {
        let config = self.config();
        let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
        server.trim_start_matches("https://").trim_end_matches('/').to_owned()
    }

    fn config(&self) -> Value {
        let admin = self.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output=json"]);
        serde_json::from_str(&admin).unwrap()
    }

    /// Runs a shell command as a pod with this machine's programs, labelled, and waits until it runs.
    #[track_caller]
    pub(crate) fn pod(&self, namespace: &Namespace, name: &str, command: &str, labels: &[(&str, &str)]) {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": labels }, "spec": pod(command),
        });
        self.create(namespace, &pod.to_string());
        self.wait(namespace, "condition=Ready", &format!("pod/{name}"));
    }

    /// Runs PostgreSQL as the stateful set `postgres`, waits until it answers, and returns its port on loopback.
    #[track_caller]
    pub(crate) fn postgres(&self, namespace: &Namespace) -> u16 {
        let port = free_port();
        let programs = binary("initdb").parent().unwrap().display().to_string();
        let manifest = std::fs::read_to_string(package().join("tests/cluster/postgres.yaml")).unwrap();
        let manifest = manifest.replace("{port}", &port.to_string()).replace("{programs}", &programs);
        self.create(namespace, &manifest);
        self.until(namespace, &["get", "pod/postgres-0"]);
        self.wait(namespace, "condition=Ready", "pod/postgres-0");
        port
    }

    /// Waits for something of an object that exists, as `kubectl wait` does.
    #[track_caller]
    pub(crate) fn wait(&self, namespace: &Namespace, what: &str, object: &str) {
        let what = format!("--for={what}");
        let arguments = ["wait", "--namespace", &namespace.name, &what, object, "--timeout=60s"];
        let output = self.try_kubectl(&arguments);
        if !output.status.success() {
            let about = self.try_kubectl(&["describe", "--namespace", &namespace.name, object]);
            panic!("{what}: {}\n{}", text(&output.stderr), text(&about.stdout));
        }
    }

    /// The token of a user.
    pub(crate) fn token(&self, namespace: &Namespace, name: &str) -> String {
        let secret = format!("secret/{name}");
        let token = self.until(namespace, &["get", &secret, "--template={{.data.token | base64decode}}"]);
        token.trim().to_owned()
    }

    /// Repeats kubectl until it succeeds, for what a controller is about to make.
    #[track_caller]
    fn until(&self, namespace: &Namespace, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", &namespace.name], arguments].concat();
        for _ in 0..100 {
            let output = self.try_kubectl(&arguments);
            if output.status.success() {
                return text(&output.stdout);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        printed(&arguments, self.try_kubectl(&arguments))
    }

    fn command(&self, kubeconfig: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.args(self.learned.iter().flat_map(|path| ["--cache-dir".as_ref(), path.as_os_str()]));
        command.args(arguments).env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Kubernetes::shared().try_kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

/// Starts a cluster that lives as long as this process, however that ends: the script holds the other end of a pipe.
#[allow(clippy::zombie_processes, reason = "the script outlives this process, to clean up after it")]
fn bring_up() -> PathBuf {
    use std::os::unix::process::CommandExt as _;

    let mut script = Command::new(package().join("tests/cluster/up.sh"));
    // A process group of its own: Ctrl-C ends the tests, and they the cluster.
    let mut keeper = script.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Never closed here: the system does it when this process is gone.
    std::mem::forget(keeper.stdin.take());
    let mut said = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let kubeconfig = said.trim_end().strip_prefix("ready ");
    kubeconfig.expect("tests/cluster/up.sh starts a cluster; above it says why not").into()
}

/// What a pod is that runs a shell command: this machine's programs and network, and nothing more.
pub(crate) fn pod(command: &str) -> Value {
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "hostNetwork": true,
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": "main",
            "image": "docker.io/runbook/empty:1",
            "imagePullPolicy": "Never",
            "command": ["/bin/sh", "-c", command],
            "env": [{ "name": "PATH", "value": "/usr/bin:/bin" }],
            "volumeMounts": [{ "name": "usr", "mountPath": "/usr", "readOnly": true }],
        }],
        "volumes": [{ "name": "usr", "hostPath": { "path": "/usr" } }],
    })
}

/// The rules for verbs and resources separated by commas, where `scale` of `statefulsets.apps/scale` is a subresource.
fn rule(verbs: &str, resources: &str) -> Vec<Value> {
    let verbs: Vec<&str> = verbs.split(',').collect();
    let rule = |resource: &str| {
        let (kind, below) =
            resource.split_once('/').map_or((resource, None), |(kind, below)| (kind, Some(below)));
        let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
        let resource = below.map_or_else(|| plural.to_owned(), |below| format!("{plural}/{below}"));
        json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs })
    };
    resources.split(',').map(rule).collect()
}

#[track_caller]
fn printed(arguments: &[&str], output: Output) -> String {
    assert!(output.status.success(), "kubectl {arguments:?}: {}", text(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
