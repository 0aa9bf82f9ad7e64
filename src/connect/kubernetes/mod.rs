//! The Kubernetes API through kube: which cluster, its objects as JSON, and what became of a request. No type of kube
//! leaves this module.
//!
//! Objects are raw JSON throughout: typed structs drop the fields they do not know, so what was read could not be
//! written back. Every write passes [`Cluster`]'s one gateway, which makes it a server-side dry run, or refuses it, where
//! that is all the caller may do.

mod account;
mod client;
mod cluster;
mod config;
mod container;
mod discovery;
mod error;
mod exec;
mod files;
mod forward;
mod identity;
mod objects;
mod path;
mod pods;
mod proxy;
mod resource;
mod rights;

pub use cluster::{Access, Cluster, Text};
pub use config::{KubernetesConfig, Source};
pub use container::Container;
pub use error::ApiError;
pub use exec::{ExecOutcome, PrivateEnvironment, Stdin, with_limit};
pub use files::{FileKind, FilesError, Placing, RemoteFile};
pub use forward::{PodAddress, PodTunnel};
pub use identity::ClusterIdentity;
pub use objects::{Deletion, ListOptions, MANAGER, PatchKind, Write};
pub use path::{JsonPath, PathError, is_text};
pub use pods::{Pick, container, is_ready, waiting};
pub use resource::Resource;
pub use rights::{Lacking, Right, Which};
