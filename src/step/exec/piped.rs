//! A program whose output another one reads: both must succeed.

use super::bound::{BoundProgram, Ready};
use crate::model::{Applied, Failure};
use crate::step::context::RunContext;
use crate::step::error::StepError;
use crate::step::program::{Captured, Ended, Input, ProgramOutput, Upstream, pipe};

/// One of the two: as it is written, and ready to start.
pub(super) type Party<'a> = (&'a BoundProgram, Ready<'a>);

/// Runs both to their ends. The one that reads sees the end only once the other has succeeded.
pub(super) async fn run(
    (writer, writing): Party<'_>,
    (reader, reading): Party<'_>,
    input: Input<'_>,
    cx: &RunContext<'_>,
) -> Result<ProgramOutput, StepError> {
    let (out, between) = pipe();
    let (reader_out, mut kept) = pipe();
    let (verdict, upstream) = Upstream::new(between);
    let writing = async {
        let ended = writing.run(input, out, cx).await;
        if succeeded(writer, &ended) {
            verdict.succeeded();
        }
        ended
    };
    let reading = reading.run(Input::Upstream(upstream), reader_out, cx);
    let (wrote, read, stdout) = tokio::join!(writing, reading, Captured::read(&mut kept));
    let (wrote, read) = judge((writer, wrote), (reader, read))?;
    Ok(ProgramOutput::of_two(wrote, read, stdout.unwrap_or_default()))
}

fn succeeded(program: &BoundProgram, ended: &Result<Ended, StepError>) -> bool {
    ended.as_ref().is_ok_and(|ended| ended.succeeded(&program.exit_codes))
}

/// The one that failed by itself is the reason; the other only lost its partner.
fn judge(
    (writer, wrote): (&BoundProgram, Result<Ended, StepError>),
    (reader, read): (&BoundProgram, Result<Ended, StepError>),
) -> Result<(Ended, Ended), StepError> {
    let fits = (succeeded(writer, &wrote), succeeded(reader, &read));
    let failed = |program: &BoundProgram, ended: Ended| StepError::from(ended.failure(program.name()));
    match (wrote, read) {
        (Ok(wrote), Ok(read)) if fits == (true, true) => Ok((wrote, read)),
        (Ok(_), Err(error)) if fits.0 => Err(error),
        (Ok(_), Ok(read)) if fits.0 => Err(failed(reader, read)),
        (_, Ok(read)) if !fits.1 => {
            Err(explained(failed(reader, read), format!("`{}` lost its reader", writer.name())))
        }
        (wrote, read) => {
            let reason = wrote.map_or_else(|error| error, |ended| failed(writer, ended));
            let what = if read.is_ok() {
                "took what it got for all"
            } else {
                "was stopped before the end of its input"
            };
            Err(explained(reason, format!("`{}` {what}", reader.name())))
        }
    }
}

fn explained(error: StepError, detail: String) -> StepError {
    error.map(|mut failure: Failure| {
        failure.details.push(detail);
        failure.applied(Applied::Unknown)
    })
}
