//! Words, colours, progress: everything a person sees of a run, and the stream of JSON lines.
//!
//! Data goes to stdout, everything else to stderr, all of it through [`Out`], which masks secrets. Nothing is told by
//! colour alone. This module must not decide anything about a run.

mod diagnostic;
mod ndjson;
mod out;
mod plan;
mod prompt;
mod style;
mod terminal;
mod text;

pub use crate::report::{duration, number as count};
pub use diagnostic::{render, summary, to_json};
pub use ndjson::Ndjson;
pub use out::{Closed, Out};
pub use plan::plan_page;
pub use prompt::TerminalPrompter;
pub use style::{ColorChoice, Mark, Style, Tone};
pub use terminal::{Screen, Terminal};
pub use text::{clean, fit, one_line, wrap};
