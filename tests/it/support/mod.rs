//! What several tests need: loading text as the command line would, and real servers, started once a process.

pub(crate) mod apiserver;
pub(crate) mod instance;
pub(crate) mod kubernetes;
pub(crate) mod live;
mod load;
pub(crate) mod postgres;
pub(crate) mod relay;
pub(crate) mod sandbox;
pub(crate) mod snapshot;
pub(crate) mod webhook;

pub(crate) use load::{Loaded, files, load_text, package, stem};
