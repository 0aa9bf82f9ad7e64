//! One step: its kind, its id, and the keys that all kinds share.

use super::list::Within;
use super::{Loader, did_you_mean, listed, spot};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::model::{Certainty, Class, Effect, StepId};
use crate::runbook::keys::{AbortWhen, ForEach, OnError, OnWarning, Retry, ShowKey, Until, Verify};
use crate::runbook::step::{Attempts, PlacedRead, Step, StepBody};
use crate::step::KINDS;
use crate::step::templated::{Expr, Seconds, Text};
use crate::yaml::Node;

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
const INCLUDE: &[&str] = &["id", "title", "needs", "when", "for_each", "runbook"];

impl Loader<'_, '_> {
    /// Reads a step. One that has an id stays known by it, whatever else is wrong.
    pub(super) fn step(&mut self, node: Node<'_>, group: Option<&StepId>, within: Within) -> Option<Step> {
        let structures = ["steps", "runbook"];
        let names = KINDS.iter().map(|kind| kind.name()).chain(structures);
        let found: Vec<&'static str> = names.filter(|name| node.get(name).is_some()).collect();
        let kind = if let [kind] = found[..] {
            self.deny_unknown(node, kind, within);
            Some(kind)
        } else {
            self.wrong_kinds(node, &found);
            None
        };
        let id = self.id(node, group);
        let nameless = id.is_none();
        let (id, id_span) = id.unwrap_or_else(|| (StepId::new(""), node.span()));
        let mut step = self.common(node, id, id_span);
        let understood = match kind {
            None => None,
            Some("steps") => self.group(node, &mut step, within),
            Some("runbook") => self.include(node, &mut step),
            Some(kind) => self.kind(node, kind, &mut step),
        };
        if understood.is_none() {
            self.broken.insert(step.id.clone());
        }
        (!nameless).then_some(step)
    }

    fn deny_unknown(&mut self, node: Node<'_>, kind: &'static str, within: Within) {
        let mut allowed: Vec<&str> = match kind {
            "steps" => GROUP.to_vec(),
            "runbook" => INCLUDE.to_vec(),
            _ => COMMON.iter().copied().chain([kind]).collect(),
        };
        if within == Within::Group {
            allowed.retain(|key| *key != "needs");
        }
        node.deny_unknown(&allowed, &mut self.shared.diagnostics);
    }

    fn common(&mut self, node: Node<'_>, id: StepId, id_span: Span) -> Step {
        let (when, mut reads) = self.conditions(node);
        Step {
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
        }
    }

    fn wrong_kinds(&mut self, node: Node<'_>, found: &[&'static str]) {
        if found.len() > 1 {
            let mut problem = Diagnostic::error(Code::SEVERAL_KINDS, "a step does exactly one thing");
            for name in found {
                let span = node.get(name).map_or_else(|| node.span(), Node::key_span);
                problem = problem.at(span, format!("`{name}` is one"));
            }
            return self.shared.diagnostics.push(problem.help("Make a step of each."));
        }
        let names: Vec<&str> =
            KINDS.iter().map(|kind| kind.name()).chain(["steps", "runbook", "parallel"]).collect();
        let mut unknown = node.entries().filter(|(key, _)| !COMMON.contains(key)).peekable();
        if unknown.peek().is_none() {
            let help = format!("Add one of {}.", listed(&names));
            let span = node.get("id").map_or_else(|| super::first_key(node), Node::span);
            return self.error(Code::NO_KIND, "this step does nothing", span, &help);
        }
        for (key, value) in unknown {
            let near = nearest(key, names.iter().chain(COMMON).copied());
            let help = did_you_mean(near, || format!("A step has one of {}.", listed(&names)));
            let message = format!("there is no kind of step `{key}`");
            self.error(Code::NO_KIND, &message, value.key_span(), &help);
        }
    }

    fn id(&mut self, node: Node<'_>, group: Option<&StepId>) -> Option<(StepId, Span)> {
        let Some(id) = node.get("id") else {
            // A misspelt `parallel` has no id either, and its kind was reported.
            if node.entries().any(|(key, _)| nearest(key, ["parallel"]).is_none()) {
                let help = "Give it an `id:` of lowercase words joined by underscores.";
                self.error(Code::STEP_ID, "the step has no id", super::first_key(node), help);
            }
            return None;
        };
        let Some(text) = id.as_str() else {
            self.error(Code::STEP_ID, "an id is text", spot(id), "Begin it with a letter, or quote it.");
            return None;
        };
        self.identifier(Code::STEP_ID, text, spot(id));
        let full = group.map_or_else(|| StepId::new(text), |group| group.child(text));
        Some((full, spot(id)))
    }

    pub(super) fn conditions(&mut self, node: Node<'_>) -> (Vec<Expr>, Vec<PlacedRead>) {
        let mut reads = Vec::new();
        let when = self.templated::<Expr>(node, "when", &mut reads).into_iter().collect();
        (when, reads)
    }

    pub(super) fn attempts(&mut self, node: Node<'_>, step: &mut Step) -> Attempts {
        let mut reads = Vec::new();
        let attempts = Attempts {
            retry: self.templated::<Retry>(node, "retry", &mut reads),
            until: self.templated::<Until>(node, "until", &mut reads),
            verify: self.templated::<Verify>(node, "verify", &mut reads),
            abort_when: self.templated::<AbortWhen>(node, "abort_when", &mut reads),
            on_warning: self.decode::<OnWarning>(node, "on_warning").unwrap_or_default(),
            idempotent: self.decode(node, "idempotent").unwrap_or(false),
            show: self.templated::<ShowKey>(node, "show", &mut reads).and_then(|key| key.0),
            rollback: node.get("rollback").map(|hook| self.rollback(hook, &step.id)),
        };
        step.reads.extend(reads);
        attempts
    }

    pub(super) fn declared_effect(&mut self, node: Node<'_>, class: Class) -> Class {
        let Some(declared) = self.decode::<Effect>(node, "effect") else { return class };
        if class.certainty == Certainty::Assumed || declared > class.effect {
            return Class { effect: declared, certainty: Certainty::Declared, reasons: class.reasons };
        }
        if declared < class.effect {
            let span = node.get("effect").map_or_else(|| node.span(), Node::span);
            let (known, said) = (class.effect.as_str(), declared.as_str());
            let message = format!("this step is known to {known}, and `effect` says {said}");
            let help = "Remove it: `effect` may raise what is known, and lowers only what is not.";
            self.error(Code::EFFECT, &message, span, help);
        }
        class
    }

    pub(super) fn check_attempts(&mut self, node: Node<'_>, step: &Step, attempts: &Attempts) {
        if attempts.until.is_some() && step.class.effect > Effect::Read {
            let span = node.get("until").map_or_else(|| node.span(), Node::key_span);
            let help = "Put the change in a step of its own, and wait in a read below it.";
            self.error(Code::UNTIL, "`until` repeats only reads", span, help);
        }
        self.check_retry(node, attempts.retry.as_ref().map(|retry| retry.attempts));
        let verify = attempts.verify.as_ref().and_then(|verify| verify.sql.as_ref());
        let abort_when = attempts.abort_when.as_ref().map(|abort| &abort.sql);
        for (key, sql) in [("verify", verify), ("abort_when", abort_when)] {
            let Some(check) = node.get(key) else { continue };
            self.known_connection(check);
            if sql.is_some_and(|sql| sql.script.class().effect > Effect::Read) {
                let span = check.get("sql").map_or_else(|| check.span(), Node::span);
                let help = "Let it only look: it is asked at moments you do not choose.";
                self.error(Code::SIDE_CHECK, &format!("the SQL of `{key}` changes something"), span, help);
            }
        }
    }

    /// Reports a `retry` without a single attempt.
    pub(super) fn check_retry(&mut self, node: Node<'_>, attempts: Option<u32>) {
        if attempts == Some(0) {
            let retry = node.get("retry");
            let place = retry.and_then(|retry| retry.get("attempts")).or(retry).unwrap_or(node);
            self.error(Code::RETRY, "`attempts` counts the first one too", place.span(), "Write at least 1.");
        }
    }
}
