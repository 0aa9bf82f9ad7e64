//! [`Receiver`]: what comes from the server, up to the status and a little beyond.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::channel::{STATUS, STDERR, STDOUT, Traffic};
use super::outcome::StatusReader;
use super::{ExecError, ExecOutcome, Patience};

/// Writes down what comes.
pub(super) struct Receiver<'a, S> {
    pub(super) stream: SplitStream<WebSocketStream<S>>,
    pub(super) stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    pub(super) stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
    pub(super) traffic: &'a Traffic<'a>,
    pub(super) patience: Patience,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<'_, S> {
    /// Receives until it is known what became of the command; everything that came is written by then.
    pub(super) async fn run(&mut self) -> Result<ExecOutcome, ExecError> {
        let outcome = self.until_status().await?;
        if !matches!(outcome, ExecOutcome::Lost(_)) {
            self.stragglers().await?;
        }
        self.stdout.flush().await.map_err(ExecError::Output)?;
        self.stderr.flush().await.map_err(ExecError::Output)?;
        Ok(outcome)
    }

    async fn until_status(&mut self) -> Result<ExecOutcome, ExecError> {
        let mut status = StatusReader::default();
        loop {
            let message = match self.message().await {
                Ok(message) => message,
                Err(why) if status.has_begun() => {
                    return Ok(ExecOutcome::Lost(format!("{why}, in the middle of the status")));
                }
                Err(why) => return Ok(ExecOutcome::Lost(why)),
            };
            match message.split_first() {
                // An empty message only says that the channel is there.
                Some((&STATUS, piece)) if !piece.is_empty() => {
                    if let Some(outcome) = status.push(piece) {
                        return Ok(outcome);
                    }
                }
                _ => self.write(&message).await?,
            }
        }
    }

    /// Output that the status has overtaken; usually the server closes at once. The clock stands still while our own
    /// side writes, so that a slow disk loses nothing.
    async fn stragglers(&mut self) -> Result<(), ExecError> {
        let mut deadline = Instant::now() + self.patience.grace;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let Ok(Ok(message)) = timeout(left, self.message()).await else { return Ok(()) };
            let begun = Instant::now();
            self.write(&message).await?;
            deadline += begun.elapsed();
        }
    }

    /// Writes a message of output; anything else, such as the end of a channel, needs no answer.
    async fn write(&mut self, message: &[u8]) -> Result<(), ExecError> {
        let (to, bytes) = match message.split_first() {
            Some((&STDOUT, bytes)) => (&mut *self.stdout, bytes),
            Some((&STDERR, bytes)) => (&mut *self.stderr, bytes),
            _ => return Ok(()),
        };
        to.write_all(bytes).await.map_err(ExecError::Output)?;
        self.traffic.received(bytes.len());
        Ok(())
    }

    /// The next message with data, or why none comes any more.
    async fn message(&mut self) -> Result<Bytes, String> {
        loop {
            match timeout(self.patience.silence, self.stream.next()).await {
                // The system itself gives a dead connection up, as what was sent is not acknowledged.
                Err(_) if self.traffic.may_be_stuck() => {}
                Err(_) => return Err(format!("the server gave no answer for {:?}", self.patience.silence)),
                Ok(None) => return Err("the connection ended".to_owned()),
                Ok(Some(Err(error))) => return Err(format!("the connection broke: {error}")),
                Ok(Some(Ok(message))) => match message {
                    Message::Binary(bytes) => return Ok(bytes),
                    Message::Text(text) => return Ok(text.into()),
                    Message::Pong(ping) => self.traffic.answered(&ping),
                    Message::Close(frame) => {
                        let reason = frame.map(|frame| format!(": {} {}", frame.code, frame.reason));
                        let reason = reason.unwrap_or_default();
                        return Err(format!("the server closed the connection{}", reason.trim_end()));
                    }
                    Message::Ping(_) | Message::Frame(_) => {}
                },
            }
        }
    }
}
