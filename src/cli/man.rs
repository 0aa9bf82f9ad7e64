//! `runbook man`: the manual, one page for the command and one for each subcommand, as roff.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;

/// Prints the manual; `runbook man | man -l -` shows it.
pub(super) fn run(mut command: Command, context: &Context) -> Result<Exit, CliError> {
    // Global options reach the subcommands only when the command is complete.
    command.build();
    let mut roff = Vec::new();
    write(&command, &mut roff)
        .map_err(|error| CliError::new(format!("the manual cannot be written: {error}")))?;
    context.print(&String::from_utf8_lossy(&roff));
    Ok(Exit::Success)
}

fn write(command: &Command, roff: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(roff)?;
    man.render_name_section(roff)?;
    man.render_synopsis_section(roff)?;
    man.render_description_section(roff)?;
    man.render_subcommands_section(roff)?;
    man.render_options_section(roff)?;
    exit_status(roff);
    man.render_version_section(roff)?;
    for subcommand in command.get_subcommands() {
        let name = format!("runbook {}", subcommand.get_name());
        let subcommand = subcommand.clone().display_name(name);
        Man::new(subcommand).render(roff)?;
    }
    Ok(())
}

fn exit_status(roff: &mut Vec<u8>) {
    roff.extend_from_slice(b".SH \"EXIT STATUS\"\n");
    for exit in Exit::ALL {
        roff.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{}\n", exit.code(), exit.meaning()).as_bytes());
    }
}
