//! [`Sender`]: what goes to the server: standard input and pings.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Stdin;
use super::channel::{CLOSE, STDIN, Traffic};
use super::private::PrivateEnvironment;

/// How much of standard input goes into one message, in bytes: what kubectl sends.
const CHUNK: usize = 32 << 10;

/// How much of it goes into one block. A message must not be larger than what the socket takes at once.
const BLOCK: usize = 128 << 10;

/// Sends one message at a time; the next is read only when the socket has taken it.
pub(super) struct Sender<'a, S> {
    pub(super) sink: SplitSink<WebSocketStream<S>, Message>,
    /// Whether the server understands the end of a channel.
    pub(super) half_close: bool,
    pub(super) traffic: &'a Traffic<'a>,
    pub(super) ping: Duration,
}

/// Why nothing more can be sent.
enum Ended {
    Input(io::Error),
    Socket,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<'_, S> {
    /// Sends as long as it is polled; ends only with the error that the input ended with.
    pub(super) async fn run(&mut self, private: Option<&PrivateEnvironment>, stdin: Stdin<'_>) -> io::Error {
        match self.send_all(Source::new(private, stdin)).await {
            Ended::Input(error) => error,
            // A broken socket shows in what is received, where the status may still be waiting.
            Ended::Socket => pending().await,
        }
    }

    async fn send_all(&mut self, mut source: Source<'_>) -> Ended {
        let mut ticks = interval_at(Instant::now() + self.ping, self.ping);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                chunk = source.next() => match chunk {
                    Ok(Some(chunk)) => self.chunk(chunk).await,
                    Ok(None) => self.end().await,
                    Err(error) => {
                        if source.in_blocks {
                            self.break_off().await;
                        }
                        return Ended::Input(error);
                    }
                },
                _ = ticks.tick() => self.send(Message::Ping(self.traffic.ping())).await,
            };
            if sent.is_none() {
                return Ended::Socket;
            }
        }
    }

    async fn chunk(&mut self, chunk: Bytes) -> Option<()> {
        self.traffic.sending(chunk.len() - 1);
        self.send(Message::Binary(chunk)).await?;
        self.traffic.tell();
        Some(())
    }

    /// Says that standard input has ended, and asks at once whether all of it has arrived.
    async fn end(&mut self) -> Option<()> {
        if self.half_close {
            self.send(Message::Binary(Bytes::from_static(&[CLOSE, STDIN]))).await?;
        }
        self.send(Message::Ping(self.traffic.ping())).await
    }

    /// Has a command that reads blocks ended. One that cannot be told is ended by the lost connection.
    async fn break_off(&mut self) {
        self.send(Message::Binary(message(&head("cut")))).await;
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        self.sink.send(message).await.ok()
    }
}

/// Standard input, cut into messages.
struct Source<'a> {
    /// What goes before it.
    private: Option<Bytes>,
    reader: Option<&'a mut (dyn AsyncRead + Send + Unpin)>,
    /// How many bytes must still come, where that is known.
    missing: Option<u64>,
    /// Whether each message is a block that begins with its size.
    in_blocks: bool,
    chunk: BytesMut,
}

impl<'a> Source<'a> {
    fn new(private: Option<&PrivateEnvironment>, stdin: Stdin<'a>) -> Self {
        let in_blocks = matches!(stdin, Stdin::Blocks(_));
        let (reader, missing) = match stdin {
            Stdin::None => (None, None),
            Stdin::Stream(reader) | Stdin::Blocks(reader) => (Some(reader), None),
            Stdin::Length(reader, bytes) => (Some(reader), Some(bytes)),
        };
        let private = private.map(|environment| message(environment.script().as_bytes()));
        Self { private, reader, missing, in_blocks, chunk: BytesMut::new() }
    }

    /// The next message, and `None` once at the end; after that it waits forever. Nothing is lost when it is dropped
    /// while it waits.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(private) = self.private.take() {
            return Ok(Some(private));
        }
        if self.in_blocks { self.next_block().await } else { self.next_chunk().await }
    }

    async fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Some(reader) = &mut self.reader else { return pending().await };
        self.chunk.clear();
        self.chunk.reserve(CHUNK + 1);
        self.chunk.put_u8(STDIN);
        let most = self.missing.map_or(CHUNK, |missing| CHUNK.min(usize::try_from(missing).unwrap_or(CHUNK)));
        let mut limited = (&mut self.chunk).limit(most);
        let count = if most == 0 { 0 } else { reader.read_buf(&mut limited).await? };
        if count == 0 {
            self.reader = None;
            return match self.missing {
                Some(missing @ 1..) => Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("it ended {missing} bytes before its length"),
                )),
                _ => Ok(None),
            };
        }
        self.missing = self.missing.map(|missing| missing.saturating_sub(count as u64));
        Ok(Some(self.chunk.split().freeze()))
    }

    /// A block is as large as it can be, because each costs the container a program; the last one is empty.
    async fn next_block(&mut self) -> io::Result<Option<Bytes>> {
        let Some(reader) = &mut self.reader else { return pending().await };
        while self.chunk.len() < BLOCK {
            self.chunk.reserve(BLOCK - self.chunk.len());
            let room = BLOCK - self.chunk.len();
            if reader.read_buf(&mut (&mut self.chunk).limit(room)).await? == 0 {
                break;
            }
        }
        if self.chunk.is_empty() {
            self.reader = None;
        }
        let block = self.chunk.split();
        Ok(Some(message(&[&head(&block.len().to_string()), &block[..]].concat())))
    }
}

/// How a block begins: a line that says its size, or that there is no more to come.
fn head(size: &str) -> Vec<u8> {
    format!("{size}\n").into_bytes()
}

/// Bytes of standard input as a message.
fn message(bytes: &[u8]) -> Bytes {
    [&[STDIN], bytes].concat().into()
}
