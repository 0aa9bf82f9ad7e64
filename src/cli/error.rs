//! [`CliError`]: why a command did not do what was asked, as people and programs are told.
//!
//! As text it goes to stderr. With `--output json` it is one object on stdout, `{"error": {message, details, help,
//! exit_code, diagnostics}}`, so that a program always gets JSON where it expects data; usage errors of the command
//! line itself are found before `--output` is known and are text on stderr in any case.

use std::fmt::Write as _;

use serde_json::{Value, json};
use thiserror::Error;

use super::exit::Exit;
use crate::diagnostic::{Diagnostics, Sources};
use crate::journal::JournalError;
use crate::model::Failure;
use crate::ui::{self, Mark, Style, Tone};

/// Why a command did not do what was asked.
#[derive(Debug, Error)]
#[error("{message}")]
pub(super) struct CliError {
    /// A lowercase fragment that says what is wrong.
    pub(super) message: String,
    /// One line each: what exactly.
    pub(super) details: Vec<String>,
    /// A sentence that says what to do.
    pub(super) help: Option<String>,
    /// The exit code.
    pub(super) exit: Exit,
    /// The problems of a document, with the texts they point into.
    diagnostics: Option<Box<(Diagnostics, Sources)>>,
}

impl CliError {
    /// An error of usage.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            details: Vec::new(),
            help: None,
            exit: Exit::Usage,
            diagnostics: None,
        }
    }

    /// The problems of a document, which speak for themselves.
    pub(super) fn of_document(
        message: impl Into<String>,
        diagnostics: Diagnostics,
        sources: Sources,
    ) -> Self {
        Self { diagnostics: Some(Box::new((diagnostics, sources))), ..Self::new(message) }
    }

    /// Adds the sentence that says what to do.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a line of detail.
    #[must_use]
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Ends with another code.
    #[must_use]
    pub(super) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The error as text for stderr.
    pub(super) fn to_text(&self, style: &Style) -> String {
        let mut text = String::new();
        if let Some((diagnostics, sources)) = self.diagnostics.as_deref() {
            text += &ui::render(diagnostics, sources, style);
            text.push('\n');
        }
        let word = style.paint(Tone::Bad, "error:");
        let _ = writeln!(text, "{word} {}", ui::clean(&self.message));
        for detail in &self.details {
            for (index, line) in ui::wrap(detail, style.width.saturating_sub(4)).iter().enumerate() {
                let indent = if index == 0 { "  " } else { "    " };
                let _ = writeln!(text, "{indent}{line}");
            }
        }
        if let Some(help) = &self.help {
            let mark = style.mark(Mark::Remark);
            for (index, line) in ui::wrap(help, style.width.saturating_sub(3)).iter().enumerate() {
                let before = if index == 0 { format!("{mark} ") } else { "  ".to_owned() };
                let _ = writeln!(text, "{before}{line}");
            }
        }
        text
    }

    /// The error as one object for stdout.
    pub(super) fn to_json(&self) -> Value {
        let diagnostics = self.diagnostics.as_deref();
        json!({ "error": {
            "message": self.message,
            "details": self.details,
            "help": self.help,
            "exit_code": self.exit.code(),
            "diagnostics": diagnostics.map(|(diagnostics, sources)| ui::to_json(diagnostics, sources)),
        }})
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self { details: failure.details, help: failure.help, ..Self::new(failure.message) }
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        Self { help: error.help(), ..Self::new(error.to_string()) }
    }
}
