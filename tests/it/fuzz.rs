//! The loader as a whole, on damaged runbooks: it neither panics nor takes long.

use std::time::Duration;

use proptest::prelude::*;

use crate::support::{files, load_text, package};

/// One way to damage a text.
#[derive(Debug, Clone)]
enum Damage {
    Delete(prop::sample::Index),
    Duplicate(prop::sample::Index),
    Move(prop::sample::Index, prop::sample::Index),
    Replace(prop::sample::Index, String),
    Insert(prop::sample::Index, String),
    Cut(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece = prop_oneof![
        Just("{{ ".to_owned()),
        Just("{{ steps.targets.rows | sum }}".to_owned()),
        Just("  - id: targets".to_owned()),
        Just("    needs: [result, targets]".to_owned()),
        Just("    rollback: [ { id: x, sql: SELECT {{ this.value }} } ]".to_owned()),
        Just("  - parallel: [ { parallel: [] }, 1 ]".to_owned()),
        Just("    runbook: weekly-vacuum".to_owned()),
        Just("<<: *a".to_owned()),
        Just("\"".to_owned()),
        "[ -~]{0,20}",
        "\\PC{0,6}",
    ];
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Damage::Delete),
        any::<prop::sample::Index>().prop_map(Damage::Duplicate),
        any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(from, to)| Damage::Move(from, to)),
        (any::<prop::sample::Index>(), piece.clone()).prop_map(|(line, text)| Damage::Replace(line, text)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, text)| Damage::Insert(at, text)),
        any::<prop::sample::Index>().prop_map(Damage::Cut),
    ]
}

fn apply(text: &str, damage: &Damage) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return String::new();
    }
    match damage {
        Damage::Delete(line) => {
            lines.remove(line.index(lines.len()));
        }
        Damage::Duplicate(line) => lines.insert(line.index(lines.len()), lines[line.index(lines.len())]),
        Damage::Move(from, to) => {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
        Damage::Replace(line, with) => {
            let index = line.index(lines.len());
            lines[index] = with;
        }
        Damage::Insert(at, piece) => {
            let at = text.floor_char_boundary(at.index(text.len().max(1)));
            return format!("{}{piece}{}", &text[..at], &text[at..]);
        }
        Damage::Cut(at) => return text[..text.floor_char_boundary(at.index(text.len().max(1)))].to_owned(),
    }
    lines.join("\n") + "\n"
}

/// A load takes milliseconds; a second one is asked only because the machine may have been busy during the first.
fn load_in_time(text: &str) -> Result<(), String> {
    load_within_a_second(text).or_else(|_| load_within_a_second(text))
}

/// Loads on a thread of its own, so that an endless loop is a failure and not a hang.
fn load_within_a_second(text: &str) -> Result<(), String> {
    let (done, finished) = std::sync::mpsc::channel();
    let copy = text.to_owned();
    let worker = std::thread::spawn(move || {
        let loaded = load_text("weekly-vacuum", &copy, &package().join("runbooks"));
        for problem in &loaded.diagnostics {
            for label in &problem.labels {
                let source = loaded.sources.text(label.span.source);
                assert!(label.span.start <= label.span.end && label.span.end <= source.len(), "{problem:?}");
                assert!(source.get(label.span.range()).is_some(), "inside a character: {problem:?}");
            }
        }
        let rendered = loaded.rendered();
        assert_eq!(loaded.diagnostics.is_empty(), rendered.is_empty());
        done.send(()).unwrap_or_default();
    });
    match finished.recv_timeout(Duration::from_secs(1)) {
        Ok(()) => Ok(()),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(format!("takes too long:\n{text}")),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            drop(worker.join());
            Err(format!("panics:\n{text}"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_runbooks_are_refused_or_loaded(
        which in any::<prop::sample::Index>(),
        all in prop::collection::vec(damage(), 1..6),
    ) {
        let paths = files(&package().join("runbooks"), "yaml");
        let text = std::fs::read_to_string(which.get(&paths)).unwrap();
        let damaged = all.iter().fold(text, |text, damage| apply(&text, damage));
        prop_assert_eq!(load_in_time(&damaged), Ok(()));
    }
}

#[test]
fn thousands_of_templates_are_placed_in_time() {
    let args = "\"{{ params.nothing }}\", ".repeat(3000);
    let text = format!(
        "version: 1\nname: weekly-vacuum\nconnections: {{ db: postgres }}\nsteps:\n  - id: a\n    sql: {{ query: SELECT 1, args: [{args}] }}\n"
    );
    let loaded = load_text("weekly-vacuum", &text, package());
    assert_eq!(loaded.diagnostics.iter().count(), 3001);
}
