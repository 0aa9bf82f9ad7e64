//! An object as a step describes it: written out, or a ConfigMap or Secret from texts and files.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::connect::kubernetes::{ApiError, Cluster, Resource};
use crate::model::{Failure, format_size};
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::templated::{Templated, Text};

/// The most that the values of a ConfigMap or Secret may take together, by the server's own rule.
const LIMIT: u64 = 1 << 20;

/// An object: written out, or a ConfigMap or Secret from texts and files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The object with `apiVersion`, `kind` and `metadata.name`.
    object: Option<Templated>,
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
    /// A ConfigMap from texts and files.
    ConfigMap(Keyed),
    /// A Secret from texts and files.
    Secret(Keyed),
}

/// Values by key.
#[derive(Debug, Serialize)]
pub(super) struct Keyed {
    name: String,
    /// Journaled by their keys alone where they are a Secret's.
    #[serde(skip)]
    literals: IndexMap<String, String>,
    keys: Vec<String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    files: IndexMap<String, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    labels: IndexMap<String, String>,
}

impl Manifest {
    /// What is wrong with it as it stands in the file.
    pub(super) fn check(&self) -> Option<(String, String)> {
        let sources = [self.object.is_some(), self.configmap.is_some(), self.secret.is_some()];
        let keyed = !self.literals.is_empty() || !self.files.is_empty();
        let (message, help) = match sources.into_iter().filter(|given| *given).count() {
            1 if self.object.is_some() && keyed => {
                ("`literals` and `files` are for a ConfigMap or a Secret", "Put the values into the object.")
            }
            1 => return None,
            0 => ("there is no object", "Write `object:`, `configmap:` or `secret:`."),
            _ => ("there is more than one object", "Make two steps of them."),
        };
        Some((message.to_owned(), help.to_owned()))
    }

    /// What it is, for people.
    pub(super) fn source(&self) -> String {
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

    /// The kind as written, where the file alone says it.
    pub(super) fn kind(&self) -> Option<&str> {
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
    /// What it is, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Object(object) => {
                let text = |value: &Value| value.as_str().unwrap_or("object").to_owned();
                format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]))
            }
            Self::ConfigMap(keyed) => format!("configmap/{}", keyed.name),
            Self::Secret(keyed) => format!("secret/{}", keyed.name),
        }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Option<&str> {
        match self {
            Self::Object(object) => object["kind"].as_str(),
            Self::ConfigMap(_) | Self::Secret(_) => Some("configmap"),
        }
    }

    /// The object as it is sent: files are read, and what the server would refuse for its size is refused here.
    pub(super) async fn object(&self, files: Option<&Path>) -> Result<Value, Failure> {
        match self {
            Self::Object(object) => Ok(object.clone()),
            Self::ConfigMap(keyed) => keyed.object("ConfigMap", files).await,
            Self::Secret(keyed) => keyed.object("Secret", files).await,
        }
    }
}

impl Keyed {
    async fn object(&self, kind: &str, files: Option<&Path>) -> Result<Value, Failure> {
        let mut values: Vec<(&str, Vec<u8>)> = Vec::new();
        values.extend(self.literals.iter().map(|(key, text)| (key.as_str(), text.clone().into_bytes())));
        for (key, path) in self.files.iter().take_while(|_| files.is_some()) {
            let path = files.unwrap_or(Path::new(".")).join(path);
            // A dump is not read whole only to be refused.
            if let Ok(metadata) = tokio::fs::metadata(&path).await
                && metadata.len() > LIMIT
            {
                return Err(too_large(kind, &self.name, metadata.len()));
            }
            let bytes = tokio::fs::read(&path).await.map_err(|error| {
                Failure::new(format!("cannot read {}: {error}", path.display()))
                    .help("Check the path and --files.")
            })?;
            values.push((key, bytes));
        }
        let total: u64 = values.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if total > LIMIT {
            return Err(too_large(kind, &self.name, total));
        }
        let mut object = json!({
            "apiVersion": "v1", "kind": kind, "metadata": { "name": self.name },
        });
        if !self.labels.is_empty() {
            object["metadata"]["labels"] = json!(self.labels);
        }
        let (mut data, mut binary) = (Map::new(), Map::new());
        for (key, bytes) in values {
            match String::from_utf8(bytes) {
                Ok(text) if kind == "ConfigMap" => drop(data.insert(key.to_owned(), text.into())),
                Ok(text) => drop(data.insert(key.to_owned(), STANDARD.encode(text).into())),
                Err(error) if kind == "ConfigMap" => {
                    binary.insert(key.to_owned(), STANDARD.encode(error.as_bytes()).into());
                }
                Err(error) => drop(data.insert(key.to_owned(), STANDARD.encode(error.as_bytes()).into())),
            }
        }
        for (field, map) in [("data", data), ("binaryData", binary)] {
            if !map.is_empty() {
                object[field] = map.into();
            }
        }
        Ok(object)
    }
}

fn too_large(kind: &str, name: &str, size: u64) -> Failure {
    let size = format_size(i64::try_from(size).unwrap_or(i64::MAX));
    Failure::new(format!("{kind} `{name}` would hold {size}, and 1 MiB is the most one may hold"))
        .help("Keep large files on a volume or in an object store; a dump does not belong in a ConfigMap.")
}

/// The kind of a written object, as the cluster has it, and its name.
pub(super) async fn meant(cluster: &Cluster, object: &Value) -> Result<(Resource, String), ApiError> {
    let text = |value: &Value, what: &str| {
        let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        text.ok_or_else(|| ApiError::missing(what))
    };
    let (kind, version) = (text(&object["kind"], "kind")?, text(&object["apiVersion"], "apiVersion")?);
    let name = text(&object["metadata"]["name"], "metadata.name")?;
    let group = version.split_once('/').map(|(group, _)| group);
    let asked = group.map_or(kind.clone(), |group| format!("{kind}.{group}"));
    let mut resource = cluster.resource(&asked).await?;
    // The version that is written is the one that is meant.
    version.rsplit('/').next().unwrap_or_default().clone_into(&mut resource.version);
    Ok((resource, name))
}
