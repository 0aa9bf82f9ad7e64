//! What several tests need: real servers, started once a process.

pub(crate) mod postgres;
