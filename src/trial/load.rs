//! From text to [`Fixture`], checked against its runbook: every problem at its place in the file.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fixture::Case;
use super::steps::{Known, Steps};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Sources, Span, nearest};
use crate::model::Redactor;
use crate::runbook::{Runbook, StepBody, ValueProblem, ValueSources, resolve};
use crate::yaml::{Document, Limits, Node};

/// The version of the format.
const VERSION: i64 = 1;

/// A fixture that fits its runbook.
#[derive(Debug)]
pub struct Fixture {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// Its cases, every parameter resolved.
    pub(super) cases: Vec<Case>,
}

/// Reads a fixture. It is there only if nothing is wrong with it.
pub fn load(
    origin: &str,
    text: &str,
    runbook: &Arc<Runbook>,
    sources: &mut Sources,
) -> (Option<Fixture>, Diagnostics) {
    let id = sources.add(origin, text);
    let (document, diagnostics) = Document::parse(id, text, &Limits::default());
    let Some(document) = document else { return (None, diagnostics) };
    let mut loading = Loading { runbook, steps: Steps::of(runbook), diagnostics };
    let cases = loading.file(document.root());
    let mut diagnostics = loading.diagnostics;
    diagnostics.sort();
    let fixture = Fixture { runbook: Arc::clone(runbook), cases };
    (Some(fixture).filter(|_| !diagnostics.has_errors()), diagnostics)
}

struct Loading<'r> {
    runbook: &'r Runbook,
    steps: Steps<'r>,
    diagnostics: Diagnostics,
}

impl Loading<'_> {
    fn file(&mut self, root: Node<'_>) -> Vec<Case> {
        root.deny_unknown(&["version", "runbook", "cases"], &mut self.diagnostics);
        let version = root.get("version");
        if version.and_then(Node::as_i64) != Some(VERSION) {
            let at = version.unwrap_or(root).span();
            self.unfit(at, "a fixture begins with its version", "Write `version: 1`.");
        }
        let name = &self.runbook.name;
        let written = root.get("runbook");
        if written.and_then(Node::as_str) != Some(name) {
            let at = written.unwrap_or(root).span();
            let message = format!("this fixture lies beside the runbook `{name}`");
            self.unfit(at, message, format!("Write `runbook: {name}`, or rename the file."));
        }
        let cases: Vec<Node<'_>> = root.get("cases").into_iter().flat_map(Node::items).collect();
        if cases.is_empty() {
            let at = root.get("cases").unwrap_or(root).span();
            self.unfit(at, "there is no case", "Write a list of cases below `cases:`.");
        }
        cases.into_iter().filter_map(|node| self.case(node)).collect()
    }

    fn case(&mut self, node: Node<'_>) -> Option<Case> {
        self.connections(node);
        self.outputs(node);
        self.step_names(node);
        let mut case = match node.decode::<Case>() {
            Ok(case) => case,
            Err(problem) => {
                self.diagnostics.push(problem);
                return None;
            }
        };
        case.params = self.params(node, std::mem::take(&mut case.params));
        if case.now.parse::<Timestamp>().is_err() {
            let at = node.get("now").unwrap_or(node).span();
            self.unfit(at, format!("`{}` is no time", case.now), "Write one such as `2026-01-05T03:00:00Z`.");
        }
        for (id, result) in members(node, &["steps"]) {
            for canned in case.steps.get(id).into_iter().flat_map(super::fixture::Results::all) {
                self.result(id, result, &canned.output);
            }
        }
        Some(case)
    }

    /// The value of every parameter; those that the case leaves out have their defaults.
    fn params(&mut self, case: Node<'_>, given: Map<String, Value>) -> Map<String, Value> {
        let at = case.get("params").unwrap_or(case).key_span();
        let sources = ValueSources { file: given, ..ValueSources::default() };
        resolve(&self.runbook.params, &sources, &Redactor::new()).unwrap_or_else(|problems| {
            for problem in problems {
                let (message, help) = parameter_problem(problem);
                self.unfit(at, message, help);
            }
            Map::new()
        })
    }

    fn connections(&mut self, case: Node<'_>) {
        for (name, node) in members(case, &["connections"]) {
            if !self.runbook.connections.contains_key(name) {
                let known: Vec<&str> = self.runbook.connections.keys().map(String::as_str).collect();
                self.unknown("connection", name, &known, node.key_span());
            }
        }
    }

    fn outputs(&mut self, case: Node<'_>) {
        for (name, node) in members(case, &["expect", "outputs"]) {
            if !self.runbook.outputs.contains_key(name) {
                let known: Vec<&str> = self.runbook.outputs.keys().map(String::as_str).collect();
                self.unknown("output", name, &known, node.key_span());
            }
        }
    }

    /// Whoever names a step names one that there is.
    fn step_names(&mut self, case: Node<'_>) {
        let paths: [&[&str]; 5] = [
            &["steps"],
            &["expect", "states"],
            &["expect", "sent"],
            &["expect", "says"],
            &["faults", "undone"],
        ];
        for (id, node) in paths.into_iter().flat_map(|path| members(case, path)) {
            self.step_name(id, node.key_span());
        }
        for (_, undone) in members(case, &["faults", "undone"]) {
            for node in undone.items() {
                self.step_name(node.as_str().unwrap_or_default(), node.span());
            }
        }
    }

    fn step_name(&mut self, id: &str, at: Span) {
        if self.steps.get(id).is_none() && !self.steps.is_automatic_undo(id) {
            let known: Vec<String> = self.steps.ids().map(str::to_owned).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            self.unknown("step", id, &known, at);
        }
    }

    /// A result has fields that its step produces.
    fn result(&mut self, id: &str, node: Node<'_>, output: &Map<String, Value>) {
        let Some(Known { step, .. }) = self.steps.get(id) else { return };
        let StepBody::Kind(body, _) = &step.body else {
            return self.unfit(
                node.key_span(),
                format!("`{id}` has no result of its own"),
                "Name a step inside it.",
            );
        };
        if body.kind() == "assert" {
            let message = format!("`{id}` is an assert, which is evaluated");
            return self.unfit(node.key_span(), message, "Give the steps that it reads their results.");
        }
        for field in output.keys().filter(|field| !body.fields().contains(&field.as_str())) {
            let at = node.get(field).map_or(node.key_span(), Node::key_span);
            self.unknown("field", field, body.fields(), at);
        }
    }

    fn unknown(&mut self, noun: &str, name: &str, known: &[&str], at: Span) {
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None if known.is_empty() => format!("The runbook has no {noun}."),
            None => format!("Use one of {}.", known.join(", ")),
        };
        self.unfit(at, format!("there is no {noun} `{name}`"), help);
    }

    fn unfit(&mut self, at: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(Code::TEST_FIXTURE, message).at(at, "").help(help));
    }
}

/// The members of a map inside a case.
fn members<'d>(case: Node<'d>, path: &[&str]) -> Vec<(&'d str, Node<'d>)> {
    let found = path.iter().try_fold(case, |node, key| node.get(key));
    found.into_iter().flat_map(Node::entries).collect()
}

fn parameter_problem(problem: ValueProblem) -> (String, String) {
    match problem {
        ValueProblem::Missing { name, .. } => {
            (format!("the parameter `{name}` is missing"), format!("Add `{name}` to the case's `params`."))
        }
        ValueProblem::Unknown { name, near, .. } => {
            let help = near.map_or_else(|| "Remove it.".to_owned(), |near| format!("Did you mean `{near}`?"));
            (format!("there is no parameter `{name}`"), help)
        }
        ValueProblem::Unsuitable { name, why, .. } => {
            let help = why.help.unwrap_or_else(|| "Change the value as the message says.".to_owned());
            (format!("`{name}`: {}", why.message), help)
        }
    }
}
