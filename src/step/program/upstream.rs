//! [`Upstream`]: what one program writes, for another to read.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, DuplexStream, ReadBuf};
use tokio::sync::oneshot;

/// What a program writes. It ends only once that program has succeeded, and with an error where it has not: an output
/// that broke off must not look complete to whoever reads it.
pub(in crate::step) struct Upstream {
    pipe: DuplexStream,
    succeeded: oneshot::Receiver<()>,
}

/// Whoever holds it says that the program has succeeded; dropped, that it has not.
pub(in crate::step) struct Verdict(oneshot::Sender<()>);

impl Upstream {
    /// What comes out of a pipe.
    pub(in crate::step) fn new(pipe: DuplexStream) -> (Verdict, Self) {
        let (sender, succeeded) = oneshot::channel();
        (Verdict(sender), Self { pipe, succeeded })
    }
}

impl Verdict {
    /// The program has succeeded.
    pub(in crate::step) fn succeeded(self) {
        // Nobody may read any more; then it makes no difference.
        self.0.send(()).ok();
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buffer))?;
        if buffer.filled().len() > before || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(&mut self.succeeded).poll(cx)) {
            Ok(()) => {
                // A receiver must not be asked again, and whoever reads on sees the end once more.
                let (said, succeeded) = oneshot::channel();
                said.send(()).ok();
                self.succeeded = succeeded;
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Ready(Err(io::Error::other("the program that writes it did not succeed"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn it_ends_only_after_a_success() {
        let (mut out, pipe) = duplex(16);
        let (verdict, mut upstream) = Upstream::new(pipe);
        out.write_all(b"all").await.unwrap();
        drop(out);
        let mut text = [0; 8];
        assert_eq!(upstream.read(&mut text).await.unwrap(), 3);
        let soon = Duration::from_millis(50);
        let read = timeout(soon, upstream.read(&mut text)).await;
        assert!(read.is_err(), "nobody has said that this is all");
        verdict.succeeded();
        assert_eq!(upstream.read(&mut text).await.unwrap(), 0);
        assert_eq!(upstream.read(&mut text).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn it_breaks_off_with_the_program() {
        let (mut out, pipe) = duplex(16);
        let (verdict, mut upstream) = Upstream::new(pipe);
        out.write_all(b"half").await.unwrap();
        drop((out, verdict));
        let mut text = Vec::new();
        let error = upstream.read_to_end(&mut text).await.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), &text[..]),
            ("the program that writes it did not succeed", &b"half"[..])
        );
    }
}
