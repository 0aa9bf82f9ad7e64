//! An object as a step describes it: written out, in a file, or a ConfigMap or Secret from texts and files.

mod file;
mod keyed;

use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change;
use crate::connect::kubernetes::{ApiError, Cluster, Resource};
use crate::diagnostic::{Code, Severity};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::kind::{Anchor, CheckContext};
use crate::step::templated::{Problem, Templated, Text};

use keyed::Keyed;

/// An object: written out, in a file, or a ConfigMap or Secret from texts and files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The object with `apiVersion`, `kind` and `metadata.name`.
    object: Option<Templated>,
    /// A manifest beside the runbook: a YAML document for each object. It is no template, and is sent as it stands.
    file: Option<String>,
    /// The objects of the manifest, once it was read.
    #[serde(skip)]
    read: Vec<Value>,
    /// The name of a ConfigMap that holds `literals` and `files`.
    configmap: Option<Text>,
    /// The name of a Secret that holds `literals` and `files`.
    secret: Option<Text>,
    /// Values by key.
    #[serde(default)]
    literals: IndexMap<String, Text>,
    /// Files by key, relative to `--files`.
    #[serde(default)]
    files: IndexMap<String, Text>,
    /// Labels of the ConfigMap or Secret.
    #[serde(default)]
    labels: IndexMap<String, Text>,
    /// Whether fields of other managers are taken.
    #[serde(default)]
    pub(super) force_conflicts: bool,
}

/// An object, bound.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BoundManifest {
    /// Written out.
    Object(Value),
    /// Those of a file.
    Objects(Vec<Value>),
    /// A ConfigMap from texts and files.
    ConfigMap(Keyed),
    /// A Secret from texts and files.
    Secret(Keyed),
}

impl Manifest {
    /// What is wrong with it as it stands in the runbook.
    pub(super) fn check(&self) -> Option<(String, String)> {
        let sources =
            [self.object.is_some(), self.file.is_some(), self.configmap.is_some(), self.secret.is_some()];
        let keyed = !self.literals.is_empty() || !self.files.is_empty() || !self.labels.is_empty();
        let (message, help) = match sources.into_iter().filter(|given| *given).count() {
            1 if (self.object.is_some() || self.file.is_some()) && keyed => (
                "`literals`, `files` and `labels` are for a ConfigMap or a Secret",
                "Put the values into the object.",
            ),
            1 => return None,
            0 => ("there is no object", "Write `object:`, `file:`, `configmap:` or `secret:`."),
            _ => ("there is more than one object", "Make two steps of them."),
        };
        Some((message.to_owned(), help.to_owned()))
    }

    /// Reads the file, whose problems are shown where they are.
    pub(super) fn complete(&mut self, cx: &mut CheckContext<'_>) {
        let Some(file) = &self.file else { return };
        let text = match (cx.read_file)(file) {
            Ok(text) => text,
            Err(Failure { message, help, .. }) => {
                let (code, severity) = (Code::KUBECTL_FILE, Severity::Error);
                let problem = Problem { code, severity, message, range: None, help };
                cx.problems.push((Anchor::Scalar(file.clone()), problem));
                return;
            }
        };
        match file::objects(&text) {
            Ok(objects) => self.read = objects,
            Err(problems) => {
                cx.problems
                    .extend(problems.into_iter().map(|problem| (Anchor::Scalar(text.clone()), problem)));
            }
        }
    }

    /// Whether there may be several objects, each with its own result.
    pub(super) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// What it is, for people.
    pub(super) fn source(&self) -> String {
        if let Some(file) = &self.file {
            return file.clone();
        }
        match (&self.object, &self.configmap, &self.secret) {
            (_, Some(name), _) => format!("configmap/{}", name.source()),
            (_, _, Some(name)) => format!("secret/{}", name.source()),
            (Some(Templated::Map(map)), ..) => {
                let text = |value: Option<&Templated>| match value {
                    Some(Templated::Text(text)) => text.source().to_owned(),
                    _ => "object".to_owned(),
                };
                let name = match map.get("metadata") {
                    Some(Templated::Map(metadata)) => text(metadata.get("name")),
                    _ => "object".to_owned(),
                };
                format!("{}/{name}", text(map.get("kind")).to_lowercase())
            }
            _ => "object".to_owned(),
        }
    }

    /// What a change of it does to the world, where the runbook alone says it; `what` the change is, for people.
    pub(super) fn class(&self, what: &str) -> Class {
        if self.file.is_some() {
            return worst(&self.read, what);
        }
        change::class(self.kind(), what)
    }

    fn kind(&self) -> Option<&str> {
        match &self.object {
            None => Some("configmap"),
            Some(Templated::Map(map)) => match map.get("kind")? {
                Templated::Text(text) if !text.source().contains("{{") => Some(text.source()),
                _ => None,
            },
            Some(_) => None,
        }
    }

    /// Renders it.
    pub(super) fn bind(&self, binder: &Binder<'_>) -> Result<BoundManifest, BindError> {
        if self.file.is_some() {
            return Ok(BoundManifest::Objects(self.read.clone()));
        }
        if let Some(object) = &self.object {
            return binder.json(object).map(BoundManifest::Object);
        }
        let texts = |texts: &IndexMap<String, Text>| {
            texts
                .iter()
                .map(|(key, text)| Ok((key.clone(), binder.text(text)?)))
                .collect::<Result<_, BindError>>()
        };
        let keyed = |name: &Text| {
            Ok(Keyed {
                name: binder.text(name)?,
                literals: texts(&self.literals)?,
                keys: self.literals.keys().chain(self.files.keys()).cloned().collect(),
                files: texts(&self.files)?,
                labels: texts(&self.labels)?,
            })
        };
        match (&self.configmap, &self.secret) {
            (Some(name), _) => keyed(name).map(BoundManifest::ConfigMap),
            (None, Some(name)) => keyed(name).map(BoundManifest::Secret),
            (None, None) => Ok(BoundManifest::Object(Value::Null)),
        }
    }
}

impl BoundManifest {
    /// What it is, for people: each object by kind and name.
    pub(super) fn shown(&self) -> Vec<String> {
        match self {
            Self::Object(object) => vec![shown(object)],
            Self::Objects(objects) => objects.iter().map(shown).collect(),
            Self::ConfigMap(keyed) => vec![format!("configmap/{}", keyed.name)],
            Self::Secret(keyed) => vec![format!("secret/{}", keyed.name)],
        }
    }

    /// Each object by its kind, as the cluster is asked for it, and its name. What is no object yet is left out.
    pub(super) fn kinds_and_names(&self) -> Vec<(String, String)> {
        let of = |object: &Value| {
            let name = object["metadata"]["name"].as_str()?.to_owned();
            Some((qualified(object["kind"].as_str()?, object["apiVersion"].as_str()?), name))
        };
        match self {
            Self::Object(object) => of(object).into_iter().collect(),
            Self::Objects(objects) => objects.iter().filter_map(of).collect(),
            Self::ConfigMap(keyed) => vec![("configmap".to_owned(), keyed.name.clone())],
            Self::Secret(keyed) => vec![("secret".to_owned(), keyed.name.clone())],
        }
    }

    /// What a change of it does to the world.
    pub(super) fn class(&self, what: &str) -> Class {
        match self {
            Self::Object(object) => worst(std::slice::from_ref(object), what),
            Self::Objects(objects) => worst(objects, what),
            Self::ConfigMap(_) | Self::Secret(_) => change::class(Some("configmap"), what),
        }
    }

    /// The objects as they are sent: data files are read, and what the server would refuse for its size is refused
    /// here. Without a folder, data files are left out.
    pub(super) async fn objects(&self, files: Option<&Path>) -> Result<Vec<Value>, Failure> {
        Ok(match self {
            Self::Object(object) => vec![object.clone()],
            Self::Objects(objects) => objects.clone(),
            Self::ConfigMap(keyed) => vec![keyed.object("ConfigMap", files).await?],
            Self::Secret(keyed) => vec![keyed.object("Secret", files).await?],
        })
    }
}

/// An object by kind and name, as kubectl shows it.
pub(super) fn shown(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("object").to_owned();
    format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]))
}

/// A kind with the group of its version, as `Deployment.apps`; the core has none.
pub(super) fn qualified(kind: &str, version: &str) -> String {
    version.split_once('/').map_or(kind.to_owned(), |(group, _)| format!("{kind}.{group}"))
}

/// The class of the object that it disturbs most.
fn worst(objects: &[Value], what: &str) -> Class {
    let classes = objects.iter().map(|object| change::class(object["kind"].as_str(), what));
    classes.max_by_key(|class| class.effect).unwrap_or_else(|| Class::known(Effect::Change))
}

/// The kind of a written object, as the cluster has it, and its name.
pub(super) async fn meant(cluster: &Cluster, object: &Value) -> Result<(Resource, String), ApiError> {
    let text = |value: &Value, what: &str| {
        let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        text.ok_or_else(|| ApiError::missing(what))
    };
    let (kind, version) = (text(&object["kind"], "kind")?, text(&object["apiVersion"], "apiVersion")?);
    let name = text(&object["metadata"]["name"], "metadata.name")?;
    let mut resource = cluster.resource(&qualified(&kind, &version)).await?;
    // The version that is written is the one that is meant.
    version.rsplit('/').next().unwrap_or_default().clone_into(&mut resource.version);
    Ok((resource, name))
}
