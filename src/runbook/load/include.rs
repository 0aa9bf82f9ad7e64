//! `runbook:` steps: finds the runbook, reads it once, and checks what it is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{Loader, did_you_mean};
use crate::diagnostic::{Code, Span, nearest};
use crate::model::Class;
use crate::runbook::Runbook;
use crate::runbook::include::{Include, IncludeSpec};
use crate::runbook::step::{Step, StepBody};
use crate::yaml::Node;

impl Loader<'_, '_> {
    pub(super) fn include(&mut self, node: Node<'_>, step: &mut Step) -> Option<()> {
        let body = node.get("runbook")?;
        let spec = match body.as_str() {
            Some(name) => {
                IncludeSpec { name: name.to_owned(), params: IndexMap::new(), connections: BTreeMap::new() }
            }
            None => self.templated::<IncludeSpec>(node, "runbook", &mut step.reads)?,
        };
        let name_span = body.get("name").map_or_else(|| body.span(), Node::span);
        let included = self.included(&spec.name, name_span)?;
        self.check_params(&spec, &included, body);
        self.check_mapping(&spec, &included, body);
        for document in &included.documents {
            if !self.runbook.documents.contains(document) {
                self.runbook.documents.push(document.clone());
            }
        }
        let classes = included.steps.iter().map(|step| step.class.clone());
        step.class = classes.fold(Class::default(), Class::and);
        let IncludeSpec { params, connections, .. } = spec;
        step.body = StepBody::Include(Box::new(Include { runbook: included, params, connections }));
        Some(())
    }

    /// The runbook of a name, unless it is one of those that are being read.
    fn included(&mut self, name: &str, span: Span) -> Option<Arc<Runbook>> {
        let mut path = self.path.to_vec();
        path.push(self.runbook.name.clone());
        if let Some(start) = path.iter().position(|outer| outer == name) {
            let message = format!("`{name}` cannot include itself");
            let help = format!("Break the circle {} → {name}.", path[start..].join(" → "));
            self.error(Code::INCLUDE_CYCLE, &message, span, &help);
            return None;
        }
        let Some(source) = self.shared.library.find(name) else {
            let names = self.shared.library.names();
            let near = nearest(name, names.iter().map(String::as_str));
            let help = did_you_mean(near, || "Choose one of those that `runbook list` shows.".to_owned());
            self.error(Code::INCLUDE_UNKNOWN, &format!("there is no runbook `{name}`"), span, &help);
            return None;
        };
        let origin = source.origin.clone();
        if let Some(known) = self.shared.included.get(&origin) {
            return known.clone();
        }
        let included = self.shared.file(source, &path).map(Arc::new);
        self.shared.included.insert(origin, included.clone());
        included
    }

    fn check_params(&mut self, spec: &IncludeSpec, included: &Runbook, body: Node<'_>) {
        for name in spec.params.keys().filter(|name| !included.params.contains_key(*name)) {
            let given = body.get("params").and_then(|params| params.get(name));
            let span = given.map_or_else(|| body.span(), Node::key_span);
            let near = nearest(name, included.params.keys().map(String::as_str));
            let help = did_you_mean(near, || "Remove it.".to_owned());
            let message = format!("`{}` has no parameter `{name}`", included.name);
            self.error(Code::INCLUDE_PARAMETER, &message, span, &help);
        }
        let span = body.get("name").map_or_else(|| body.span(), Node::span);
        for (name, parameter) in &included.params {
            if parameter.is_required() && !spec.params.contains_key(name) {
                let message = format!("`{}` needs a value for its parameter `{name}`", included.name);
                let help = format!("Add it under `params:`: `{name}: …`.");
                self.error(Code::INCLUDE_PARAMETER, &message, span, &help);
            }
        }
    }

    fn check_mapping(&mut self, spec: &IncludeSpec, included: &Runbook, body: Node<'_>) {
        let mapping = body.get("connections");
        for inner in included.connections.keys() {
            let outer = spec.connections.get(inner).unwrap_or(inner);
            if !self.runbook.connections.contains_key(outer) {
                let mapped = mapping.and_then(|map| map.get(inner));
                let span = mapped.or(body.get("name")).unwrap_or(body).span();
                let name = &included.name;
                let message =
                    format!("`{name}` talks to `{inner}`, and this runbook has no connection `{outer}`");
                let help = format!("Declare it, or map it: `connections: {{ {inner}: … }}`.");
                self.error(Code::CONNECTION, &message, span, &help);
            }
        }
        for inner in spec.connections.keys().filter(|inner| !included.connections.contains_key(*inner)) {
            let mapped = mapping.and_then(|map| map.get(inner));
            let near = nearest(inner, included.connections.keys().map(String::as_str));
            let help = did_you_mean(near, || "Remove it.".to_owned());
            let message = format!("`{}` has no connection `{inner}`", included.name);
            self.error(Code::CONNECTION, &message, mapped.unwrap_or(body).key_span(), &help);
        }
    }
}
