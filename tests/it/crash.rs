//! The crash matrix: the program is killed at every write and sync of its journal, torn lines and full disks included,
//! and at random instants; another process resumes or rolls back. Afterwards every effect happened exactly once, or was
//! undone exactly once, or is reported uncertain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::live::{Live, Ran};
use crate::support::package;
use crate::support::sandbox::Output;

/// A run of every kind of effect. Each leaves exactly one row of its name, or one index.
const STEPS: &str = r"
steps:
  - { id: look, sql: SELECT count(*) AS n FROM done }
  - id: one
    sql: INSERT INTO done VALUES ('one')
    rollback: [{ id: back, sql: DELETE FROM done WHERE what = 'one'; INSERT INTO undone VALUES ('one') }]
  - id: each
    for_each: '[1, 2]'
    sql: 'INSERT INTO done VALUES ({{ item }}::text)'
    rollback:
      - { id: back, sql: 'DELETE FROM done WHERE what = {{ item }}::text; INSERT INTO undone VALUES ({{ item }}::text)' }
  - id: index
    sql: CREATE INDEX CONCURRENTLY i ON done (what)
    rollback: [{ id: drop, sql: DROP INDEX CONCURRENTLY i }]
  - id: never
    sql: { query: INSERT INTO done VALUES ('never'), transaction: never }
    verify: { sql: SELECT count(*) AS n FROM done WHERE what = 'never', that: this.value == 1 }
    rollback: [{ id: back, sql: DELETE FROM done WHERE what = 'never'; INSERT INTO undone VALUES ('never') }]
  - id: program
    exec: { command: [psql, -Xqc, INSERT INTO done VALUES ('program')], postgres: db }
    verify: { sql: SELECT count(*) AS n FROM done WHERE what = 'program', that: this.value == 1 }
    rollback: [{ id: back, sql: DELETE FROM done WHERE what = 'program'; INSERT INTO undone VALUES ('program') }]
  - { id: vacuum, sql: VACUUM done }
";

const EFFECTS: [&str; 5] = ["one", "1", "2", "never", "program"];

/// The library that is loaded before the C library and fails one call.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let library = std::env::temp_dir().join(format!("runbook-fault-{}.so", std::process::id()));
        let source = package().join("tests/crash/kill.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        let built = compiler.status().expect("cc is installed: `apt install gcc` brings it");
        assert!(built.success());
        library
    })
}

/// What became of the runs of one matrix.
#[derive(Debug, Default)]
struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn total(&self) -> usize {
        self.0.values().sum()
    }
}

struct Matrix {
    live: Live,
    counts: Counts,
}

impl Matrix {
    fn new(last: &str) -> Self {
        let live = Live::with("CREATE TABLE done (what text); CREATE TABLE undone (what text)");
        live.write("trial", &format!("{STEPS}{last}"));
        Self { live, counts: Counts::default() }
    }

    /// Runs with a fault; whether the program was killed or ended by itself.
    fn run(&self, fault: &str) -> Output {
        let mut command = self.live.sandbox.command(&["run", "./trial.yaml", "--output", "json"]);
        command.env("LD_PRELOAD", library()).env("RUNBOOK_FAULT", fault);
        let output = command.output().unwrap();
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            exit: output.status.code(),
        }
    }

    /// Runs, and kills after some time.
    fn run_for(&self, time: Duration) -> bool {
        let mut command = self.live.sandbox.command(&["run", "./trial.yaml", "--output", "json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time);
        let killed = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        killed
    }

    /// Goes on with what was killed, and checks that nothing was lost and nothing happened twice.
    fn settle(&mut self, how: &str, direction: &str) {
        let ran: Ran = self.live.sandbox.run_args(&[direction, "last", "--output", "json"]).into();
        let began = !ran.stdout.contains("there is no run") && !ran.stdout.contains("before anything began");
        let over = ran.stdout.contains("is over") || ran.stdout.contains("rolled back already");
        let what = match (ran.exit, direction) {
            _ if !began => "nothing had begun",
            _ if over => "was over already",
            (Some(0), "resume") => "resumed",
            (Some(3), _) => "rolled back",
            (Some(4), _) => "reported uncertain",
            _ => panic!("{how}: {ran:?}"),
        };
        self.counts.add(what);
        let undone = self.live.psql("SELECT string_agg(what, ' ' ORDER BY what) FROM undone");
        for effect in EFFECTS {
            let done = self.live.psql(&format!("SELECT count(*) FROM done WHERE what = '{effect}'"));
            let back = self.live.psql(&format!("SELECT count(*) FROM undone WHERE what = '{effect}'"));
            let fits = match what {
                "nothing had begun" => (done.as_str(), back.as_str()) == ("0", "0"),
                "resumed" => (done.as_str(), back.as_str()) == ("1", "0"),
                "rolled back" => done == "0" && ["0", "1"].contains(&back.as_str()),
                _ => ["0", "1"].contains(&done.as_str()) && ["0", "1"].contains(&back.as_str()),
            };
            assert!(fits, "{how}, {what}: `{effect}` is there {done} times, undone: {undone}\n{ran:?}");
        }
        let index = self
            .live
            .psql("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('i') AND indisvalid");
        match what {
            "resumed" => assert_eq!(index, "1", "{how}: {ran:?}"),
            "rolled back" | "nothing had begun" => assert_eq!(index, "0", "{how}: {ran:?}"),
            _ => {}
        }
        if what == "reported uncertain" {
            let named = ran.stdout.contains("uncertain") || ran.stdout.contains("stuck");
            assert!(named, "{how}: {ran:?}");
        }
        self.clean();
    }

    fn clean(&self) {
        self.live.psql("TRUNCATE done, undone; DROP INDEX IF EXISTS i");
        std::fs::remove_dir_all(self.live.sandbox.state()).ok();
    }
}

/// Kills at every call of a kind until the run gets through.
fn every_boundary(matrix: &mut Matrix, how: &str, direction: &str) {
    for number in 1..200 {
        let fault = format!("{how}:{number}");
        let output = matrix.run(&fault);
        if output.exit.is_some() {
            assert!(number > 20, "only {number} boundaries: {output:?}");
            matrix.clean();
            return;
        }
        matrix.settle(&fault, direction);
    }
    panic!("the run never got through");
}

#[test]
fn a_run_killed_at_any_boundary_of_its_journal_goes_on() {
    let mut matrix = Matrix::new("");
    for how in ["before", "after", "torn"] {
        every_boundary(&mut matrix, how, "resume");
    }
    println!("killed at a boundary, then resumed: {:?}, {} in all", matrix.counts.0, matrix.counts.total());
    assert!(matrix.counts.0["resumed"] > 60, "{:?}", matrix.counts);
    assert!(!matrix.counts.0.contains_key("reported uncertain"), "{:?}", matrix.counts);
}

#[test]
fn a_run_killed_at_any_boundary_of_its_journal_can_be_rolled_back() {
    let mut matrix = Matrix::new("");
    every_boundary(&mut matrix, "before", "rollback");
    every_boundary(&mut matrix, "after", "rollback");
    println!(
        "killed at a boundary, then rolled back: {:?}, {} in all",
        matrix.counts.0,
        matrix.counts.total()
    );
    assert!(matrix.counts.0["rolled back"] > 40, "{:?}", matrix.counts);
}

#[test]
fn an_undo_killed_at_any_boundary_goes_on() {
    let mut matrix = Matrix::new("  - { id: stop, sql: SELECT 1/0 }\n");
    every_boundary(&mut matrix, "before", "resume");
    println!("killed in its undo too, then resumed: {:?}, {} in all", matrix.counts.0, matrix.counts.total());
    assert!(matrix.counts.0["rolled back"] > 40, "{:?}", matrix.counts);
}

#[test]
fn a_run_killed_at_any_instant_goes_on() {
    let mut matrix = Matrix::new("");
    // Instants that are spread evenly, and the same each time: what varies is what the program does then.
    for number in 0..200_u64 {
        let time = Duration::from_micros(1_000 + (number * 7_919) % 240_000);
        let direction = if number % 2 == 0 { "resume" } else { "rollback" };
        if matrix.run_for(time) {
            matrix.settle(&format!("after {time:?}"), direction);
        } else {
            matrix.clean();
        }
    }
    println!("killed at an instant: {:?}, {} in all", matrix.counts.0, matrix.counts.total());
    assert!(matrix.counts.total() > 60, "{:?}", matrix.counts);
}

#[test]
fn a_full_disk_stops_the_run_before_its_next_effect() {
    let mut matrix = Matrix::new("");
    for number in 2..40 {
        let fault = format!("full:{number}");
        let output = matrix.run(&fault);
        // Space for later lines may be missing, as long as there is some for the next one.
        if output.exit == Some(0) {
            matrix.counts.add("done without reserves");
            matrix.clean();
            continue;
        }
        assert!(output.stdout.contains("journal"), "{fault}: {output:?}");
        matrix.settle(&fault, "resume");
    }
    assert!(matrix.counts.0["resumed"] > 20, "{:?}", matrix.counts);
    println!("the disk full, then resumed: {:?}", matrix.counts.0);
}
