//! `runbook report`: what a run did, from its journal.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::journal::{Store, Verdict};
use crate::report;

/// The arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The run: its name, how its name begins or ends, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The form of the report
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Report {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = Store::open(&context.process);
        let run = store.find(&self.run)?;
        let history = store.read(&run)?;
        if let Verdict::ReportOnly(why) = &history.verdict {
            context.say(&format!("warning: the journal of {run} is damaged: {why}\n"));
        }
        let report = report::Report::from_events(&history.events)
            .map_err(|error| CliError::new(format!("the journal of {run} makes no sense: {error}")))?;
        let json = match self.format {
            Some(format) => format == Format::Json,
            None => context.json,
        };
        if json {
            context.print_json(&report)?;
        } else {
            context.print(&report.to_text(context.page.width));
        }
        Ok(Exit::Success)
    }
}
