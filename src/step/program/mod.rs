//! A program, wherever it runs: what it reads, what becomes of its output, and how it ended.
//!
//! Its output passes a pipe of bounded size, and whoever can go no further lets go of its end, so that nobody waits for
//! somebody who is gone.

mod ended;
mod in_container;
mod input;
mod keeper;
mod output;
mod upstream;

pub(super) use ended::Ended;
pub(super) use in_container::ContainerProgram;
pub(super) use input::Input;
pub(super) use keeper::Keeper;
pub(super) use output::{Captured, Parse, ProgramOutput, command_line, only_zero};
pub(super) use upstream::Upstream;

use tokio::io::DuplexStream;

use super::context::RunContext;
use super::error::StepError;
use crate::model::Applied;

/// How much of a stream is under way between two who do not wait for each other.
const PIPE: usize = 256 << 10;

/// What must be true of a program that ended, and how its output becomes data.
pub(super) struct Expected<'a> {
    /// The program, for people.
    pub(super) program: &'a str,
    /// The exit codes that mean success.
    pub(super) exit_codes: &'a [i32],
    /// How its output becomes data.
    pub(super) parse: Parse,
}

/// A pipe between a program and whoever takes its output.
pub(super) fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(PIPE)
}

/// Runs a program, which writes into the pipe it is given, keeps its output, and judges how it ended.
pub(super) async fn attend<F>(
    run: impl FnOnce(DuplexStream) -> F,
    mut keeper: Keeper,
    expected: &Expected<'_>,
    cx: &RunContext<'_>,
) -> Result<ProgramOutput, StepError>
where
    F: Future<Output = Result<Ended, StepError>>,
{
    let (out, kept) = pipe();
    let (ended, stdout) = tokio::join!(run(out), keeper.fill(kept, cx));
    let (ended, stdout) = match (ended, stdout) {
        (Ok(ended), Ok(stdout)) => (ended, stdout),
        (Err(error), Ok(_)) => return Err(error),
        // The program lost its reader, so however it ended, this is why.
        (Ok(_), Err(failure)) => return Err(failure.applied(Applied::Unknown).into()),
        (Err(error), Err(failure)) => return Err(error.map(|_| failure.applied(Applied::Unknown))),
    };
    if !ended.succeeded(expected.exit_codes) {
        return Err(ended.failure(expected.program).into());
    }
    // The program has run, whether its output can be kept or not.
    let file = keeper.keep().await.map_err(|failure| failure.applied(Applied::Unknown))?;
    ProgramOutput::new(ended, stdout, expected.parse, file)
}
