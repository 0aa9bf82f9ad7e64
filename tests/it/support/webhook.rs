//! [`Webhook`]: a policy of a test, which the API server asks before it changes anything in one namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::kubernetes::{Kubernetes, Namespace};

/// A policy, asked of `ConfigMap`s in one namespace, until it is dropped.
pub(crate) struct Webhook {
    name: String,
}

impl Webhook {
    /// Starts it. `judge` gives nothing for what is allowed, or why it is not.
    pub(crate) fn start(
        namespace: &Namespace,
        judge: impl Fn(&Value) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let bundle = STANDARD.encode(key.cert.pem());
        let config = Arc::new(tls(&key));
        let judge = Arc::new(judge);
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let (config, judge) = (Arc::clone(&config), Arc::clone(&judge));
                std::thread::spawn(move || answer(&config, socket, judge.as_ref()));
            }
        });
        Self::register(namespace, port, &bundle)
    }

    /// A policy that nobody answers for, and without which nothing is allowed.
    pub(crate) fn dead(namespace: &Namespace) -> Self {
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self::register(namespace, 1, &STANDARD.encode(key.cert.pem()))
    }

    fn register(namespace: &Namespace, port: u16, bundle: &str) -> Self {
        let name = &namespace.name;
        let cluster = Kubernetes::shared();
        cluster.kubectl(&["label", "--overwrite", "namespace", name, &format!("trial={name}")]);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": "policy.example.org",
                "clientConfig": { "url": format!("https://127.0.0.1:{port}/"), "caBundle": bundle },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"],
                }],
                "namespaceSelector": { "matchLabels": { "trial": name } },
                "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 20, "admissionReviewVersions": ["v1"],
            }],
        });
        cluster.create(namespace, &configuration.to_string());
        Self { name: name.clone() }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let kind = "validatingwebhookconfigurations";
        Kubernetes::shared().try_kubectl(&["delete", kind, &self.name, "--wait=false"]);
    }
}

fn tls(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let secret = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], secret).unwrap()
}

/// Answers one review, and ends the connection.
fn answer(
    config: &Arc<ServerConfig>,
    socket: TcpStream,
    judge: &dyn Fn(&Value) -> Option<String>,
) -> Option<()> {
    let connection = ServerConnection::new(Arc::clone(config)).ok()?;
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let review: Value = serde_json::from_slice(&body).ok()?;
    let refused = judge(&review["request"]);
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"], "allowed": refused.is_none(),
            "status": { "code": 403, "message": refused.unwrap_or_default() },
        },
    })
    .to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let mut stream = stream.into_inner();
    write!(stream, "{head}content-length: {}\r\n\r\n{answer}", answer.len()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}
