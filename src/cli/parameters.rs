//! Where parameters come from on the command line, and one error that names everything wrong with them.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::args::Target;
use super::configuration::text_of;
use super::context::Context;
use super::error::CliError;
use crate::diagnostic::Sources;
use crate::environment::Environment;
use crate::model::Redactor;
use crate::runbook::{Parameters, Runbook, ValueProblem, ValueSources, resolve};
use crate::yaml::{Document, Limits};

/// The value of every parameter.
pub(super) fn values(
    runbook: &Runbook,
    target: &Target,
    environment: Option<&Environment>,
    context: &Context,
) -> Result<Map<String, Value>, CliError> {
    let file = file_of(target, context)?;
    let sources = ValueSources {
        set: &target.set,
        file,
        profile: profile(&runbook.params, environment),
        process: Some(&context.process),
    };
    resolve(&runbook.params, &sources, &context.redactor).map_err(|problems| refused(runbook, &problems))
}

/// The parameters that must still be given, in the order of the file. Problems of another kind are left to
/// [`values`].
pub(super) fn missing(
    runbook: &Runbook,
    target: &Target,
    environment: Option<&Environment>,
    context: &Context,
) -> Result<Vec<String>, CliError> {
    let file = file_of(target, context)?;
    let sources = ValueSources {
        set: &target.set,
        file,
        profile: profile(&runbook.params, environment),
        process: Some(&context.process),
    };
    // The values are resolved again when they are complete, so nothing is learned here.
    let problems = resolve(&runbook.params, &sources, &Redactor::new()).err().unwrap_or_default();
    let name = |problem| match problem {
        ValueProblem::Missing { name, .. } => Some(name),
        _ => None,
    };
    Ok(problems.into_iter().filter_map(name).collect())
}

/// The values that are known, for pages that are read without a run in mind: nothing is missing there.
pub(super) fn known(
    runbook: &Runbook,
    target: &Target,
    context: &Context,
) -> Result<Map<String, Value>, CliError> {
    let mut optional = runbook.params.clone();
    for parameter in optional.values_mut() {
        parameter.required = Some(false);
    }
    let file = file_of(target, context)?;
    let sources =
        ValueSources { set: &target.set, file, profile: Map::new(), process: Some(&context.process) };
    let mut values =
        resolve(&optional, &sources, &context.redactor).map_err(|problems| refused(runbook, &problems))?;
    // A missing value is unknown rather than none: templates that read it stay as they are written.
    values.retain(|name, value| {
        !value.is_null() || runbook.params.get(name).is_some_and(|parameter| !parameter.is_required())
    });
    Ok(values)
}

/// An environment serves many runbooks, so values for other ones are no mistake.
fn profile(parameters: &Parameters, environment: Option<&Environment>) -> Map<String, Value> {
    let given = environment.into_iter().flat_map(|environment| &environment.params);
    given
        .filter(|(name, _)| parameters.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn file_of(target: &Target, context: &Context) -> Result<Map<String, Value>, CliError> {
    target.params_file.as_deref().map_or_else(|| Ok(Map::new()), |path| read(path, context))
}

/// JSON is read as the YAML it nearly always is.
pub(super) fn read(path: &Path, context: &Context) -> Result<Map<String, Value>, CliError> {
    let shown = path.display().to_string();
    let text = text_of(&context.process.directory.join(path), &shown)?;
    let mut sources = Sources::new();
    let id = sources.add(shown.as_str(), text.as_str());
    let (document, mut diagnostics) = Document::parse(id, &text, &Limits::default());
    if let Some(document) = document.filter(|_| !diagnostics.has_errors()) {
        match document.root().decode::<IndexMap<String, Value>>() {
            Ok(values) => return Ok(values.into_iter().collect()),
            Err(problem) => diagnostics.push(problem),
        }
    }
    Err(CliError::of_document(format!("{shown} cannot be used"), diagnostics, sources))
}

fn refused(runbook: &Runbook, problems: &[ValueProblem]) -> CliError {
    let missing = problems.iter().filter(|problem| matches!(problem, ValueProblem::Missing { .. })).count();
    let message = match (missing, problems.len()) {
        (1, 1) => format!("`{}` needs a parameter", runbook.name),
        (missing, all) if missing == all => format!("`{}` needs {missing} parameters", runbook.name),
        (_, 1) => format!("a parameter of `{}` cannot be used", runbook.name),
        (_, all) => format!("{all} parameters of `{}` cannot be used", runbook.name),
    };
    let mut error = CliError::new(message);
    error.details = problems.iter().map(describe).collect();
    let first = problems.iter().find_map(|problem| match problem {
        ValueProblem::Missing { name, .. } => Some(name),
        _ => None,
    });
    error.help(match first {
        Some(name) => format!(
            "Give it with `--set {name}=…`, `--params-file`, the environment's `params:`, or the variable \
             `RUNBOOK_PARAM_{}`.",
            name.to_ascii_uppercase()
        ),
        None => format!("`runbook show {}` lists the parameters.", runbook.name),
    })
}

fn describe(problem: &ValueProblem) -> String {
    match problem {
        ValueProblem::Missing { name, description } if description.is_empty() => {
            format!("--set {name}=… is missing")
        }
        ValueProblem::Missing { name, description } => {
            format!("--set {name}=… is missing: {}", description.trim_end_matches('.'))
        }
        ValueProblem::Unsuitable { name, source, why } => {
            let help = why.help.as_ref().map(|help| format!(". {help}")).unwrap_or_default();
            format!("`{name}` from {source}: {}{help}", why.message)
        }
        ValueProblem::Unknown { name, source, near } => {
            let near = near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("`{name}` from {source}: the runbook has no such parameter{near}")
        }
    }
}
