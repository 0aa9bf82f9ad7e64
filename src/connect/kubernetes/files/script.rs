//! [`Script`]: a shell script of ours, and what became of it.

use tokio::io::AsyncWrite;

use super::FilesError;
use crate::connect::kubernetes::container::Container;
use crate::connect::kubernetes::error::ApiError;
use crate::connect::kubernetes::exec::{ExecOutcome, Stdin};

/// What a script ends with when the container lacks what it needs; what is lacking is on standard error.
const LACKS: i32 = 97;

/// How much of what a script says is kept: more than any listing or complaint needs.
const KEPT: usize = 4 << 20;

/// `sum`, to be called in a subshell: the SHA-256 of standard input. Most builds of `sha256sum` do without the processor's
/// help and take five times as long as `openssl`, which not every container has.
const SUM: &str = "sum() { openssl dgst -sha256 -r </dev/null >/dev/null 2>&1 && exec openssl dgst -sha256 -r; \
                   exec sha256sum; }";

/// A script and the programs it starts, which are looked for first. It may use [`SUM`].
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) programs: &'static str,
    pub(super) writes: bool,
}

/// What a script that succeeded said.
pub(super) struct Said {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// What goes to a script, and where the other end of it is.
pub(super) struct Streams<'a> {
    pub(super) stdin: Stdin<'a>,
    /// Takes standard output; it is kept when absent.
    pub(super) stdout: Option<&'a mut (dyn AsyncWrite + Send + Unpin)>,
    /// Hears how many bytes went there and how many came.
    pub(super) progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Streams<'_> {
    /// For a script that only says something.
    pub(super) fn none() -> Self {
        Self { stdin: Stdin::None, stdout: None, progress: &|_, _| {} }
    }
}

impl Script {
    /// The command that runs it: the word after the script is what `sh` calls itself in its messages.
    pub(super) fn command(&self, arguments: &[String]) -> Vec<String> {
        let look = format!(
            "for program in {}; do command -v \"$program\" >/dev/null 2>&1 || {{ echo \"$program\" >&2; exit {LACKS}; \
             }}; done\n{SUM}\n{}",
            self.programs, self.text
        );
        let words = ["sh", "-c", &look, "sh"].map(str::to_owned);
        words.into_iter().chain(arguments.iter().cloned()).collect()
    }
}

impl Container {
    /// Runs a script in it.
    pub(super) async fn script(
        &self,
        script: &Script,
        arguments: &[String],
        streams: Streams<'_>,
    ) -> Result<Said, FilesError> {
        if script.writes && !self.may_change() {
            let error = ApiError::local("a step that reads may not write a file in a pod");
            return Err(FilesError::Refused(error));
        }
        let command = script.command(arguments);
        let (mut said, mut complaints) = (Kept::default(), Kept::default());
        let stdout = streams.stdout.unwrap_or(&mut said);
        let outcome =
            self.exec_unasked(&command, None, streams.stdin, stdout, &mut complaints, streams.progress).await;
        let stderr = String::from_utf8_lossy(&complaints.0).trim().to_owned();
        match outcome.map_err(FilesError::Refused)? {
            ExecOutcome::Exit(0) => Ok(Said { stdout: said.0, stderr }),
            ExecOutcome::Exit(LACKS) => Err(FilesError::lacks(self, &stderr)),
            // What `sh` says of a program that it does not find is `head`, by which the input's length is told.
            ExecOutcome::Exit(127) => Err(FilesError::lacks(self, "head -c")),
            ExecOutcome::Exit(code) => Err(FilesError::Complained { code, stderr }),
            ExecOutcome::Failed { message, .. } if is_missing(&message) => Err(FilesError::lacks(self, "sh")),
            ExecOutcome::Failed { message, .. } => Err(FilesError::NotEnded(message)),
            ExecOutcome::Lost(why) => Err(FilesError::Lost(why)),
        }
    }
}

/// Whether the runtime did not find the program; each words it in its own way.
fn is_missing(message: &str) -> bool {
    ["not found", "no such file or directory"].iter().any(|text| message.contains(text))
}

/// The beginning of what comes.
#[derive(Default)]
struct Kept(Vec<u8>);

impl AsyncWrite for Kept {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let room = KEPT.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..room]);
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
