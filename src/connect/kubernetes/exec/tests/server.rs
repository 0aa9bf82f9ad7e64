//! A server on this machine that takes one exec and then follows a script.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// The server's end of the connection.
pub(super) type Peer = WebSocketStream<TcpStream>;

/// Ends when it is dropped.
pub(super) struct Server {
    pub(super) client: kube::Client,
    address: Arc<Mutex<String>>,
    script: JoinSet<()>,
}

impl Server {
    /// Accepts the upgrade with a subprotocol (`v4` or `v5`) and then follows the script.
    pub(super) fn new<F: Future<Output = ()> + Send>(
        version: &'static str,
        script: impl FnOnce(Peer) -> F + Send + 'static,
    ) -> Self {
        let address = Arc::<Mutex<String>>::default();
        let seen = Arc::clone(&address);
        let mut server = Self::raw(async move |socket| {
            #[expect(clippy::result_large_err, reason = "the callback's type is given")]
            let choose = |request: &Request, mut response: Response| {
                *seen.lock().unwrap() = request.uri().to_string();
                let protocol = format!("{version}.channel.k8s.io");
                let header = HeaderValue::try_from(protocol).unwrap();
                response.headers_mut().insert("sec-websocket-protocol", header);
                Ok(response)
            };
            script(tokio_tungstenite::accept_hdr_async(socket, choose).await.unwrap()).await;
        });
        server.address = address;
        server
    }

    /// Reads the request and answers it with an HTTP error.
    pub(super) fn refusing(code: u16, message: &'static str) -> Self {
        Self::raw(async move |mut socket| {
            read_request(&mut socket).await;
            let body = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "reason": "Because", "message": message, "code": code,
            })
            .to_string();
            let head = format!("HTTP/1.1 {code} No\r\ncontent-type: application/json\r\n");
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
            forever().await;
        })
    }

    /// Hands the bare connection to the script.
    pub(super) fn raw<F: Future<Output = ()> + Send>(
        script: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = narrow_listener();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let mut config = kube::Config::new(uri.parse().unwrap());
        config.default_retry = false;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            script(socket).await;
        });
        Self { client: config.try_into().unwrap(), address: Arc::default(), script: tasks }
    }

    /// The path and query that was asked for.
    pub(super) fn address(&self) -> String {
        self.address.lock().unwrap().clone()
    }

    /// Waits for the script's end and passes its panics on.
    pub(super) async fn finish(mut self) {
        while let Some(ended) = self.script.join_next().await {
            ended.unwrap();
        }
    }
}

/// The sockets it accepts have next to no buffers of their own.
fn narrow_listener() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1).unwrap()
}

/// Reads up to the empty line.
pub(super) async fn read_request(socket: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
}

pub(super) async fn forever() {
    std::future::pending::<()>().await;
}

/// Sends bytes on a channel; that the client is gone is none of the server's business.
pub(super) async fn send(peer: &mut Peer, channel: u8, bytes: &[u8]) {
    let message = [&[channel][..], bytes].concat();
    peer.send(Message::Binary(message.into())).await.ok();
}

/// What a command that ended with this code leads to.
pub(super) fn exit(code: i32) -> String {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" }).to_string();
    }
    let causes = json!([{ "reason": "ExitCode", "message": code.to_string() }]);
    let message = format!("command terminated with non-zero exit code: {code}");
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": message,
        "details": { "causes": causes },
    })
    .to_string()
}

/// Sends a status and closes as servers do.
pub(super) async fn end(peer: &mut Peer, status: &str) {
    send(peer, 3, status.as_bytes()).await;
    peer.close(None).await.ok();
    // The client's goodbye, if one comes.
    while let Some(Ok(_)) = peer.next().await {}
}

/// The next bytes of standard input; `None` when the client has ended it.
pub(super) async fn stdin(peer: &mut Peer) -> Option<Bytes> {
    loop {
        match peer.next().await.unwrap().unwrap() {
            Message::Binary(message) if message[..] == [255, 0] => return None,
            Message::Binary(message) => {
                assert_eq!(message[0], 0, "only standard input comes from a client");
                return Some(message.slice(1..));
            }
            Message::Ping(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}
