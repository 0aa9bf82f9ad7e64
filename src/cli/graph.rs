//! `runbook graph`: what waits for what.

use clap::{Args, ValueEnum};

use super::args::Target;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::overview::overview;
use crate::plan::{Format, draw};

/// The arguments of `graph`.
#[derive(Debug, Args)]
pub(super) struct Graph {
    #[command(flatten)]
    target: Target,
    /// How it is drawn
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Drawing,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Drawing {
    /// Lines of text.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// A picture.
    Svg,
}

impl Graph {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let plan = overview(&self.target, context)?.plan;
        if context.json {
            context.print_json(&plan.steps)?;
            return Ok(Exit::Success);
        }
        let format = match self.format {
            Drawing::Text => Format::Text,
            Drawing::Mermaid => Format::Mermaid,
            Drawing::Dot => Format::Dot,
            Drawing::Svg => Format::Svg,
        };
        let drawn = draw(&plan, format).map_err(|why| {
            CliError::new(format!("the graph cannot be drawn: {why}")).help("Use --format dot instead.")
        })?;
        context.print(&(drawn.trim_end().to_owned() + "\n"));
        Ok(Exit::Success)
    }
}
