//! Which fixtures are meant by what was typed.

use std::path::Path;

use super::super::context::Context;
use super::super::error::CliError;
use super::super::prepare::find;
use crate::library::{fixture_of, is_fixture, runbook_of};

/// The folder that is looked through when nothing is named.
const FOLDER: &str = "runbooks";

/// A fixture and its runbook.
#[derive(Debug)]
pub(super) struct Pair {
    /// Where the fixture is.
    pub(super) fixture: String,
    /// Where the runbook beside it is.
    pub(super) runbook: String,
}

impl Pair {
    fn of_fixture(fixture: String) -> Self {
        Self { runbook: runbook_of(&fixture), fixture }
    }
}

/// The fixtures that are named, those of folders included.
pub(super) fn fixtures(paths: &[String], context: &Context) -> Result<Vec<Pair>, CliError> {
    if paths.is_empty() {
        if !context.process.directory.join(FOLDER).is_dir() {
            let error = CliError::new(format!("there is no folder ./{FOLDER}"));
            return Err(error.help("Name the runbooks to try; a shipped one by its name."));
        }
        return in_folder(FOLDER, context);
    }
    let mut found = Vec::new();
    for path in paths {
        if context.process.directory.join(path).is_dir() {
            found.extend(in_folder(path, context)?);
        } else if is_fixture(Path::new(path)) {
            found.push(Pair::of_fixture(path.clone()));
        } else {
            found.push(beside(path, context)?);
        }
    }
    Ok(found)
}

/// The fixture beside a runbook.
fn beside(name: &str, context: &Context) -> Result<Pair, CliError> {
    let shelf = context.shelf();
    let runbook = find(name, &shelf)?.origin;
    let fixture = fixture_of(&runbook);
    if shelf.find(&fixture).is_err() {
        let error = CliError::new(format!("`{name}` has no fixture"));
        return Err(error.help(format!("Write one as {fixture}; the README has an example.")));
    }
    Ok(Pair { fixture, runbook })
}

fn in_folder(folder: &str, context: &Context) -> Result<Vec<Pair>, CliError> {
    let unreadable =
        |error: std::io::Error| CliError::new(format!("cannot read the folder {folder}: {error}"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(context.process.directory.join(folder)).map_err(unreadable)? {
        let path = Path::new(folder).join(entry.map_err(unreadable)?.file_name());
        if is_fixture(&path) {
            found.push(path.display().to_string());
        }
    }
    if found.is_empty() {
        let error = CliError::new(format!("there are no fixtures in {folder}"));
        return Err(error.help("The fixture of a runbook lies beside it and ends in .test.yaml."));
    }
    found.sort();
    Ok(found.into_iter().map(Pair::of_fixture).collect())
}
