//! [`Binder`]: the one place where templates of step bodies are rendered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::BindError;
use super::templated::{Expr, LONGEST, Seconds, SqlText, Templated, Text};
use crate::model::{Redactor, parse_duration};
use crate::sql::{Piece, Statement};
use crate::template::{Read, Scope};

/// Which variables are secret; decided when the runbook is loaded, since reads are known from the text alone.
#[derive(Debug, Clone, Default)]
pub struct SecretNames {
    names: std::collections::BTreeSet<(String, String)>,
}

impl SecretNames {
    /// Marks `params.x`, `vars.x` or the output of `steps.x` as secret.
    pub fn insert(&mut self, root: &str, name: &str) {
        self.names.insert((root.to_owned(), name.to_owned()));
    }

    /// Whether a read sees a secret. Facts about a secret step, such as its state, are no secret.
    pub fn covers(&self, read: &Read) -> bool {
        const OPEN: &[&str] =
            &["state", "started", "succeeded", "failed", "skipped", "uncertain", "cancelled"];
        if self.names.is_empty() || read.path.last().is_some_and(|field| OPEN.contains(&field.as_str())) {
            return false;
        }
        (1..=read.path.len())
            .any(|depth| self.names.contains(&(read.root.clone(), read.path[..depth].join("."))))
    }

    /// Whether any of the reads sees a secret.
    pub fn any(&self, reads: &[Read]) -> bool {
        reads.iter().any(|read| self.covers(read))
    }
}

/// Renders what a body holds, and teaches the redactor what came out of secrets.
#[derive(Debug, Clone, Copy)]
pub struct Binder<'a> {
    /// The variables.
    pub scope: &'a Scope,
    /// Which of them are secret.
    pub secrets: &'a SecretNames,
    /// Learns every text made from a secret.
    pub redactor: &'a Redactor,
    /// The environment's name of each connection the runbook declares.
    pub connections: &'a BTreeMap<String, String>,
    /// The database of a step that names none.
    pub default_connection: Option<&'a str>,
    /// The cluster of a step that names none.
    pub default_cluster: Option<&'a str>,
    /// The namespace of a kubectl step that names none.
    pub namespace: Option<&'a str>,
    /// How long a statement may wait for a lock, for steps that do not say.
    pub lock_timeout: Option<&'a Seconds>,
    /// How long a statement may take, for steps that do not say.
    pub statement_timeout: Option<&'a Seconds>,
}

impl Binder<'_> {
    /// Renders a text.
    pub fn text(&self, text: &Text) -> Result<String, BindError> {
        let rendered = text
            .template
            .render_text(self.scope)
            .map_err(|error| BindError::template(text.source(), error))?;
        self.learn(text.template.reads(), &rendered);
        Ok(rendered)
    }

    /// Renders a text where there is one.
    pub fn maybe_text(&self, text: Option<&Text>) -> Result<Option<String>, BindError> {
        text.map(|text| self.text(text)).transpose()
    }

    /// Evaluates an expression.
    pub fn value(&self, expr: &Expr) -> Result<Value, BindError> {
        expr.expression.eval(self.scope).map_err(|error| BindError::template(expr.source(), error))
    }

    /// Evaluates an expression that must be true or false.
    pub fn truth(&self, expr: &Expr) -> Result<bool, BindError> {
        expr.expression.eval_bool(self.scope).map_err(|error| BindError::template(expr.source(), error))
    }

    /// Renders every text of a value.
    pub fn json(&self, value: &Templated) -> Result<Value, BindError> {
        Ok(match value {
            Templated::Plain(plain) => plain.clone(),
            Templated::Text(text) => {
                let rendered = text
                    .template
                    .render(self.scope)
                    .map_err(|error| BindError::template(text.source(), error))?;
                if let Some(rendered) = rendered.as_str() {
                    self.learn(text.template.reads(), rendered);
                }
                rendered
            }
            Templated::List(items) => {
                items.iter().map(|item| self.json(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Templated::Map(map) => Value::Object(
                map.iter()
                    .map(|(key, value)| Ok((key.clone(), self.json(value)?)))
                    .collect::<Result<_, BindError>>()?,
            ),
        })
    }

    /// Renders a duration, in seconds.
    pub fn seconds(&self, seconds: &Seconds) -> Result<f64, BindError> {
        let text = match seconds {
            // The file's own durations were checked when it was loaded.
            Seconds::Fixed(seconds) => return Ok(*seconds),
            Seconds::Template(text) => text,
        };
        let value = self.json(&Templated::Text(text.clone()))?;
        let parsed = match &value {
            Value::Number(number) => number.as_f64().ok_or_else(|| "is not a number".to_owned()),
            Value::String(text) => parse_duration(text),
            other => Err(format!("`{other}` is not a duration")),
        };
        let parsed = parsed.and_then(|seconds| {
            let fits = (0.0..=LONGEST).contains(&seconds);
            fits.then_some(seconds)
                .ok_or_else(|| format!("{seconds} s is not between nothing and a hundred years"))
        });
        parsed.map_err(|message| BindError {
            message,
            source: text.source().to_owned(),
            help: Some("Write a duration such as `5s` or `2m`, or a number of seconds.".to_owned()),
        })
    }

    /// Renders a duration where there is one.
    pub fn maybe_seconds(&self, seconds: Option<&Seconds>) -> Result<Option<f64>, BindError> {
        seconds.map(|seconds| self.seconds(seconds)).transpose()
    }

    /// Puts escaped values into SQL and proves that only the holes changed.
    pub fn sql(&self, text: &SqlText) -> Result<Vec<Statement>, BindError> {
        let fragments =
            text.template.fragments(self.scope).map_err(|error| BindError::template(text.source(), error))?;
        self.learn_fragments(text, &fragments);
        text.script.bind(&fragments).map_err(|error| BindError {
            message: error.message,
            source: text.source().to_owned(),
            help: error.help,
        })
    }

    /// The environment's name of a connection, or of the default database.
    pub fn connection(&self, name: Option<&str>) -> Result<String, BindError> {
        self.outer(name.or(self.default_connection).unwrap_or_default())
    }

    /// The environment's name of a cluster, or of the default one.
    pub fn cluster(&self, name: Option<&str>) -> Result<String, BindError> {
        self.outer(name.or(self.default_cluster).unwrap_or_default())
    }

    /// The environment's name of a host. Where nothing else is called so, `local` is the machine this runs on.
    pub fn host(&self, name: Option<&str>) -> Result<String, BindError> {
        match name.unwrap_or("local") {
            "local" if !self.connections.contains_key("local") => Ok("local".to_owned()),
            name => self.outer(name),
        }
    }

    fn outer(&self, name: &str) -> Result<String, BindError> {
        self.connections.get(name).cloned().ok_or_else(|| BindError {
            message: format!("connection `{name}` is not declared"),
            source: name.to_owned(),
            help: Some("Declare it under `connections:`.".to_owned()),
        })
    }

    /// Only what stands in a hole that reads a secret is one; the other holes of the text stay readable.
    fn learn_fragments(&self, text: &SqlText, fragments: &[String]) {
        let holes = text.template.pieces().into_iter().filter_map(|piece| match piece {
            Piece::Hole { range, .. } => Some(range),
            Piece::Text { .. } => None,
        });
        for (hole, fragment) in holes.zip(fragments) {
            let mut inside = text.template.reads().iter().filter(|read| hole.contains(&read.range.start));
            if inside.any(|read| self.secrets.covers(read)) {
                self.redactor.learn(fragment.trim_matches('\''));
            }
        }
    }

    fn learn(&self, reads: &[Read], rendered: &str) {
        if self.secrets.any(reads) {
            self.redactor.learn(rendered);
        }
    }
}
