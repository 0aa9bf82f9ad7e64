//! [`Keyboard`]: keys from the controlling terminal, one by one and without echo.
//!
//! A thread reads, because a terminal cannot be read otherwise on every system; its reads return ten times a second,
//! so that an abandoned question never leaves a thread behind that would swallow the next key.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::connect::PromptError;

/// What a person pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Backspace,
    /// Ctrl-U.
    Clear,
    Up,
    Down,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    EndOfInput,
}

/// The keys pressed since it was opened; what was typed before does not count.
#[derive(Debug)]
pub(super) struct Keyboard {
    keys: UnboundedReceiver<Key>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Keyboard {
    pub(super) fn open() -> Result<Self, PromptError> {
        let terminal =
            File::options().read(true).write(true).open("/dev/tty").map_err(|_| PromptError::NoTerminal)?;
        let mut raw = Raw::enter(terminal).ok_or(PromptError::NoTerminal)?;
        let (sender, keys) = unbounded_channel();
        let closing = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&closing);
        let reader = tokio::task::spawn_blocking(move || raw.read_into(&sender, &until));
        Ok(Self { keys, closing, reader: Some(reader) })
    }

    /// The next key; none when the terminal is gone.
    pub(super) async fn key(&mut self) -> Option<Key> {
        self.keys.recv().await
    }

    /// Waits until the terminal has its settings back.
    pub(super) async fn close(mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // It can only have panicked, and its guard has restored the terminal even then.
            reader.await.ok();
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

/// The terminal without echo and line editing, until it is dropped.
struct Raw {
    terminal: File,
    before: Termios,
}

impl Raw {
    fn enter(terminal: File) -> Option<Self> {
        let before = tcgetattr(&terminal).ok()?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        raw.input_modes.remove(InputModes::IXON);
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 1;
        // Keys pressed before the question was read must not answer it.
        tcflush(&terminal, QueueSelector::IFlush).ok()?;
        tcsetattr(&terminal, OptionalActions::Now, &raw).ok()?;
        Some(Self { terminal, before })
    }

    fn read_into(&mut self, keys: &UnboundedSender<Key>, closing: &AtomicBool) {
        let mut decoder = Decoder::default();
        let mut bytes = [0; 256];
        while !closing.load(Ordering::Relaxed) {
            match self.terminal.read(&mut bytes) {
                // Nothing within a tenth of a second, or a terminal that is gone for good.
                Ok(0) if tcgetattr(&self.terminal).is_err() => return,
                Ok(0) => decoder.pause(),
                Ok(n) => {
                    for key in decoder.feed(&bytes[..n]) {
                        if keys.send(key).is_err() {
                            return;
                        }
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Fails only when the terminal is gone, and its settings with it.
        tcsetattr(&self.terminal, OptionalActions::Now, &self.before).ok();
    }
}

/// Makes keys of bytes; a character or an escape sequence may arrive in pieces.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// The keys that are complete now.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.rest.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        while let Some((length, key)) = decode(&self.rest[at..]) {
            at += length;
            keys.extend(key);
        }
        self.rest.drain(..at);
        keys
    }

    /// Nothing came for a while: what looked like a beginning was all there is.
    fn pause(&mut self) {
        self.rest.clear();
    }
}

/// The first key and how many bytes it takes; none while it is incomplete.
fn decode(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    let key = match *bytes.first()? {
        b'\r' | b'\n' => Key::Enter,
        0x7f | 0x08 => Key::Backspace,
        0x03 => Key::Interrupt,
        0x04 => Key::EndOfInput,
        0x15 => Key::Clear,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x1b => return escape(bytes),
        0x00..=0x1f => return Some((1, None)),
        first => return character(bytes, first),
    };
    Some((1, Some(key)))
}

/// An arrow, or another sequence that means nothing here.
fn escape(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    match bytes.get(1)? {
        b'[' | b'O' => {
            let end = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte))?;
            let key = match bytes[2 + end] {
                b'A' => Some(Key::Up),
                b'B' => Some(Key::Down),
                _ => None,
            };
            Some((end + 3, key))
        }
        // Escape alone, before another key.
        _ => Some((1, None)),
    }
}

fn character(bytes: &[u8], first: u8) -> Option<(usize, Option<Key>)> {
    let length = match first {
        0..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return Some((1, None)),
    };
    let text = std::str::from_utf8(bytes.get(..length)?);
    Some(match text.ok().and_then(|text| text.chars().next()) {
        Some(c) => (length, Some(Key::Char(c))),
        None => (1, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expected: &[Key]) {
        let mut decoder = Decoder::default();
        let keys: Vec<Key> = pieces.iter().flat_map(|piece| decoder.feed(piece)).collect();
        assert_eq!(keys, expected, "{pieces:?}");
    }

    #[test]
    fn bytes_become_keys() {
        use Key::{Backspace, Char, Clear, Down, EndOfInput, Enter, Interrupt, Up};
        check(&[b"y\r"], &[Char('y'), Enter]);
        check(&["é".as_bytes()], &[Char('é')]);
        check(&[&[0xc3], &[0xa9]], &[Char('é')]);
        check(&[b"\x1b[A\x1bOB"], &[Up, Down]);
        check(&[b"\x1b", b"[", b"B"], &[Down]);
        check(&[b"\x1b[3~x"], &[Char('x')]);
        check(&[b"\x1b[1;5A"], &[Up]);
        check(&[b"\x1bx"], &[Char('x')]);
        check(&[b"\x03\x04\x15\x7f\x08"], &[Interrupt, EndOfInput, Clear, Backspace, Backspace]);
        check(&[&[0xff, 0xc3, b'a', 0x01]], &[Char('a')]);
    }

    #[test]
    fn a_lone_escape_does_not_eat_the_next_key() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"\x1b"), []);
        decoder.pause();
        assert_eq!(decoder.feed(b"[A"), [Key::Char('['), Key::Char('A')]);
    }
}
