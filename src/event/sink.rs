//! [`Sink`]: what a consumer of events implements.

use super::Event;

/// The consumer is gone, for instance because a pipe was closed. It gets no more events; the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkClosed;

/// A consumer of events: a terminal, a stream of JSON lines, a report.
pub trait Sink: Send {
    /// Takes one event, durable ones after they are in the journal.
    fn take(&mut self, event: &Event) -> Result<(), SinkClosed>;
}
