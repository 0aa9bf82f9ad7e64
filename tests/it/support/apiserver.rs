//! [`ApiServer`]: an API server of a test, with one pod, whose exec follows a script.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// The server's end of an exec.
pub(crate) type Peer = WebSocketStream<TcpStream>;

/// Serves until it is dropped.
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

/// What a script plays on.
pub(crate) struct Stage {
    /// The bare connection, from which the request has not been read yet.
    socket: TcpStream,
    version: &'static str,
}

impl ApiServer {
    /// A server that speaks a version of the exec protocol (`v4` or `v5`), and plays a script for each exec.
    pub(crate) fn new<F>(version: &'static str, script: impl Fn(Stage) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(script);
        runtime.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let script = Arc::clone(&script);
                served.spawn(async move {
                    if path(&socket).await.contains("/exec?") {
                        script(Stage { socket, version }).await;
                    } else {
                        answer(socket).await;
                    }
                });
            }
        });
        Self { address, _runtime: runtime }
    }

    /// A kubeconfig that leads there.
    pub(crate) fn kubeconfig(&self) -> String {
        let server = format!("http://{}", self.address);
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "scripted",
            "contexts": [{ "name": "scripted", "context": { "cluster": "scripted", "user": "scripted" } }],
            "clusters": [{ "name": "scripted", "cluster": { "server": server } }],
            "users": [{ "name": "scripted", "user": {} }],
        })
        .to_string()
    }
}

impl Stage {
    /// Accepts the upgrade.
    pub(crate) async fn accept(self) -> Peer {
        let Self { socket, version } = self;
        #[expect(clippy::result_large_err, reason = "the callback's type is given")]
        let choose = |_: &Request, mut response: Response| {
            let protocol = HeaderValue::try_from(format!("{version}.channel.k8s.io")).unwrap();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        tokio_tungstenite::accept_hdr_async(socket, choose).await.unwrap()
    }

    /// Refuses it by an HTTP error.
    pub(crate) async fn refuse(mut self, code: u16, message: &str) {
        read_head(&mut self.socket).await;
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Because",
            "message": message, "code": code,
        });
        respond(&mut self.socket, code, &status).await;
    }

    /// Reads the request, and resets the connection.
    pub(crate) async fn reset(mut self) {
        read_head(&mut self.socket).await;
        self.socket.set_zero_linger().unwrap();
    }
}

/// The first line of a request that stays unread.
async fn path(socket: &TcpStream) -> String {
    let mut seen = vec![0; 2048];
    let count = socket.peek(&mut seen).await.unwrap_or(0);
    String::from_utf8_lossy(&seen[..count]).lines().next().unwrap_or_default().to_owned()
}

/// Answers one request as a server would that has one pod and allows everything.
async fn answer(mut socket: TcpStream) {
    let head = read_head(&mut socket).await;
    let line = head.lines().next().unwrap_or_default();
    let body = if line.contains("/version") {
        json!({ "gitVersion": "v1.33.0" })
    } else if line.contains("/selfsubjectaccessreviews") {
        json!({ "kind": "SelfSubjectAccessReview", "status": { "allowed": true } })
    } else if line.contains("/pods/") {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "tools" },
            "spec": { "containers": [{ "name": "main" }] }, "status": { "phase": "Running" },
        })
    } else {
        json!({ "kind": "Namespace", "metadata": { "uid": "scripted" } })
    };
    respond(&mut socket, 200, &body).await;
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    socket.read_exact(&mut vec![0; length.unwrap_or(0)]).await.ok();
    head
}

async fn respond(socket: &mut TcpStream, code: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {code} Answer\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(answer.as_bytes()).await.ok();
    socket.shutdown().await.ok();
}
