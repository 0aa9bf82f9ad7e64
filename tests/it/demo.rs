//! The demo from the outside: it finds what it planted, and however it ends, it leaves nothing behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::postgres::binary;

/// A demo that runs, in a home of its own.
struct Demo {
    child: Child,
    _home: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let servers = binary("postgres").parent().unwrap().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.arg("demo").env_clear().env("PATH", format!("{servers}:/usr/bin:/bin"));
        command.env("HOME", home.path()).env("LANG", "C.UTF-8").current_dir(home.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), _home: home }
    }

    /// Everything it said, and its exit code; interrupted when it says a certain thing.
    fn end(mut self, interrupt_at: Option<&str>) -> (String, Option<i32>) {
        let mut stderr = BufReader::new(self.child.stderr.take().unwrap());
        let mut said = String::new();
        if let Some(moment) = interrupt_at {
            while !said.contains(moment) {
                assert!(stderr.read_line(&mut said).unwrap() > 0, "it never said `{moment}`:\n{said}");
            }
            let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
        }
        stderr.read_to_string(&mut said).unwrap();
        let exit = self.child.wait().unwrap().code();
        nothing_is_left(&said);
        (said, exit)
    }
}

/// Neither the directory that it named, nor a process that has to do with it.
fn nothing_is_left(said: &str) {
    let Some(directory) = Regex::new(r"/tmp/runbook-demo-\w+").unwrap().find(said) else { return };
    let directory = directory.as_str();
    assert!(!Path::new(directory).exists(), "{directory} is left:\n{said}");
    let processes = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    let left: Vec<&str> = processes.lines().filter(|line| line.contains(directory)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_finds_every_planted_problem() {
    let (said, exit) = Demo::start().end(None);
    assert!(said.contains("12 of 12 planted problems were found"), "{said}");
    assert!(said.contains("the server is stopped, and everything it wrote is removed"), "{said}");
    assert_eq!(exit, Some(0), "{said}");
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    for moment in
        ["starting PostgreSQL", "filling a small warehouse", "starting a batch", "run weekly-vacuum"]
    {
        let (said, exit) = Demo::start().end(Some(moment));
        assert_eq!(exit, Some(130), "at `{moment}`:\n{said}");
        assert!(!said.contains("planted problems were found"), "at `{moment}`:\n{said}");
    }
}
