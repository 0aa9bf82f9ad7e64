//! COPY between the server and a stream, in constant memory: the slower side sets the pace.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::query_error::QueryError;
use super::session::Session;

/// What a COPY into the server has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyIn {
    /// The bytes sent.
    pub bytes: u64,
    /// The rows the server stored.
    pub rows: u64,
}

/// How much is read from the source at a time.
const CHUNK: usize = 64 * 1024;

impl Session {
    /// Runs `COPY … TO STDOUT` and writes what comes to `sink`; `progress` hears the bytes so far.
    pub async fn copy_out(
        &mut self,
        statement: &str,
        sink: &mut (dyn AsyncWrite + Unpin + Send),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, QueryError> {
        self.forget_cancel();
        self.unaligned = true;
        let outcome = self.stream_out(statement, sink, progress).await;
        self.realign(outcome).await
    }

    /// Runs `COPY … FROM STDIN` with what `source` holds; `progress` hears the bytes so far.
    pub async fn copy_in(
        &mut self,
        statement: &str,
        source: &mut (dyn AsyncRead + Unpin + Send),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<CopyIn, QueryError> {
        self.forget_cancel();
        self.unaligned = true;
        let outcome = self.stream_in(statement, source, progress).await;
        self.realign(outcome).await
    }

    async fn stream_out(
        &mut self,
        statement: &str,
        sink: &mut (dyn AsyncWrite + Unpin + Send),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, QueryError> {
        let mut stream = match self.client.copy_out(statement).await {
            Ok(stream) => pin!(stream),
            Err(error) => return Err(self.failure(&error, statement, 0).await),
        };
        let mut bytes = 0;
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    if let Err(error) = sink.write_all(&chunk).await {
                        return Err(self.abandon(format!("the copy cannot be written: {error}")).await);
                    }
                    bytes += chunk.len() as u64;
                    progress(bytes);
                }
                Err(error) => return Err(self.failure(&error, statement, 0).await),
            }
        }
        match sink.flush().await {
            Ok(()) => Ok(bytes),
            Err(error) => Err(QueryError::protocol(format!("the copy cannot be written: {error}"))),
        }
    }

    async fn stream_in(
        &mut self,
        statement: &str,
        source: &mut (dyn AsyncRead + Unpin + Send),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<CopyIn, QueryError> {
        let mut copy = match self.client.copy_in::<_, Bytes>(statement).await {
            Ok(copy) => Box::pin(copy),
            Err(error) => return Err(self.failure(&error, statement, 0).await),
        };
        let mut bytes = 0;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            match (&mut *source).take(CHUNK as u64).read_to_end(&mut chunk).await {
                Ok(0) => break,
                Ok(read) => bytes += read as u64,
                // Dropping the copy makes the server fail it, so nothing of it is stored.
                Err(error) => return Err(QueryError::protocol(format!("the data cannot be read: {error}"))),
            }
            if copy.send(Bytes::from(chunk)).await.is_err() {
                // The server has ended the copy; the reason is what finishing returns.
                break;
            }
            progress(bytes);
        }
        match copy.as_mut().finish().await {
            Ok(rows) => Ok(CopyIn { bytes, rows }),
            Err(error) => Err(self.failure(&error, statement, 0).await),
        }
    }

    /// Ends a copy nobody reads any more; the connection would otherwise be busy until its end.
    async fn abandon(&mut self, problem: String) -> QueryError {
        // If cancelling fails, the rest is read and dropped, which only takes longer.
        drop(self.canceller().cancel().await);
        QueryError::protocol(problem)
    }

    /// Waits until the server is ready and counts its answers anew: a COPY takes several requests.
    pub(super) async fn realign<T>(&mut self, outcome: Result<T, QueryError>) -> Result<T, QueryError> {
        if matches!(&outcome, Err(error) if error.is_connection_lost()) {
            return outcome;
        }
        let ready = self.client.check_connection().await;
        self.next_request = self.wire.answered();
        self.unaligned = false;
        match ready {
            Ok(()) => outcome,
            Err(error) => Err(self.failure(&error, "", 0).await),
        }
    }
}
