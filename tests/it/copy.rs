//! COPY between a real server and streams: in constant memory, and with a usable session after every failure.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::connect::{local, run, value};

/// Counts bytes and keeps none; slow, so that a copy without backpressure would pile up.
struct Drain(u64);

impl tokio::io::AsyncWrite for Drain {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.0 += bytes.len() as u64;
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn copies_stream_in_constant_memory() {
    let mut session = local().await;
    run(&mut session, "CREATE TABLE big(a int, b text)").await.unwrap();
    let line = format!("1\t{}\n", "x".repeat(998));
    let size = 200_000 * line.len() as u64;
    let before = resident_kilobytes();
    let mut source = std::iter::repeat_n(line, 200_000);
    // A reader that makes its lines as they are asked for.
    let mut reader = tokio_reader(move || source.next());
    let heard = AtomicU64::new(0);
    let progress = |bytes: u64| heard.store(bytes, Ordering::Relaxed);
    let copied = session.copy_in("COPY big FROM STDIN", &mut reader, &progress).await.unwrap();
    assert_eq!((copied.bytes, copied.rows, heard.load(Ordering::Relaxed)), (size, 200_000, size));
    let mut drain = Drain(0);
    let bytes = session.copy_out("COPY big TO STDOUT", &mut drain, &progress).await.unwrap();
    assert_eq!((bytes, drain.0), (size, size));
    let grown = resident_kilobytes().saturating_sub(before);
    assert!(grown < 80_000, "200 MB were copied and the process grew by {grown} kB");
    assert_eq!(
        value(&mut session, "SELECT count(*) FROM big").await,
        json!(200_000),
        "the session still counts"
    );
}

/// An [`AsyncRead`](tokio::io::AsyncRead) over chunks made on demand.
fn tokio_reader(
    next: impl FnMut() -> Option<String> + Send + Unpin,
) -> impl tokio::io::AsyncRead + Unpin + Send {
    struct Reader<F>(F, Vec<u8>);
    impl<F: FnMut() -> Option<String> + Unpin> tokio::io::AsyncRead for Reader<F> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            if self.1.is_empty() {
                self.1 = (self.0)().unwrap_or_default().into_bytes();
            }
            let size = self.1.len().min(buffer.remaining());
            let rest = self.1.split_off(size);
            buffer.put_slice(&self.1);
            self.1 = rest;
            std::task::Poll::Ready(Ok(()))
        }
    }
    Reader(next, Vec::new())
}

#[tokio::test]
async fn failed_copies_leave_a_usable_session() {
    let mut session = local().await;
    run(&mut session, "CREATE TABLE t(a int)").await.unwrap();
    let quiet = |_: u64| {};
    let error = session.copy_in("COPY t FROM STDIN", &mut &b"1\nx\n"[..], &quiet).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22P02"));
    let mut broken = tokio::io::empty().chain(Broken);
    assert!(session.copy_in("COPY t FROM STDIN", &mut broken, &quiet).await.is_err());
    let missing = session.copy_out("COPY nope TO STDOUT", &mut Drain(0), &quiet).await.unwrap_err();
    assert_eq!(missing.sqlstate(), Some("42P01"));
    assert_eq!(value(&mut session, "SELECT count(*) FROM t").await, json!(0));
}

struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
    }
}
