//! Where a parameter's value comes from: `--set`, a file, the environment profile, the process environment, the
//! default; and one error that names everything missing.

use serde_json::{Map, Value};

use super::parameter::{Parameter, Parameters, Unsuitable};
use crate::diagnostic::nearest;
use crate::environment::PasswordSource;
use crate::model::{ProcessEnvironment, Redactor};

/// The places that values come from, first to last.
#[derive(Debug, Default)]
pub struct ValueSources<'a> {
    /// `--set name=value`.
    pub set: &'a [(String, String)],
    /// `--params-file`.
    pub file: Map<String, Value>,
    /// The environment profile.
    pub profile: Map<String, Value>,
    /// `RUNBOOK_PARAM_NAME`.
    pub process: Option<&'a ProcessEnvironment>,
}

/// A parameter without a usable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueProblem {
    /// None was given.
    Missing {
        /// Its name.
        name: String,
        /// What it is for.
        description: String,
    },
    /// The one given does not fit.
    Unsuitable {
        /// Its name.
        name: String,
        /// Where the value came from.
        source: String,
        /// Why it does not fit.
        why: Unsuitable,
    },
    /// The runbook has no such parameter.
    Unknown {
        /// The name given.
        name: String,
        /// Where it was given.
        source: String,
        /// The nearest name.
        near: Option<String>,
    },
}

/// Resolves the value of every parameter; secrets are taught to the redactor.
pub fn resolve(
    parameters: &Parameters,
    sources: &ValueSources<'_>,
    redactor: &Redactor,
) -> Result<Map<String, Value>, Vec<ValueProblem>> {
    let mut problems = unknown(parameters, sources);
    let mut values = Map::new();
    for (name, parameter) in parameters {
        match value(name, parameter, sources) {
            Ok(value) => {
                if parameter.secret {
                    learn(&value, redactor);
                }
                values.insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn unknown(parameters: &Parameters, sources: &ValueSources<'_>) -> Vec<ValueProblem> {
    let given = sources.set.iter().map(|(name, _)| (name, "--set"));
    let filed = sources.file.keys().map(|name| (name, "the parameter file"));
    given
        .chain(filed)
        .filter(|(name, _)| !parameters.contains_key(*name))
        .map(|(name, source)| ValueProblem::Unknown {
            name: name.clone(),
            source: source.to_owned(),
            near: nearest(name, parameters.keys().map(String::as_str)).map(str::to_owned),
        })
        .collect()
}

fn value(name: &str, parameter: &Parameter, sources: &ValueSources<'_>) -> Result<Value, ValueProblem> {
    let refuse = |source: &str| {
        let (name, source) = (name.to_owned(), source.to_owned());
        move |why| ValueProblem::Unsuitable { name, source, why }
    };
    if let Some((_, text)) = sources.set.iter().rev().find(|(set, _)| set == name) {
        return parameter.accept_text(text).map_err(refuse("--set"));
    }
    for (map, source) in
        [(&sources.file, "the parameter file"), (&sources.profile, "the environment profile")]
    {
        if let Some(value) = map.get(name) {
            return from_data(parameter, value, sources.process).map_err(refuse(source));
        }
    }
    let variable = format!("RUNBOOK_PARAM_{}", name.to_ascii_uppercase());
    if let Some(text) = sources.process.and_then(|process| process.get(&variable)) {
        return parameter.accept_text(text).map_err(refuse(&variable));
    }
    if let Some(default) = &parameter.default {
        return parameter.accept(default).map_err(refuse("the default"));
    }
    if let Some(generate) = parameter.generate {
        return generated(generate.length).map_err(refuse("the generator"));
    }
    if parameter.is_required() {
        return Err(ValueProblem::Missing {
            name: name.to_owned(),
            description: parameter.description.clone(),
        });
    }
    Ok(parameter.absent())
}

/// A secret may be given by its source: `{ file: … }` or `{ env: … }`.
fn from_data(
    parameter: &Parameter,
    value: &Value,
    process: Option<&ProcessEnvironment>,
) -> Result<Value, Unsuitable> {
    let source =
        parameter.secret.then(|| serde_json::from_value::<PasswordSource>(value.clone()).ok()).flatten();
    let (Some(source), Some(process)) = (source, process) else { return parameter.accept(value) };
    match source.read(process) {
        Ok(secret) => parameter.accept_text(secret.expose()),
        Err(failure) => Err(Unsuitable { message: failure.message, help: failure.help }),
    }
}

fn learn(value: &Value, redactor: &Redactor) {
    match value {
        Value::String(text) => redactor.learn(text),
        Value::Array(items) => items.iter().for_each(|item| learn(item, redactor)),
        Value::Object(map) => map.values().for_each(|item| learn(item, redactor)),
        Value::Number(number) => redactor.learn(&number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Draws letters and digits from the operating system, without a bias.
fn generated(length: usize) -> Result<Value, Unsuitable> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)
            .map_err(|error| Unsuitable { message: format!("no random bytes: {error}"), help: None })?;
        let drawn =
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(drawn.take(length - text.len()));
    }
    Ok(Value::from(text))
}
