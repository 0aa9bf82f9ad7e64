//! The `runbook` command. Everything it does is in the library; this hands over and returns the exit code.

/// Runs the command line.
fn main() -> std::process::ExitCode {
    runbook::cli::main()
}
