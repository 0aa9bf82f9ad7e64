//! [`Wire`]: what the server says that `tokio-postgres` does not pass on.
//!
//! The simple protocol carries the types of columns, the tag of each command (a COMMIT that became a ROLLBACK) and
//! the transaction status; the start carries the authentication method. The driver drops all of them, so the stream
//! below it is read along. Nothing is ever changed; only a forbidden authentication method stops the stream, before
//! the driver has answered it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::target::TransactionStatus;

/// What was overheard about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The type of each column of the rows that follow.
    Columns(Vec<u32>),
    /// The tag of a finished command, such as `UPDATE 3`.
    Tag(String),
}

#[derive(Debug, Default)]
struct State {
    /// How many times the server was ready; the start counts as the first.
    answered: u64,
    heard: VecDeque<(u64, Heard)>,
    status: TransactionStatus,
    method: Option<&'static str>,
    allowed: Option<BTreeSet<&'static str>>,
    refused: Option<String>,
    /// The process that serves the session, as the start announces it.
    backend: Option<i32>,
}

/// What was overheard on one connection; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire {
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// Listens; `allowed` limits the authentication methods.
    pub(super) fn new(allowed: Option<BTreeSet<&'static str>>) -> Self {
        Self { state: Arc::new(Mutex::new(State { allowed, ..State::default() })) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete by itself, so a panic elsewhere leaves the state usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests the server has answered, the start included: the number of the next one.
    pub(super) fn answered(&self) -> u64 {
        self.state().answered
    }

    /// The transaction status after the last answer.
    pub(super) fn status(&self) -> TransactionStatus {
        self.state().status
    }

    /// The authentication method the server asked for, in `require_auth`'s words.
    pub(super) fn method(&self) -> Option<&'static str> {
        self.state().method
    }

    /// Why the stream was stopped, if it was.
    pub(super) fn refused(&self) -> Option<String> {
        self.state().refused.clone()
    }

    /// The process that serves the session, as the start announces it.
    pub(super) fn backend(&self) -> Option<i32> {
        self.state().backend
    }

    /// The column types of request number `request`; forgets everything older.
    pub(super) fn columns(&self, request: u64) -> Option<Vec<u32>> {
        self.take(request, |heard| matches!(heard, Heard::Columns(_))).and_then(|heard| match heard {
            Heard::Columns(types) => Some(types),
            Heard::Tag(_) => None,
        })
    }

    /// The command tag of request number `request`; forgets everything older.
    pub(super) fn tag(&self, request: u64) -> Option<String> {
        self.take(request, |heard| matches!(heard, Heard::Tag(_))).and_then(|heard| match heard {
            Heard::Tag(tag) => Some(tag),
            Heard::Columns(_) => None,
        })
    }

    fn take(&self, request: u64, wanted: impl Fn(&Heard) -> bool) -> Option<Heard> {
        let mut state = self.state();
        while state.heard.front().is_some_and(|(number, _)| *number < request) {
            state.heard.pop_front();
        }
        let index = state.heard.iter().position(|(number, heard)| *number == request && wanted(heard))?;
        state.heard.remove(index).map(|(_, heard)| heard)
    }
}

/// Cuts a stream of bytes into messages and keeps the few that matter.
#[derive(Debug)]
pub(super) struct Listener {
    wire: Wire,
    header: Vec<u8>,
    /// Bytes of the current body still to come.
    remaining: usize,
    /// The current body, if it is kept.
    body: Option<Vec<u8>>,
}

const HEADER: usize = 5;

impl Listener {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, header: Vec::with_capacity(HEADER), remaining: 0, body: None }
    }

    /// Reads along; an error means the stream must end here.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.header.len() < HEADER {
                let (head, rest) = bytes.split_at(bytes.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                if self.header.len() == HEADER {
                    self.begin();
                }
            } else {
                let (part, rest) = bytes.split_at(bytes.len().min(self.remaining));
                self.remaining -= part.len();
                if let Some(body) = &mut self.body {
                    body.extend_from_slice(part);
                }
                bytes = rest;
            }
            if self.header.len() == HEADER && self.remaining == 0 {
                self.finish()?;
            }
        }
        Ok(())
    }

    fn begin(&mut self) {
        let length = u32::from_be_bytes([self.header[1], self.header[2], self.header[3], self.header[4]]);
        // The length counts itself; nonsense is left to the driver, which reports it.
        self.remaining = (length as usize).saturating_sub(4);
        self.body = matches!(self.header[0], b'T' | b'C' | b'Z' | b'R' | b'K').then(Vec::new);
    }

    fn finish(&mut self) -> io::Result<()> {
        let tag = self.header[0];
        self.header.clear();
        let Some(body) = self.body.take() else { return Ok(()) };
        let mut state = self.wire.state();
        let request = state.answered;
        match tag {
            b'T' => state.heard.push_back((request, Heard::Columns(column_types(&body)))),
            b'K' => state.backend = body.first_chunk().map(|pid| i32::from_be_bytes(*pid)),
            b'C' => state.heard.push_back((request, Heard::Tag(text(&body)))),
            b'Z' => {
                state.answered += 1;
                state.status = match body.first() {
                    Some(b'T') => TransactionStatus::Open,
                    Some(b'E') => TransactionStatus::Failed,
                    _ => TransactionStatus::Idle,
                };
            }
            _ => return authentication(&mut state, &body),
        }
        Ok(())
    }
}

fn text(body: &[u8]) -> String {
    let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
    String::from_utf8_lossy(&body[..end]).into_owned()
}

/// The type OIDs of a row description: per column a name, then table (4), column (2), type (4) and 8 more bytes.
fn column_types(body: &[u8]) -> Vec<u32> {
    let mut types = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let Some(fixed) = rest.get(end + 1..end + 19) else { break };
        types.push(u32::from_be_bytes([fixed[6], fixed[7], fixed[8], fixed[9]]));
        rest = &rest[end + 19..];
    }
    types
}

fn authentication(state: &mut State, body: &[u8]) -> io::Result<()> {
    let code = body.get(..4).map(|code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
    let method = match code {
        Some(0) if state.method.is_none() => "none",
        Some(3) => "password",
        Some(5) => "md5",
        Some(7) => "gss",
        Some(9) => "sspi",
        Some(10) if body[4..].windows(5).any(|word| word == b"SCRAM") => "scram-sha-256",
        Some(10) => "oauth",
        _ => return Ok(()),
    };
    state.method = Some(method);
    match &state.allowed {
        Some(allowed) if !allowed.contains(method) => {
            let asked = if method == "none" { "no authentication".to_owned() } else { format!("`{method}`") };
            let allowed: Vec<&str> = allowed.iter().copied().collect();
            let why = format!("the server asks for {asked}, `require_auth` allows {}", allowed.join(", "));
            state.refused = Some(why.clone());
            Err(io::Error::other(why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag][..], &length, body].concat()
    }

    fn description() -> Vec<u8> {
        let mut body = vec![0, 2];
        for (name, oid) in [("a", 23_u32), ("bb", 25)] {
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0]);
            body.extend_from_slice(&oid.to_be_bytes());
            body.extend_from_slice(&[0; 8]);
        }
        message(b'T', &body)
    }

    fn conversation() -> Vec<u8> {
        let started = [message(b'R', &[0, 0, 0, 0]), message(b'Z', b"I")].concat();
        let rows = [description(), message(b'D', b"\0\0"), message(b'C', b"SELECT 1\0")].concat();
        let first = [rows, message(b'Z', b"T")].concat();
        let second = [message(b'C', b"ROLLBACK\0"), message(b'Z', b"I")].concat();
        [started, first, second].concat()
    }

    #[test]
    fn messages_are_cut_wherever_the_packets_end() {
        for size in [1, 3, 7, 1000] {
            let wire = Wire::default();
            let mut listener = Listener::new(wire.clone());
            for chunk in conversation().chunks(size) {
                listener.hear(chunk).unwrap();
            }
            assert_eq!(wire.columns(1), Some(vec![23, 25]));
            assert_eq!(wire.tag(1).as_deref(), Some("SELECT 1"));
            assert_eq!(wire.columns(1), None);
            assert_eq!(wire.tag(2).as_deref(), Some("ROLLBACK"));
            assert_eq!((wire.answered(), wire.status()), (3, TransactionStatus::Idle));
            assert_eq!(wire.method(), Some("none"));
        }
    }

    #[test]
    fn a_forbidden_method_stops_the_stream() {
        let check = |body: &[u8], allowed: &'static str, expected: bool| {
            let wire = Wire::new(Some(BTreeSet::from([allowed])));
            let heard = Listener::new(wire.clone()).hear(&message(b'R', body));
            assert_eq!((heard.is_ok(), wire.refused().is_none()), (expected, expected), "{body:?} {allowed}");
        };
        let scram = [&10_u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat();
        check(&scram, "scram-sha-256", true);
        check(&scram, "md5", false);
        check(&[0, 0, 0, 3], "scram-sha-256", false);
        check(&[0, 0, 0, 0], "scram-sha-256", false);
        check(&[0, 0, 0, 0], "none", true);
    }

    #[test]
    fn nonsense_does_not_panic() {
        for bytes in
            [&b"T\0\0\0\x06\0\x09"[..], b"T\0\0\0\x04", b"R\0\0\0\x04", b"Z\0\0\0\0", b"T\0\0\0\x08\0\x01a\0"]
        {
            drop(Listener::new(Wire::default()).hear(bytes));
        }
    }
}
