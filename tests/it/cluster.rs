//! The cluster of the tests is a real one: pods run, answer and are refused as anywhere.

use std::process::Command;

use crate::support::kubernetes::Kubernetes;
use crate::support::postgres::binary;

#[test]
fn a_command_runs_in_a_pod() {
    let cluster = Kubernetes::shared();
    let namespace = cluster.namespace("exec");
    cluster.pod(&namespace, "tools", "echo started; exec sleep 600", &[("app", "tools")]);
    let exec = ["exec", "-n", &namespace.name, "tools", "--", "sh", "-c", "echo $((6 * 7)); exit 3"];
    let output = cluster.try_kubectl(&exec);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "42\n", "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("exit code 3"), "{output:?}");
    assert_eq!(cluster.kubectl(&["logs", "-n", &namespace.name, "-l", "app=tools"]), "started\n");
}

#[test]
fn postgres_answers_on_loopback_and_within() {
    let cluster = Kubernetes::shared();
    let namespace = cluster.namespace("database");
    let port = cluster.postgres(&namespace);
    let mut psql = Command::new(binary("psql"));
    psql.args(["-XAtqw", "-h", "127.0.0.1", "-U", "postgres", "-c", "SELECT 1", "-p", &port.to_string()]);
    let output = psql.env_clear().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{output:?}");
    let within = ["exec", "-n", &namespace.name, "postgres-0", "--", "psql", "-XAtc", "SELECT current_user"];
    assert_eq!(cluster.kubectl(&within), "postgres\n");
}

#[test]
fn a_user_may_do_only_what_the_rules_say() {
    let cluster = Kubernetes::shared();
    let namespace = cluster.namespace("limited");
    let reader =
        cluster.user(&namespace, "reader", &[("get,list", "pods,statefulsets.apps"), ("get", "pods/log")]);
    for (arguments, allowed) in [
        (&["get", "pods,statefulsets"][..], true),
        (&["get", "secrets"], false),
        (&["create", "configmap", "one"], false),
        (&["get", "pods", "-n", "default"], false),
    ] {
        let output = cluster.try_kubectl_as(&reader, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), allowed, "{arguments:?}: {error}");
        assert_eq!(error.contains("(Forbidden)"), !allowed, "{arguments:?}: {error}");
    }
    let admin =
        cluster.try_kubectl_as(cluster.kubeconfig(), &["auth", "can-i", "*", "*", "--all-namespaces"]);
    assert_eq!(String::from_utf8_lossy(&admin.stdout), "yes\n", "{admin:?}");
    let stranger = cluster.kubeconfig_with(&namespace, "stranger", "no-such-token");
    let output = cluster.try_kubectl_as(&stranger, &["get", "pods"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("Unauthorized"), "{output:?}");
}
