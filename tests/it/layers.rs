//! Which module may import which, and which crate appears where: the architecture as two tables and a test.
//!
//! Rust does not stop cycles between the modules of one crate, and large crates all grow them. A new row or a new name
//! in a row is a decision: argue it in the change that makes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Every module with those it may import. A row names only modules of rows above it, so there are no cycles.
const MODULES: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("yaml", &["diagnostic"]),
    ("model", &["diagnostic"]),
    ("sql", &["diagnostic", "model"]),
    ("template", &["diagnostic", "model", "sql"]),
    ("event", &["model"]),
    // Of `diagnostic` only the search for the nearest name, here and in `library`; of `sql` the settings of a session.
    ("connect", &["diagnostic", "model", "sql"]),
    // An environment says how a connection is made, so it speaks of configurations; `connect` knows no environments.
    ("environment", &["connect", "diagnostic", "model", "yaml"]),
    ("library", &["diagnostic", "model", "yaml"]),
    ("step", &["connect", "diagnostic", "event", "model", "sql", "template", "yaml"]),
    // Of `event` only the pinned documents of a run, of `environment` only where a secret comes from.
    ("runbook", &["diagnostic", "environment", "event", "model", "sql", "step", "template", "yaml"]),
    ("plan", &["connect", "event", "model", "runbook", "step", "template"]),
    ("journal", &["event", "model"]),
    ("engine", &["connect", "event", "journal", "model", "plan", "runbook", "step", "template"]),
    ("report", &["event", "model"]),
    // A run in which only what lies beyond the engine is replaced; `yaml` and `diagnostic` are for its fixtures.
    (
        "trial",
        &["connect", "diagnostic", "engine", "event", "journal", "model", "plan", "runbook", "step", "yaml"],
    ),
    ("ui", &["connect", "diagnostic", "event", "model", "plan", "report"]),
    ("demo", &["model"]),
    (
        "cli",
        &[
            "connect",
            "demo",
            "diagnostic",
            "engine",
            "environment",
            "event",
            "journal",
            "library",
            "model",
            "plan",
            "report",
            "runbook",
            "step",
            "trial",
            "ui",
            "yaml",
        ],
    ),
];

/// Every dependency with the modules it appears in; nothing means anywhere.
const CRATES: &[(&str, &[&str])] = &[
    ("base64", &[]),
    ("bytes", &["connect"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("comfy_table", &["report"]),
    ("console", &["ui"]),
    ("croner", &["runbook"]),
    ("futures_util", &[]),
    ("getrandom", &[]),
    ("granit_parser", &["yaml"]),
    ("http", &["connect"]),
    // These two and `tower` only for the settings of kube's connections.
    ("hyper_timeout", &["connect"]),
    ("hyper_util", &["connect"]),
    ("include_dir", &["library"]),
    ("indexmap", &[]),
    ("indicatif", &["ui"]),
    ("jiff", &[]),
    ("k8s_openapi", &["connect"]),
    ("kube", &["connect"]),
    ("layout", &["plan"]),
    ("miette", &["ui"]),
    // The program's own file, which is in no module.
    ("mimalloc", &["main"]),
    ("minijinja", &["template"]),
    ("petgraph", &["plan", "runbook"]),
    ("postgres_protocol", &["template"]),
    ("regex", &["runbook"]),
    ("rustix", &["cli", "demo", "step", "ui"]),
    ("rustls", &["connect"]),
    ("rustls_native_certs", &["connect"]),
    ("schemars", &[]),
    ("serde", &[]),
    ("serde_json", &[]),
    ("serde_path_to_error", &["yaml"]),
    ("serde_yaml", &["yaml"]),
    ("sha2", &[]),
    ("squawk_lexer", &["sql"]),
    ("squawk_line_index", &["sql"]),
    ("squawk_parser", &["sql"]),
    ("squawk_syntax", &["sql"]),
    ("strsim", &["diagnostic", "journal"]),
    ("tempfile", &["connect", "demo", "trial"]),
    ("thiserror", &[]),
    // Steps and runs have deadlines, `ui` timers and keys; what stands left of the engine has none of it.
    ("tokio", &["cli", "connect", "demo", "engine", "plan", "step", "trial", "ui"]),
    ("tokio_postgres", &["connect"]),
    ("tokio_postgres_rustls", &["connect"]),
    ("tokio_tungstenite", &["connect"]),
    ("tower", &["connect"]),
    ("unicode_width", &["report", "template"]),
];

/// A source file of a module, without its comments and its tests.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file that belongs to a module.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap().flatten() {
        if entry.path().is_dir() {
            let module = entry.file_name().into_string().unwrap();
            gather(&entry.path(), &module, &mut sources);
        }
    }
    assert!(sources.len() > 100, "the sources are elsewhere");
    sources
}

fn gather(folder: &Path, module: &str, sources: &mut Vec<Source>) {
    let declared_for_tests = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub\(\w+\) )?mod (\w+);").unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let only_for_tests: BTreeSet<String> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            declared_for_tests.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()
        })
        .collect();
    for path in files {
        if only_for_tests.contains(path.file_stem().unwrap().to_str().unwrap()) {
            continue;
        }
        if path.is_dir() {
            gather(&path, module, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source { module: module.to_owned(), text: code(&text), path });
        }
    }
}

/// The text up to its tests, without lines of comments.
fn code(text: &str) -> String {
    let tests = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub\(\w+\) )?mod \w+ \{").unwrap();
    let end = tests.find(text).map_or(text.len(), |found| found.start());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let import = Regex::new(r"\bcrate::(\w+)").unwrap();
    let mut wrong = BTreeSet::new();
    for source in sources() {
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == source.module) else {
            wrong.insert(format!("`{}` is not in the table", source.module));
            continue;
        };
        assert!(!source.text.contains("crate::{"), "{}: one `use` for each module", source.path.display());
        for found in import.captures_iter(&source.text) {
            let other = &found[1];
            let is_module = MODULES.iter().any(|(name, _)| *name == other);
            if is_module && other != source.module && !allowed.contains(&other) {
                wrong.insert(format!("`{}` imports `{other}` in {}", source.module, source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_itself_has_no_cycle() {
    for (index, (module, allowed)) in MODULES.iter().enumerate() {
        for other in *allowed {
            let below = MODULES[..index].iter().any(|(name, _)| name == other);
            assert!(below, "`{module}` may import `{other}`, which does not stand above it");
        }
    }
}

#[test]
fn crates_stay_where_they_belong() {
    let sources = sources();
    let mut wrong = BTreeSet::new();
    for (name, allowed) in CRATES.iter().filter(|(_, allowed)| !allowed.is_empty()) {
        let used = Regex::new(&format!(r"(?:^|[^\w:]){name}::")).unwrap();
        for source in sources.iter().filter(|source| used.is_match(&source.text)) {
            if !allowed.contains(&source.module.as_str()) {
                wrong.insert(format!("`{name}` appears in {}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_dependency_is_in_the_table() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("[dependencies]\n").unwrap();
    let section = after.split("\n[").next().unwrap();
    let declared: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| if name == "layout-rs" { "layout".to_owned() } else { name.replace('-', "_") })
        .collect();
    let listed: BTreeSet<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(declared, listed);
}
