//! From text to [`EnvironmentFile`], with every problem at its place.

use indexmap::IndexMap;
use serde_json::Value;

use super::connection::{ConnectionEntry, HostEntry, KubernetesEntry, PostgresEntry};
use super::{Environment, EnvironmentFile};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Sources};
use crate::yaml::{Document, Limits, Node, Shape};

/// Decodes a file of environments.
pub fn decode(origin: &str, text: &str, sources: &mut Sources) -> (EnvironmentFile, Diagnostics) {
    let id = sources.add(origin, text);
    let (document, mut diagnostics) = Document::parse(id, text, &Limits::default());
    let mut file = EnvironmentFile { origin: origin.to_owned(), environments: IndexMap::new() };
    let Some(document) = document else { return (file, diagnostics) };
    let root = document.root();
    root.deny_unknown(&["environments"], &mut diagnostics);
    if let Some(environments) = root.get("environments") {
        for (name, node) in environments.entries() {
            file.environments.insert(name.to_owned(), environment(node, &mut diagnostics));
        }
    }
    (file, diagnostics)
}

fn environment(node: Node<'_>, diagnostics: &mut Diagnostics) -> Environment {
    node.deny_unknown(&["protected", "params", "connections"], diagnostics);
    let mut environment = Environment::default();
    if let Some(protected) = node.get("protected") {
        environment.protected = keep(protected.decode(), diagnostics).unwrap_or(true);
    }
    if let Some(params) = node.get("params") {
        environment.params =
            keep(params.decode::<IndexMap<String, Value>>(), diagnostics).unwrap_or_default();
    }
    if let Some(connections) = node.get("connections") {
        for (name, node) in connections.entries() {
            if let Some(entry) = connection(node, diagnostics) {
                environment.connections.insert(name.to_owned(), entry);
            }
        }
    }
    environment
}

fn connection(node: Node<'_>, diagnostics: &mut Diagnostics) -> Option<ConnectionEntry> {
    let entries: Vec<(&str, Node<'_>)> = node.entries().collect();
    let [(kind, body)] = entries.as_slice() else {
        diagnostics.push(
            Diagnostic::error(Code::CONNECTION, "a connection has exactly one kind")
                .at(node.span(), "")
                .help("Write `db: { postgres: { dsn: … } }`."),
        );
        return None;
    };
    match *kind {
        "postgres" => keep(body.decode::<PostgresEntry>(), diagnostics)
            .map(|entry| ConnectionEntry::Postgres(Box::new(entry))),
        "host" if body.shape() == Shape::Map => {
            keep(body.decode::<HostEntry>(), diagnostics).map(|host| ConnectionEntry::Host(Box::new(host)))
        }
        "kubernetes" => keep(body.decode::<KubernetesEntry>(), diagnostics)
            .map(|entry| ConnectionEntry::Kubernetes(Box::new(entry))),
        other => {
            diagnostics.push(
                Diagnostic::error(Code::CONNECTION, format!("there is no kind of connection `{other}`"))
                    .at(body.key_span(), "")
                    .help("The kinds are `postgres`, `host` and `kubernetes`."),
            );
            None
        }
    }
}

fn keep<T>(result: Result<T, Diagnostic>, diagnostics: &mut Diagnostics) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(problem) => {
            diagnostics.push(problem);
            None
        }
    }
}
