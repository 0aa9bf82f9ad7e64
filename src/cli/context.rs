//! [`Context`]: what every command is given, and how it answers.

use std::path::PathBuf;

use serde::Serialize;

use super::error::CliError;
use crate::library::Shelf;
use crate::model::{ProcessEnvironment, Redactor};
use crate::ui::{Out, Style};

/// What every command is given.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// The process environment as it was at the start.
    pub(super) process: ProcessEnvironment,
    /// What stderr can show.
    pub(super) style: Style,
    /// What stdout can show.
    pub(super) page: Style,
    /// The only way to stdout and stderr.
    pub(super) out: Out,
    /// Knows every secret; every writer passes it.
    pub(super) redactor: Redactor,
    /// Whether data is JSON.
    pub(super) json: bool,
    /// `--config`.
    pub(super) config: Option<PathBuf>,
}

impl Context {
    /// Where runbooks are found.
    pub(super) fn shelf(&self) -> Shelf {
        Shelf::new(&self.process)
    }

    /// Prints data. A reader who has gone away, as behind `| head`, has what it wanted.
    pub(super) fn print(&self, text: &str) {
        let _ = self.out.stdout(text);
    }

    /// Prints data as one JSON value.
    pub(super) fn print_json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::new(format!("the answer is no JSON: {error}")))?;
        self.print(&(text + "\n"));
        Ok(())
    }

    /// Tells the person something that is not data.
    pub(super) fn say(&self, text: &str) {
        let _ = self.out.stderr(text);
    }

    /// Tells of an error, in the form that was asked for.
    pub(super) fn report(&self, error: &CliError) {
        if self.json {
            self.print(&(format!("{:#}", error.to_json()) + "\n"));
        } else {
            self.say(&error.to_text(&self.style));
        }
    }
}
