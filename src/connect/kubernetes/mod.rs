//! The Kubernetes API through kube: which cluster, its objects as JSON, and what became of a request. No type of kube
//! leaves this module.

mod exec;

pub use exec::{ExecError, ExecOutcome, ExecRequest, Stdin, exec, with_length, with_limit};
