//! `runbook check`: every problem of every file, without running anything.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::prepare::{Books, find, load};
use crate::diagnostic::{Diagnostics, Severity, Sources};
use crate::environment;
use crate::library::{is_fixture, runbook_of};
use crate::runbook::{self, SourceText};
use crate::trial;
use crate::ui;

/// The folder that is checked when nothing is named.
const FOLDER: &str = "runbooks";
/// The file of environments, which is checked as such.
const ENVIRONMENTS: &str = "runbook.yaml";

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files, folders or names; ./runbooks when none is given
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// End with exit code 1 when there are warnings
    #[arg(long)]
    strict: bool,
}

/// What was found in one file, with the texts its problems point into.
struct Checked {
    file: String,
    diagnostics: Diagnostics,
    sources: Sources,
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let checked: Vec<Checked> =
            self.files(context)?.iter().map(|file| check(file, context)).collect::<Result<_, _>>()?;
        let count = |severity| checked.iter().map(|file| file.count(severity)).sum::<usize>();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        if context.json {
            context.print_json(&to_json(&checked, errors, warnings))?;
        } else {
            context.print(&to_text(&checked, errors, warnings, context));
        }
        Ok(match (errors, warnings) {
            (0, 0) => Exit::Success,
            (0, _) if self.strict => Exit::Failed,
            (0, _) => Exit::Success,
            _ => Exit::Usage,
        })
    }

    /// What was named, folders replaced by the files in them.
    fn files(&self, context: &Context) -> Result<Vec<String>, CliError> {
        if self.paths.is_empty() {
            if !context.process.directory.join(FOLDER).is_dir() {
                return Err(CliError::new(format!("there is no folder ./{FOLDER}"))
                    .help("Name the files or folders to check."));
            }
            return in_folder(FOLDER, context);
        }
        let mut files = Vec::new();
        for path in &self.paths {
            if context.process.directory.join(path).is_dir() {
                files.extend(in_folder(path, context)?);
            } else {
                files.push(path.clone());
            }
        }
        Ok(files)
    }
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|problem| problem.severity == severity).count()
    }
}

fn in_folder(folder: &str, context: &Context) -> Result<Vec<String>, CliError> {
    let unreadable =
        |error: std::io::Error| CliError::new(format!("cannot read the folder {folder}: {error}"));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(context.process.directory.join(folder)).map_err(unreadable)? {
        let path = Path::new(folder).join(entry.map_err(unreadable)?.file_name());
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !is_fixture(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(CliError::new(format!("there are no runbooks in {folder}"))
            .help("A runbook is a file that ends in .yaml or .yml."));
    }
    files.sort();
    Ok(files.iter().map(|path| path.display().to_string()).collect())
}

fn check(file: &str, context: &Context) -> Result<Checked, CliError> {
    let shelf = context.shelf();
    let source = find(file, &shelf)?;
    let (file, mut sources) = (source.origin.clone(), Sources::new());
    let is_environments = Path::new(&file).file_name().is_some_and(|name| name == ENVIRONMENTS);
    let diagnostics = if is_environments && !holds_steps(&source) {
        environment::decode(&source.origin, &source.text, &mut sources).1
    } else if is_fixture(Path::new(&file)) {
        let (runbook, _) = load(&runbook_of(&file), context)?;
        trial::load(&source.origin, &source.text, &runbook, &mut sources).1
    } else {
        runbook::load(source, &Books(&shelf), &mut sources).1
    };
    Ok(Checked { file, diagnostics, sources })
}

/// A runbook may be called `runbook` too.
fn holds_steps(source: &SourceText) -> bool {
    source.text.lines().any(|line| line.starts_with("steps:"))
}

fn to_json(checked: &[Checked], errors: usize, warnings: usize) -> Value {
    let files: Vec<Value> = checked
        .iter()
        .map(|file| {
            json!({
                "file": file.file,
                "errors": file.count(Severity::Error),
                "warnings": file.count(Severity::Warning),
                "diagnostics": ui::to_json(&file.diagnostics, &file.sources),
            })
        })
        .collect();
    json!({ "files": files, "errors": errors, "warnings": warnings })
}

fn to_text(checked: &[Checked], errors: usize, warnings: usize, context: &Context) -> String {
    let mut text = String::new();
    for file in checked.iter().filter(|file| !file.diagnostics.is_empty()) {
        text += &ui::render(&file.diagnostics, &file.sources, &context.page);
        text.push('\n');
    }
    let found: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| ui::count(number as u64, noun))
        .collect();
    let found = if found.is_empty() { "no problems".to_owned() } else { found.join(", ") };
    text + &format!("{} checked: {found}\n", ui::count(checked.len() as u64, "file"))
}
