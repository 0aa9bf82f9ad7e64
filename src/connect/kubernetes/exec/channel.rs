//! What both directions of the connection share: channel numbers, limits, and how much has passed.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The first byte of a message says which stream the rest belongs to.
pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
/// How the command ended, as JSON.
pub(super) const STATUS: u8 = 3;
/// The second byte is the number of a channel that ends: from subprotocol v5 on.
pub(super) const CLOSE: u8 = 255;

/// How much a server may send in one message. They send 32 KiB; this is what a broken one can make us keep.
const LONGEST_MESSAGE: usize = 4 << 20;

/// Nothing is held back, and no more than a few messages are ever queued.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .write_buffer_size(0)
        .max_write_buffer_size(256 << 10)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE))
}

/// How many bytes went to the command and came from it.
pub(super) struct Traffic<'a> {
    sent: AtomicU64,
    received: AtomicU64,
    /// How many bytes of standard input the server has certainly taken.
    taken: AtomicU64,
    progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl<'a> Traffic<'a> {
    pub(super) fn new(progress: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self { sent: AtomicU64::new(0), received: AtomicU64::new(0), taken: AtomicU64::new(0), progress }
    }

    /// Counts bytes that are about to go.
    pub(super) fn sending(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Tells how far it is.
    pub(super) fn tell(&self) {
        (self.progress)(self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed));
    }

    /// Counts bytes of output, and tells.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell();
    }

    /// What to put into a ping: the server repeats it once it has read everything before it.
    pub(super) fn ping(&self) -> Bytes {
        Bytes::copy_from_slice(&self.sent.load(Ordering::Relaxed).to_be_bytes())
    }

    /// Takes note of the answer to a ping.
    pub(super) fn answered(&self, ping: &[u8]) {
        if let Ok(sent) = ping.try_into().map(u64::from_be_bytes) {
            self.taken.fetch_max(sent, Ordering::Relaxed);
        }
    }

    /// Whether the server may be quiet for no worse reason than that the command does not read: a server that waits
    /// for the command to take its input does not see the pings behind it. psql in a long statement does that.
    pub(super) fn may_be_stuck(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < self.sent.load(Ordering::Relaxed)
    }
}
