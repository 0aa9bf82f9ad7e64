//! The keys above the steps: version, names, schedule, parameters, variables, connections, outputs.

use indexmap::IndexMap;

use super::{Loader, did_you_mean, first_key, spot};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::runbook::head::{ConnectionKind, ConnectionNeed, PostgresNeeds, parse_version};
use crate::runbook::parameter::Parameter;
use crate::step::templated::{Expr, Templated, collect};
use crate::template::Read;
use crate::yaml::{Node, Shape};

/// The kinds of connections.
const CONNECTIONS: &[&str] = &["postgres", "kubernetes", "host"];

impl Loader<'_, '_> {
    pub(super) fn head(&mut self, root: Node<'_>) {
        self.version(root);
        self.name(root);
        self.runbook.title = self.decode(root, "title").unwrap_or_else(|| self.runbook.name.clone());
        self.runbook.description = self.decode(root, "description").unwrap_or_default();
        self.runbook.owner = self.decode(root, "owner").unwrap_or_default();
        self.runbook.tags = self.decode(root, "tags").unwrap_or_default();
        self.schedule(root);
        self.environment(root);
        for (name, node) in self.map(root, "params") {
            self.parameter(name, node);
        }
        for (name, node) in self.map(root, "vars") {
            self.variable(name, node);
        }
        self.mark_secret_variables();
        for (name, node) in self.map(root, "connections") {
            self.connection(name, node);
        }
        self.runbook.concurrency = self.decode(root, "concurrency").unwrap_or_default();
        self.runbook.defaults = self.decode(root, "defaults").unwrap_or_default();
        if let Some(defaults) = root.get("defaults") {
            self.check_retry(defaults, self.runbook.defaults.retry.as_ref().map(|retry| retry.attempts));
        }
        for key in ["concurrency", "defaults"] {
            if let Some(body) = root.get(key) {
                self.known_connection(body);
            }
        }
    }

    fn version(&mut self, root: Node<'_>) {
        let (message, span) = match root.get("version") {
            None => ("the version of the language is missing", first_key(root)),
            Some(node) if node.as_i64() == Some(1) => return,
            Some(node) => ("this version of the language is not known", spot(node)),
        };
        self.error(Code::VERSION, message, span, "Write `version: 1`.");
    }

    fn name(&mut self, root: Node<'_>) {
        let stem = self.origin.rsplit(['/', ':']).next().unwrap_or_default();
        let stem =
            stem.strip_suffix(".yaml").or_else(|| stem.strip_suffix(".yml")).unwrap_or(stem).to_owned();
        self.runbook.name = self.decode::<String>(root, "name").unwrap_or_default();
        let name = self.runbook.name.clone();
        let Some(node) = root.get("name") else {
            let help = format!("Add `name: {stem}`.");
            return self.error(Code::NAME, "the runbook has no name", first_key(root), &help);
        };
        if node.as_str().is_none() {
            return;
        }
        if !is_kebab(&name) {
            let help = "A name is lowercase words joined by hyphens, such as `weekly-vacuum`.";
            self.error(Code::NAME, &format!("`{name}` is not a runbook's name"), node.span(), help);
        } else if name != stem && stem != "-" {
            let message = format!("the name is `{name}`, and the file is called `{stem}`");
            self.error(Code::NAME, &message, node.span(), "Rename one of the two: they are the same.");
        }
    }

    fn schedule(&mut self, root: Node<'_>) {
        self.runbook.schedule = self.decode(root, "schedule");
        let (Some(schedule), Some(node)) = (&self.runbook.schedule, root.get("schedule")) else { return };
        for (key, reason) in schedule.problems() {
            let span = node.get(key).map_or_else(|| node.span(), Node::span);
            let help = if key == "cron" {
                "Write five fields, such as `0 4 * * SUN#1`: minute, hour, day, month, day of the week."
            } else {
                "Write a name of the IANA database, such as `Europe/Berlin`."
            };
            self.error(Code::SCHEDULE, &format!("`{key}` is not usable: {reason}"), span, help);
        }
    }

    /// `env:` is a list of names, or a map of names to defaults.
    fn environment(&mut self, root: Node<'_>) {
        let Some(node) = root.get("env") else { return };
        if node.shape() == Shape::List {
            for name in self.decode::<Vec<String>>(root, "env").unwrap_or_default() {
                self.runbook.environment.insert(name, None);
            }
        } else {
            self.runbook.environment =
                self.decode::<IndexMap<String, Option<String>>>(root, "env").unwrap_or_default();
        }
    }

    fn parameter(&mut self, name: &str, node: Node<'_>) {
        self.identifier(Code::NAME, name, node.key_span());
        let parameter = match node.decode::<Parameter>() {
            Ok(parameter) => parameter,
            Err(problem) => {
                self.shared.diagnostics.push(problem);
                Parameter::default()
            }
        };
        for (key, unsuitable) in parameter.problems() {
            let span = node.get(key).map_or_else(|| node.span(), Node::span);
            let message = format!("`{key}` of parameter `{name}` does not fit: {}", unsuitable.message);
            let problem = Diagnostic::error(Code::PARAMETER, message).at(span, "");
            let help = format!("Change `{key}`, or what it contradicts.");
            self.shared.diagnostics.push(problem.help(help).maybe_help(unsuitable.help));
        }
        if parameter.secret {
            self.runbook.secrets.insert("params", name);
        }
        self.runbook.params.insert(name.to_owned(), parameter);
    }

    fn variable(&mut self, name: &str, node: Node<'_>) {
        self.identifier(Code::NAME, name, node.key_span());
        let (value, decoded) = collect(|| node.decode::<Templated>());
        let reads = self.place(node, decoded);
        let plain: Vec<Read> = reads.iter().map(|placed| placed.read.clone()).collect();
        self.head_reads.extend(reads);
        match value {
            Ok(value) => drop(self.runbook.vars.insert(name.to_owned(), (value, plain))),
            Err(problem) => self.shared.diagnostics.push(problem),
        }
    }

    /// A variable that reads a secret is one, however many variables lie between.
    fn mark_secret_variables(&mut self) {
        for _ in 0..self.runbook.vars.len() {
            let mut changed = false;
            for (name, (_, reads)) in &self.runbook.vars {
                let own = Read { root: "vars".into(), path: vec![name.clone()], range: 0..0, guarded: false };
                if self.runbook.secrets.any(reads) && !self.runbook.secrets.covers(&own) {
                    self.runbook.secrets.insert("vars", name);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    fn connection(&mut self, name: &str, node: Node<'_>) {
        self.identifier(Code::NAME, name, node.key_span());
        let kind = match node.as_str() {
            Some(short) => self.connection_kind(short, node, None),
            None => self.long_connection(node),
        };
        let optional = self.decode::<bool>(node, "optional").unwrap_or(false);
        // One that has a problem is declared all the same: its users are not to blame.
        let kind = kind.unwrap_or_else(|| ConnectionKind::Postgres(PostgresNeeds::default()));
        self.runbook.connections.insert(name.to_owned(), ConnectionNeed { kind, optional });
    }

    fn long_connection(&mut self, node: Node<'_>) -> Option<ConnectionKind> {
        let is_kind = |key: &str| CONNECTIONS.contains(&key);
        let bodies: Vec<(&str, Node<'_>)> = node.entries().filter(|(key, _)| *key != "optional").collect();
        let known: Vec<(&str, Node<'_>)> = bodies.iter().copied().filter(|(key, _)| is_kind(key)).collect();
        match (known.as_slice(), bodies.as_slice()) {
            ([(kind, body)], _) => {
                let known = [CONNECTIONS, &["optional"]].concat();
                node.deny_unknown(&known, &mut self.shared.diagnostics);
                self.connection_kind(kind, *body, Some(*body))
            }
            ([], [(kind, body)]) => self.connection_kind(kind, *body, Some(*body)),
            _ => {
                let help = "Write `db: postgres`, or `db: { postgres: { version: \">=12\" } }`.";
                self.error(Code::CONNECTION, "a connection has exactly one kind", node.key_span(), help);
                None
            }
        }
    }

    fn connection_kind(
        &mut self,
        kind: &str,
        at: Node<'_>,
        body: Option<Node<'_>>,
    ) -> Option<ConnectionKind> {
        match kind {
            "postgres" => self.postgres(body.filter(|body| body.shape() != Shape::Null)),
            "host" => Some(ConnectionKind::Host),
            "kubernetes" => Some(ConnectionKind::Kubernetes),
            other => {
                let help = did_you_mean(nearest(other, CONNECTIONS.iter().copied()), || {
                    "The kinds are `postgres`, `kubernetes` and `host`.".to_owned()
                });
                let span = if body.is_some() { at.key_span() } else { at.span() };
                let message = format!("there is no kind of connection `{other}`");
                self.error(Code::CONNECTION, &message, span, &help);
                None
            }
        }
    }

    fn postgres(&mut self, body: Option<Node<'_>>) -> Option<ConnectionKind> {
        let Some(body) = body else { return Some(ConnectionKind::Postgres(PostgresNeeds::default())) };
        let needs = match body.decode::<PostgresNeeds>() {
            Ok(needs) => needs,
            Err(problem) => {
                self.shared.diagnostics.push(problem);
                return None;
            }
        };
        if let Some(version) = &needs.version
            && let Err(reason) = parse_version(version)
        {
            let span = body.get("version").map_or_else(|| body.span(), Node::span);
            let help = "Compare with a major version: `>=12`, or `>=14 <18`.";
            self.error(Code::CONNECTION, &format!("`version` is not usable: {reason}"), span, help);
        }
        Some(ConnectionKind::Postgres(needs))
    }

    /// Reports the `connection` of a map when it is not declared.
    pub(super) fn known_connection(&mut self, body: Node<'_>) {
        if let Some(node) = body.get("connection")
            && let Some(name) = node.as_str()
            && !self.runbook.connections.contains_key(name)
        {
            self.unknown_connection(name, node.span());
        }
    }

    pub(super) fn outputs(&mut self, root: Node<'_>) {
        for (name, node) in self.map(root, "outputs") {
            self.identifier(Code::NAME, name, node.key_span());
            let (value, decoded) = collect(|| node.decode::<Expr>());
            let reads = self.place(node, decoded);
            let plain: Vec<Read> = reads.iter().map(|placed| placed.read.clone()).collect();
            self.head_reads.extend(reads);
            match value {
                Ok(expr) => drop(self.runbook.outputs.insert(name.to_owned(), (expr, plain))),
                Err(problem) => self.shared.diagnostics.push(problem),
            }
        }
    }

    /// The entries of a map of names.
    fn map<'n>(&mut self, root: Node<'n>, key: &str) -> Vec<(&'n str, Node<'n>)> {
        let Some(node) = root.get(key) else { return Vec::new() };
        if node.shape() != Shape::Map {
            let help = "Write `name: value`, one a line.";
            self.error(Code::NOT_A_MAP, &format!("`{key}` is a map"), spot(node), help);
        }
        node.entries().collect()
    }
}

fn is_kebab(name: &str) -> bool {
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(kebab)
}
