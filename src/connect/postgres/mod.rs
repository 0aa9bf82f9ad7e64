//! PostgreSQL sessions with the conventions of libpq.
//!
//! [`resolve`] turns what a person wrote, and where allowed libpq's environment and files, into a [`Target`];
//! [`Session::open`] connects to it. Nothing here prints, retries, or decides what a statement is allowed to do.

mod argument;
mod array;
mod blockers;
mod cancel;
mod connect;
mod connect_error;
mod connector;
mod copy;
mod dsn;
mod headroom;
mod identity;
mod interval;
mod keyword;
mod notice;
mod password_file;
mod progress;
mod query_error;
mod resolve;
mod service;
mod session;
mod source;
mod statement;
mod target;
mod timestamp;
mod tls;
mod type_catalog;
mod value;
mod verify;
mod wire;

pub use blockers::{Blocker, blockers};
pub use cancel::Canceller;
pub use connect_error::ConnectError;
pub use copy::CopyIn;
pub use headroom::headroom;
pub use identity::{Extension, Identity, extensions, identity, missing_roles};
pub use notice::Notice;
pub use progress::{Progress, ProgressView, progress};
pub use query_error::{QueryError, QueryErrorKind, ServerError, Stage};
pub use resolve::{authentication_methods, resolve};
pub use session::{ServerInfo, Session, SessionOptions};
pub use source::Address;
pub use statement::{Column, ResultLimits, StatementResult};
pub use target::{
    ChannelBinding, Host, Keepalives, LoadBalance, SessionAttributes, Target, TransactionStatus,
};
pub use tls::{SslMode, SslNegotiation, TlsOptions};
