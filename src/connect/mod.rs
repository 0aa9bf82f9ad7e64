//! Connections to the outside world, opened on first use.

mod connections;
mod file;
mod host;
pub mod kubernetes;
mod libpq;
mod lock;
pub mod postgres;
mod prompt;
mod tunnel;

pub use connections::{
    ConnectionConfig, Connections, Expect, LentSession, LoginProof, Purpose, SessionKey, Via,
};
pub use file::{InputFile, KeptFile, OutputFile, PrivateFile, SealedFile, open_input};
pub use host::{Host, PodHost};
pub use libpq::Libpq;
pub use lock::{Claim, Holder, Lock, Meeting, Taken};
pub use prompt::{AnswerKind, PromptError, Prompter, Question};
pub use tunnel::{Dial, Pipe};
