//! Connections to the outside world, opened on first use.

pub mod postgres;
