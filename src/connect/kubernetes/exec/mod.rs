//! A command in a container of a pod: what it reads and writes goes over one WebSocket, both ways at once and in
//! constant memory.
//!
//! kube's own loop over the same socket waits for its own sends before it reads on, and hangs where the connection
//! is lost, so only kube's handshake is used.

mod channel;
mod command;
mod outcome;
mod private;
mod receive;
mod request;
mod send;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

pub use command::with_limit;
use command::{in_blocks, with_length, with_private};
pub use outcome::ExecOutcome;
pub use private::PrivateEnvironment;

use channel::{Traffic, limits};
use receive::Receiver;
use request::{Attempt, attempt};
use send::Sender;

/// Which command, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExecRequest<'a> {
    /// The pod's namespace.
    pub(super) namespace: &'a str,
    /// The pod.
    pub(super) pod: &'a str,
    /// The container; the server guesses none where there are several.
    pub(super) container: &'a str,
    /// The program and its arguments, never passed to a shell. They travel in the request's address, so they land in
    /// audit logs, and some 60 KiB are the most that fits: secrets and long texts belong into standard input.
    pub(super) command: &'a [String],
    /// What its environment holds that must not be seen. It travels before standard input, so the container needs `sh`
    /// and `dd`, and `mktemp` for a password.
    pub(super) private: Option<&'a PrivateEnvironment>,
}

/// What the command reads.
pub enum Stdin<'a> {
    /// Nothing: it sees the end at once.
    None,
    /// Everything up to the end. The end can be told to servers from Kubernetes 1.30 on; older ones lead to
    /// [`ExecError::NoHalfClose`].
    Stream(&'a mut (dyn AsyncRead + Send + Unpin)),
    /// Everything up to the end, and an input that ends with an error looks like no end to the command. Every server can
    /// do that, because the command is wrapped by [`in_blocks`], so the container needs `sh`, `dd`, `mktemp` and
    /// `mkfifo`.
    Blocks(&'a mut (dyn AsyncRead + Send + Unpin)),
    /// Exactly this many bytes, and no more is read. Every server can do that, because the command is wrapped by
    /// [`with_length`], so the container needs `sh`, `head` and `cat`.
    Length(&'a mut (dyn AsyncRead + Send + Unpin), u64),
}

impl Stdin<'_> {
    /// The same once more, for as long as nothing of it was read.
    pub(super) fn again(&mut self) -> Stdin<'_> {
        match self {
            Self::None => Stdin::None,
            Self::Stream(reader) => Stdin::Stream(&mut **reader),
            Self::Blocks(reader) => Stdin::Blocks(&mut **reader),
            Self::Length(reader, bytes) => Stdin::Length(&mut **reader, *bytes),
        }
    }
}

/// Why nobody can say what became of a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExecError {
    /// The server could not be reached, or answered with an error instead of a connection: nothing ran.
    #[error("the command was refused: {0}")]
    Refused(#[source] kube::Error),
    /// The server is older than Kubernetes 1.30 and cannot be told where standard input ends. The connection was
    /// closed before anything was sent, but the command may have been started and have seen an empty input.
    #[error(
        "the server cannot be told where standard input ends; the command may have started with an empty input"
    )]
    NoHalfClose,
    /// What the command reads could not be read here, or ended before its length. The command has started, saw its
    /// input end early, and may still run.
    #[error("the command's input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// What the command wrote could not be written here. The command has started and may still run.
    #[error("the command's output cannot be written: {0}")]
    Output(#[source] io::Error),
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Between two pings, which keep load balancers from cutting a quiet connection.
    ping: Duration,
    /// Until a server from which nothing comes, not even an answer to a ping, counts as lost.
    silence: Duration,
    /// For output that comes after the status.
    grace: Duration,
}

const PATIENCE: Patience = Patience {
    ping: Duration::from_secs(30),
    silence: Duration::from_secs(90),
    grace: Duration::from_secs(2),
};

/// Runs a command in a container and tells what became of it. `stdout` and `stderr` take what it writes, and are
/// flushed in the end; while they take nothing, nothing more is read from the server. `progress` hears how many bytes went to the command and
/// how many came from it, so far.
///
/// There is no time limit: where one is needed, drop the future, which also drops the connection. The command itself
/// does not end by that; [`with_limit`] ends it.
///
/// An error says that the outcome is not known here; each variant says whether the command may have run.
pub(super) async fn exec(
    client: &kube::Client,
    request: &ExecRequest<'_>,
    stdin: Stdin<'_>,
    stdout: &mut (dyn AsyncWrite + Send + Unpin),
    stderr: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<ExecOutcome, ExecError> {
    exec_within(PATIENCE, client, request, stdin, stdout, stderr, progress).await
}

async fn exec_within(
    patience: Patience,
    client: &kube::Client,
    request: &ExecRequest<'_>,
    stdin: Stdin<'_>,
    stdout: &mut (dyn AsyncWrite + Send + Unpin),
    stderr: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<ExecOutcome, ExecError> {
    let connection = match attempt(client, request.address(&stdin)).await? {
        Attempt::Connected(connection) => connection,
        Attempt::Lost(why) => return Ok(ExecOutcome::Lost(why)),
    };
    let half_close = connection.supports_stream_close();
    // Nothing has been read yet, so the socket can be taken out and be given limits.
    let socket = connection.into_stream().into_inner();
    let socket = WebSocketStream::from_raw_socket(socket, Role::Client, Some(limits())).await;
    let (mut sink, stream) = socket.split();
    if matches!(stdin, Stdin::Stream(_)) && !half_close {
        drop(sink.close().now_or_never());
        return Err(ExecError::NoHalfClose);
    }
    let traffic = Traffic::new(progress);
    let mut receiver = Receiver { stream, stdout, stderr, traffic: &traffic, patience };
    let mut sender = Sender { sink, half_close, traffic: &traffic, ping: patience.ping };
    // Neither side waits for the other: a command that writes while it reads would block both ends otherwise.
    let ended = tokio::select! {
        outcome = receiver.run() => outcome,
        error = sender.run(request.private, stdin) => Err(ExecError::Input(error)),
    };
    // A goodbye is a courtesy that is not worth waiting for.
    drop(sender.sink.close().now_or_never());
    ended
}
