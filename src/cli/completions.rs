//! `runbook completions`: a script that completes the command line.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::context::Context;
use super::exit::Exit;

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell the script is for
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, mut command: Command, context: &Context) -> Exit {
        let mut script = Vec::new();
        generate(self.shell, &mut command, "runbook", &mut script);
        context.print(&String::from_utf8_lossy(&script));
        Exit::Success
    }
}
