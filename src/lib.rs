//! `runbook` reads a YAML step graph, checks it, resolves it into a plan, shows what the plan would do, and runs it.
//!
//! ```text
//! text ──yaml──▶ Document ──runbook──▶ Runbook ──plan──▶ Plan ──engine──▶ Event … ──▶ Journal, Terminal, NDJSON, Report
//! ```
//!
//! Everything left of the engine is pure: text in, values and diagnostics out, no clock, no environment, no network.
//! Which module may import which is a table in `tests/it/layers.rs`, and a test that reads the sources enforces it.

pub mod cli;
pub mod connect;
pub mod demo;
pub mod diagnostic;
pub mod engine;
pub mod environment;
pub mod event;
pub mod journal;
pub mod library;
pub mod model;
pub mod plan;
pub mod report;
pub mod runbook;
pub mod sql;
pub mod step;
pub mod template;
pub mod trial;
pub mod ui;
pub mod yaml;
