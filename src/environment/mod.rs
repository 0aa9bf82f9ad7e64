//! `runbook.yaml`: the environments, where each says what its connections are and which parameters it sets.
//!
//! This module reads text it is given. It never reads the process environment and opens no connection.

mod connection;
mod decode;

pub use connection::{ConnectionEntry, HostEntry, KubernetesEntry, PasswordSource, PostgresEntry};
pub use decode::decode;

use indexmap::IndexMap;
use serde_json::Value;

/// A file of environments.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentFile {
    /// Where it was read.
    pub origin: String,
    /// The environments by name.
    pub environments: IndexMap<String, Environment>,
}

/// One environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Whether what disrupts asks, and what destroys wants the target's name typed.
    pub protected: bool,
    /// Values of parameters.
    pub params: IndexMap<String, Value>,
    /// The connections by name.
    pub connections: IndexMap<String, ConnectionEntry>,
}
