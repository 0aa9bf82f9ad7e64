//! What a step can do: the kinds, and what they share.
//!
//! Adding a kind: write its file with its types, its `impl StepKind` and its tests; add a `mod` line and a line in
//! [`KINDS`] here. Decoding, JSON Schema, previews, the journal and `explain` follow from the trait; no other file
//! names it.

mod ahead;
mod assert;
mod bind;
mod confirm;
mod context;
mod error;
mod exec;
mod kind;
mod kubectl;
mod program;
mod sql;
pub mod templated;

pub use ahead::with_parsed;
pub use assert::{Assert, Level};
pub use bind::{Binder, SecretNames};
pub use confirm::{Confirm, ConfirmSpec};
pub use context::{Gate, GateAnswer, ReadContext, RunContext, StepEvents, StopSignal};
pub use error::{BindError, StepError};
pub use kind::{
    Anchor, Body, CheckContext, Done, Happened, Input, Kind, Need, Preview, RightNeeded, Settled, StepKind,
    TookEffect, Undo,
};
pub use sql::Sql;

use kind::Of;

/// Every kind of step.
pub static KINDS: &[&dyn Kind] = &[
    &Of::<Sql>::KIND,
    &Of::<Assert>::KIND,
    &Of::<Confirm>::KIND,
    &Of::<exec::Exec>::KIND,
    &Of::<kubectl::Kubectl>::KIND,
];
