//! Signals: the first one asks the run to stop, the second one ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::error::CliError;
use crate::model::StoppedBy;
use crate::step::StopSignal;
use crate::ui::Out;

/// Listens until it is dropped.
pub(super) struct Interrupts {
    /// Raised by the first signal.
    pub(super) stop: StopSignal,
    /// Raised by the second one.
    pub(super) at_once: StopSignal,
    _listener: JoinSet<()>,
}

/// Listens for Ctrl-C, a request to end, and a closed terminal.
pub(super) fn listen(out: Out) -> Result<Interrupts, CliError> {
    let open =
        |kind| signal(kind).map_err(|error| CliError::new(format!("cannot listen for signals: {error}")));
    let (mut interrupt, mut terminate, mut hangup) =
        (open(SignalKind::interrupt())?, open(SignalKind::terminate())?, open(SignalKind::hangup())?);
    let (stop, at_once) = (StopSignal::default(), StopSignal::default());
    let mut listener = JoinSet::new();
    let (first, second) = (stop.clone(), at_once.clone());
    listener.spawn(async move {
        loop {
            let by = tokio::select! {
                _ = interrupt.recv() => StoppedBy::Operator,
                _ = terminate.recv() => StoppedBy::Shutdown,
                _ = hangup.recv() => StoppedBy::Shutdown,
            };
            if first.reason().is_some() {
                second.raise(StoppedBy::Operator);
                return;
            }
            let _closed =
                out.stderr("\nstopping: statements are cancelled on the server; once more stops at once\n");
            first.raise(by);
        }
    });
    Ok(Interrupts { stop, at_once, _listener: listener })
}
