//! From text to [`Runbook`]: decodes every step, collects every problem, and reads nothing it was not given.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::check;
use super::head::{ConnectionKind, ConnectionNeed, PostgresNeeds, parse_version};
use super::include::{Include, IncludeSpec};
use super::keys::{AbortWhen, ForEach, OnError, OnWarning, Retry, ShowKey, Until, Verify};
use super::order::{Entry, Needs};
use super::parameter::Parameter;
use super::step::{Attempts, PlacedRead, Rollback, Step, StepBody};
use super::{Runbook, order};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity, SourceId, Sources, Span, nearest};
use crate::event::PinnedDocument;
use crate::model::{Certainty, Class, Effect, Failure, StepId};
use crate::step::templated::{Decoded, Expr, Problem, Seconds, Templated, Text, collect};
use crate::step::{Anchor, Body, CheckContext, KINDS};
use crate::template::Read;
use crate::yaml::{Document, Limits, Node, Shape};

/// Where runbooks and the files beside them come from.
pub trait Library {
    /// The runbook of a name.
    fn find(&self, name: &str) -> Option<SourceText>;
    /// Names to offer when there is none.
    fn names(&self) -> Vec<String>;
    /// A file beside a runbook; `origin` is the runbook's.
    fn read_beside(&self, origin: &str, file: &str) -> Result<String, Failure>;
}

/// A runbook's text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The name that diagnostics show: a path, or `shipped:` and the name.
    pub origin: String,
    /// The text.
    pub text: String,
}

/// Loads a runbook. The runbook is there only if no problem is an error.
pub fn load(
    source: SourceText,
    library: &dyn Library,
    sources: &mut Sources,
) -> (Option<Runbook>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let runbook = load_within(source, library, sources, &mut diagnostics, &[]);
    diagnostics.sort();
    let runbook = runbook.filter(|_| !diagnostics.has_errors());
    (runbook, diagnostics)
}

fn load_within(
    source: SourceText,
    library: &dyn Library,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
    path: &[String],
) -> Option<Runbook> {
    let id = sources.add(source.origin.as_str(), source.text.as_str());
    let (document, problems) = Document::parse(id, &source.text, &Limits::default());
    diagnostics.extend(problems);
    let document = document?;
    let pinned = PinnedDocument {
        name: source.origin.clone(),
        sha256: Sha256::digest(&source.text).iter().map(|byte| format!("{byte:02x}")).collect(),
        text: source.text.clone(),
    };
    let mut loader = Loader {
        library,
        sources,
        diagnostics,
        origin: source.origin,
        source: id,
        path,
        runbook: Runbook { documents: vec![pinned], ..Runbook::default() },
        head_reads: Vec::new(),
    };
    loader.file(document.root());
    Some(loader.runbook)
}

const TOP: &[&str] = &[
    "version",
    "name",
    "title",
    "description",
    "owner",
    "tags",
    "schedule",
    "env",
    "params",
    "vars",
    "connections",
    "concurrency",
    "defaults",
    "steps",
    "on_failure",
    "finally",
    "outputs",
];
const COMMON: &[&str] = &[
    "id",
    "title",
    "description",
    "needs",
    "when",
    "for_each",
    "timeout",
    "retry",
    "until",
    "verify",
    "abort_when",
    "on_error",
    "on_warning",
    "effect",
    "idempotent",
    "sensitive",
    "show",
    "rollback",
];
const GROUP: &[&str] =
    &["id", "title", "description", "needs", "when", "for_each", "timeout", "on_error", "steps"];
const BLOCK: &[&str] = &["parallel", "when", "needs"];
const INCLUDE: &[&str] = &["id", "title", "needs", "when", "for_each", "runbook"];

struct Loader<'a> {
    library: &'a dyn Library,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    origin: String,
    source: SourceId,
    path: &'a [String],
    runbook: Runbook,
    head_reads: Vec<PlacedRead>,
}

/// Where in a file a list of steps stands, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Top,
    Block,
    Group,
    Hook,
}

impl Loader<'_> {
    fn file(&mut self, root: Node<'_>) {
        if root.shape() != Shape::Map {
            self.error(
                Code::NOT_A_RUNBOOK,
                "a runbook is a map",
                root.span(),
                "Begin with `version: 1` and `name:`.",
            );
            return;
        }
        root.deny_unknown(TOP, self.diagnostics);
        self.version(root);
        self.names(root);
        self.head(root);
        if let Some(steps) = root.get("steps") {
            self.runbook.steps = self.list(steps, None, Within::Top);
        } else {
            self.error(
                Code::NO_STEPS,
                "the runbook has no steps",
                root.span(),
                "Add `steps:` with at least one step.",
            );
        }
        self.runbook.on_failure =
            root.get("on_failure").map(|n| self.list(n, None, Within::Hook)).unwrap_or_default();
        self.runbook.finally =
            root.get("finally").map(|n| self.list(n, None, Within::Hook)).unwrap_or_default();
        self.outputs(root);
        check::check(&mut self.runbook, &self.head_reads, self.diagnostics);
    }

    fn version(&mut self, root: Node<'_>) {
        match root.get("version") {
            None => self.error(
                Code::VERSION,
                "the version of the language is missing",
                root.span(),
                "Begin the file with `version: 1`.",
            ),
            Some(node) if node.as_i64() == Some(1) => {}
            Some(node) => self.error(
                Code::VERSION,
                "this version of the language is not known",
                node.span(),
                "Write `version: 1`.",
            ),
        }
    }

    fn names(&mut self, root: Node<'_>) {
        let stem = self.origin.rsplit(['/', ':']).next().unwrap_or_default();
        let stem =
            stem.strip_suffix(".yaml").or_else(|| stem.strip_suffix(".yml")).unwrap_or(stem).to_owned();
        self.runbook.name = self.decode::<String>(root, "name").unwrap_or_default();
        if root.get("name").is_none() {
            self.error(Code::NAME, "the runbook has no name", root.span(), &format!("Add `name: {stem}`."));
        } else if let Some(node) = root.get("name")
            && node.as_str().is_some()
        {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let name = self.runbook.name.clone();
            if name.is_empty()
                || !name.chars().all(kebab)
                || !name.starts_with(|c: char| c.is_ascii_lowercase())
            {
                let help = "A name is lowercase words joined by hyphens, such as `weekly-vacuum`.";
                self.error(Code::NAME, &format!("`{name}` is not a runbook's name"), node.span(), help);
            } else if name != stem && stem != "-" {
                let message = format!("the name is `{name}` and the file is called `{stem}`");
                self.error(Code::NAME, &message, node.span(), "Rename one of the two: they are the same.");
            }
        }
        self.runbook.title = self.decode(root, "title").unwrap_or_else(|| self.runbook.name.clone());
        self.runbook.description = self.decode(root, "description").unwrap_or_default();
        self.runbook.owner = self.decode(root, "owner").unwrap_or_default();
        self.runbook.tags = self.decode(root, "tags").unwrap_or_default();
    }

    fn head(&mut self, root: Node<'_>) {
        self.runbook.schedule = self.decode(root, "schedule");
        if let (Some(schedule), Some(node)) = (&self.runbook.schedule, root.get("schedule")) {
            for (key, reason) in schedule.problems() {
                let span = node.get(key).map_or_else(|| node.span(), Node::span);
                let help = "Five fields and an IANA time zone: `0 4 * * SUN#1`, `Europe/Berlin`.";
                self.error(Code::SCHEDULE, &format!("`{key}` is not usable: {reason}"), span, help);
            }
        }
        self.environment(root);
        if let Some(params) = self.map(root, "params") {
            for (name, node) in params.entries() {
                self.parameter(name, node);
            }
        }
        if let Some(vars) = self.map(root, "vars") {
            for (name, node) in vars.entries() {
                self.identifier(name, node.key_span());
                let (value, decoded) = collect(|| node.decode::<Templated>());
                let reads = self.place(node, decoded);
                let plain = reads.iter().map(|placed| placed.read.clone()).collect();
                self.head_reads.extend(reads);
                match value {
                    Ok(value) => drop(self.runbook.vars.insert(name.to_owned(), (value, plain))),
                    Err(problem) => self.diagnostics.push(problem),
                }
            }
        }
        if let Some(connections) = self.map(root, "connections") {
            for (name, node) in connections.entries() {
                self.connection(name, node);
            }
        }
        self.runbook.concurrency = self.decode(root, "concurrency").unwrap_or_default();
        self.runbook.defaults = self.decode(root, "defaults").unwrap_or_default();
        if let Some(node) = root.get("defaults").and_then(|defaults| defaults.get("connection"))
            && let Some(name) = node.as_str()
            && !self.runbook.connections.contains_key(name)
        {
            self.unknown_connection(name, node.span());
        }
    }

    /// `env:` is a list of names, or a map of names to defaults.
    fn environment(&mut self, root: Node<'_>) {
        let Some(node) = root.get("env") else { return };
        match node.shape() {
            Shape::List => {
                for name in self.decode::<Vec<String>>(root, "env").unwrap_or_default() {
                    self.runbook.environment.insert(name, None);
                }
            }
            _ => {
                self.runbook.environment =
                    self.decode::<IndexMap<String, Option<String>>>(root, "env").unwrap_or_default();
            }
        }
    }

    fn parameter(&mut self, name: &str, node: Node<'_>) {
        self.identifier(name, node.key_span());
        let parameter = match node.decode::<Parameter>() {
            Ok(parameter) => parameter,
            Err(problem) => return self.diagnostics.push(problem),
        };
        for (key, unsuitable) in parameter.problems() {
            let span = node.get(key).map_or_else(|| node.span(), Node::span);
            let message = format!("`{key}` of parameter `{name}` does not fit: {}", unsuitable.message);
            self.diagnostics
                .push(Diagnostic::error(Code::PARAMETER, message).at(span, "").maybe_help(unsuitable.help));
        }
        if parameter.secret {
            self.runbook.secrets.insert("params", name);
        }
        self.runbook.params.insert(name.to_owned(), parameter);
    }

    fn connection(&mut self, name: &str, node: Node<'_>) {
        self.identifier(name, node.key_span());
        let kind = match node.as_str() {
            Some(short) => self.connection_kind(short, node, None),
            None => {
                node.deny_unknown(&["postgres", "host", "optional"], self.diagnostics);
                let kinds: Vec<(&str, Node<'_>)> =
                    node.entries().filter(|(key, _)| *key != "optional").collect();
                match kinds.as_slice() {
                    [(kind, body)] => self.connection_kind(kind, *body, Some(*body)),
                    _ => {
                        let help = "Write `db: postgres`, or `db: { postgres: { version: \">=12\" } }`.";
                        self.error(Code::CONNECTION, "a connection has exactly one kind", node.span(), help);
                        None
                    }
                }
            }
        };
        let optional = self.decode::<bool>(node, "optional").unwrap_or(false);
        if let Some(kind) = kind {
            self.runbook.connections.insert(name.to_owned(), ConnectionNeed { kind, optional });
        }
    }

    fn connection_kind(
        &mut self,
        kind: &str,
        at: Node<'_>,
        body: Option<Node<'_>>,
    ) -> Option<ConnectionKind> {
        match kind {
            "postgres" => {
                let needs = match body {
                    Some(body) if body.shape() != Shape::Null => match body.decode::<PostgresNeeds>() {
                        Ok(needs) => needs,
                        Err(problem) => {
                            self.diagnostics.push(problem);
                            return None;
                        }
                    },
                    _ => PostgresNeeds::default(),
                };
                if let Some(version) = &needs.version
                    && let Err(reason) = parse_version(version)
                {
                    let span = at.get("version").map_or_else(|| at.span(), Node::span);
                    let help = "Compare with a major version: `>=12`, or `>=14 <18`.";
                    self.error(Code::CONNECTION, &format!("`version` {reason}"), span, help);
                }
                Some(ConnectionKind::Postgres(needs))
            }
            "host" => Some(ConnectionKind::Host),
            other => {
                let help = match nearest(other, ["postgres", "host"]) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "The kinds are `postgres` and `host`.".to_owned(),
                };
                let span = if body.is_some() { at.key_span() } else { at.span() };
                self.error(
                    Code::CONNECTION,
                    &format!("there is no kind of connection `{other}`"),
                    span,
                    &help,
                );
                None
            }
        }
    }

    fn outputs(&mut self, root: Node<'_>) {
        let Some(outputs) = self.map(root, "outputs") else { return };
        for (name, node) in outputs.entries() {
            self.identifier(name, node.key_span());
            let (value, decoded) = collect(|| node.decode::<Expr>());
            let reads = self.place(node, decoded);
            let plain: Vec<Read> = reads.iter().map(|placed| placed.read.clone()).collect();
            self.head_reads.extend(reads);
            match value {
                Ok(expr) => drop(self.runbook.outputs.insert(name.to_owned(), (expr, plain))),
                Err(problem) => self.diagnostics.push(problem),
            }
        }
    }

    // ---- lists of steps -------------------------------------------------------------------------------------

    fn list(&mut self, node: Node<'_>, group: Option<&StepId>, within: Within) -> Vec<Step> {
        if node.shape() != Shape::List {
            self.error(Code::NOT_A_LIST, "steps are a list", node.span(), "Begin each step with `- id:`.");
            return Vec::new();
        }
        let mut steps = Vec::new();
        let mut entries = Vec::new();
        for item in node.items() {
            if item.shape() != Shape::Map {
                self.error(
                    Code::NOT_A_STEP,
                    "a step is a map",
                    item.span(),
                    "Write `- id: name` and what it does.",
                );
            } else if let Some(members) = item.get("parallel") {
                self.block(item, members, within, &mut steps, &mut entries);
            } else {
                let needs = self.needs(item);
                if let Some(step) = self.step(item, group, within) {
                    entries.push(Entry::Single { step: steps.len(), needs });
                    steps.push(step);
                }
            }
        }
        if steps.is_empty() && !self.diagnostics.has_errors() && within != Within::Hook {
            self.error(Code::NO_STEPS, "this list of steps is empty", node.span(), "Add at least one step.");
        }
        self.connect(&mut steps, &entries, group);
        steps
    }

    fn block(
        &mut self,
        item: Node<'_>,
        members: Node<'_>,
        within: Within,
        steps: &mut Vec<Step>,
        entries: &mut Vec<Entry>,
    ) {
        if within != Within::Top {
            let help = "Steps of a group, a hook or another block run in order; move the block out.";
            self.error(
                Code::NESTED_BLOCK,
                "`parallel` stands only in a runbook's own steps",
                item.key_span(),
                help,
            );
            return;
        }
        item.deny_unknown(BLOCK, self.diagnostics);
        let needs = self.needs(item);
        let (when, when_reads) = self.conditions(item);
        let mut inside = Vec::new();
        for member in members.items() {
            let own = self.needs(member);
            if let Some(mut step) = self.step(member, None, Within::Block) {
                step.when.splice(0..0, when.iter().cloned());
                step.reads.extend(when_reads.iter().cloned());
                inside.push((steps.len(), own));
                steps.push(step);
            }
        }
        if members.shape() != Shape::List || inside.is_empty() {
            let help = "List the steps that may run at the same time.";
            self.error(Code::NO_STEPS, "this block has no steps", members.span(), help);
        }
        entries.push(Entry::Block { members: inside, needs });
    }

    /// Gives every step of the list its edges.
    fn connect(&mut self, steps: &mut [Step], entries: &[Entry], group: Option<&StepId>) {
        let names: Vec<String> = steps.iter().map(|step| step.id.local().to_owned()).collect();
        let index = |name: &str| names.iter().position(|known| known == name);
        let by_name: std::collections::HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let _ = index;
        let references = steps
            .iter()
            .map(|step| check::step_references(step, &self.runbook.vars, &by_name, group))
            .collect::<Vec<_>>();
        let edges = order::order(entries, &names, &references, self.diagnostics);
        for (step, edges) in steps.iter_mut().zip(edges) {
            step.parents = edges;
        }
        check::cycles(steps, self.diagnostics);
    }

    fn needs(&mut self, item: Node<'_>) -> Option<Needs> {
        let node = item.get("needs")?;
        if node.shape() != Shape::List {
            self.error(Code::NOT_A_LIST, "`needs` is a list of ids", node.span(), "Write `needs: [a, b]`.");
            return None;
        }
        let mut needs = Vec::new();
        for entry in node.items() {
            match entry.as_str() {
                Some(name) => needs.push((name.to_owned(), entry.span())),
                None => {
                    self.error(Code::NOT_A_LIST, "`needs` takes ids", entry.span(), "Write `needs: [a, b]`.")
                }
            }
        }
        Some(needs)
    }

    // ---- one step -------------------------------------------------------------------------------------------

    fn step(&mut self, node: Node<'_>, group: Option<&StepId>, within: Within) -> Option<Step> {
        let kinds: Vec<&'static str> =
            KINDS.iter().map(|kind| kind.name()).filter(|name| node.get(name).is_some()).collect();
        let structures = ["steps", "runbook"].into_iter().filter(|name| node.get(name).is_some());
        let found: Vec<&'static str> = kinds.into_iter().chain(structures).collect();
        let [kind] = found[..] else {
            self.wrong_kinds(node, &found);
            return None;
        };
        let mut allowed: Vec<&str> = match kind {
            "steps" => GROUP.to_vec(),
            "runbook" => INCLUDE.to_vec(),
            _ => COMMON.iter().copied().chain([kind]).collect(),
        };
        if within == Within::Group {
            allowed.retain(|key| !["needs"].contains(key));
        }
        node.deny_unknown(&allowed, self.diagnostics);
        let (id, id_span) = self.id(node, group)?;
        let (when, mut reads) = self.conditions(node);
        let mut step = Step {
            id,
            id_span,
            title: self.templated::<Text>(node, "title", &mut reads),
            description: self.decode(node, "description").unwrap_or_default(),
            when,
            parents: Vec::new(),
            for_each: self.templated::<ForEach>(node, "for_each", &mut reads),
            timeout: self.templated::<Seconds>(node, "timeout", &mut reads),
            on_error: self.decode::<OnError>(node, "on_error").unwrap_or_default(),
            body: StepBody::Group(Vec::new()),
            class: Class::default(),
            reads,
            secret: false,
        };
        match kind {
            "steps" => self.group(node, &mut step, within)?,
            "runbook" => self.include(node, &mut step)?,
            _ => self.kind(node, kind, &mut step)?,
        }
        Some(step)
    }

    fn wrong_kinds(&mut self, node: Node<'_>, found: &[&'static str]) {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).chain(["steps", "runbook"]).collect();
        if found.len() > 1 {
            let mut problem = Diagnostic::error(Code::SEVERAL_KINDS, "a step does exactly one thing");
            for name in found {
                let span = node.get(name).map_or_else(|| node.span(), Node::key_span);
                problem = problem.at(span, format!("`{name}` is one"));
            }
            self.diagnostics.push(problem.help("Make a step of each."));
            return;
        }
        let unknown = node.entries().find(|(key, _)| !COMMON.contains(key));
        let (span, message, help) = match unknown {
            Some((key, value)) => {
                let help = match nearest(key, names.iter().copied()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => format!("A step has one of {}.", listed(&names)),
                };
                (value.key_span(), format!("there is no kind of step `{key}`"), help)
            }
            None => {
                let help = format!("Add one of {}.", listed(&names));
                (node.span(), "this step does nothing".to_owned(), help)
            }
        };
        self.error(Code::NO_KIND, &message, span, &help);
    }

    fn id(&mut self, node: Node<'_>, group: Option<&StepId>) -> Option<(StepId, Span)> {
        let Some(id) = node.get("id") else {
            let help = "Give it an `id:` of lowercase words joined by underscores.";
            self.error(Code::STEP_ID, "the step has no id", node.span(), help);
            return None;
        };
        let Some(text) = id.as_str() else {
            self.error(Code::STEP_ID, "an id is a text", id.span(), "Quote it, or choose a word.");
            return None;
        };
        self.identifier(text, id.span());
        let full = group.map_or_else(|| StepId::new(text), |group| group.child(text));
        Some((full, id.span()))
    }

    fn conditions(&mut self, node: Node<'_>) -> (Vec<Expr>, Vec<PlacedRead>) {
        let mut reads = Vec::new();
        let when = self.templated::<Expr>(node, "when", &mut reads).into_iter().collect();
        (when, reads)
    }

    fn group(&mut self, node: Node<'_>, step: &mut Step, within: Within) -> Option<()> {
        if within == Within::Group || within == Within::Hook {
            let help = "Move the inner steps up, or make two groups.";
            self.error(Code::NESTED_GROUP, "a group stands in no other group", step.id_span, help);
            return None;
        }
        let inner = self.list(node.get("steps")?, Some(&step.id), Within::Group);
        step.class = inner.iter().fold(Class::default(), |class, step| class.and(step.class.clone()));
        step.secret = inner.iter().any(|inner| inner.secret);
        // What the steps inside read from outside, the group waits for.
        let outside = inner.iter().flat_map(|inner| inner.reads.iter().cloned());
        step.reads.extend(outside);
        step.body = StepBody::Group(inner);
        Some(())
    }

    fn include(&mut self, node: Node<'_>, step: &mut Step) -> Option<()> {
        let body = node.get("runbook")?;
        let spec = match body.as_str() {
            Some(name) => IncludeSpec {
                name: name.to_owned(),
                params: IndexMap::new(),
                connections: Default::default(),
            },
            None => self.templated::<IncludeSpec>(node, "runbook", &mut step.reads)?,
        };
        let name_span = body.get("name").map_or_else(|| body.span(), Node::span);
        let mut path = self.path.to_vec();
        path.push(self.runbook.name.clone());
        if path.contains(&spec.name) {
            let help = format!("The circle is {} → {}.", path.join(" → "), spec.name);
            self.error(Code::INCLUDE_CYCLE, "a runbook cannot include itself", name_span, &help);
            return None;
        }
        let Some(source) = self.library.find(&spec.name) else {
            let names = self.library.names();
            let help = nearest(&spec.name, names.iter().map(String::as_str)).map_or_else(
                || "`runbook list` shows the names.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            );
            self.error(
                Code::INCLUDE_UNKNOWN,
                &format!("there is no runbook `{}`", spec.name),
                name_span,
                &help,
            );
            return None;
        };
        let included = load_within(source, self.library, self.sources, self.diagnostics, &path)?;
        self.check_include(&spec, &included, body);
        self.runbook.documents.extend(included.documents.iter().cloned());
        step.class =
            included.steps.iter().fold(Class::default(), |class, step| class.and(step.class.clone()));
        step.body = StepBody::Include(Box::new(Include {
            runbook: Arc::new(included),
            params: spec.params,
            connections: spec.connections,
        }));
        Some(())
    }

    fn check_include(&mut self, spec: &IncludeSpec, included: &Runbook, body: Node<'_>) {
        for name in spec.params.keys().filter(|name| !included.params.contains_key(*name)) {
            let span = body
                .get("params")
                .and_then(|params| params.get(name))
                .map_or_else(|| body.span(), Node::key_span);
            let help = nearest(name, included.params.keys().map(String::as_str))
                .map_or_else(|| "Remove it.".to_owned(), |near| format!("Did you mean `{near}`?"));
            let message = format!("`{}` has no parameter `{name}`", included.name);
            self.error(Code::INCLUDE_PARAMETER, &message, span, &help);
        }
        for (name, parameter) in &included.params {
            if parameter.is_required() && !spec.params.contains_key(name) {
                let message = format!("`{}` needs a value for its parameter `{name}`", included.name);
                self.error(
                    Code::INCLUDE_PARAMETER,
                    &message,
                    body.span(),
                    &format!("Add it under `params:`: `{name}: …`."),
                );
            }
        }
        for inner in included.connections.keys() {
            let outer = spec.connections.get(inner).unwrap_or(inner);
            if !self.runbook.connections.contains_key(outer) {
                let span = body
                    .get("connections")
                    .and_then(|map| map.get(inner))
                    .map_or_else(|| body.span(), Node::span);
                let message = format!(
                    "`{}` talks to `{inner}`, and this runbook has no connection `{outer}`",
                    included.name
                );
                let help = format!("Declare it, or map it: `connections: {{ {inner}: … }}`.");
                self.error(Code::CONNECTION, &message, span, &help);
            }
        }
    }

    fn kind(&mut self, node: Node<'_>, name: &'static str, step: &mut Step) -> Option<()> {
        let kind = KINDS.iter().find(|kind| kind.name() == name)?;
        let body_node = node.get(name)?;
        let (body, mut decoded) = collect(|| kind.decode(body_node));
        let mut body = match body {
            Ok(body) => body,
            Err(problem) => {
                self.diagnostics.push(problem);
                self.place(body_node, decoded);
                return None;
            }
        };
        decoded.extend(self.check_body(body.as_mut(), body_node));
        self.refuse_secrets_in_sql(body_node, &decoded);
        step.reads.extend(self.place(body_node, decoded));
        let attempts = self.attempts(node, step);
        step.class = self.declared_effect(node, body.classify());
        let sees_secret = step.reads.iter().any(|placed| self.runbook.secrets.covers(&placed.read));
        step.secret = sees_secret && self.decode::<bool>(node, "sensitive") != Some(false)
            || self.decode::<bool>(node, "sensitive") == Some(true);
        if step.secret {
            self.runbook.secrets.insert("steps", step.id.as_str());
        }
        self.check_attempts(node, step, &attempts);
        self.check_connections(body.as_ref(), body_node);
        step.body = StepBody::Kind(body, Box::new(attempts));
        Some(())
    }

    fn check_body(&mut self, body: &mut dyn Body, node: Node<'_>) -> Vec<Decoded> {
        let (library, origin) = (self.library, self.origin.clone());
        let connections: Vec<(String, &'static str)> =
            self.runbook.connections.iter().map(|(name, need)| (name.clone(), need.kind_name())).collect();
        let mut files = Vec::new();
        let mut read_file = |file: &str| {
            let text = library.read_beside(&origin, file)?;
            files.push((file.to_owned(), text.clone()));
            Ok(text)
        };
        let mut cx =
            CheckContext { read_file: &mut read_file, connections: &connections, problems: Vec::new() };
        let ((), decoded) = collect(|| body.check(&mut cx));
        let problems = std::mem::take(&mut cx.problems);
        for (anchor, problem) in problems {
            let span = match &anchor {
                Anchor::Key(key) => node.get(key).map_or_else(|| node.span(), Node::span),
                Anchor::Scalar(text) => place_text(node, text, problem.range.clone()),
                Anchor::Body => node.span(),
            };
            self.problem(problem, span);
        }
        let (from_files, decoded): (Vec<_>, Vec<_>) =
            decoded.into_iter().partition(|decoded| files.iter().any(|(_, text)| *text == decoded.source));
        for decoded in from_files {
            self.file_problems(&files, decoded);
        }
        for (name, text) in files {
            let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
            self.runbook.documents.push(PinnedDocument { name, sha256, text });
        }
        decoded
    }

    /// Problems in a file beside the runbook are shown in that file.
    fn file_problems(&mut self, files: &[(String, String)], decoded: Decoded) {
        let Some((name, text)) = files.iter().find(|(_, text)| *text == decoded.source) else { return };
        let source = self.sources.add(name.as_str(), text.as_str());
        for problem in decoded.problems {
            let range = problem.range.clone().unwrap_or(0..text.len());
            self.problem(problem, Span::new(source, range));
        }
    }

    fn refuse_secrets_in_sql(&mut self, node: Node<'_>, decoded: &[Decoded]) {
        for sql in decoded.iter().filter(|decoded| decoded.is_sql) {
            for read in &sql.reads {
                let verifier = sql.source.get(read.range.end..).is_some_and(|rest| {
                    rest.split("}}").next().is_some_and(|hole| hole.contains("scram_verifier"))
                });
                if self.runbook.secrets.covers(read) && !verifier {
                    let span = place_text(node, &sql.source, Some(read.range.clone()));
                    let help = "Bind it: write `$1` and `args: [\"{{ … }}\"]`; for a password use `| scram_verifier`.";
                    self.error(Code::SQL_SECRET, "a secret would stand in the SQL text", span, help);
                }
            }
        }
    }

    fn attempts(&mut self, node: Node<'_>, step: &mut Step) -> Attempts {
        let mut reads = Vec::new();
        let attempts = Attempts {
            retry: self.templated::<Retry>(node, "retry", &mut reads),
            until: self.templated::<Until>(node, "until", &mut reads),
            verify: self.templated::<Verify>(node, "verify", &mut reads),
            abort_when: self.templated::<AbortWhen>(node, "abort_when", &mut reads),
            on_warning: self.decode::<OnWarning>(node, "on_warning").unwrap_or_default(),
            idempotent: self.decode(node, "idempotent").unwrap_or(false),
            show: self.templated::<ShowKey>(node, "show", &mut reads).and_then(|key| key.0),
            rollback: node.get("rollback").and_then(|hook| self.rollback(hook, &step.id)),
        };
        step.reads.extend(reads);
        attempts
    }

    fn rollback(&mut self, node: Node<'_>, id: &StepId) -> Option<Rollback> {
        if node.shape() == Shape::List {
            return Some(Rollback::Steps(self.list(node, Some(&id.child("rollback")), Within::Hook)));
        }
        if node.as_str() == Some("auto") {
            return Some(Rollback::Auto);
        }
        if node.shape() == Shape::Map {
            node.deny_unknown(&["none", "impossible"], self.diagnostics);
            if let Some(why) = self.decode::<String>(node, "none") {
                return Some(Rollback::Nothing(why));
            }
            if let Some(why) = self.decode::<String>(node, "impossible") {
                return Some(Rollback::Impossible(why));
            }
        }
        let help = "Write a list of steps, `auto`, `{ none: why }` or `{ impossible: why }`.";
        self.error(Code::ROLLBACK, "this is not a way to undo a step", node.span(), help);
        None
    }

    fn declared_effect(&mut self, node: Node<'_>, class: Class) -> Class {
        let Some(declared) = self.decode::<Effect>(node, "effect") else { return class };
        if class.certainty == Certainty::Assumed || declared > class.effect {
            return Class { effect: declared, certainty: Certainty::Declared, reasons: class.reasons };
        }
        if declared < class.effect {
            let span = node.get("effect").map_or_else(|| node.span(), Node::span);
            let message = format!(
                "this step is known to {}, and `effect` says {}",
                class.effect.as_str(),
                declared.as_str()
            );
            let help = "`effect` may raise what is known; it lowers only what is not.";
            self.error(Code::EFFECT, &message, span, help);
        }
        class
    }

    fn check_attempts(&mut self, node: Node<'_>, step: &Step, attempts: &Attempts) {
        if attempts.until.is_some() && step.class.effect > Effect::Read {
            let span = node.get("until").map_or_else(|| node.span(), Node::key_span);
            let help = "Put the change in a step of its own, and wait in a read below it.";
            self.error(Code::UNTIL, "`until` repeats only reads", span, help);
        }
        if attempts.retry.as_ref().is_some_and(|retry| retry.attempts == 0) {
            let span = node.get("retry").map_or_else(|| node.span(), Node::span);
            self.error(Code::RETRY, "`attempts` counts the first one too", span, "Write at least 1.");
        }
        for (key, sql) in [
            ("verify", attempts.verify.as_ref().and_then(|verify| verify.sql.as_ref())),
            ("abort_when", attempts.abort_when.as_ref().map(|abort| &abort.sql)),
        ] {
            if let Some(sql) = sql
                && sql.script.class().effect > Effect::Read
            {
                let span = node.get(key).map_or_else(|| node.span(), Node::span);
                let help = "It is asked at moments you do not choose; let it only look.";
                self.error(Code::SIDE_CHECK, &format!("the SQL of `{key}` changes something"), span, help);
            }
        }
    }

    fn check_connections(&mut self, body: &dyn Body, node: Node<'_>) {
        for need in body.needs() {
            match &need.name {
                Some(name) if name == "local" && need.kind == "host" => {}
                Some(name) => {
                    let span = node
                        .texts()
                        .into_iter()
                        .find(|(text, _)| text == name)
                        .map_or_else(|| node.span(), |(_, n)| n.span());
                    match self.runbook.connections.get(name) {
                        None => self.unknown_connection(name, span),
                        Some(found) if found.kind_name() != need.kind => {
                            let message = format!(
                                "`{name}` is a {} connection, and a {} one is needed",
                                found.kind_name(),
                                need.kind
                            );
                            self.error(Code::CONNECTION, &message, span, "Name another connection.");
                        }
                        Some(_) => {}
                    }
                }
                None if need.kind == "postgres" && self.runbook.default_connection("postgres").is_none() => {
                    let several =
                        self.runbook.connections.values().any(|need| need.kind_name() == "postgres");
                    let (message, help) = if several {
                        (
                            "the step does not say which connection it uses",
                            "Add `connection:`, or `defaults: { connection: … }`.",
                        )
                    } else {
                        (
                            "the runbook declares no postgres connection",
                            "Add `connections: { db: postgres }`.",
                        )
                    };
                    self.error(Code::CONNECTION, message, node.span(), help);
                }
                None => {}
            }
        }
    }

    // ---- small things ---------------------------------------------------------------------------------------

    fn identifier(&mut self, name: &str, span: Span) {
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(snake)
        {
            let help = "Use lowercase words joined by underscores: templates read it as a name.";
            self.error(Code::STEP_ID, &format!("`{name}` cannot be used as a name"), span, help);
        }
    }

    fn map<'n>(&mut self, root: Node<'n>, key: &str) -> Option<Node<'n>> {
        let node = root.get(key)?;
        if node.shape() == Shape::Map {
            return Some(node);
        }
        self.error(
            Code::NOT_A_MAP,
            &format!("`{key}` is a map"),
            node.span(),
            "Write `name: value`, one a line.",
        );
        None
    }

    fn decode<T: DeserializeOwned>(&mut self, node: Node<'_>, key: &str) -> Option<T> {
        match node.get(key)?.decode() {
            Ok(value) => Some(value),
            Err(problem) => {
                self.diagnostics.push(problem);
                None
            }
        }
    }

    /// Decodes a key that may hold templates, and notes what they read.
    fn templated<T: DeserializeOwned>(
        &mut self,
        node: Node<'_>,
        key: &str,
        reads: &mut Vec<PlacedRead>,
    ) -> Option<T> {
        let child = node.get(key)?;
        let (value, decoded) = collect(|| child.decode::<T>());
        reads.extend(self.place(child, decoded));
        match value {
            Ok(value) => Some(value),
            Err(problem) => {
                self.diagnostics.push(problem);
                None
            }
        }
    }

    /// Finds the scalars that templates came from: reports their problems there, and places their reads.
    fn place(&mut self, node: Node<'_>, decoded: Vec<Decoded>) -> Vec<PlacedRead> {
        let mut placed = Vec::new();
        for Decoded { source, reads, problems, is_sql } in decoded {
            for problem in problems {
                let span = place_text(node, &source, problem.range.clone());
                self.problem(problem, span);
            }
            if is_sql {
                self.warn_of_comment(node, &source);
            }
            for read in reads {
                let span = place_text(node, &source, Some(read.range.clone()));
                placed.push(PlacedRead { read, span });
            }
        }
        placed
    }

    fn warn_of_comment(&mut self, node: Node<'_>, source: &str) {
        let scalar = node.texts().into_iter().find(|(text, _)| *text == source);
        if let Some(span) = scalar.and_then(|(_, scalar)| scalar.trailing_comment()) {
            self.diagnostics.push(
                Diagnostic::warning(
                    Code::YAML_COMMENT_AFTER_SQL,
                    "this is a YAML comment, not part of the SQL",
                )
                .at(span, "ignored")
                .help(
                    "Quote the SQL or use a block (`|`) if it belongs to it; else move it to its own line.",
                ),
            );
        }
    }

    fn problem(&mut self, problem: Problem, span: Span) {
        let diagnostic = match problem.severity {
            Severity::Error => Diagnostic::error(problem.code, problem.message),
            Severity::Warning => Diagnostic::warning(problem.code, problem.message),
        };
        self.diagnostics.push(diagnostic.at(span, "").maybe_help(problem.help));
    }

    fn unknown_connection(&mut self, name: &str, span: Span) {
        let near = nearest(name, self.runbook.connections.keys().map(String::as_str)).map(str::to_owned);
        let help = near.map_or_else(
            || format!("Declare it: `connections: {{ {name}: postgres }}`."),
            |near| format!("Did you mean `{near}`?"),
        );
        self.error(Code::CONNECTION, &format!("there is no connection `{name}`"), span, &help);
    }

    fn error(&mut self, code: &'static Code, message: &str, span: Span, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, message).at(span, "").help(help));
    }
}

fn place_text(node: Node<'_>, source: &str, range: Option<std::ops::Range<usize>>) -> Span {
    let scalar = node.texts().into_iter().find(|(text, _)| *text == source).map(|(_, scalar)| scalar);
    match (scalar, range) {
        (Some(scalar), Some(range)) => scalar.text_span(range),
        (Some(scalar), None) => scalar.span(),
        (None, _) => node.span(),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
