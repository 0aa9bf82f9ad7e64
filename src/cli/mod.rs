//! The edge: the command line, the process environment, exit codes, and one file per command.
//!
//! Nothing here decides what a runbook does. Adding a command: its file, a `mod` line, a variant of [`Command`] and an
//! arm of `dispatch`.

mod again;
mod args;
mod check;
mod completions;
mod configuration;
mod context;
mod demo;
mod environment;
mod error;
mod exclusion;
mod execute;
mod exit;
mod explain;
mod graph;
mod list;
mod man;
mod overview;
mod panic;
mod parameters;
mod plan;
mod prepare;
mod report;
mod resume;
mod run;
mod runs;
mod runtime;
mod schema;
mod selection;
mod show;
mod signals;
mod story;
mod targets;
mod test;

pub use exit::Exit;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use args::{Color, Form, Global};
use context::Context;
use error::CliError;

use crate::model::{ProcessEnvironment, Redactor};
use crate::ui::{ColorChoice, Out, Style};

/// Checks, plans and runs declarative runbooks for PostgreSQL maintenance
#[derive(Debug, Parser)]
#[command(name = "runbook", version, propagate_version = true, max_term_width = 100)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
enum Command {
    /// List the runbooks that can be named
    List(list::List),
    /// Show what a runbook is for and what it does
    Show(show::Show),
    /// Draw what waits for what
    Graph(graph::Graph),
    /// Find every mistake in runbooks, without running them
    Check(check::Check),
    /// Try runbooks on canned results and on faults
    Test(test::Test),
    /// Explain a diagnostic code, or what became of a step of a run
    Explain(explain::Explain),
    /// Show what a run would do, without doing anything
    Plan(plan::Plan),
    /// Run a runbook
    Run(run::Run),
    /// Go on with a run that was interrupted or left
    Resume(resume::Resume),
    /// Undo what a run has done
    Rollback(resume::Rollback),
    /// List the runs that were recorded, newest first
    Runs(runs::Runs),
    /// Show what a run did
    Report(report::Report),
    /// Print the JSON Schema of a runbook, or explain one key
    Schema(schema::Schema),
    /// Try the shipped runbooks on a throwaway PostgreSQL
    Demo(demo::Demo),
    /// Print a script that completes the command line
    Completions(completions::Completions),
    /// Print the manual as roff
    Man,
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::List(command) => command.run(context),
        Command::Show(command) => command.run(context),
        Command::Graph(command) => command.run(context),
        Command::Check(command) => command.run(context),
        Command::Test(command) => command.run(context),
        Command::Explain(command) => command.run(context),
        Command::Plan(command) => command.run(context),
        Command::Run(command) => command.run(context),
        Command::Resume(command) => command.run(context),
        Command::Rollback(command) => command.run(context),
        Command::Runs(command) => command.run(context),
        Command::Report(command) => command.run(context),
        Command::Schema(command) => command.run(context),
        Command::Demo(command) => command.run(context),
        Command::Completions(command) => Ok(command.run(Cli::command(), context)),
        Command::Man => man::run(Cli::command(), context),
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let process = environment::read();
    let redactor = Redactor::new();
    panic::install(&redactor);
    run(std::env::args_os().collect(), process, redactor).into()
}

fn run(arguments: Vec<OsString>, process: ProcessEnvironment, redactor: Redactor) -> Exit {
    let style = Style::detect(&process, std::io::stderr().is_terminal());
    let page = Style::detect(&process, std::io::stdout().is_terminal());
    let out = Out::new(redactor.clone());
    let parsed =
        Cli::command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let Cli { global, command } = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &out, &style, &page),
    };
    let color = match global.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let context = Context {
        process,
        style: style.with_color(color),
        page: page.with_color(color),
        out,
        redactor,
        json: global.output == Form::Json,
        config: global.config,
    };
    let exit = dispatch(command, &context).unwrap_or_else(|error| {
        context.report(&error);
        error.exit
    });
    context.out.flush();
    exit
}

/// Help and version go to stdout and are a success; everything else is a mistake in the command line.
fn usage(error: &clap::Error, out: &Out, style: &Style, page: &Style) -> Exit {
    let text = |style: &Style| {
        let rendered = error.render();
        if style.color { rendered.ansi().to_string() } else { rendered.to_string() }
    };
    if error.use_stderr() {
        let _ = out.stderr(&text(style));
        return Exit::Usage;
    }
    let _ = out.stdout(&text(page));
    Exit::Success
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
