//! [`ContainerProgram`]: a program in a container of a pod.

use std::time::Duration;

use tokio::io::DuplexStream;

use super::ended::Ended;
use super::input::Input;
use super::output::Captured;
use super::pipe;
use crate::connect::kubernetes::{Container, ExecOutcome, PrivateEnvironment, Stdin, with_limit};
use crate::model::{Applied, Failure, format_size};
use crate::step::context::RunContext;
use crate::step::error::StepError;

/// What `timeout` ends with when the time was up: by itself, and after it had to kill; 143 is what busybox says.
const TIME_WAS_UP: &[i32] = &[124, 137, 143];

/// How much of the time may then be left, since its limit is in whole seconds.
const LEFT: Duration = Duration::from_secs(1);

/// A program in a container. Only its exit code says how it ended; where none comes, the outcome is uncertain.
pub(in crate::step) struct ContainerProgram<'a> {
    /// Where.
    pub(in crate::step) container: &'a Container,
    /// Its name, for people.
    pub(in crate::step) program: &'a str,
    /// All of its command.
    pub(in crate::step) command: &'a [String],
    /// What its environment holds that nobody may see.
    pub(in crate::step) private: Option<&'a PrivateEnvironment>,
}

impl ContainerProgram<'_> {
    /// Runs it to its end, or as long as the step may take.
    pub(in crate::step) async fn run(
        &self,
        input: Input<'_>,
        out: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Ended, StepError> {
        tokio::select! {
            ended = self.finish(input, out, cx) => ended,
            by = cx.stopped() => {
                let pod = self.container.pod();
                let failure = Failure::new(format!("`{}` may go on in pod `{pod}`", self.program));
                Err(StepError::Uncertain(failure.applied(Applied::Unknown).stopped_by(by)))
            }
        }
    }

    async fn finish(
        &self,
        mut input: Input<'_>,
        mut out: DuplexStream,
        cx: &RunContext<'_>,
    ) -> Result<Ended, StepError> {
        let command = self.limited(cx);
        let stdin = match &mut input {
            Input::Nothing => Stdin::None,
            Input::Text(text) => {
                let length = text.len() as u64;
                Stdin::Length(text, length)
            }
            Input::File(file, length) => Stdin::Length(file, *length),
            Input::Upstream(upstream) => Stdin::Blocks(upstream),
        };
        let told = |sent: u64, received: u64| {
            let size = |bytes| format_size(i64::try_from(bytes).unwrap_or(i64::MAX));
            let detail = if sent > received { (sent, "sent") } else { (received, "received") };
            cx.events.progress("running", None, Some(format!("{} {}", size(detail.0), detail.1)));
        };
        let (mut errors, mut kept) = pipe();
        let work = async {
            let outcome =
                self.container.exec(&command, self.private, stdin, &mut out, &mut errors, &told).await;
            // Whoever reads them sees the end.
            drop((out, errors));
            outcome
        };
        let (outcome, stderr) = tokio::join!(work, Captured::read(&mut kept));
        let stderr = stderr.unwrap_or_default();
        match outcome.map_err(|error| error.failure(&format!("run `{}`", self.program)))? {
            ExecOutcome::Exit(exit_code) => {
                // A pod that is deleted ends its programs with the same codes.
                let time_is_up = cx.time_left().is_some_and(|left| left <= LEFT);
                Ok(Ended { exit_code, stderr, out_of_time: time_is_up && TIME_WAS_UP.contains(&exit_code) })
            }
            ExecOutcome::Failed { reason, message } => Err(self.not_started(&reason, &message)),
            ExecOutcome::Lost(why) => Err(self.lost(&why)),
        }
    }

    /// The command with the step's own time limit, so that it does not go on in the pod when nobody waits any more.
    /// It comes first there: an exit code says more than a connection given up.
    fn limited(&self, cx: &RunContext<'_>) -> Vec<String> {
        match cx.time_left() {
            Some(left) => with_limit(self.command, left.as_secs().max(1)),
            None => self.command.to_vec(),
        }
    }

    /// A status without an exit code: the program was not found, or the node had trouble.
    fn not_started(&self, reason: &str, message: &str) -> StepError {
        const NOTHING_RAN: &[&str] =
            &["not found", "no such file or directory", "permission denied", "OCI runtime exec failed"];
        if reason == "NotFound" || NOTHING_RAN.iter().any(|text| message.contains(text)) {
            let help = "Check the program, the container, and that it has `timeout`, `sh`, `head` and `cat`.";
            let failure = Failure::new(format!("`{}` was not started: {message}", self.program));
            return StepError::Failed(failure.help(help));
        }
        let failure = Failure::new(format!("nobody knows how `{}` ended: {message}", self.program));
        StepError::Uncertain(failure.applied(Applied::Unknown))
    }

    fn lost(&self, why: &str) -> StepError {
        let help = "Look whether it still runs in the pod, and what it has done.";
        let failure = Failure::new(format!("no answer from `{}`: {why}", self.program)).help(help);
        StepError::Uncertain(failure.applied(Applied::Unknown))
    }
}
