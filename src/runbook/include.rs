//! `runbook:` steps: another runbook's steps under this step's id, with its own parameters, defaults and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Runbook;
use crate::step::templated::Templated;

/// `runbook:` as written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IncludeSpec {
    /// The runbook's name.
    pub(super) name: String,
    /// Its parameters.
    #[serde(default)]
    pub(super) params: IndexMap<String, Templated>,
    /// The connection of this runbook that stands for each of its connections; by default the one of the same name.
    #[serde(default)]
    pub(super) connections: BTreeMap<String, String>,
}

/// An included runbook.
#[derive(Debug)]
pub struct Include {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// Its parameters.
    pub params: IndexMap<String, Templated>,
    /// This runbook's name for each of its connections.
    pub connections: BTreeMap<String, String>,
}
