//! Finds and reads the file of environments.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::CliError;
use crate::diagnostic::{Diagnostics, Sources, nearest};
use crate::environment::{Environment, EnvironmentFile, decode};
use crate::library::SHIPPED_PREFIX;
use crate::model::ProcessEnvironment;
use crate::yaml::{Limits, read_text};

/// The name of the file.
const FILE: &str = "runbook.yaml";

/// The environment of this name, from the file that belongs to the runbook.
pub(super) fn environment(name: &str, origin: &str, context: &Context) -> Result<Environment, CliError> {
    let places = places(origin, context.config.as_deref(), &context.process);
    let Some(file) = read_first(&places, context)? else {
        let mut error =
            CliError::new(format!("there is no environment `{name}`: no {FILE} says what environments are"))
                .help(format!("Write a {FILE} beside the runbook, or name a file with --config."));
        error.details = places.iter().map(|place| format!("looked for {}", place.display())).collect();
        return Err(error);
    };
    let EnvironmentFile { origin, mut environments } = file;
    environments.shift_remove(name).ok_or_else(|| {
        let known: Vec<&str> = environments.keys().map(String::as_str).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None if known.is_empty() => "The file names none.".to_owned(),
            None => format!("It has {}.", quoted(&known)),
        };
        CliError::new(format!("there is no environment `{name}` in {origin}")).help(help)
    })
}

/// Where the file may be, first to last: `--config` alone, else beside the runbook, above it, here, the user's.
fn places(origin: &str, config: Option<&Path>, process: &ProcessEnvironment) -> Vec<PathBuf> {
    if let Some(path) = config {
        return vec![process.directory.join(path)];
    }
    let mut places = Vec::new();
    if !origin.starts_with(SHIPPED_PREFIX)
        && let Some(folder) = process.directory.join(origin).parent()
    {
        places.push(folder.join(FILE));
        places.extend(folder.parent().map(|above| above.join(FILE)));
    }
    places.push(process.directory.join(FILE));
    let user = process.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let user = user.or_else(|| process.home.as_ref().map(|home| home.join(".config")));
    places.extend(user.map(|folder| folder.join("runbook").join("config.yaml")));
    let mut unique: Vec<PathBuf> = Vec::new();
    for place in places {
        if !unique.contains(&place) {
            unique.push(place);
        }
    }
    unique
}

fn read_first(places: &[PathBuf], context: &Context) -> Result<Option<EnvironmentFile>, CliError> {
    let found = if context.config.is_some() {
        places.first()
    } else {
        places.iter().find(|place| place.is_file() && !is_runbook(place))
    };
    found.map(|place| read(place, context)).transpose()
}

/// A runbook that is itself named `runbook` is not a file of environments.
fn is_runbook(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with("steps:")))
}

fn read(path: &Path, context: &Context) -> Result<EnvironmentFile, CliError> {
    let shown = path.strip_prefix(&context.process.directory).unwrap_or(path).display().to_string();
    let text = text_of(path, &shown)?;
    let mut sources = Sources::new();
    let (file, diagnostics) = decode(&shown, &text, &mut sources);
    if diagnostics.has_errors() {
        return Err(CliError::of_document(format!("{shown} cannot be used"), diagnostics, sources));
    }
    context.say(&crate::ui::render(&diagnostics, &sources, &context.style));
    Ok(file)
}

/// The text of a file that a person named.
pub(super) fn text_of(path: &Path, shown: &str) -> Result<String, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        CliError::new(format!("cannot read {shown}: {error}")).help("Check the path and its permissions.")
    })?;
    read_text(shown, bytes, &Limits::default()).map_err(|problem| {
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(problem);
        CliError::of_document(format!("{shown} cannot be used"), diagnostics, Sources::new())
    })
}

/// Names in backticks, separated by commas.
fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: &str, config: Option<&str>, expected: &[&str]) {
        let process = ProcessEnvironment {
            home: Some("/home/dba".into()),
            directory: "/wms".into(),
            ..ProcessEnvironment::default()
        };
        let places = places(origin, config.map(Path::new), &process);
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(places, expected, "{origin}");
    }

    #[test]
    fn the_file_is_looked_for_near_the_runbook_first() {
        let user = "/home/dba/.config/runbook/config.yaml";
        check("shipped:weekly-vacuum.yaml", None, &["/wms/runbook.yaml", user]);
        check("/wms/runbooks/a.yaml", None, &["/wms/runbooks/runbook.yaml", "/wms/runbook.yaml", user]);
        check(
            "/srv/books/a.yaml",
            None,
            &["/srv/books/runbook.yaml", "/srv/runbook.yaml", "/wms/runbook.yaml", user],
        );
        check("a.yaml", Some("etc/e.yaml"), &["/wms/etc/e.yaml"]);
    }
}
