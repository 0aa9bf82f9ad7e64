//! Rules over the whole: unique ids, known names, reads that can never work.

use std::collections::{HashMap, HashSet};

use super::cycle;
use super::step::{PlacedRead, Step, StepBody};
use super::{Rollback, Runbook};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use crate::model::{Effect, StepId};

/// Facts about a step that can always be read.
const FACTS: &[&str] = &[
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
const CONNECTION: &[&str] = &[
    "present",
    "database",
    "user",
    "host",
    "version_num",
    "standby",
    "context",
    "server",
    "namespace",
    "version",
    "uid",
];

/// Checks a decoded runbook.
///
/// Of `broken` steps only the id is known, so what is read of them is not judged.
pub(super) fn check(
    runbook: &Runbook,
    head_reads: &[PlacedRead],
    broken: &HashSet<StepId>,
    diagnostics: &mut Diagnostics,
) {
    cycle::among_variables(&runbook.vars, head_reads, diagnostics);
    let names = Names::of(runbook);
    let mut checker = Checker { runbook, names, broken, diagnostics, told: HashSet::new() };
    checker.unique_ids();
    for placed in head_reads {
        checker.read(placed, &Place { item: false, this: false, step: None, hook: None });
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
        // A hook's own list is a group that nobody else sees: its ids have the id of the undone step before them.
        let undo =
            runbook.all_steps().filter_map(Step::attempts).filter_map(|attempts| match &attempts.rollback {
                Some(Rollback::Steps(steps)) => Some(steps),
                _ => None,
            });
        let all = runbook.all_steps().chain(undo.flatten()).chain(hooks);
        Self { steps: all.map(|step| (step.id.as_str(), Target { step })).collect() }
    }
}

/// What is in scope where a read stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    item: bool,
    this: bool,
    step: Option<&'a Step>,
    /// The hook of a step that is undone; whether its conditional reads are guarded is the undo's concern.
    hook: Option<&'a Step>,
}

struct Checker<'a> {
    runbook: &'a Runbook,
    names: Names<'a>,
    broken: &'a HashSet<StepId>,
    diagnostics: &'a mut Diagnostics,
    /// What was said where: the members of a block share its `when`.
    told: HashSet<(Span, String)>,
}

impl<'a> Checker<'a> {
    fn unique_ids(&mut self) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let hooks = self.runbook.on_failure.iter().chain(&self.runbook.finally);
        let undo = self.runbook.all_steps().filter_map(Step::attempts).filter_map(|attempts| {
            let Some(Rollback::Steps(steps)) = &attempts.rollback else { return None };
            Some(steps)
        });
        for step in self.runbook.all_steps().chain(undo.flatten()).chain(hooks) {
            if let Some(first) = seen.insert(step.id.as_str(), step.id_span) {
                self.diagnostics.push(
                    Diagnostic::error(
                        Code::STEP_TWICE,
                        format!("two steps have the id `{}`", step.id.local()),
                    )
                    .at(step.id_span, "again here")
                    .at(first, "first here")
                    .help("Rename one of them."),
                );
            }
        }
    }

    fn step(&mut self, step: &'a Step, hook: bool) {
        let place = Place { item: step.for_each.is_some(), this: true, step: Some(step), hook: None };
        match &step.body {
            StepBody::Group(inner) => {
                let inside: HashSet<Span> =
                    inner.iter().flat_map(|inner| &inner.reads).map(|placed| placed.span).collect();
                for placed in step.reads.iter().filter(|placed| !inside.contains(&placed.span)) {
                    self.read(placed, &place);
                }
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
            self.read(placed, &Place { item, this: true, step: Some(inner), hook: None });
        }
        self.warn_of_silence(inner, false);
        self.check_hooks(inner);
    }

    fn check_hooks(&mut self, step: &'a Step) {
        if let Some(Rollback::Steps(hooks)) = step.attempts().and_then(|attempts| attempts.rollback.as_ref())
        {
            for hook in hooks {
                for placed in &hook.reads {
                    self.read(placed, &Place { item: true, this: true, step: None, hook: Some(hook) });
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
        self.tell(
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
        self.tell(
            Diagnostic::error(Code::TEMPLATE_UNKNOWN_NAME, format!("there is no {what} `{name}`"))
                .at(placed.span, "")
                .help(help),
        );
    }

    fn step_read(&mut self, placed: &PlacedRead, place: &Place<'_>) {
        let path = &placed.read.path;
        let step = place.step.or(place.hook);
        let group = step.and_then(|step| step.id.as_str().rsplit_once('.')).map(|(group, _)| group);
        let Some((target, used)) = self.resolve(path, group) else { return self.unknown_step(placed, group) };
        let Some(field) = path.get(used) else { return };
        if FACTS.contains(&field.as_str()) || self.broken.contains(&target.step.id) {
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
            StepBody::Include(include) => {
                let fields = ["outputs"].into_iter().chain(FACTS.iter().copied());
                self.known(placed, field, "field of an included runbook", fields);
                if let (true, Some(output)) = (field == "outputs", path.get(used + 1)) {
                    let outputs = include.runbook.outputs.keys().map(String::as_str);
                    self.known(placed, output, "output of this runbook", outputs);
                }
            }
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
        self.tell(
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
        self.tell(
            Diagnostic::warning(
                Code::TEMPLATE_UNGUARDED,
                format!("`{id}` may be skipped, and then this cannot be read"),
            )
            .at(placed.span, "")
            .at(target.step.id_span, "has a `when`")
            .help(format!("Add `when: steps.{id}.succeeded`, or a `default(…)`.")),
        );
    }

    /// Reports a problem, unless it was reported at this place.
    fn tell(&mut self, problem: Diagnostic) {
        let place = problem.labels.first().map(|label| label.span);
        if place.is_none_or(|span| self.told.insert((span, problem.message.clone()))) {
            self.diagnostics.push(problem);
        }
    }
}
