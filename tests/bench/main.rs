//! `cargo bench`: how long commands take and how much memory they need, against what the project promises.
//!
//! Whole processes of the release build are measured, against `psql` on the same server where there is something to
//! compare with. It prints a table and never fails because of a time: a busy machine is no defect.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and the environment")]
#![allow(clippy::print_stdout, reason = "the table is what it is for")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

mod figure;
mod generated;
mod history;
mod measure;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use figure::{Figure, Growth};
use measure::{alternately, peak, timed};
use server::Server;

const MIB: u64 = 1 << 20;
/// The statements of the runs that are compared with `psql`.
const STATEMENTS: usize = 1000;

fn main() {
    // `cargo test --benches` asks for the tests, and there are none.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |group: &str| wanted.is_empty() || wanted.iter().any(|word| group.contains(word.as_str()));
    let bench = Bench::new();
    println!("{}", figure::heading());
    for (group, measure) in GROUPS {
        if is_wanted(group) {
            measure(&bench);
        }
    }
}

type Measure = fn(&Bench);

/// What is measured, in the order of the table; `cargo bench -- NAME` measures only that.
const GROUPS: &[(&str, Measure)] = &[
    ("start", Bench::start),
    ("check", |bench| bench.large(&["check"])),
    ("plan", |bench| bench.large(&["plan", "--offline"])),
    ("report", Bench::report),
    ("select", Bench::selects),
    ("insert", Bench::inserts),
    ("copy", Bench::copy),
];

struct Bench {
    folder: tempfile::TempDir,
    server: std::cell::OnceCell<Server>,
}

impl Bench {
    fn new() -> Self {
        // Beside the build, so that journals and the server's files are on one ordinary disk.
        let folder =
            tempfile::Builder::new().prefix("bench").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { folder, server: std::cell::OnceCell::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self) -> &Server {
        self.server.get_or_init(Server::start)
    }

    /// The program with nothing of our environment, so that no setting of ours changes what it does.
    fn runbook(&self, arguments: &[&str]) -> Command {
        // Another build, such as an older one, to compare with.
        let program = std::env::var_os("RUNBOOK_BENCH_PROGRAM");
        let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_runbook").into()));
        command.args(arguments).env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.current_dir(self.folder.path());
        command
    }

    /// A run on the server.
    fn run(&self, runbook: &Path, more: &[&str]) -> Command {
        let mut command = self.runbook(&["run", runbook.to_str().unwrap()]);
        command.args(more).envs(self.server().environment());
        command
    }

    /// `psql` on the same server, with the statements sent one by one.
    fn psql(&self, file: &Path) -> Command {
        let mut command = Command::new(server::binary("psql"));
        command.args(["-X", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file);
        command.env_clear().envs(self.server().environment());
        command
    }

    fn start(&self) {
        for (name, arguments, limit) in [
            ("start-up: --version", &["--version"][..], Duration::from_millis(5)),
            (
                "plan --offline of weekly-vacuum",
                &["plan", "--offline", "weekly-vacuum"],
                Duration::from_millis(15),
            ),
        ] {
            let samples = (0..21).map(|_| timed(&mut self.runbook(arguments))).collect();
            Figure::time(name, samples).below(limit).peak(peak(&mut self.runbook(arguments)), None).print();
        }
    }

    /// A command on 10,000 steps, of one statement each and of every kind, and how it grows from 1,000.
    fn large(&self, command: &[&str]) {
        let statement = |index| format!("SELECT count(*) FROM orders WHERE id > {index}");
        self.large_of("plain", command, &|name, count| generated::statements(name, count, &statement));
        self.large_of("varied", command, &generated::varied);
    }

    fn large_of(&self, steps: &str, command: &[&str], generate: &dyn Fn(&str, usize) -> String) {
        let [small, large] = [1_000, 10_000].map(|count| {
            let file = self.path(&format!("{steps}-{count}.yaml"));
            std::fs::write(&file, generate(&format!("{steps}-{count}"), count)).unwrap();
            [command, &[file.to_str().unwrap()]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        });
        let measured = |arguments: &[String]| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            self.runbook(&arguments)
        };
        let (large_times, small_times) = alternately(7, || measured(&large), || measured(&small));
        let name = command.join(" ");
        let peak = peak(&mut measured(&large));
        let large = Figure::time(&format!("{name}: 10,000 {steps} steps"), large_times);
        large.clone().below(Duration::from_millis(500)).peak(peak, Some(150 * MIB)).print();
        large.named(&format!("{name}: 10,000 to 1,000 {steps}")).against("1,000", small_times, 12.0).print();
    }

    /// A journal is opened whole: read, verified by its hashes, folded into the state of the run.
    fn report(&self) {
        let state = self.path("state");
        history::write(&state, 100_000);
        let report = || {
            let mut command = self.runbook(&["report", history::RUN]);
            command.env("RUNBOOK_STATE", &state);
            command
        };
        let samples = (0..7).map(|_| timed(&mut report())).collect();
        let figure = Figure::time("report of 100,000 events", samples).below(Duration::from_secs(1));
        figure.peak(peak(&mut report()), None).print();
    }

    fn selects(&self) {
        let sql = |_| "SELECT 1".to_owned();
        self.compared("select", &sql, 1.5, Some(40 * MIB));
    }

    fn inserts(&self) {
        self.server().psql("CREATE TABLE entries (id int PRIMARY KEY, note text)");
        let serial = std::cell::Cell::new(0);
        // Every sample inserts rows of its own; the file is written again for each.
        let sql = move |index: usize| {
            if index == 0 {
                serial.set(serial.get() + STATEMENTS);
            }
            format!("INSERT INTO entries VALUES ({}, 'an entry')", serial.get() + index)
        };
        self.compared("insert", &sql, 2.0, None);
    }

    /// The same statements by a run, journal and all, and by `psql`.
    fn compared(&self, name: &str, sql: &dyn Fn(usize) -> String, limit: f64, memory: Option<u64>) {
        let (file, script) = (self.path(&format!("{name}.yaml")), self.path(&format!("{name}.sql")));
        let run = || {
            std::fs::write(&file, generated::statements(name, STATEMENTS, sql)).unwrap();
            self.run(&file, &[])
        };
        let psql = || {
            std::fs::write(&script, generated::script(STATEMENTS, sql)).unwrap();
            self.psql(&script)
        };
        let (ours, theirs) = alternately(9, run, psql);
        let figure = Figure::time(&format!("run of 1,000 {} steps", name.to_uppercase()), ours);
        figure.against("psql", theirs, limit).peak(peak(&mut run()), memory).print();
    }

    /// What a COPY of 2 GiB adds to the memory that one of 1 MiB needs.
    fn copy(&self) {
        let run = |name: &str, rows: u64| {
            let file = self.path(&format!("{name}.yaml"));
            std::fs::write(&file, generated::copy(name, rows)).unwrap();
            self.run(&file, &["--files", self.folder.path().to_str().unwrap()])
        };
        let small = peak(&mut run("copy-small", 1 << 10));
        let (seconds, large) = measure::watched(&mut run("copy-large", 1 << 21));
        Growth { name: "COPY of 2 GiB to a file", seconds, small, large, limit: 32 * MIB }.print();
    }
}
