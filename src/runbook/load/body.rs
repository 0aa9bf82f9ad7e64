//! The body of a step that is one of the kinds: decoded, completed with files, and held against the head.

use std::collections::HashMap;

use super::place::{Files, place_anywhere};
use super::{Loader, pinned};
use crate::diagnostic::{Code, Span};
use crate::runbook::step::{Step, StepBody};
use crate::step::templated::{Decoded, collect};
use crate::step::{Anchor, Body, CheckContext, KINDS, Need};
use crate::template::Read;
use crate::yaml::Node;

impl Loader<'_, '_> {
    pub(super) fn kind(&mut self, node: Node<'_>, name: &'static str, step: &mut Step) -> Option<()> {
        let kind = KINDS.iter().find(|kind| kind.name() == name)?;
        let body_node = node.get(name)?;
        let (body, mut decoded) = collect(|| kind.decode(body_node));
        let mut body = match body {
            Ok(body) => body,
            Err(problem) => {
                self.shared.diagnostics.push(problem);
                step.reads.extend(self.place(body_node, decoded));
                let attempts = self.attempts(node, step);
                self.check_attempts(node, step, &attempts);
                return None;
            }
        };
        let (completed, files) = self.complete(body.as_mut(), body_node);
        decoded.extend(completed);
        self.refuse_secrets_in_sql(body_node, &decoded, &files);
        step.reads.extend(self.place_within(body_node, decoded, &files));
        let attempts = self.attempts(node, step);
        step.class = self.declared_effect(node, body.classify());
        self.mark_secret(node, step);
        self.check_attempts(node, step, &attempts);
        for need in body.needs() {
            self.check_connection(&need, body_node);
        }
        step.body = StepBody::Kind(body, Box::new(attempts));
        Some(())
    }

    fn mark_secret(&mut self, node: Node<'_>, step: &mut Step) {
        let sees_secret = step.reads.iter().any(|placed| self.runbook.secrets.covers(&placed.read));
        step.secret = self.decode::<bool>(node, "sensitive").unwrap_or(sees_secret);
        if step.secret {
            self.runbook.secrets.insert("steps", step.id.as_str());
            // Inside its group, a step is read without the group's name.
            self.runbook.secrets.insert("steps", step.id.local());
        }
    }

    /// Lets the kind read its files and check what types cannot.
    fn complete(&mut self, body: &mut dyn Body, node: Node<'_>) -> (Vec<Decoded>, Files) {
        let (library, origin) = (self.shared.library, self.origin.as_str());
        let connections: Vec<(String, &'static str)> =
            self.runbook.connections.iter().map(|(name, need)| (name.clone(), need.kind_name())).collect();
        let mut read = Vec::new();
        let mut read_file = |file: &str| {
            let text = library.read_beside(origin, file)?;
            read.push((file.to_owned(), text.clone()));
            Ok(text)
        };
        let mut cx =
            CheckContext { read_file: &mut read_file, connections: &connections, problems: Vec::new() };
        let ((), decoded) = collect(|| body.check(&mut cx));
        let problems = std::mem::take(&mut cx.problems);
        let files = self.keep(read);
        for (anchor, problem) in problems {
            let span = match &anchor {
                Anchor::Key(key) => node.get(key).map_or_else(|| node.key_span(), super::spot),
                Anchor::Scalar(text) => place_anywhere(node, text, problem.range.clone(), &files),
                Anchor::Body => node.key_span(),
            };
            self.problem(problem, span);
        }
        (decoded, files)
    }

    /// Makes files part of the runbook, and their texts places for problems.
    fn keep(&mut self, read: Vec<(String, String)>) -> Files {
        let mut files: Files = HashMap::new();
        for (name, text) in read {
            let shown = match self.origin.rsplit_once('/') {
                Some((folder, _)) => format!("{folder}/{name}"),
                None => name.clone(),
            };
            files.insert(text.clone(), self.shared.sources.add(shown, text.as_str()));
            self.runbook.documents.push(pinned(name, text));
        }
        files
    }

    fn refuse_secrets_in_sql(&mut self, node: Node<'_>, decoded: &[Decoded], files: &Files) {
        for sql in decoded.iter().filter(|decoded| decoded.is_sql) {
            for read in sql.reads.iter().filter(|read| !becomes_verifier(&sql.source, read)) {
                if self.runbook.secrets.covers(read) {
                    let span = place_anywhere(node, &sql.source, Some(read.range.clone()), files);
                    let help = "Bind it: write `$1` and `args: [\"{{ … }}\"]`; for a password use `| scram_verifier`.";
                    self.error(Code::SQL_SECRET, "a secret would stand in the SQL text", span, help);
                }
            }
        }
    }

    fn check_connection(&mut self, need: &Need, node: Node<'_>) {
        match &need.name {
            Some(name) if name == "local" && need.kind == "host" => {}
            Some(name) => self.check_named_connection(name, need.kind, node),
            None if need.kind != "host" && self.runbook.default_connection(need.kind).is_none() => {
                self.no_connection(need.kind, node.key_span());
            }
            None => {}
        }
    }

    fn check_named_connection(&mut self, name: &str, kind: &str, node: Node<'_>) {
        let written = ["connection", "on", "postgres"].iter().filter_map(|key| node.get(key));
        let span = written.into_iter().find(|value| value.as_str() == Some(name)).unwrap_or(node).span();
        match self.runbook.connections.get(name) {
            None => self.unknown_connection(name, span),
            Some(found) if found.kind_name() != kind => {
                let declared = found.kind_name();
                let message = format!("`{name}` is a {declared} connection, and a {kind} one is needed");
                self.error(Code::CONNECTION, &message, span, "Name another connection.");
            }
            Some(_) => {}
        }
    }

    fn no_connection(&mut self, kind: &str, span: Span) {
        if self.runbook.connections.values().any(|need| need.kind_name() == kind) {
            let help = "Add `connection:`, or `defaults: { connection: … }`.";
            self.error(Code::CONNECTION, "the step does not say which connection it uses", span, help);
        } else if !std::mem::replace(&mut self.without_connection, true) {
            let name = if kind == "postgres" { "db" } else { "cluster" };
            let help = format!("Add `connections: {{ {name}: {kind} }}`.");
            let message = format!("the runbook declares no {kind} connection");
            self.error(Code::CONNECTION, &message, span, &help);
        }
    }
}

/// Whether what is read leaves its hole only as a password's verifier.
fn becomes_verifier(source: &str, read: &Read) -> bool {
    let rest = source.get(read.range.end..).unwrap_or_default();
    rest.split("}}").next().is_some_and(|hole| hole.contains("scram_verifier"))
}
