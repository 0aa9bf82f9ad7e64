//! [`Ndjson`]: one JSON object per event on stdout, flushed per event. It drops and rewords nothing.

use super::out::Out;
use crate::event::{Event, Sink, SinkClosed};

/// A sink for programs.
#[derive(Debug)]
pub struct Ndjson {
    out: Out,
}

impl Ndjson {
    /// Writes to the stdout of `out`.
    pub fn new(out: Out) -> Self {
        Self { out }
    }
}

impl Sink for Ndjson {
    fn take(&mut self, event: &Event) -> Result<(), SinkClosed> {
        let mut line = serde_json::to_string(event).expect("events hold nothing that JSON cannot say");
        line.push('\n');
        let written = self.out.stdout(&line);
        self.out.flush();
        written.map_err(|_| SinkClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::model::{Redactor, RunId};
    use crate::ui::out::capture::{Broken, Captured, out};

    fn remark(message: &str) -> Event {
        Event {
            seq: 1,
            at: "2026-11-22T03:00:00Z".parse().unwrap(),
            run: RunId::parse("20261122-030000-abcd").unwrap(),
            kind: EventKind::Remarked { message: message.to_owned() },
        }
    }

    #[test]
    fn an_event_is_a_line_and_reads_back() {
        let redactor = Redactor::new();
        redactor.learn("hunter2");
        let (out, stdout, stderr) = out(&redactor);
        let mut sink = Ndjson::new(out);
        sink.take(&remark("two\nlines")).unwrap();
        sink.take(&remark("the password is hunter2")).unwrap();
        let text = stdout.text();
        let lines: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [remark("two\nlines"), remark("the password is «secret»")]);
        assert_eq!(stderr.text(), "");
    }

    #[test]
    fn a_closed_pipe_closes_the_sink() {
        let mut sink = Ndjson::new(Out::to(Broken, Captured::default(), Redactor::new()));
        assert_eq!(sink.take(&remark("lost")), Err(SinkClosed));
    }
}
