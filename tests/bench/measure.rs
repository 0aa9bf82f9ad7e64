//! Runs a command to its end and says how long it took, or how much memory it needed at most.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// One run of a command.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// From start to end.
    pub(crate) wall: Duration,
    /// On all processors together: what the wall clock would say on an idle machine, waiting left out.
    pub(crate) processor: Duration,
}

/// The time from start to end.
pub(crate) fn timed(command: &mut Command) -> Sample {
    let began = Instant::now();
    let mut child = start(command);
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(&child)), ended).unwrap();
    let wall = began.elapsed();
    // Once it has been waited for, the kernel has forgotten it.
    let processor = processor_time(child.id()).unwrap_or_default();
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
    Sample { wall, processor }
}

/// What the kernel counted for the process, in hundredths of a second.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th field behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

/// Both commands in turn, after one of each that does not count: what slows the machine down slows both.
pub(crate) fn alternately(
    count: usize,
    mut ours: impl FnMut() -> Command,
    mut theirs: impl FnMut() -> Command,
) -> (Vec<Sample>, Vec<Sample>) {
    let mut both = || (timed(&mut ours()), timed(&mut theirs()));
    both();
    (0..count).map(|_| both()).unzip()
}

/// The most memory the command had resident at once, in bytes.
pub(crate) fn peak(command: &mut Command) -> u64 {
    watched(command).1
}

/// The time and the most resident memory. Looking costs time, so what is compared is not watched.
pub(crate) fn watched(command: &mut Command) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = start(command);
    let mut most = 0;
    let status = loop {
        most = most.max(high_water(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_micros(300));
    };
    assert!(status.success(), "{command:?} ended with {status}");
    (began.elapsed(), most)
}

/// The kernel's own high-water mark, so nothing between two looks is missed but the last moment.
fn high_water(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
