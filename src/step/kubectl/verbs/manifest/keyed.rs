//! [`Keyed`]: a ConfigMap or Secret from texts and files.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{Failure, format_size};

/// The most that the values of a ConfigMap or Secret may take together, by the server's own rule.
const LIMIT: u64 = 1 << 20;

/// Values by key.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl::verbs) struct Keyed {
    pub(super) name: String,
    /// Journaled by their keys alone where they are a Secret's.
    #[serde(skip)]
    pub(super) literals: IndexMap<String, String>,
    pub(super) keys: Vec<String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(super) files: IndexMap<String, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(super) labels: IndexMap<String, String>,
}

impl Keyed {
    /// The object as it is sent; without a folder, the files are left out.
    pub(super) async fn object(&self, kind: &str, files: Option<&Path>) -> Result<Value, Failure> {
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
