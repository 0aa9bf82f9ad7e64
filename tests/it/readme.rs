//! The README is true: its commands run as written, its runbooks have no problems, its tables are complete.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use runbook::cli::Exit;
use runbook::step::KINDS;
use runbook::template::FILTERS;
use serde_json::Value;

use crate::support::postgres::{binary, server};
use crate::support::sandbox::{Output, Sandbox};
use crate::support::{files, package, stem};

/// Commands for a fresh machine; they would build everything again, so they are only compared.
const CARGO: [&str; 3] = ["cargo run --release -- demo", "cargo test", "cargo install --path ."];

/// A fenced block.
struct Block {
    language: String,
    text: String,
}

fn readme() -> String {
    fs::read_to_string(package().join("README.md")).unwrap()
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                blocks.push(Block { language: language.to_owned(), text: String::new() });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => {
                let block = blocks.last_mut().unwrap();
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!inside, "the last block has no end");
    blocks
}

/// A machine with a server, as the README's reader has it.
fn sandbox() -> Sandbox {
    let server = server();
    let programs = binary("psql").parent().unwrap().display().to_string();
    Sandbox::new()
        .with("PATH", &format!("{programs}:/usr/bin:/bin"))
        .with("PGHOST", &server.directory.display().to_string())
        .with("PGPORT", &server.port.to_string())
        .with("PGUSER", "postgres")
        .with("PGDATABASE", &server.database())
}

fn run(line: &str, sandbox: &Sandbox) -> Option<Output> {
    let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("`{line}` is no command"));
    if command.starts_with("cargo ") {
        assert!(CARGO.contains(&command), "{command}");
        return None;
    }
    let expected = command.rsplit_once("# exit ").map_or(0, |(_, code)| code.parse().unwrap());
    let output = sandbox.shell(command);
    assert_eq!(output.exit, Some(expected), "{command}\n{output}");
    Some(output)
}

/// Writes what a reader would write: a complete runbook, its fixture, or the environments.
fn write(yaml: &str, sandbox: &Sandbox) {
    let head = |key: &str| yaml.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    if is_fixture(yaml) {
        sandbox.write(format!("runbooks/{}.test.yaml", head("runbook: ")), yaml);
    } else if is_runbook(yaml) {
        sandbox.write(format!("runbooks/{}.yaml", head("name: ")), yaml);
    } else if yaml.starts_with("environments:\n") {
        sandbox.write("runbook.yaml", yaml);
    }
}

fn is_fixture(yaml: &str) -> bool {
    yaml.starts_with("version: 1\nrunbook: ")
}

fn is_runbook(yaml: &str) -> bool {
    yaml.starts_with("version: 1\nname: ")
}

#[test]
fn everything_works_as_written() {
    let sandbox = sandbox();
    let mut printed: Option<Output> = None;
    let mut runbooks = 0;
    for Block { language, text } in blocks(&readme()) {
        match language.as_str() {
            "console" => text.lines().for_each(|line| printed = run(line, &sandbox)),
            "yaml" => {
                runbooks += usize::from(is_runbook(&text));
                write(&text, &sandbox);
            }
            // Text below a command is what the command prints; other text is a picture.
            "text" => {
                if let Some(output) = printed.take() {
                    let all = output.stdout + &output.stderr;
                    assert_eq!(all.trim(), text.trim());
                }
            }
            other => panic!("a block of `{other}`"),
        }
        if language == "yaml" {
            printed = None;
        }
    }
    let checked = sandbox.run("check --strict");
    assert!(checked.stdout.contains(&format!("{runbooks} files checked: no problems")), "{checked}");
    assert!(runbooks >= 6);
}

#[test]
fn the_table_of_exit_codes_is_the_programs() {
    let row = Regex::new(r"(?m)^\| (\d+) \| (.+) \|$").unwrap();
    let readme = readme();
    let rows: Vec<(u8, &str)> = row
        .captures_iter(&readme)
        .map(|found| (found[1].parse().unwrap(), found.get(2).unwrap().as_str()))
        .collect();
    assert_eq!(rows, Exit::ALL.map(|exit| (exit.code(), exit.meaning())));
}

/// The names that stand first in the lines of a section of help.
fn commands(help: &str) -> Vec<String> {
    let (_, after) = help.split_once("Commands:\n").unwrap();
    let section = after.split("\n\n").next().unwrap();
    section.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_and_option_is_mentioned() {
    let (readme, sandbox) = (readme(), Sandbox::new());
    let option = Regex::new(r"--[a-z][a-z-]+").unwrap();
    let commands = commands(&sandbox.run("--help").stdout);
    assert!(commands.len() > 10, "{commands:?}");
    let mut missing = BTreeSet::new();
    for command in commands {
        if !readme.contains(&format!("| `runbook {command}")) {
            missing.insert(command.clone());
        }
        let help = sandbox.run_args(&[&command, "-h"]).stdout;
        let options = option.find_iter(&help).map(|found| found.as_str().to_owned());
        missing.extend(
            options.filter(|name| !["--help", "--version"].contains(&name.as_str())).filter(|name| {
                !readme.contains(&format!("`{name}")) && !readme.contains(&format!("{name}`"))
            }),
        );
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Where the schema keeps the keys that an author writes.
const MAPS: [&str; 11] = [
    "/properties",
    "/$defs/Step/properties",
    "/$defs/SqlSpec/properties",
    "/$defs/AssertSpec/properties",
    "/$defs/ConfirmSpec/properties",
    "/$defs/ExecSpec/properties",
    "/$defs/KubectlSpec/properties",
    "/$defs/Parameter/properties",
    "/$defs/PostgresNeeds/properties",
    "/$defs/Retry/properties",
    "/$defs/Until/properties",
];

/// The words between backticks, blocks left out.
fn words_of_code(markdown: &str) -> BTreeSet<String> {
    let prose: String = markdown.split("```").step_by(2).collect();
    let (span, word) = (Regex::new("`([^`]+)`").unwrap(), Regex::new(r"\w+").unwrap());
    let spans: Vec<String> = span.captures_iter(&prose).map(|found| found[1].to_owned()).collect();
    spans.iter().flat_map(|text| word.find_iter(text).map(|found| found.as_str().to_owned())).collect()
}

#[test]
fn every_word_of_the_language_is_mentioned() {
    let readme = readme();
    let filters = FILTERS.iter().map(|filter| format!("| `{}` |", filter.signature));
    let kinds = KINDS.iter().map(|kind| format!("**`{}`**", kind.name()));
    let shipped = files(&package().join("runbooks"), "yaml");
    let shipped = shipped.iter().map(|path| format!("| `{}` |", stem(path)));
    let mut missing: Vec<String> =
        filters.chain(kinds).chain(shipped).filter(|text| !readme.contains(text)).collect();
    let schema: Value = serde_json::from_str(&Sandbox::new().run("schema").stdout).unwrap();
    let words = words_of_code(&readme);
    for place in MAPS {
        let map = schema.pointer(place).and_then(Value::as_object).unwrap_or_else(|| panic!("{place}"));
        missing.extend(map.keys().filter(|key| !words.contains(*key)).cloned());
    }
    assert!(missing.is_empty(), "{missing:?}");
}
