//! [`Lock`]: a key that one run holds at a time, kept where all its rivals look: on the server, in the cluster, or on
//! this machine.
//!
//! Never waits for its turn, and never decides what a refusal means: both are for whoever takes it.

mod advisory;
mod file;
mod holder;
mod lease;

pub use holder::{Claim, Holder};

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use advisory::Advisory;
use file::LockFile;
use lease::Lease;

use super::Connections;
use crate::model::Failure;

/// Where the rivals for a key meet. Connections are named as the environment names them.
#[derive(Debug, Clone)]
pub enum Meeting {
    /// A server: an advisory lock in its maintenance database.
    Server {
        /// The connection.
        connection: String,
    },
    /// A cluster: a Lease.
    Cluster {
        /// The connection.
        connection: String,
        /// The namespace; the context's own when absent.
        namespace: Option<String>,
    },
    /// This machine: a locked file in this folder.
    Machine {
        /// The folder.
        folder: PathBuf,
    },
}

/// What came of an attempt to take a key.
#[derive(Debug)]
pub enum Taken {
    /// It is held.
    Held,
    /// Somebody else holds it, or has held it since it was lost here.
    Busy(Holder),
}

/// A key, taken or not. Dropping it gives it back at once or, in a cluster, when it expires.
#[derive(Debug)]
pub struct Lock {
    key: String,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Server(Box<Advisory>),
    Cluster(Box<Lease>),
    Machine(LockFile),
}

impl Lock {
    /// A key that is not taken yet. `now` is what others are told of the time.
    pub fn new(meeting: Meeting, claim: Claim, now: fn() -> Timestamp) -> Self {
        let key = claim.key.clone();
        let kept = match meeting {
            Meeting::Server { connection } => Kept::Server(Box::new(Advisory::new(connection, claim))),
            Meeting::Cluster { connection, namespace } => {
                Kept::Cluster(Box::new(Lease::new(connection, namespace, claim, now)))
            }
            Meeting::Machine { folder } => Kept::Machine(LockFile::new(&folder, claim, now)),
        };
        Self { key, kept }
    }

    /// What is taken.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Takes the key, again where it was lost.
    pub async fn take(&mut self, connections: &Connections) -> Result<Taken, Failure> {
        match &mut self.kept {
            Kept::Server(lock) => lock.take(connections).await,
            Kept::Cluster(lock) => lock.take(connections).await,
            Kept::Machine(lock) => lock.take(),
        }
    }

    /// Who holds the key now; nothing is taken and nothing is written.
    pub async fn look(&self, connections: &Connections) -> Result<Option<Holder>, Failure> {
        match &self.kept {
            Kept::Server(lock) => lock.look(connections).await,
            Kept::Cluster(lock) => lock.look(connections).await,
            Kept::Machine(lock) => lock.look(),
        }
    }

    /// Whether the key is still held, as far as is known here.
    pub fn is_held(&self) -> bool {
        match &self.kept {
            Kept::Server(lock) => lock.is_held(),
            Kept::Cluster(lock) => lock.is_held(),
            Kept::Machine(lock) => lock.is_held(),
        }
    }

    /// Gives the key back.
    pub async fn release(self) {
        match self.kept {
            Kept::Server(lock) => lock.release().await,
            Kept::Cluster(lock) => lock.release().await,
            Kept::Machine(lock) => drop(lock),
        }
    }
}

/// The first bytes of a key's hash, for names that may not hold the key itself.
fn hexadecimal(key: &str, bytes: usize) -> String {
    Sha256::digest(key).iter().take(bytes).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}
