//! The format of a line, and its version.
//!
//! A line is the event's own JSON object with `v` in front and `hash` behind, always in this order:
//!
//! ```text
//! {"v":1,"seq":7,"at":"…","run":"…","event":"step_finished",…,"hash":"<64 hexadecimal digits>"}
//! ```
//!
//! The hash is the SHA-256 of the previous line's 64 digits (64 zeros for the first line) followed by this line's
//! bytes up to, and without, `,"hash":`. So a line is verified on raw bytes and never serialised again, and every
//! tool that reads NDJSON reads a journal. The hash finds damage and careless edits; it is not keyed, so it is no
//! defence against someone who rewrites the file and its head.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{Event, VERSION};

const KEY: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";
const DIGITS: usize = 64;
/// `serde_json` reads 127 levels and writes any number: what is written must be readable.
const DEEPEST: usize = 120;

/// A SHA-256 in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash([u8; DIGITS]);

impl Hash {
    /// What stands before the first line.
    pub(super) const GENESIS: Self = Self([b'0'; DIGITS]);

    /// Takes 64 lowercase hexadecimal digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; DIGITS] = text.try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// The digits as text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }

    fn of(previous: &Self, body: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let sum = Sha256::new().chain_update(previous.0).chain_update(body).finalize();
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(&sum) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(digits)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    event: &'a Event,
}

/// What can be read of a line that holds no event this program knows.
#[derive(Deserialize)]
struct Envelope {
    v: u64,
    #[serde(default)]
    event: String,
}

/// Appends the event's line to `buffer`, newline included, and gives its hash; a failure adds nothing.
pub(super) fn encode(event: &Event, previous: &Hash, buffer: &mut Vec<u8>) -> Result<Hash, String> {
    let start = buffer.len();
    let written = serde_json::to_writer(&mut *buffer, &Line { v: VERSION, event });
    let problem = match written {
        Err(error) => Some(error.to_string()),
        Ok(()) if depth(&buffer[start..]) > DEEPEST => {
            Some(format!("a value in it is nested over {DEEPEST} deep"))
        }
        Ok(()) => None,
    };
    if let Some(problem) = problem {
        buffer.truncate(start);
        return Err(problem);
    }
    buffer.pop();
    let hash = Hash::of(previous, &buffer[start..]);
    for part in [KEY, &hash.0, END, b"\n"] {
        buffer.extend_from_slice(part);
    }
    Ok(hash)
}

/// How deep the objects and arrays of a JSON text are nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The hash a line claims for itself, unverified, and the bytes it covers.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], Hash)> {
    let line = line.strip_suffix(END)?;
    let (rest, digits) = line.split_at_checked(line.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(KEY)?, Hash::parse(digits)?))
}

/// Verifies a line, given without its newline, and reads it; the error says what is wrong with it.
pub(super) fn decode(line: &[u8], previous: &Hash) -> Result<(Event, Hash), String> {
    // Before the hash, since another version may hash in another way.
    if let Some(version) = foreign_version(line) {
        return Err(format!("has format version {version}, and this program knows only {VERSION}"));
    }
    let (body, claimed) = split(line).ok_or("is damaged: it does not end in a hash")?;
    if Hash::of(previous, body) != claimed {
        return Err("is damaged: it does not match its hash".to_owned());
    }
    let event = serde_json::from_slice(line).map_err(|error| unreadable(line, &error))?;
    Ok((event, claimed))
}

fn foreign_version(line: &[u8]) -> Option<u64> {
    if line.starts_with(format!("{{\"v\":{VERSION},").as_bytes()) {
        return None;
    }
    let envelope: Envelope = serde_json::from_slice(line).ok()?;
    (envelope.v != u64::from(VERSION)).then_some(envelope.v)
}

fn unreadable(line: &[u8], error: &serde_json::Error) -> String {
    match serde_json::from_slice::<Envelope>(line) {
        Ok(envelope) => {
            format!("holds an event `{}` that this program cannot read: {error}", envelope.event)
        }
        Err(_) => format!("holds no event: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::journal::scripted::event;

    fn sealed(body: &str) -> Vec<u8> {
        let hash = Hash::of(&Hash::GENESIS, body.as_bytes());
        [body.as_bytes(), KEY, hash.as_str().as_bytes(), END].concat()
    }

    fn check(line: &[u8], expected: &str) {
        let reason = decode(line, &Hash::GENESIS).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }

    #[test]
    fn a_line_is_one_object_that_hashes_its_own_bytes() {
        let paused = event(1, EventKind::RunPaused { reason: "a \"quoted\"\nword".to_owned() });
        let mut line = Vec::new();
        let hash = encode(&paused, &Hash::GENESIS, &mut line).unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.starts_with(r#"{"v":1,"seq":1,"at":"2026-11-22T03:00:01Z","run":"#), "{text}");
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["hash"], hash.as_str());
        let line = line.strip_suffix(b"\n").unwrap();
        assert_eq!(decode(line, &Hash::GENESIS), Ok((paused, hash)));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let nested =
            |levels| (0..levels).fold(serde_json::json!("]\\\"["), |inner, _| serde_json::json!([inner]));
        let check = |levels, fits: bool| {
            let deep = event(1, EventKind::VariableComputed { name: "v".to_owned(), value: nested(levels) });
            let mut line = Vec::new();
            assert_eq!(encode(&deep, &Hash::GENESIS, &mut line).is_ok(), fits, "{levels}");
            assert_eq!(line.pop().is_some_and(|_| decode(&line, &Hash::GENESIS).unwrap().0 == deep), fits);
        };
        check(DEEPEST - 1, true);
        check(DEEPEST, false);
        check(1000, false);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        check(b"", "does not end in a hash");
        check(b"\"}", "does not end in a hash");
        check(br#"{"v":2,"whatever":true}"#, "format version 2");
        check(
            &sealed(r#"{"v":1,"seq":1,"at":"2026-11-22T03:00:00Z","run":"r","event":"cheered""#),
            "`cheered`",
        );
        check(&sealed(r#"{"v":1,"seq":"#), "holds no event");
    }
}
