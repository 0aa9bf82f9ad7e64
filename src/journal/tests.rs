//! What a journal promises, as tests over whole runs on disk.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::head::HeadFile;
use super::record::Hash;
use super::scripted::{begin, end, event, events, finished, run, short, started};
use super::seal::Seal;
use super::store::{HEAD, JOURNAL};
use super::{History, JournalError, RunStatus, Store, Verdict, Writer};
use crate::event::{Event, EventKind, Item, Place};
use crate::model::{
    Applied, Effect, Failure, ProcessEnvironment, RunId, RunOutcome, SkipReason, StepId, StepState,
};

/// A store in a temporary directory, and the paths of the one run in it.
struct Bench {
    store: Store,
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { store: Store::at(directory.path()), directory }
    }

    fn with(events: &[Event]) -> Self {
        let bench = Self::new();
        bench.write(events);
        bench
    }

    fn write(&self, events: &[Event]) {
        let mut writer = self.store.create(&events[0].run).unwrap();
        write(&mut writer, events);
    }

    fn path(&self, file: &str) -> PathBuf {
        self.store.directory(&run()).join(file)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path(JOURNAL)).unwrap()
    }

    fn history(&self) -> History {
        self.store.read(&run()).unwrap()
    }

    fn reason(&self) -> String {
        match self.history().verdict {
            Verdict::ReportOnly(reason) => reason,
            Verdict::Ok => "ok".to_owned(),
        }
    }

    fn state(&self) -> &'static str {
        self.store.list().unwrap()[0].state.as_str()
    }
}

fn write(writer: &mut Writer, events: &[Event]) {
    for event in events {
        writer.append(event).unwrap();
    }
}

/// How many whole lines there are.
fn lines(bytes: &[u8]) -> usize {
    bytes.split(|&byte| byte == b'\n').count() - 1
}

#[test]
fn what_was_written_is_read_back() {
    let bench = Bench::with(&short());
    assert_eq!(bench.history(), History { events: short(), torn: false, verdict: Verdict::Ok });
    for line in String::from_utf8(bench.bytes()).unwrap().lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["hash"].is_string());
    }
}

#[test]
fn only_the_owner_may_look() {
    let bench = Bench::with(&short());
    let mode = |file: &str| fs::metadata(bench.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode(JOURNAL), mode(HEAD)), (0o700, 0o600, 0o600));
}

#[test]
fn a_run_has_one_writer() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    writer.append(&event(1, started())).unwrap();
    assert!(matches!(bench.store.create(&run()), Err(JournalError::Locked { .. })));
    assert!(matches!(bench.store.resume(&run()), Err(JournalError::Locked { .. })));
    drop(writer);
    assert!(matches!(bench.store.create(&run()), Err(JournalError::Exists { .. })));
    assert!(bench.store.resume(&run()).is_ok());
}

#[test]
fn reads_wait_in_memory_and_effects_are_written_at_once() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    let mut seen = Vec::new();
    for event in short() {
        writer.append(&event).unwrap();
        let head: Value = serde_json::from_slice(&fs::read(bench.path(HEAD)).unwrap()).unwrap();
        seen.push((lines(&bench.bytes()), head["seq"].as_u64().unwrap()));
    }
    // Lines in the file and lines vouched for, after: start, read, its end, effect, its end, the end.
    assert_eq!(seen, [(1, 0), (1, 0), (1, 0), (4, 0), (5, 0), (6, 6)]);
}

#[test]
fn an_intent_is_vouched_for_once_it_is_synced() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    for event in short().into_iter().take(4) {
        writer.append(&event).unwrap();
    }
    writer.sync().unwrap();
    let head: Value = serde_json::from_slice(&fs::read(bench.path(HEAD)).unwrap()).unwrap();
    assert_eq!((lines(&bench.bytes()), head["seq"].as_u64()), (4, Some(4)));
}

#[test]
fn many_reads_do_not_pile_up_in_memory() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    writer.append(&event(1, started())).unwrap();
    let before = bench.bytes().len();
    for seq in 2..1000 {
        writer.append(&event(seq, begin("look", Effect::Read))).unwrap();
    }
    assert!(bench.bytes().len() > before + 64 * 1024);
    writer.flush().unwrap();
    assert_eq!(bench.history().events.len(), 999);
}

#[test]
fn events_are_numbered_and_transient_ones_passed_over() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    writer.append(&event(1, started())).unwrap();
    writer.append(&event(1, EventKind::Remarked { message: "hm".to_owned() })).unwrap();
    assert!(matches!(writer.append(&event(3, finished())), Err(JournalError::Unfit { seq: 3, .. })));
    writer.append(&event(2, finished())).unwrap();
    assert_eq!(bench.history().events.len(), 2);
}

#[test]
fn a_run_goes_on_where_it_was_torn() {
    let bench = Bench::with(&short()[..4]);
    fs::OpenOptions::new()
        .append(true)
        .open(bench.path(JOURNAL))
        .unwrap()
        .write_all(b"{\"v\":1,\"se")
        .unwrap();
    assert!(bench.history().torn);
    let (mut writer, history) = bench.store.resume(&run()).unwrap();
    assert_eq!((history.events.len(), history.torn), (4, true));
    write(&mut writer, &short()[4..]);
    drop(writer);
    assert_eq!(bench.history(), History { events: short(), torn: false, verdict: Verdict::Ok });
}

#[test]
fn a_run_goes_on_over_the_zeros_that_a_killed_one_left() {
    let bench = Bench::new();
    let mut writer = bench.store.create(&run()).unwrap();
    for event in &short()[..4] {
        writer.append(event).unwrap();
        writer.sync().unwrap();
    }
    let killed = bench.bytes();
    assert_eq!((lines(&killed), killed.last()), (4, Some(&0)), "a file that can be synced without growing");
    drop(writer);
    assert_eq!(bench.bytes().last(), Some(&b'\n'), "a run that ends leaves nothing but its lines");
    fs::write(bench.path(JOURNAL), &killed).unwrap();
    assert_eq!(bench.history(), History { events: short()[..4].to_vec(), torn: false, verdict: Verdict::Ok });
    assert_eq!(bench.state(), "interrupted");
    let (mut writer, _) = bench.store.resume(&run()).unwrap();
    write(&mut writer, &short()[4..]);
    drop(writer);
    assert_eq!(bench.history(), History { events: short(), torn: false, verdict: Verdict::Ok });
}

#[test]
fn lines_of_which_a_power_cut_kept_only_the_end_are_torn() {
    let bench = Bench::with(&short());
    let good = bench.bytes();
    let ends: Vec<usize> = (0..good.len()).filter(|&index| good[index] == b'\n').collect();
    vouch(&bench, 4);
    let mut bad = good.clone();
    bad[ends[3] + 9..ends[4] + 9].fill(0);
    fs::write(bench.path(JOURNAL), bad).unwrap();
    assert_eq!(bench.history(), History { events: short()[..4].to_vec(), torn: true, verdict: Verdict::Ok });
}

/// Replaces a text in the journal and says what the reader thinks of it.
fn edited(from: &str, to: &str) -> String {
    let bench = Bench::with(&short());
    let text = String::from_utf8(bench.bytes()).unwrap();
    assert!(text.contains(from));
    fs::write(bench.path(JOURNAL), text.replacen(from, to, 1)).unwrap();
    bench.reason()
}

#[test]
fn damage_is_named_by_its_line() {
    let line = |number: usize| {
        String::from_utf8(Bench::with(&short()).bytes())
            .unwrap()
            .split_inclusive('\n')
            .nth(number - 1)
            .unwrap()
            .to_owned()
    };
    assert_eq!(edited("\"seconds\":3.5", "\"seconds\":3.4"), "line 5 is damaged: it does not match its hash");
    assert_eq!(edited(&line(3), ""), "line 3 is damaged: it does not match its hash");
    assert_eq!(edited(&line(3), "\n"), "line 3 is damaged: it does not end in a hash");
    assert_eq!(
        edited("{\"v\":1,\"seq\":2", "{\"v\":9,\"seq\":2"),
        "line 2 has format version 9, and this program knows only 1"
    );
    assert_eq!(edited(&line(6), ""), "it ends after line 5, and lines up to 6 were on disk once");
    assert_eq!(edited(&line(6), "{\"v\":1"), "it ends after line 5, and lines up to 6 were on disk once");
    assert!(edited("0.25", "\u{0}.25").starts_with("line 3 "));
}

#[test]
fn another_journal_in_its_place_is_noticed() {
    let bench = Bench::with(&short());
    let other = Bench::with(&events([started(), begin("b", Effect::Change), end("b", 1.0), finished()]));
    fs::copy(other.path(HEAD), bench.path(HEAD)).unwrap();
    assert_eq!(bench.reason(), "line 4 is not the one that `head` tells of");
    fs::remove_file(bench.path(HEAD)).unwrap();
    assert_eq!(bench.reason(), "`head` is missing");
    fs::write(bench.path(HEAD), "").unwrap();
    assert_eq!(bench.reason(), "ok");
    let renamed = RunId::parse("20261122-030000-zz99").unwrap();
    fs::rename(bench.store.directory(&run()), bench.store.directory(&renamed)).unwrap();
    let verdict = bench.store.read(&renamed).unwrap().verdict;
    assert_eq!(verdict, Verdict::ReportOnly("line 1 belongs to run `20261122-030000-ab12`".to_owned()));
    assert!(matches!(bench.store.resume(&renamed), Err(JournalError::ReportOnly { .. })));
}

#[test]
fn any_flipped_byte_is_detected() {
    let bench = Bench::with(&short());
    for file in [JOURNAL, HEAD] {
        let good = fs::read(bench.path(file)).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            fs::write(bench.path(file), &bad).unwrap();
            assert_ne!(bench.history().verdict, Verdict::Ok, "{file} byte {index}");
        }
        fs::write(bench.path(file), &good).unwrap();
    }
    assert_eq!(bench.reason(), "ok");
}

#[test]
fn a_journal_cut_anywhere_is_a_prefix_and_never_less_than_was_synced() {
    let bench = Bench::with(&short());
    let good = bench.bytes();
    for head in [0, 4, 6] {
        vouch(&bench, head);
        // Every length about the end of a line, and every seventh between.
        let near =
            |length: &usize| good[length.saturating_sub(2)..].iter().take(3).any(|&byte| byte == b'\n');
        for length in (0..=good.len()).filter(|length| length % 7 == 0 || near(length)) {
            let whole_lines = lines(&good[..length]);
            let whole = length == 0 || good[length - 1] == b'\n';
            // The writer puts zeros ahead of its lines.
            for zeros in [0, 1, 700] {
                fs::write(bench.path(JOURNAL), [&good[..length], &vec![0; zeros]].concat()).unwrap();
                let history = bench.history();
                assert_eq!(history.events, short()[..whole_lines]);
                assert_eq!(
                    (history.torn, history.verdict == Verdict::Ok),
                    (!whole, whole_lines >= head),
                    "{length} {head} {zeros}"
                );
            }
        }
    }
}

/// Writes the head as it was after line `seq`.
fn vouch(bench: &Bench, seq: usize) {
    let text = String::from_utf8(bench.bytes()).unwrap();
    let hash = seq.checked_sub(1).map_or(Hash::GENESIS.as_str().to_owned(), |index| {
        let line: Value = serde_json::from_str(text.lines().nth(index).unwrap()).unwrap();
        line["hash"].as_str().unwrap().to_owned()
    });
    fs::write(bench.path(HEAD), json!({ "seq": seq, "hash": hash }).to_string()).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let bench = Bench::new();
    drop(bench.store.create(&run()).unwrap());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let head = HeadFile::open(&bench.store.directory(&run())).unwrap();
    let mut writer =
        Writer::new(full, &bench.path(JOURNAL), head, Seal::of(&bench.path("")), 0, (0, Hash::GENESIS));
    let error = writer.append(&event(1, started())).unwrap_err();
    assert!(error.to_string().ends_with("the disk is full"), "{error}");
    assert!(error.help().unwrap().starts_with("Free some space"));
    // A device cannot be cut back to what was whole, so nothing more is written.
    assert!(matches!(writer.append(&event(2, finished())), Err(JournalError::Broken { .. })));
}

/// A file system of 256 kB that only this process and its keeper see; it goes when the keeper's input ends.
struct SmallDisk {
    keeper: Child,
    _mountpoint: TempDir,
    path: PathBuf,
}

impl SmallDisk {
    fn mount() -> Self {
        let mountpoint = tempfile::tempdir().unwrap();
        let script = r#"mount -t tmpfs -o size=256k tmpfs "$0" && echo mounted && read -r end"#;
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg(mountpoint.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux must be installed");
        let mut said = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(
            said, "mounted\n",
            "user namespaces must be allowed: see kernel.unprivileged_userns_clone"
        );
        let inside = mountpoint.path().strip_prefix("/").unwrap();
        let path = Path::new("/proc").join(keeper.id().to_string()).join("root").join(inside);
        Self { keeper, _mountpoint: mountpoint, path }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

#[test]
fn a_run_survives_a_disk_that_fills_up_and_is_freed() {
    let disk = SmallDisk::mount();
    let store = Store::at(disk.path.join("runs"));
    let mut writer = store.create(&run()).unwrap();
    writer.append(&event(1, started())).unwrap();
    let ballast = disk.path.join("ballast");
    assert!(fs::write(&ballast, vec![0; 1 << 20]).is_err());
    let mut seq = 1;
    let error = loop {
        seq += 1;
        match writer.append(&event(seq, begin("work", Effect::Change))) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(error.to_string().ends_with("the disk is full"), "{error}");
    assert_eq!(store.read(&run()).unwrap().verdict, Verdict::Ok);
    fs::remove_file(&ballast).unwrap();
    writer.sync().unwrap();
    writer.append(&event(seq + 1, finished())).unwrap();
    drop(writer);
    let history = store.read(&run()).unwrap();
    assert_eq!((history.events.len() as u64, history.verdict), (seq + 1, Verdict::Ok));
}

#[test]
fn a_list_tells_how_each_run_stands() {
    let bench = Bench::with(&short());
    let listed = bench.store.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].runbook.as_str(), listed[0].exit_code, listed[0].seconds),
        ("reindex", Some(0), 5.0)
    );
    assert_eq!(listed[0].state, RunStatus::Finished(RunOutcome::Succeeded));
    assert_eq!(serde_json::to_value(&listed[0]).unwrap()["state"], "succeeded");

    assert_eq!(Bench::with(&short()[..4]).state(), "interrupted");
    let paused = [started(), EventKind::RunPaused { reason: "suspended".to_owned() }];
    assert_eq!(Bench::with(&events(paused)).state(), "paused");

    let running = Bench::new();
    let mut writer = running.store.create(&run()).unwrap();
    assert_eq!(running.state(), "running");
    writer.append(&event(1, started())).unwrap();
    assert_eq!((running.state(), running.store.list().unwrap()[0].runbook.as_str()), ("running", "reindex"));
    drop(writer);
    assert_eq!(running.state(), "interrupted");

    fs::write(bench.path(JOURNAL), b"").unwrap();
    assert_eq!(bench.state(), "damaged");
    assert!(bench.store.list().unwrap()[0].problem.as_ref().unwrap().contains("is empty"));
    fs::remove_dir_all(bench.directory.path()).unwrap();
    assert_eq!(bench.store.list().unwrap(), []);
}

#[test]
fn damage_in_the_lines_a_list_reads_is_listed() {
    for (from, to) in [
        ("reindex\"", "reindey\""),
        ("\"run_finished\"", "\"run_finished"),
        ("\"v\":1,\"seq\":6", "\"v\":2,\"seq\":6"),
    ] {
        let bench = Bench::with(&short());
        let text = String::from_utf8(bench.bytes()).unwrap();
        fs::write(bench.path(JOURNAL), text.replacen(from, to, 1)).unwrap();
        assert_eq!(bench.state(), "damaged", "{from}");
    }
}

#[test]
fn a_run_is_found_by_any_unmistakable_part_of_its_name() {
    let bench = Bench::new();
    for name in ["20261121-030000-ab12", "20261122-030000-ab12", "20261122-040000-cd34"] {
        let kinds = events([started(), finished()]);
        let renamed: Vec<Event> =
            kinds.into_iter().map(|event| Event { run: RunId::parse(name).unwrap(), ..event }).collect();
        bench.write(&renamed);
    }
    let check = |text: &str, expected: Result<&str, &str>| match (bench.store.find(text), expected) {
        (Ok(run), Ok(expected)) => assert_eq!(run.as_str(), expected),
        (Err(error), Err(expected)) => {
            let whole = format!("{error}: {}", error.help().unwrap_or_default());
            assert!(whole.starts_with(expected), "{whole}");
        }
        (found, _) => panic!("{text}: {found:?}"),
    };
    check("last", Ok("20261122-040000-cd34"));
    check("20261121-030000-ab12", Ok("20261121-030000-ab12"));
    check("20261121", Ok("20261121-030000-ab12"));
    check("cd34", Ok("20261122-040000-cd34"));
    check(
        "ab12",
        Err("`ab12` names 2 runs: Type more of the name: `20261122-030000-ab12`, `20261121-030000-ab12`."),
    );
    check("cd43", Err("there is no run `cd43`: Did you mean `20261122-040000-cd34`"));
    check("", Err("there is no run ``"));
    let empty = Bench::new();
    assert!(empty.store.find("last").unwrap_err().help().unwrap().starts_with("No runs are recorded here"));
}

#[test]
fn durations_come_from_the_newest_finished_run_of_the_runbook() {
    let bench = Bench::with(&short());
    let later = RunId::parse("20261123-030000-zz99").unwrap();
    let unfinished: Vec<Event> =
        short()[..5].iter().map(|event| Event { run: later.clone(), ..event.clone() }).collect();
    bench.write(&unfinished);
    let durations = bench.store.last_durations("reindex");
    let durations: Vec<(&str, f64)> =
        durations.iter().map(|(step, seconds)| (step.as_str(), *seconds)).collect();
    assert_eq!(durations, [("look", 0.25), ("rebuild", 3.5)]);
    assert!(bench.store.last_durations("other").is_empty());
}

#[test]
fn runs_live_where_the_environment_says() {
    let check = |variables: &[(&str, &str)], home: Option<&str>, expected: &str| {
        let environment = ProcessEnvironment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            home: home.map(Into::into),
            directory: "/wms".into(),
            ..ProcessEnvironment::default()
        };
        let directory = Store::open(&environment).directory(&run());
        assert_eq!(directory.to_str().unwrap(), format!("{expected}/20261122-030000-ab12"));
    };
    check(&[("RUNBOOK_STATE", "/state"), ("XDG_STATE_HOME", "/xdg")], Some("/home/dba"), "/state");
    check(&[("RUNBOOK_STATE", "state")], Some("/home/dba"), "/wms/state");
    check(&[("RUNBOOK_STATE", ""), ("XDG_STATE_HOME", "/xdg")], Some("/home/dba"), "/xdg/runbook/runs");
    check(&[("XDG_STATE_HOME", "relative")], Some("/home/dba"), "/home/dba/.local/state/runbook/runs");
    check(&[], None, "/wms/.runbook/runbook/runs");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Seconds as they are measured: whole milliseconds.
fn seconds() -> impl Strategy<Value = f64> {
    (0..10_000_000_u32).prop_map(|milliseconds| f64::from(milliseconds) / 1000.0)
}

fn place() -> impl Strategy<Value = Place> {
    (any::<String>(), any::<Option<String>>()).prop_map(|(step, key)| Place { step: StepId::new(step), key })
}

fn failure() -> impl Strategy<Value = Failure> {
    (any::<String>(), any::<Option<String>>(), any::<bool>()).prop_map(|(message, help, retryable)| Failure {
        message,
        help,
        retryable,
        applied: Applied::Partly,
        ..Failure::default()
    })
}

fn kind() -> impl Strategy<Value = EventKind> {
    let effect = prop_oneof![Just(Effect::Read), Just(Effect::Change), Just(Effect::Destroy)];
    prop_oneof![
        (any::<String>(), value()).prop_map(|(name, value)| EventKind::VariableComputed { name, value }),
        (any::<String>(), any::<String>(), value()).prop_map(|(step, key, item)| EventKind::ItemsListed {
            at: Place::step(&StepId::new(step)),
            items: vec![Item { key, item }]
        }),
        (place(), any::<u32>(), effect, value(), value()).prop_map(|(at, attempt, effect, input, before)| {
            EventKind::StepStarted { at, attempt, effect, input, before }
        }),
        (place(), value()).prop_map(|(at, trace)| EventKind::StepTraced { at, trace }),
        (place(), any::<String>()).prop_map(|(at, why)| EventKind::StepReopened { at, why }),
        (place(), failure(), seconds()).prop_map(|(at, failure, retry_in)| EventKind::AttemptFailed {
            at,
            attempt: 2,
            failure,
            retry_in
        }),
        (place(), value(), prop::option::of(failure()), seconds()).prop_map(
            |(at, output, failure, seconds)| {
                EventKind::StepFinished {
                    at,
                    state: StepState::Failed,
                    output,
                    failure,
                    warnings: vec![],
                    seconds,
                }
            }
        ),
        (place(), any::<Option<String>>())
            .prop_map(|(at, reason)| EventKind::StepSkipped { at, reason: SkipReason::Excluded { reason } }),
        any::<String>().prop_map(|reason| EventKind::RunPaused { reason }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_run_reads_back(kinds in prop::collection::vec(kind(), 0..20), legs in 1..4_usize, outputs in value()) {
        let end = EventKind::RunFinished {
            outcome: RunOutcome::Failed,
            exit_code: 1,
            outputs: Map::from_iter([("all".to_owned(), outputs)]),
            seconds: 1.5,
        };
        let events = events([started()].into_iter().chain(kinds).chain([end]));
        let bench = Bench::new();
        drop(bench.store.create(&run()).unwrap());
        for leg in events.chunks(events.len().div_ceil(legs)) {
            let (mut writer, history) = bench.store.resume(&run()).unwrap();
            prop_assert_eq!(history.verdict, Verdict::Ok);
            write(&mut writer, leg);
        }
        prop_assert_eq!(bench.history(), History { events, torn: false, verdict: Verdict::Ok });
    }
}
