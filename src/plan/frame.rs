//! [`Frame`]: a runbook with its parameters, its names for connections, and what is known of its steps. An included
//! runbook has a frame of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::records::{Records, StepsLookup};
use crate::model::{Redactor, StepId};
use crate::runbook::{Include, Runbook, Step};
use crate::step::{BindError, Binder};
use crate::template::{Found, Lookup, Read, Scope};

/// What a run or a plan knows beside the runbook.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `run.…`; in a plan only what is known before a run.
    pub run: Map<String, Value>,
    /// The environment variables a runbook may read.
    pub environment: BTreeMap<String, String>,
    /// Facts of each connection, by the environment's name; nothing when they were not asked.
    pub connections: BTreeMap<String, Value>,
}

/// A runbook being planned or run.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// The id of the step that includes it.
    pub prefix: Option<StepId>,
    /// The key of the child that includes it, when a `for_each` does.
    pub key: Option<String>,
    /// The environment's name for each of its connections; absent ones are not in it.
    pub connections: BTreeMap<String, String>,
    /// What is known of its steps.
    pub records: Records,
    variables: Arc<RwLock<Map<String, Value>>>,
    base: Scope,
    surroundings: Arc<Surroundings>,
}

impl Frame {
    /// A frame for a runbook.
    pub fn new(
        runbook: Arc<Runbook>,
        params: Map<String, Value>,
        connections: BTreeMap<String, String>,
        surroundings: Arc<Surroundings>,
        prefix: Option<StepId>,
    ) -> Self {
        let variables: Arc<RwLock<Map<String, Value>>> = Arc::default();
        let base = Scope::new()
            .with_value("params", Value::Object(params))
            .with_value("env", environment(&runbook, &surroundings))
            .with_value("run", Value::Object(surroundings.run.clone()))
            .with_value("connections", facts(&runbook, &connections, &surroundings))
            .with_lookup("vars", Arc::new(Variables(Arc::clone(&variables))));
        let records = Records::default();
        Self { runbook, prefix, key: None, connections, records, variables, base, surroundings }
    }

    /// The frame of an included runbook; `key` tells the children of a `for_each` apart.
    #[must_use]
    pub fn include(
        &self,
        include: &Include,
        params: Map<String, Value>,
        id: &StepId,
        key: Option<&str>,
    ) -> Self {
        let names = include.runbook.connections.keys();
        let connections = names
            .filter_map(|inner| {
                let outer = include.connections.get(inner).unwrap_or(inner);
                Some((inner.clone(), self.connections.get(outer)?.clone()))
            })
            .collect();
        let prefix = Some(self.full_id(id));
        let surroundings = Arc::clone(&self.surroundings);
        let inner = Self::new(Arc::clone(&include.runbook), params, connections, surroundings, prefix);
        Self { key: key.map(str::to_owned), ..inner }
    }

    /// The same frame with a copy of the records that later notes do not reach.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { records: self.records.fork(), ..self.clone() }
    }

    /// The frame of a step's hooks: they see the step as `this`, and a child's by its key.
    #[must_use]
    pub fn of_hooks(&self, this: Value, key: Option<&str>) -> Self {
        let base = self.base.clone().with_value("this", this);
        Self { base, key: key.map(str::to_owned), ..self.clone() }
    }

    /// The name of a variable as the whole run knows it.
    pub fn full_variable(&self, name: &str) -> String {
        match (&self.prefix, &self.key) {
            (None, _) => name.to_owned(),
            (Some(prefix), None) => format!("{prefix}.{name}"),
            (Some(prefix), Some(key)) => format!("{prefix}[{key}].{name}"),
        }
    }

    /// Takes the values of variables that an earlier leg computed.
    pub fn restore_variables(&self, known: &Map<String, Value>) {
        let found = self
            .runbook
            .vars
            .keys()
            .filter_map(|name| Some((name.clone(), known.get(&self.full_variable(name))?.clone())));
        if let Ok(mut variables) = self.variables.write() {
            variables.extend(found);
        }
    }

    /// A step's id as the whole run knows it.
    pub fn full_id(&self, id: &StepId) -> StepId {
        self.prefix.as_ref().map_or_else(|| id.clone(), |prefix| prefix.child(id.as_str()))
    }

    /// What a step sees.
    pub fn scope(&self, step: &Step, item: Option<&Value>, now: Timestamp) -> Scope {
        let group = step.id.as_str().rsplit_once('.').map(|(group, _)| group.to_owned());
        let steps = StepsLookup { records: self.records.clone(), group };
        let scope = self.base.clone().with_lookup("steps", Arc::new(steps)).with_now(now);
        match item {
            Some(item) => scope.with_value("item", item.clone()),
            None => scope,
        }
    }

    /// A binder for a step.
    pub fn binder<'a>(&'a self, scope: &'a Scope, redactor: &'a Redactor) -> Binder<'a> {
        Binder {
            scope,
            secrets: &self.runbook.secrets,
            redactor,
            connections: &self.connections,
            default_connection: self.runbook.default_connection("postgres"),
            default_cluster: self.runbook.default_connection("kubernetes"),
            namespace: self.runbook.defaults.namespace.as_deref(),
            lock_timeout: self.runbook.defaults.lock_timeout.as_ref(),
            statement_timeout: self.runbook.defaults.statement_timeout.as_ref(),
        }
    }

    /// Computes the variables that the reads see and that were not computed yet, those they see first. Returns the new
    /// ones.
    pub fn compute_variables<'r>(
        &self,
        reads: impl Iterator<Item = &'r Read>,
        binder: &Binder<'_>,
    ) -> Result<Vec<(String, Value)>, BindError> {
        let mut computed = Vec::new();
        for read in reads.filter(|read| read.root == "vars") {
            if let Some(name) = read.path.first() {
                self.compute_variable(name, binder, &mut computed)?;
            }
        }
        Ok(computed)
    }

    fn compute_variable(
        &self,
        name: &str,
        binder: &Binder<'_>,
        computed: &mut Vec<(String, Value)>,
    ) -> Result<(), BindError> {
        let Some((template, reads)) = self.runbook.vars.get(name) else { return Ok(()) };
        if self.variables.read().is_ok_and(|variables| variables.contains_key(name)) {
            return Ok(());
        }
        let inner: Vec<&str> = reads
            .iter()
            .filter(|read| read.root == "vars")
            .filter_map(|read| Some(read.path.first()?.as_str()))
            .collect();
        for inner in inner.into_iter().filter(|inner| *inner != name) {
            self.compute_variable(inner, binder, computed)?;
        }
        let value = binder.json(template)?;
        if let Ok(mut variables) = self.variables.write() {
            variables.insert(name.to_owned(), value.clone());
        }
        computed.push((name.to_owned(), value));
        Ok(())
    }

    /// The reads of steps that a read leads to, through variables.
    pub fn step_reads<'r>(&'r self, read: &'r Read) -> Vec<&'r Read> {
        let mut pending = vec![read];
        let mut found = Vec::new();
        let mut seen = Vec::new();
        while let Some(read) = pending.pop() {
            match (read.root.as_str(), read.path.first()) {
                ("steps", Some(_)) => found.push(read),
                ("vars", Some(name)) if !seen.contains(name) => {
                    seen.push(name.clone());
                    pending.extend(self.runbook.vars.get(name).into_iter().flat_map(|(_, reads)| reads));
                }
                _ => {}
            }
        }
        found
    }
}

#[derive(Debug)]
struct Variables(Arc<RwLock<Map<String, Value>>>);

impl Lookup for Variables {
    fn lookup(&self, key: &str) -> Found {
        match self.0.read().ok().and_then(|variables| variables.get(key).cloned()) {
            Some(value) => Found::Value(value),
            None => Found::Absent,
        }
    }
}

fn environment(runbook: &Runbook, surroundings: &Surroundings) -> Value {
    let value = |(name, default): (&String, &Option<String>)| {
        let value = surroundings.environment.get(name).cloned().or_else(|| default.clone())?;
        Some((name.clone(), Value::from(value)))
    };
    Value::Object(runbook.environment.iter().filter_map(value).collect())
}

fn facts(runbook: &Runbook, names: &BTreeMap<String, String>, surroundings: &Surroundings) -> Value {
    let facts = |name: &String| {
        let known = names.get(name).and_then(|outer| surroundings.connections.get(outer));
        let mut facts = known.and_then(Value::as_object).cloned().unwrap_or_default();
        facts.insert("present".to_owned(), json!(names.contains_key(name)));
        (name.clone(), Value::Object(facts))
    };
    Value::Object(runbook.connections.keys().map(facts).collect())
}
