//! The verbs, one a file.

mod apply;
mod change;
mod cp;
mod create;
mod delete;
mod describe;
mod exec;
mod get;
mod label;
mod logs;
mod manifest;
mod patch;
mod restore;
mod rollout_restart;
mod rollout_status;
mod rollout_undo;
mod scale;
mod unwrite;
mod wait;
mod write;

pub(super) use apply::Apply;
pub(super) use cp::Cp;
pub(super) use create::Create;
pub(super) use delete::Delete;
pub(super) use describe::Describe;
pub(super) use exec::Exec;
pub(super) use get::Get;
pub(super) use label::{Annotate, Label};
pub(super) use logs::Logs;
pub(super) use patch::Patch;
pub(super) use rollout_restart::RolloutRestart;
pub(super) use rollout_status::RolloutStatus;
pub(super) use rollout_undo::RolloutUndo;
pub(super) use scale::Scale;
pub(super) use wait::Wait;
