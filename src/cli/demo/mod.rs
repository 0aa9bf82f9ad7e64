//! `runbook demo`: a throwaway server with a warehouse and planted problems, the health checks and the weekly work run
//! on it, and everything removed again, however it ends.

mod page;
mod runs;
mod warehouse;

use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::runtime::block_on;
use super::signals::{self, Interrupts};
use crate::demo::{self, DemoError, DemoServer, OWNER, ServerBinaries};

use page::Page;
use runs::{Detail, Runs};

/// The arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How large the warehouse is; 1 makes 300 MB
    #[arg(long, value_name = "FACTOR", default_value_t = demo::DEFAULT_SCALE)]
    scale: f64,
    /// Show every run in full, not only the weekly vacuum
    #[arg(long, short)]
    verbose: bool,
}

/// The monitoring role that the demo's server has.
const MONITOR: &str = "wms_mon";
/// Run while the live problems last.
const HEALTH_CHECKS: [&str; 4] = ["connection-pool", "long-running-queries", "table-sizes", "index-usage"];
/// Run when they are over; the last one is shown in full.
const WEEKLY: [&str; 2] = ["weekly-statistics", "weekly-vacuum"];
/// The thresholds of the demo are seconds, and the sessions that cause the live problems must be older than that.
const AGEING: Duration = Duration::from_secs(3);

impl Demo {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        block_on(self.start(context))?
    }

    /// A second signal drops everything, which also stops the server and removes its files.
    async fn start(&self, context: &Context) -> Result<Exit, CliError> {
        let interrupts = signals::listen(context.out.clone())?;
        tokio::select! {
            ended = self.stage(context, &interrupts) => ended,
            _ = interrupts.at_once.raised() => Ok(Exit::Interrupted),
        }
    }

    /// Whatever happens on the stage, the server is stopped and its files are removed.
    async fn stage(&self, context: &Context, interrupts: &Interrupts) -> Result<Exit, CliError> {
        let page = Page { out: &context.out, style: &context.style };
        page.welcome();
        let Some((binaries, server)) = unless_stopped(interrupts, server(context, page)).await? else {
            return Ok(Exit::Interrupted);
        };
        let shown = self.show(context, interrupts, page, &binaries, &server).await;
        server.stop().await.map_err(demo_error)?;
        page.note("the server is stopped, and everything it wrote is removed");
        if matches!(shown, Ok(Exit::Success)) {
            page.next();
        }
        shown
    }

    async fn show(
        &self,
        context: &Context,
        interrupts: &Interrupts,
        page: Page<'_>,
        binaries: &ServerBinaries,
        server: &DemoServer,
    ) -> Result<Exit, CliError> {
        let prepared = unless_stopped(interrupts, async {
            warehouse::fill(server, &context.process, self.scale, page).await?;
            let live = warehouse::disturb(server, &context.process, page).await?;
            tokio::time::sleep(AGEING).await;
            Ok(live)
        });
        let Some(live) = prepared.await? else { return Ok(Exit::Interrupted) };
        let mut runs = Runs::new(context, interrupts, page, server);
        for name in HEALTH_CHECKS {
            runs.run(name, MONITOR, self.detail(name)).await?;
        }
        if unless_stopped(interrupts, async { Ok(live.end().await) }).await?.is_none() {
            return Ok(Exit::Interrupted);
        }
        for name in WEEKLY {
            runs.run(name, OWNER, self.detail(name)).await?;
        }
        if interrupts.stop.reason().is_some() {
            return Ok(Exit::Interrupted);
        }
        Ok(page.sum_up(binaries, runs.evidence()))
    }

    fn detail(&self, name: &str) -> Detail {
        if self.verbose || name == WEEKLY[WEEKLY.len() - 1] { Detail::Full } else { Detail::Findings }
    }
}

/// Finds or fetches a server, and starts it.
async fn server(context: &Context, page: Page<'_>) -> Result<(ServerBinaries, DemoServer), CliError> {
    let mut say = |line: &str| page.note(line);
    let binaries = demo::obtain(&context.process, &mut say).await.map_err(demo_error)?;
    let server = DemoServer::start(&binaries, &mut say).await.map_err(demo_error)?;
    Ok((binaries, server))
}

/// The result of a phase, or none when the operator does not want to wait for it.
async fn unless_stopped<T>(
    interrupts: &Interrupts,
    phase: impl Future<Output = Result<T, CliError>>,
) -> Result<Option<T>, CliError> {
    tokio::select! {
        done = phase => done.map(Some),
        _ = interrupts.stop.raised() => Ok(None),
    }
}

fn demo_error(error: DemoError) -> CliError {
    let help = error.help();
    CliError::new(error.to_string()).help(help).exit(Exit::Failed)
}
