//! A throwaway PostgreSQL server with a small warehouse and planted problems, for `runbook demo` and for rehearsals.
//!
//! [`obtain`] finds or fetches a server, [`DemoServer`] runs it in a private temporary directory, [`setup`] and
//! [`live_sessions`] say as data what to send to it. Nothing here opens a session or prints: the caller does both.

mod account;
mod binaries;
mod error;
mod leftovers;
mod live;
mod obtain;
mod package;
mod problems;
mod process;
mod server;
mod warehouse;

pub use binaries::{ServerBinaries, find};
pub use error::DemoError;
pub use live::{LiveSession, live_sessions};
pub use obtain::obtain;
pub use problems::{PROBLEMS, Problem, THRESHOLDS, Threshold};
pub use server::DemoServer;
pub use warehouse::{DATABASE, DEFAULT_SCALE, OWNER, SetupStatement, setup};

/// Where progress is told: one line in plain words at a time.
pub type Say<'a> = &'a mut (dyn FnMut(&str) + Send);
