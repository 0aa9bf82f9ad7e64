//! From what was typed to what can be planned or run: the runbook, its parameters, and where it leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::args::Target;
use super::configuration;
use super::context::Context;
use super::error::CliError;
use super::parameters;
use super::targets::{self, Targets};
use crate::connect::Connections;
use crate::diagnostic::{Diagnostics, Sources, nearest};
use crate::environment::Environment;
use crate::library::{LookupError, Shelf};
use crate::model::Failure;
use crate::plan::Surroundings;
use crate::runbook::{self, Library, Parameter, Runbook, SourceText};
use crate::ui;

/// Everything a plan or a run begins with.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The runbook.
    pub(super) runbook: Arc<Runbook>,
    /// The value of every parameter.
    pub(super) params: Map<String, Value>,
    /// The environment's name.
    pub(super) environment: Option<String>,
    /// Whether the environment is protected.
    pub(super) protected: bool,
    /// The environment's name of each connection that is present, by the runbook's.
    pub(super) names: BTreeMap<String, String>,
    /// The connections; nothing is opened before its first use.
    pub(super) connections: Connections,
    /// What templates read beside parameters and steps.
    pub(super) surroundings: Surroundings,
}

/// Reads and checks a runbook. Its warnings are printed, its errors are the error.
pub(super) fn load(name: &str, context: &Context) -> Result<(Arc<Runbook>, Sources), CliError> {
    let shelf = context.shelf();
    let source = find(name, &shelf)?;
    let shown = source.origin.clone();
    let mut sources = Sources::new();
    let (runbook, diagnostics) = runbook::load(source, &Books(&shelf), &mut sources);
    let Some(runbook) = runbook else {
        return Err(CliError::of_document(format!("{shown} cannot be used"), diagnostics, sources));
    };
    context.say(&ui::render(&diagnostics, &sources, &context.style));
    Ok((Arc::new(runbook), sources))
}

/// Asks a person for a parameter that was given nowhere. The answer is taken as `--set` would be.
pub(super) type Ask<'a> = &'a mut dyn FnMut(&str, &Parameter) -> Result<String, CliError>;

/// Everything that a live plan or a run needs. Nothing is connected to, and a missing parameter is an error.
pub(super) fn prepare(target: &Target, context: &Context) -> Result<Prepared, CliError> {
    prepare_with(target, context, None, |runbook, environment| targets::decide(runbook, environment, context))
}

/// The same for a run at a terminal: whoever is there is asked for each missing parameter.
pub(super) fn prepare_asking(target: &Target, context: &Context, ask: Ask<'_>) -> Result<Prepared, CliError> {
    let decide = |runbook: &Runbook, environment: Option<(&str, &Environment)>| {
        targets::decide(runbook, environment, context)
    };
    prepare_with(target, context, Some(ask), decide)
}

/// The same without targets: passwords are not read, and a missing connection is no error.
pub(super) fn prepare_offline(target: &Target, context: &Context) -> Result<Prepared, CliError> {
    prepare_with(target, context, None, |runbook, environment| {
        let names = targets::names(runbook, environment.map(|(_, environment)| environment));
        Ok(Targets { names, connections: Connections::new(BTreeMap::new(), context.process.clone()) })
    })
}

fn prepare_with(
    target: &Target,
    context: &Context,
    ask: Option<Ask<'_>>,
    decide: impl FnOnce(&Runbook, Option<(&str, &Environment)>) -> Result<Targets, CliError>,
) -> Result<Prepared, CliError> {
    let (runbook, _) = load(&target.name, context)?;
    let environment = environment_of(&runbook, target, context)?;
    let Targets { names, connections } = decide(&runbook, target.env.as_deref().zip(environment.as_ref()))?;
    let mut target = target.clone();
    if let Some(ask) = ask {
        for name in parameters::missing(&runbook, &target, environment.as_ref(), context)? {
            let answer = ask(&name, &runbook.params[&name])?;
            target.set.push((name, answer));
        }
    }
    Ok(Prepared {
        params: parameters::values(&runbook, &target, environment.as_ref(), context)?,
        protected: environment.is_some_and(|environment| environment.protected),
        names,
        connections,
        surroundings: surroundings(target.env.as_deref(), context),
        environment: target.env,
        runbook,
    })
}

fn environment_of(
    runbook: &Runbook,
    target: &Target,
    context: &Context,
) -> Result<Option<Environment>, CliError> {
    let origin = runbook.documents.first().map_or("", |document| document.name.as_str());
    target.env.as_deref().map(|name| configuration::environment(name, origin, context)).transpose()
}

/// What templates may read before a run; a runbook sees only the variables it declares.
pub(super) fn surroundings(environment: Option<&str>, context: &Context) -> Surroundings {
    let run = environment.map(|name| ("environment".to_owned(), Value::from(name)));
    Surroundings {
        run: run.into_iter().collect(),
        environment: context.process.variables.clone(),
        connections: BTreeMap::new(),
    }
}

/// A runbook's text by name or path.
pub(super) fn find(name: &str, shelf: &Shelf) -> Result<SourceText, CliError> {
    match shelf.find(name) {
        Ok((origin, text)) => Ok(SourceText { origin, text }),
        Err(LookupError::Unknown(names)) => {
            let near = nearest(name, names.iter().map(String::as_str));
            Err(CliError::new(format!("there is no runbook `{name}`")).help(near.map_or_else(
                || "`runbook list` shows the names; a path works too.".to_owned(),
                |near| format!("Did you mean `{near}`? `runbook list` shows them all."),
            )))
        }
        Err(LookupError::Unreadable(failure)) => Err(failure.into()),
        Err(LookupError::NotText(problem)) => {
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(*problem);
            Err(CliError::of_document(format!("{name} cannot be used"), diagnostics, Sources::new()))
        }
    }
}

/// The shelf, as a runbook that includes others sees it.
pub(super) struct Books<'a>(pub(super) &'a Shelf);

impl Library for Books<'_> {
    fn find(&self, name: &str) -> Option<SourceText> {
        self.0.find(name).ok().map(|(origin, text)| SourceText { origin, text })
    }

    fn names(&self) -> Vec<String> {
        self.0.entries().into_iter().map(|entry| entry.name).collect()
    }

    fn read_beside(&self, origin: &str, file: &str) -> Result<String, Failure> {
        self.0.read_beside(origin, file)
    }
}
