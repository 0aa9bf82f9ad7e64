//! What became of a program of which nobody has seen the end: at least, that it has ended.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use crate::step::context::RunContext;
use crate::step::kind::Settled;

/// By this variable a program, and whatever it starts, is known to the runs that come after.
pub(super) const MARK: &str = "RUNBOOK_STEP";

/// How long a program may go on after the process that started it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked again.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until nothing of an earlier attempt is at work on this machine. What it has done, `verify` or a person knows.
pub(super) async fn settle(cx: &RunContext<'_>) -> Settled {
    let end = Instant::now() + PATIENCE;
    loop {
        let running = at_work(cx.application_name);
        match running.as_slice() {
            [] => return Settled::Unknown("nothing outside tells what the program has done".to_owned()),
            processes if Instant::now() > end => {
                return Settled::AtWork(format!(
                    "process {} of the attempt is still at work",
                    processes.join(", ")
                ));
            }
            processes => {
                let detail = format!("process {} is still at work", processes.join(", "));
                cx.events.progress("settling", None, Some(detail));
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// The processes that carry the mark of a step.
fn at_work(step: &str) -> Vec<String> {
    let mark = format!("{MARK}={step}");
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let names = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|name| {
            let environment = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}
