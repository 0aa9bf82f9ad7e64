//! Rules over the whole: unique ids, known names, cycles, reads that can never work.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::step::{PlacedRead, Step, StepBody};
use super::{Rollback, Runbook};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use crate::model::{Effect, StepId};
use crate::step::templated::Templated;
use crate::template::Read;

/// Facts about a step that can always be read.
pub(super) const FACTS: &[&str] = &[
    "state",
    "started",
    "succeeded",
    "failed",
    "skipped",
    "uncertain",
    "cancelled",
    "error",
    "input",
    "started_at",
    "finished_at",
];
const RUN: &[&str] = &[
    "id",
    "name",
    "operator",
    "started_at",
    "reason",
    "environment",
    "window_left",
    "dir",
    "tmp",
    "outcome",
];
const CONNECTION: &[&str] = &["present", "database", "user", "host", "version_num", "standby"];

type Vars = IndexMap<String, (Templated, Vec<Read>)>;

/// The steps of a list that a step reads, directly or through `vars`, as indexes into the list.
pub(super) fn step_references(
    step: &Step,
    vars: &Vars,
    by_name: &HashMap<&str, usize>,
    group: Option<&StepId>,
) -> Vec<(usize, Span)> {
    let mut found = Vec::new();
    for placed in &step.reads {
        for read in with_vars(&placed.read, vars) {
            if let Some(index) = step_name(read, group).and_then(|name| by_name.get(name)) {
                found.push((*index, placed.span));
            }
        }
    }
    // A group reads its own steps inside itself.
    let own = by_name.get(step.id.local()).copied();
    found.retain(|(index, _)| !(matches!(step.body, StepBody::Group(_)) && Some(*index) == own));
    found
}

/// The name of the step that a read sees, within a list: `steps.a`, or inside a group also `steps.group.a`.
fn step_name<'r>(read: &'r Read, group: Option<&StepId>) -> Option<&'r str> {
    if read.root != "steps" {
        return None;
    }
    match (read.path.as_slice(), group) {
        ([first, second, ..], Some(group)) if first == group.as_str() => Some(second),
        ([first, ..], _) => Some(first),
        _ => None,
    }
}

/// A read, and the reads of the variable it sees.
fn with_vars<'r>(read: &'r Read, vars: &'r Vars) -> Vec<&'r Read> {
    let mut all = vec![read];
    let mut seen = HashSet::new();
    let mut next = 0;
    while next < all.len() {
        let current = all[next];
        next += 1;
        if current.root == "vars"
            && let Some(name) = current.path.first()
            && seen.insert(name.as_str())
            && let Some((_, reads)) = vars.get(name)
        {
            all.extend(reads);
        }
    }
    all
}

/// Reports every circle among the steps of a list, with the edges that make it.
pub(super) fn cycles(steps: &[Step], diagnostics: &mut Diagnostics) {
    let edges = steps
        .iter()
        .enumerate()
        .flat_map(|(step, own)| own.parents.iter().map(move |edge| (edge.parent as u32, step as u32)));
    if steps.iter().all(|step| step.parents.iter().all(|edge| edge.reason == super::Reason::Above)) {
        return;
    }
    let graph = DiGraph::<(), ()>::from_edges(edges);
    for circle in tarjan_scc(&graph) {
        let alone = circle.len() == 1 && !graph.contains_edge(circle[0], circle[0]);
        if !alone {
            diagnostics.push(cycle(steps, &circle));
        }
    }
}

fn cycle(steps: &[Step], members: &[NodeIndex]) -> Diagnostic {
    let inside: HashSet<usize> = members.iter().map(|node| node.index()).collect();
    // Walk along parents inside the circle until a step comes again.
    let mut walk = vec![members.iter().map(|node| node.index()).min().unwrap_or(0)];
    let mut labels = Vec::new();
    loop {
        let current = walk[walk.len() - 1];
        let Some(edge) = steps[current].parents.iter().find(|edge| inside.contains(&edge.parent)) else {
            break;
        };
        let text = format!("`{}` waits for `{}`", steps[current].id, steps[edge.parent].id);
        labels.push((edge.span.unwrap_or(steps[current].id_span), text));
        if let Some(start) = walk.iter().position(|step| *step == edge.parent) {
            walk.drain(..start);
            labels.drain(..start);
            walk.push(edge.parent);
            break;
        }
        walk.push(edge.parent);
    }
    let circle: Vec<&str> = walk.iter().rev().map(|step| steps[*step].id.as_str()).collect();
    let message = format!("these steps wait for each other: {}", circle.join(" → "));
    let problem = Diagnostic::error(Code::GRAPH_CYCLE, message).help("Remove one of the edges.");
    labels.into_iter().fold(problem, |problem, (span, text)| problem.at(span, text))
}

/// Checks a decoded runbook.
pub(super) fn check(runbook: &mut Runbook, head_reads: &[PlacedRead], diagnostics: &mut Diagnostics) {
    let names = Names::of(runbook);
    let mut checker = Checker { runbook, names, diagnostics };
    checker.unique_ids();
    for placed in head_reads {
        checker.read(placed, &Place { item: false, this: false, step: None });
    }
    for step in &runbook.steps {
        checker.step(step, false);
    }
    for hook in runbook.on_failure.iter().chain(&runbook.finally) {
        checker.step(hook, true);
    }
}

/// What a read of a step may see.
#[derive(Clone, Copy)]
struct Target<'a> {
    step: &'a Step,
}

struct Names<'a> {
    /// Every id by which a step can be read, `group.inner` included.
    steps: HashMap<&'a str, Target<'a>>,
}

impl<'a> Names<'a> {
    fn of(runbook: &'a Runbook) -> Self {
        let hooks = runbook.on_failure.iter().chain(&runbook.finally);
        let all = runbook.all_steps().chain(hooks);
        Self { steps: all.map(|step| (step.id.as_str(), Target { step })).collect() }
    }
}

/// What is in scope where a read stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    item: bool,
    this: bool,
    step: Option<&'a Step>,
}

struct Checker<'a> {
    runbook: &'a Runbook,
    names: Names<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Checker<'a> {
    fn unique_ids(&mut self) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let hooks = self.runbook.on_failure.iter().chain(&self.runbook.finally);
        for step in self.runbook.all_steps().chain(hooks) {
            if let Some(first) = seen.insert(step.id.as_str(), step.id_span) {
                self.diagnostics.push(
                    Diagnostic::error(Code::STEP_TWICE, format!("two steps have the id `{}`", step.id))
                        .at(step.id_span, "again here")
                        .at(first, "first here")
                        .help("Rename one of them."),
                );
            }
        }
    }

    fn step(&mut self, step: &'a Step, hook: bool) {
        let place = Place { item: step.for_each.is_some(), this: true, step: Some(step) };
        match &step.body {
            StepBody::Group(inner) => {
                for inner in inner {
                    self.inner(inner, step);
                }
            }
            StepBody::Include(_) | StepBody::Kind(..) => {
                for placed in &step.reads {
                    self.read(placed, &place);
                }
            }
        }
        self.warn_of_silence(step, hook);
        self.check_hooks(step);
    }

    fn inner(&mut self, inner: &'a Step, group: &'a Step) {
        let item = inner.for_each.is_some() || group.for_each.is_some();
        for placed in &inner.reads {
            self.read(placed, &Place { item, this: true, step: Some(inner) });
        }
        self.warn_of_silence(inner, false);
        self.check_hooks(inner);
    }

    fn check_hooks(&mut self, step: &'a Step) {
        if let Some(Rollback::Steps(hooks)) = step.attempts().and_then(|attempts| attempts.rollback.as_ref())
        {
            for hook in hooks {
                for placed in &hook.reads {
                    self.read(placed, &Place { item: true, this: true, step: None });
                }
            }
        }
    }

    fn warn_of_silence(&mut self, step: &Step, hook: bool) {
        let Some(attempts) = step.attempts() else { return };
        let StepBody::Kind(body, _) = &step.body else { return };
        if hook
            || step.class.effect == Effect::Read
            || attempts.rollback.is_some()
            || body.leaves_nothing_to_undo()
        {
            return;
        }
        self.diagnostics.push(
            Diagnostic::warning(
                Code::ROLLBACK_SILENT,
                format!("`{}` does not say how it is undone", step.id),
            )
            .at(step.id_span, "a point of no return")
            .help("Add `rollback:` with steps, `auto`, `{ none: why }` or `{ impossible: why }`."),
        );
    }

    fn read(&mut self, placed: &PlacedRead, place: &Place<'_>) {
        let read = &placed.read;
        let Some(name) = read.path.first() else { return self.whole(placed, place) };
        match read.root.as_str() {
            "params" => self.known(placed, name, "parameter", self.runbook.params.keys().map(String::as_str)),
            "vars" => self.known(placed, name, "variable", self.runbook.vars.keys().map(String::as_str)),
            "env" => self.known(
                placed,
                name,
                "environment variable",
                self.runbook.environment.keys().map(String::as_str),
            ),
            "run" => self.known(placed, name, "fact of the run", RUN.iter().copied()),
            "connections" => {
                self.known(placed, name, "connection", self.runbook.connections.keys().map(String::as_str));
                if let Some(field) = read.path.get(1) {
                    self.known(placed, field, "fact of a connection", CONNECTION.iter().copied());
                }
            }
            "steps" => self.step_read(placed, place),
            _ => self.whole(placed, place),
        }
    }

    /// `item` and `this` stand only where there is one.
    fn whole(&mut self, placed: &PlacedRead, place: &Place<'_>) {
        let missing = match placed.read.root.as_str() {
            "item" if !place.item => "`item` stands only in a step with `for_each`",
            "this" if !place.this => "`this` stands only in a step",
            _ => return,
        };
        self.diagnostics.push(
            Diagnostic::error(Code::TEMPLATE_UNDEFINED, missing)
                .at(placed.span, "")
                .help("Read a parameter, a variable or the output of a step instead."),
        );
    }

    fn known<'n>(
        &mut self,
        placed: &PlacedRead,
        name: &str,
        what: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) {
        if names.clone().any(|known| known == name) {
            return;
        }
        let help = match nearest(name, names) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Declare it, or read another {what}."),
        };
        self.diagnostics.push(
            Diagnostic::error(Code::TEMPLATE_UNKNOWN_NAME, format!("there is no {what} `{name}`"))
                .at(placed.span, "")
                .help(help),
        );
    }

    fn step_read(&mut self, placed: &PlacedRead, place: &Place<'_>) {
        let path = &placed.read.path;
        let group = place.step.and_then(|step| step.id.as_str().rsplit_once('.')).map(|(group, _)| group);
        let Some((target, used)) = self.resolve(path, group) else { return self.unknown_step(placed, group) };
        let Some(field) = path.get(used) else { return };
        if FACTS.contains(&field.as_str()) {
            return;
        }
        match &target.step.body {
            _ if target.step.for_each.is_some() => self.known(
                placed,
                field,
                "field of a `for_each` step",
                ["each", "count"].into_iter().chain(FACTS.iter().copied()),
            ),
            StepBody::Kind(body, _) => {
                let fields = body.fields().iter().copied().chain(FACTS.iter().copied()).chain(["shown"]);
                self.known(placed, field, "field of this step", fields.collect::<Vec<_>>().into_iter());
            }
            StepBody::Include(_) => self.known(
                placed,
                field,
                "field of an included runbook",
                ["outputs"].into_iter().chain(FACTS.iter().copied()),
            ),
            StepBody::Group(inner) => {
                let names: Vec<&str> = inner.iter().map(|step| step.id.local()).collect();
                self.known(placed, field, "step in this group", names.into_iter());
            }
        }
        self.unguarded(placed, target, place);
    }

    /// The step a path leads to and how many parts of the path name it.
    fn resolve(&self, path: &[String], group: Option<&str>) -> Option<(Target<'a>, usize)> {
        let first = path.first()?;
        let inside = group.and_then(|group| self.names.steps.get(format!("{group}.{first}").as_str()));
        if let Some(target) = inside {
            return Some((*target, 1));
        }
        let two = path.get(1).and_then(|second| self.names.steps.get(format!("{first}.{second}").as_str()));
        match (two, self.names.steps.get(first.as_str())) {
            (Some(target), Some(outer)) if outer.step.for_each.is_none() => Some((*target, 2)),
            (_, outer) => outer.map(|target| (*target, 1)),
        }
    }

    fn unknown_step(&mut self, placed: &PlacedRead, group: Option<&str>) {
        let name = &placed.read.path[0];
        let prefix = group.map(|group| format!("{group}."));
        let names = self.names.steps.keys().map(|id| match &prefix {
            Some(prefix) => id.strip_prefix(prefix.as_str()).unwrap_or(id),
            None => id,
        });
        let help = match nearest(name, names) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "Steps are read by their id: `steps.<id>.<field>`.".to_owned(),
        };
        self.diagnostics.push(
            Diagnostic::error(Code::GRAPH_UNKNOWN_STEP, format!("there is no step `{name}`"))
                .at(placed.span, "no such step")
                .help(help),
        );
    }

    /// A step with `when` may have been skipped, and reading what a skipped step did not produce is an error.
    fn unguarded(&mut self, placed: &PlacedRead, target: Target<'_>, place: &Place<'_>) {
        let conditional = !target.step.when.is_empty();
        let Some(reader) = place.step else { return };
        if !conditional || placed.read.guarded || !reader.when.is_empty() || reader.id == target.step.id {
            return;
        }
        let id = &target.step.id;
        self.diagnostics.push(
            Diagnostic::warning(
                Code::TEMPLATE_UNGUARDED,
                format!("`{id}` may be skipped, and then this cannot be read"),
            )
            .at(placed.span, "")
            .at(target.step.id_span, "has a `when`")
            .help(format!("Add `when: steps.{id}.succeeded`, or a `default(…)`.")),
        );
    }
}
