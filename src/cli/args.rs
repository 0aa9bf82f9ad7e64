//! Argument groups that commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// The form of the output: text for people, json for programs
    #[arg(long, global = true, value_name = "FORM", default_value = "text", help_heading = "Everywhere")]
    pub(super) output: Form,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Everywhere")]
    pub(super) color: Color,
    /// The file of environments, instead of the runbook.yaml that is found
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(super) config: Option<PathBuf>,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs: data and errors are JSON on stdout.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// Where the terminal shows them and `NO_COLOR` is not set.
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// A runbook, its parameters, and where it is to be run.
#[derive(Debug, Clone, Args)]
pub(super) struct Target {
    /// A name from `runbook list`, or a path
    #[arg(value_name = "RUNBOOK")]
    pub(super) name: String,
    /// Give a parameter its value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) set: Vec<(String, String)>,
    /// Read parameters from a YAML or JSON file
    #[arg(long, value_name = "FILE")]
    pub(super) params_file: Option<PathBuf>,
    /// The environment that says where the connections lead
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<String>,
}

/// Splits `name=value` at the first equals sign.
pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
