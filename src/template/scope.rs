//! [`Scope`]: what a template may see, and [`Lookup`], for values that are only made when they are read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::error::{Fault, Problem};
use super::filters::time::rfc3339;
use super::value::from_json;

/// Values that are looked up by name when a template reads them.
pub trait Lookup: Debug + Send + Sync {
    /// The value of a name.
    fn lookup(&self, key: &str) -> Found;

    /// The names there are, for suggestions and for rendering the whole.
    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a [`Lookup`] found.
#[derive(Debug, Clone)]
pub enum Found {
    /// There is no such name; reading it is an error unless `default` or `is defined` says otherwise.
    Absent,
    /// A value.
    Value(serde_json::Value),
    /// More names below this one.
    Lookup(Arc<dyn Lookup>),
    /// The name exists but may not be read now, and why. Under `default` and `is defined` it counts as absent.
    Refused(String),
}

/// What a template may see: a value or a lookup for each root, and the time.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inner {
    roots: BTreeMap<String, Value>,
    now: Option<Timestamp>,
}

/// The name under which the machine finds the time; no author can write it.
pub(super) const NOW: &str = "__now";

impl Scope {
    /// A scope without anything in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root with a value.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over what they made for the scope")]
    pub fn with_value(self, root: &str, value: serde_json::Value) -> Self {
        self.with(root, from_json(&value))
    }

    /// Adds a root whose names are looked up when they are read.
    #[must_use]
    pub fn with_lookup(self, root: &str, lookup: Arc<dyn Lookup>) -> Self {
        self.with(root, Value::from_object(LookupObject(lookup)))
    }

    /// What `now()` gives: one value for a step, however often it is tried.
    pub fn now(&self) -> Option<Timestamp> {
        self.inner.now
    }

    /// Sets what `now()` gives.
    #[must_use]
    pub fn with_now(mut self, now: Timestamp) -> Self {
        Arc::make_mut(&mut self.inner).now = Some(now);
        self
    }

    fn with(mut self, root: &str, value: Value) -> Self {
        Arc::make_mut(&mut self.inner).roots.insert(root.to_owned(), value);
        self
    }

    /// The scope as the machine's root.
    pub(super) fn to_root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.inner))
    }
}

impl Object for Inner {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            NOW => self.now.map(|now| Value::from(rfc3339(now))),
            root => self.roots.get(root).cloned(),
        }
    }
}

/// A [`Lookup`] as an object of the machine.
#[derive(Debug)]
pub(super) struct LookupObject(Arc<dyn Lookup>);

impl LookupObject {
    /// Reads a name; a refusal is an error.
    pub(super) fn read(&self, key: &str) -> Result<Option<Value>, Fault> {
        match self.0.lookup(key) {
            Found::Absent => Ok(None),
            Found::Value(json) => Ok(Some(from_json(&json))),
            Found::Lookup(lookup) => Ok(Some(Value::from_object(Self(lookup)))),
            Found::Refused(message) => Err(Fault::new(Problem::Refused, message)),
        }
    }

    /// The names there are.
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.keys()
    }
}

impl Object for LookupObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.read(key.as_str()?).ok().flatten()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.keys().into_iter().map(Value::from).collect())
    }
}
