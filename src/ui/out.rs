//! [`Out`]: the one way to stdout and stderr.
//!
//! It masks secrets, also one that arrives in two pieces, and it remembers a closed pipe instead of panicking.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::model::Redactor;

/// Nobody reads the stream any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the stream is closed")]
pub struct Closed;

/// A handle on stdout and stderr; clones write to the same streams.
#[derive(Clone)]
pub struct Out {
    stdout: Arc<Mutex<Channel>>,
    stderr: Arc<Mutex<Channel>>,
    redactor: Redactor,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Out")
    }
}

impl Out {
    /// The streams of the process.
    pub fn new(redactor: Redactor) -> Self {
        Self::to(std::io::stdout(), std::io::stderr(), redactor)
    }

    /// Other streams in their place.
    pub fn to(
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
        redactor: Redactor,
    ) -> Self {
        let channel = |writer| Arc::new(Mutex::new(Channel { writer, held: String::new(), closed: false }));
        Self { stdout: channel(Box::new(stdout)), stderr: channel(Box::new(stderr)), redactor }
    }

    /// Writes data.
    pub fn stdout(&self, text: &str) -> Result<(), Closed> {
        lock(&self.stdout).write(text, &self.redactor)
    }

    /// Writes anything that is not data.
    pub fn stderr(&self, text: &str) -> Result<(), Closed> {
        lock(&self.stderr).write(text, &self.redactor)
    }

    /// Writes what was held back on both streams because it might have been the beginning of a secret.
    pub fn flush(&self) {
        for channel in [&self.stdout, &self.stderr] {
            lock(channel).flush(&self.redactor);
        }
    }

    /// The same on stderr alone, at the end of a frame.
    pub(super) fn flush_stderr(&self) {
        lock(&self.stderr).flush(&self.redactor);
    }

    /// Whether stdout was found closed.
    pub fn stdout_closed(&self) -> bool {
        lock(&self.stdout).closed
    }

    /// Whether stderr was found closed.
    pub fn stderr_closed(&self) -> bool {
        lock(&self.stderr).closed
    }

    /// Masks a text that is about to be cut or wrapped: half a secret would not be recognised later.
    pub fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }
}

/// A panic in another thread leaves at worst half a line behind, which is no reason to fall silent.
fn lock(channel: &Mutex<Channel>) -> MutexGuard<'_, Channel> {
    channel.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Channel {
    writer: Box<dyn Write + Send>,
    /// The end of the text so far that may be the beginning of a secret.
    held: String,
    closed: bool,
}

impl Channel {
    fn write(&mut self, text: &str, redactor: &Redactor) -> Result<(), Closed> {
        if self.closed {
            return Err(Closed);
        }
        let mut text = std::mem::take(&mut self.held) + text;
        self.held = text.split_off(redactor.safe_prefix(&text));
        self.send(&redactor.redact(&text))
    }

    fn flush(&mut self, redactor: &Redactor) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let _ = self.send(&redactor.redact(&held));
        }
    }

    /// Any failure counts as a closed stream: there is no one left to tell about it.
    fn send(&mut self, text: &str) -> Result<(), Closed> {
        let sent = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush());
        sent.map_err(|_| {
            self.closed = true;
            Closed
        })
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        for channel in [&self.stdout, &self.stderr] {
            if Arc::strong_count(channel) == 1 {
                lock(channel).flush(&self.redactor);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! Streams that tests can read.

    use super::{Arc, Mutex, Out, Redactor, Write};

    /// A stream that keeps what is written.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A stream whose reader is gone.
    pub(crate) struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// An `Out` with the two streams it writes to.
    pub(crate) fn out(redactor: &Redactor) -> (Out, Captured, Captured) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        (Out::to(stdout.clone(), stderr.clone(), redactor.clone()), stdout, stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::capture::{Broken, Captured, out};
    use super::*;

    fn check(pieces: &[&str], expected: &str) {
        let redactor = Redactor::new();
        redactor.learn("hunter2");
        redactor.learn("line one\nline two");
        let (out, stdout, _) = out(&redactor);
        for piece in pieces {
            out.stdout(piece).unwrap();
        }
        out.flush();
        assert_eq!(stdout.text(), expected);
    }

    #[test]
    fn a_secret_is_masked_however_it_arrives() {
        check(&["password hunter2\n"], "password «secret»\n");
        check(&["password hun", "ter2\n"], "password «secret»\n");
        check(&["h", "u", "n", "t", "e", "r", "2"], "«secret»");
        check(&["hunt", "ing\n"], "hunting\n");
        check(&["hun", "hunter2"], "hun«secret»");
        check(&["line one\n", "line two\n"], "«secret»\n");
    }

    #[test]
    fn a_secret_learned_late_is_masked_from_then_on() {
        let redactor = Redactor::new();
        let (out, _, stderr) = out(&redactor);
        out.stderr("before hunter2, ").unwrap();
        redactor.learn("hunter2");
        out.stderr("after hunter2").unwrap();
        drop(out);
        assert_eq!(stderr.text(), "before hunter2, after «secret»");
    }

    #[test]
    fn a_closed_pipe_is_remembered_and_the_other_stream_goes_on() {
        let stderr = Captured::default();
        let out = Out::to(Broken, stderr.clone(), Redactor::new());
        assert_eq!(out.stdout("lost"), Err(Closed));
        assert_eq!(out.stdout("lost too"), Err(Closed));
        assert!(out.stdout_closed() && !out.stderr_closed());
        out.stderr("kept").unwrap();
        assert_eq!(stderr.text(), "kept");
    }
}
