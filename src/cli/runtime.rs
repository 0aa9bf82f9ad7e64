//! The runtime of commands that talk to a server; the others start without one.

use super::error::CliError;

/// Runs a future to its end on this thread.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(format!("the program cannot wait for the network: {error}")))?;
    let output = runtime.block_on(future);
    // A program that hangs while somebody waited for it, such as a credential plugin, must not hold this one.
    runtime.shutdown_background();
    Ok(output)
}
