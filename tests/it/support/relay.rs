//! [`Relay`]: a way to a server that a test can cut and restore.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::kubernetes::{Kubernetes, Namespace};
use super::live::Live;

/// A step in whose middle the test does something: it goes on when the file `go` is there.
pub(crate) const PAUSE: &str = "  - { id: pause, rollback: { none: a trial }, exec: { command: [sh, -c, 'until [ -e go ]; do sleep 0.02; done'] } }\n";

/// How often the relay looks whether it is to listen.
const LOOK: Duration = Duration::from_millis(5);

/// Passes connections on to a server, until it is cut, and again when it is restored. Ends when it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    /// Whether it speaks as an HTTP proxy before it passes bytes on.
    proxy: bool,
    open: AtomicBool,
    listening: AtomicBool,
    ended: AtomicBool,
    /// Whether the server is not to notice that a client is gone.
    silent: AtomicBool,
    /// Whether what clients send is lost on its way.
    swallowing: AtomicBool,
    /// Both ends of each connection: the client's, and the server's.
    sockets: Mutex<Vec<[TcpStream; 2]>>,
    /// The first lines of what a proxy was asked for.
    asked: Mutex<Vec<String>>,
}

impl Relay {
    /// A relay to `host:port`.
    pub(crate) fn to(target: &str) -> Self {
        Self::start(target, false)
    }

    /// A proxy that leads to `host:port`, whatever it is asked for.
    pub(crate) fn proxy_to(target: &str) -> Self {
        Self::start(target, true)
    }

    fn start(target: &str, proxy: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            proxy,
            open: AtomicBool::new(true),
            listening: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            swallowing: AtomicBool::new(false),
            sockets: Mutex::default(),
            asked: Mutex::default(),
        });
        let seen = Arc::clone(&shared);
        std::thread::spawn(move || listen(&seen, listener, address));
        Self { address, shared }
    }

    /// Ends every connection, and refuses new ones.
    pub(crate) fn cut(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        while self.shared.listening.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK);
        }
        for socket in self.shared.sockets.lock().unwrap().drain(..).flatten() {
            socket.shutdown(Shutdown::Both).ok();
        }
    }

    /// Ends every connection for its client alone: the server goes on with what it was asked, and answers nobody.
    pub(crate) fn lose_answers(&self) {
        self.outlive_clients();
        for [client, _] in &*self.shared.sockets.lock().unwrap() {
            client.shutdown(Shutdown::Both).ok();
        }
    }

    /// From now on the server does not notice that a client is gone, and goes on with what it was asked.
    pub(crate) fn outlive_clients(&self) {
        self.shared.silent.store(true, Ordering::SeqCst);
    }

    /// Loses everything that clients send: their connections stay, and nothing arrives.
    pub(crate) fn swallow(&self) {
        self.shared.swallowing.store(true, Ordering::SeqCst);
    }

    /// Takes connections again, and passes on what they send.
    pub(crate) fn restore(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
        self.shared.swallowing.store(false, Ordering::SeqCst);
    }

    /// What a proxy was asked for, as `CONNECT host:port`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
    }
}

fn listen(shared: &Arc<Shared>, listener: TcpListener, address: SocketAddr) {
    let mut listener = Some(listener);
    while !shared.ended.load(Ordering::SeqCst) {
        let open = shared.open.load(Ordering::SeqCst);
        match &listener {
            Some(_) if !open => listener = None,
            None if open => listener = TcpListener::bind(address).ok(),
            Some(waiting) => {
                waiting.set_nonblocking(true).unwrap();
                if let Ok((socket, _)) = waiting.accept() {
                    socket.set_nonblocking(false).unwrap();
                    let shared = Arc::clone(shared);
                    std::thread::spawn(move || pass(&shared, socket));
                    continue;
                }
            }
            None => {}
        }
        shared.listening.store(listener.is_some(), Ordering::SeqCst);
        std::thread::sleep(LOOK);
    }
}

fn pass(shared: &Shared, mut client: TcpStream) {
    if shared.proxy {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let line = head.split(" HTTP/").next().unwrap_or_default().to_owned();
        shared.asked.lock().unwrap().push(line);
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
    }
    let Ok(server) = TcpStream::connect(&shared.target) else { return };
    let both = || [client.try_clone().unwrap(), server.try_clone().unwrap()];
    shared.sockets.lock().unwrap().push(both());
    let [back_to, back_from] = both();
    std::thread::spawn(move || {
        copy(back_from, &back_to);
        back_to.shutdown(Shutdown::Write).ok();
    });
    send(shared, client, &server);
    if !shared.silent.load(Ordering::SeqCst) {
        server.shutdown(Shutdown::Write).ok();
    }
}

fn send(shared: &Shared, mut client: TcpStream, mut server: &TcpStream) {
    let mut chunk = vec![0; 16 << 10];
    while let Ok(count @ 1..) = client.read(&mut chunk) {
        if !shared.swallowing.load(Ordering::SeqCst) && server.write_all(&chunk[..count]).is_err() {
            return;
        }
    }
}

fn copy(mut from: TcpStream, mut to: &TcpStream) {
    std::io::copy(&mut from, &mut to).ok();
}

/// A namespace, a relay in front of its cluster, and the program whose environment `here` leads through it.
pub(crate) fn relayed(name: &str) -> (Namespace, Relay, Live) {
    let cluster = Kubernetes::shared();
    let namespace = cluster.namespace(name);
    let relay = Relay::to(&cluster.server());
    let server = json!({ "cluster": { "server": format!("https://{}", relay.address) } });
    let kubeconfig = cluster.kubeconfig_of(&namespace, "relayed", &server);
    let live = Live::new();
    live.write_cluster(&kubeconfig);
    (namespace, relay, live)
}
