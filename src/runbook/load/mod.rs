//! From text to [`Runbook`]: decodes every step, collects every problem, and reads nothing it was not given.
//!
//! A step that has a problem stays known by its id, so one mistake is told once and hides no other.

mod body;
mod head;
mod include;
mod list;
mod place;
mod rollback;
mod step;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::Runbook;
use super::check;
use super::step::PlacedRead;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Sources, Span, nearest};
use crate::event::PinnedDocument;
use crate::model::{Failure, StepId};
use crate::step::with_parsed;
use crate::yaml::{Document, Limits, Node, Shape};

use list::Within;

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
    let mut loading = Loading { library, sources, diagnostics: Diagnostics::new(), included: HashMap::new() };
    let runbook = loading.file(source, &[]);
    let mut diagnostics = loading.diagnostics;
    diagnostics.sort();
    let runbook = runbook.filter(|_| !diagnostics.has_errors());
    (runbook, diagnostics)
}

/// What the files of one runbook share.
struct Loading<'a> {
    library: &'a dyn Library,
    sources: &'a mut Sources,
    diagnostics: Diagnostics,
    /// The included runbooks by their origin: each is read, and its problems told, once.
    included: HashMap<String, Option<Arc<Runbook>>>,
}

impl Loading<'_> {
    /// Reads one file; `path` are the runbooks that include it, outermost first.
    fn file(&mut self, source: SourceText, path: &[String]) -> Option<Runbook> {
        let id = self.sources.add(source.origin.as_str(), source.text.as_str());
        let (document, problems) = Document::parse(id, &source.text, &Limits::default());
        self.diagnostics.extend(problems);
        let document = document?;
        let pinned = pinned(source.origin.clone(), source.text);
        let mut loader = Loader {
            shared: self,
            origin: source.origin,
            path,
            runbook: Runbook { documents: vec![pinned], ..Runbook::default() },
            head_reads: Vec::new(),
            broken: HashSet::new(),
            without_connection: false,
        };
        with_parsed(sql_of(document.root()), || loader.file(document.root()));
        Some(loader.runbook)
    }
}

/// The texts that are SQL by their key, wherever they stand; one that turns out to be something else costs only time.
fn sql_of(node: Node<'_>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        if let (Some("sql" | "query"), Some(text)) = (node.key(), node.as_str()) {
            found.push(text);
        }
        pending.extend(node.items());
        pending.extend(node.entries().map(|(_, value)| value));
    }
    found
}

fn pinned(name: String, text: String) -> PinnedDocument {
    let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    PinnedDocument { name, sha256, text }
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

/// Reads one file.
struct Loader<'l, 'a> {
    shared: &'l mut Loading<'a>,
    origin: String,
    path: &'l [String],
    runbook: Runbook,
    head_reads: Vec<PlacedRead>,
    /// Steps that could not be understood: they exist, and nothing else is known of them.
    broken: HashSet<StepId>,
    /// Whether it was said that there is no postgres connection at all; once is enough.
    without_connection: bool,
}

impl Loader<'_, '_> {
    fn file(&mut self, root: Node<'_>) {
        if root.shape() != Shape::Map {
            let help = "Begin with `version: 1` and `name:`.";
            return self.error(Code::NOT_A_RUNBOOK, "a runbook is a map", root.span(), help);
        }
        root.deny_unknown(TOP, &mut self.shared.diagnostics);
        self.head(root);
        if let Some(steps) = root.get("steps") {
            self.runbook.steps = self.list(steps, None, Within::Top);
        } else {
            let help = "Add `steps:` with at least one step.";
            self.error(Code::NO_STEPS, "the runbook has no steps", first_key(root), help);
        }
        self.runbook.on_failure = self.hooks(root, "on_failure");
        self.runbook.finally = self.hooks(root, "finally");
        self.outputs(root);
        check::check(&self.runbook, &self.head_reads, &self.broken, &mut self.shared.diagnostics);
    }

    fn decode<T: DeserializeOwned>(&mut self, node: Node<'_>, key: &str) -> Option<T> {
        match node.get(key)?.decode() {
            Ok(value) => Some(value),
            Err(problem) => {
                self.shared.diagnostics.push(problem);
                None
            }
        }
    }

    /// Reports a name that templates could not read.
    fn identifier(&mut self, code: &'static Code, name: &str, span: Span) {
        let letter = |c: char| c.is_ascii_lowercase();
        let snake = |c: char| letter(c) || c.is_ascii_digit() || c == '_';
        if name.starts_with(letter) && name.chars().all(snake) {
            return;
        }
        let better = snake_case(name);
        let help = if better.is_empty() {
            "Use lowercase words joined by underscores: templates read it as a name.".to_owned()
        } else {
            format!("Use lowercase words joined by underscores: `{better}`.")
        };
        self.error(code, &format!("`{name}` cannot be used as a name"), span, &help);
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
        self.shared.diagnostics.push(Diagnostic::error(code, message).at(span, "").help(help));
    }
}

/// The nearest name of lowercase words and underscores; empty when there is none.
fn snake_case(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') if !words.is_empty() || c.is_ascii_alphabetic() => words.push(c),
            _ if !words.is_empty() && !words.ends_with('_') => words.push('_'),
            _ => {}
        }
    }
    words.trim_end_matches('_').to_owned()
}

/// What to underline where something is missing from the whole file.
fn first_key(root: Node<'_>) -> Span {
    root.entries().next().map_or_else(|| root.span(), |(_, first)| first.key_span())
}

/// The value, or its key when the value has no bytes.
fn spot(node: Node<'_>) -> Span {
    if node.span().range().is_empty() { node.key_span() } else { node.span() }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn did_you_mean(near: Option<&str>, otherwise: impl FnOnce() -> String) -> String {
    near.map_or_else(otherwise, |near| format!("Did you mean `{near}`?"))
}
