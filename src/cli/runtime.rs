//! The runtime of commands that talk to a server; the others start without one.

use super::error::CliError;

/// Runs a future to its end on this thread.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(format!("the program cannot wait for the network: {error}")))?;
    Ok(runtime.block_on(future))
}
