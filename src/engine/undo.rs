//! Undo, planned as a graph before it begins: which effects there are, how each is undone, and what waits for what
//! (language.md, section 6). Hooks run one at a time, the last effect first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::halt::{Halt, Reason, Role};
use super::scheduler::{Scheduler, Standing};
use super::whole::grace;
use crate::event::{EventKind, Node, Place, UndoMeans, UndoStep};
use crate::model::{Applied, Effect, Failure, StepId, StepState};
use crate::plan::{Frame, undone};
use crate::runbook::{Rollback, Step, StepBody, StepIndex, derived};
use crate::step::{TookEffect, Undo};

/// A step that may have an effect, as the journal has it.
pub(super) struct TheEffect {
    frame: Frame,
    index: StepIndex,
    item: Option<Value>,
    place: Place,
    node: Node,
}

/// What became of an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Steps that were undone.
    pub(super) undone: usize,
    /// Steps that took effect and cannot be undone, or lie beyond one that cannot.
    pub(super) left: usize,
    /// Steps whose undo a person must finish.
    pub(super) stuck: usize,
}

impl TheEffect {
    fn step(&self) -> Option<&Step> {
        self.frame.runbook.step_at(self.index)
    }

    fn standing(&self) -> Standing<'_> {
        Standing { frame: &self.frame, item: self.item.as_ref(), key: self.place.key.as_deref() }
    }

    /// Whether it took effect, wholly or partly, or perhaps.
    fn is_there(&self) -> bool {
        match self.node.state {
            StepState::Succeeded | StepState::Uncertain | StepState::Stuck => true,
            StepState::Failed => {
                self.node.failure.as_ref().is_some_and(|failure| failure.applied != Applied::No)
            }
            _ => false,
        }
    }

    /// Whether nobody knows if there is anything to undo.
    fn in_doubt(&self) -> bool {
        self.node.state == StepState::Uncertain
    }

    fn means(&self) -> UndoMeans {
        let Some(step) = self.step() else {
            return UndoMeans::Impossible { why: "its step is not in the runbook".to_owned() };
        };
        let StepBody::Kind(body, attempts) = &step.body else {
            return UndoMeans::Nothing { why: "it has no effect of its own".to_owned() };
        };
        match &attempts.rollback {
            Some(Rollback::Steps(steps)) => UndoMeans::Hooks { steps: steps.len() },
            Some(Rollback::Nothing(why)) => UndoMeans::Nothing { why: why.clone() },
            Some(Rollback::Impossible(why)) => UndoMeans::Impossible { why: why.clone() },
            Some(Rollback::Auto) => match self.derive(step) {
                Undo::Steps(_) => UndoMeans::Auto,
                Undo::Nothing(why) => UndoMeans::Nothing { why },
                Undo::Impossible(why) => UndoMeans::Impossible { why },
            },
            None if body.leaves_nothing_to_undo() => {
                UndoMeans::Nothing { why: "it leaves nothing to undo".to_owned() }
            }
            None => UndoMeans::Impossible { why: "the runbook does not say how".to_owned() },
        }
    }

    fn derive(&self, step: &Step) -> Undo {
        let StepBody::Kind(body, _) = &step.body else { return Undo::Nothing(String::new()) };
        body.undo(&TookEffect {
            input: &self.node.input,
            before: self.node.known_before(),
            traces: &self.node.traces,
            output: &self.node.output,
        })
    }
}

impl Scheduler<'_, '_> {
    /// Every effect there is to undo, the last one first, and what will be done about it.
    pub(super) fn effects(&self) -> Vec<(TheEffect, UndoStep)> {
        let mut found = Vec::new();
        self.collect(&self.root, &mut found);
        found.retain(TheEffect::is_there);
        found.sort_by_key(|effect| std::cmp::Reverse(effect.node.began));
        let ancestry = self.dispatcher.state(|state| {
            let steps = state.started.iter().flat_map(|started| &started.steps);
            steps.map(|step| (step.id.clone(), step.needs.clone())).collect::<BTreeMap<_, _>>()
        });
        let mut point = None;
        let mut planned: Vec<UndoStep> = Vec::new();
        for effect in &found {
            let mut means = effect.means();
            match (&means, &point) {
                (UndoMeans::Hooks { .. } | UndoMeans::Auto, Some(point)) if !self.past_no_return => {
                    means = UndoMeans::Beyond { point: Place::clone(point) };
                }
                (UndoMeans::Impossible { .. }, None) => point = Some(effect.place.clone()),
                _ => {}
            }
            let later = planned.iter().filter(|later| needs(&ancestry, &later.at.step, &effect.place.step));
            let after = later.map(|later| later.at.clone()).collect();
            planned.push(UndoStep { at: effect.place.clone(), means, after });
        }
        found.into_iter().zip(planned).collect()
    }

    /// Every step that may have an effect, in the order of the file.
    fn collect(&self, frame: &Frame, found: &mut Vec<TheEffect>) {
        for (outer, step) in frame.runbook.steps.iter().enumerate() {
            self.effects_of(Standing::top(frame), StepIndex { outer, inner: None }, step, found);
        }
    }

    fn effects_of(&self, standing: Standing<'_>, at: StepIndex, step: &Step, found: &mut Vec<TheEffect>) {
        if step.for_each.is_none() {
            return self.effects_once(standing, at, step, found);
        }
        for item in self.listed(&standing.place(step)) {
            let key = standing.child_key(&item);
            let fork = matches!(step.body, StepBody::Group(_)).then(|| standing.frame.fork());
            let frame = fork.as_ref().unwrap_or(standing.frame);
            let inside = Standing { frame, item: Some(&item.item), key: Some(&key) };
            self.effects_once(inside, at, step, found);
        }
    }

    fn effects_once(&self, standing: Standing<'_>, at: StepIndex, step: &Step, found: &mut Vec<TheEffect>) {
        match &step.body {
            StepBody::Kind(..) => found.extend(self.effect(standing, at, step)),
            StepBody::Group(inner) => {
                for (index, inner) in inner.iter().enumerate() {
                    if let Some(node) = self.node(&standing.place(inner)) {
                        standing.frame.records.set(inner.id.as_str(), (&node).into());
                    }
                    let at = StepIndex { inner: Some(index), ..at };
                    self.effects_of(standing, at, inner, found);
                }
            }
            StepBody::Include(include) => {
                let known = self.node(&standing.place(step)).is_some_and(|node| node.attempts > 0);
                if let Some(frame) =
                    self.include_again(standing, step, include).filter(|_| known || standing.key.is_some())
                {
                    self.collect(&frame, found);
                }
            }
        }
    }

    fn effect(&self, standing: Standing<'_>, index: StepIndex, step: &Step) -> Option<TheEffect> {
        let place = standing.place(step);
        let node = self.node(&place)?;
        let hooks = matches!(step.attempts()?.rollback, Some(Rollback::Steps(_)));
        let kind = node.effect > Effect::Read || (hooks && node.state != StepState::Failed);
        (kind && node.attempts > 0).then(|| TheEffect {
            frame: standing.frame.clone(),
            index,
            item: standing.item.cloned(),
            place,
            node,
        })
    }

    fn node(&self, place: &Place) -> Option<Node> {
        self.dispatcher.state(|state| state.nodes.get(place).cloned())
    }

    /// Before anything is undone, what was under way when the run stopped is settled: done, or nothing of it there.
    pub(super) async fn settle_open(&self) {
        let mut open = Vec::new();
        self.collect(&self.root, &mut open);
        open.retain(|effect| matches!(effect.node.state, StepState::Running | StepState::Uncertain));
        for effect in open {
            if let Some(step) = effect.step() {
                self.settle_step(effect.standing(), step, &effect.node).await;
            }
        }
    }

    /// What undo would do now, a line each, for people.
    pub(super) fn outlook(&self) -> Vec<String> {
        self.effects()
            .iter()
            .filter_map(|(effect, planned)| {
                let words = match &planned.means {
                    UndoMeans::Nothing { .. } => return None,
                    UndoMeans::Impossible { why } => format!("stays: {why}"),
                    UndoMeans::Beyond { point } => format!("stays: `{point}` after it cannot be undone"),
                    UndoMeans::Hooks { .. } | UndoMeans::Auto if effect.in_doubt() => {
                        "stays: it is not known whether it took effect".to_owned()
                    }
                    UndoMeans::Hooks { .. } | UndoMeans::Auto => self.by_hand(effect).join("; "),
                };
                Some(format!("{}: {words}", planned.at))
            })
            .collect()
    }

    /// Undoes what can be undone. Ends early when the run is interrupted.
    pub(super) async fn undo(&self, why: &str) -> Tally {
        let halt = Halt::new(Role::Undo);
        let effects = self.effects();
        let steps = effects.iter().map(|(_, planned)| planned.clone()).collect();
        let planned = EventKind::UndoPlanned { why: why.to_owned(), steps };
        if self.dispatcher.record(planned).is_ok() {
            let all = async {
                for (effect, planned) in &effects {
                    if halt.reason().is_none() && self.dispatcher.broken().is_none() {
                        self.undo_one(effect, planned, &halt).await;
                    }
                }
            };
            tokio::select! {
                () = all => {}
                () = self.watch_undo(&halt) => {}
            }
        }
        self.tally(&effects)
    }

    /// Undo that follows an interrupt is not stopped by it.
    async fn watch_undo(&self, halt: &Halt) {
        if self.interrupt.reason().is_some() {
            return std::future::pending().await;
        }
        halt.watch(&self.interrupt, grace(&self.root)).await;
    }

    async fn undo_one(&self, effect: &TheEffect, planned: &UndoStep, halt: &Halt) {
        if !matches!(planned.means, UndoMeans::Hooks { .. } | UndoMeans::Auto) {
            return;
        }
        let failure = match self.held(effect, planned) {
            Some(failure) => Some(failure),
            None => self.run_hooks(effect, halt).await,
        };
        if matches!(halt.reason(), Some(Reason::Interrupted | Reason::Excluded(_))) {
            return;
        }
        let state = if failure.is_none() { StepState::RolledBack } else { StepState::Stuck };
        let failure = failure.map(|mut failure| {
            failure.details.extend(self.by_hand(effect).into_iter().map(|line| format!("by hand: {line}")));
            failure
        });
        // A journal that cannot be written stops the undo before its next step.
        self.dispatcher.record(EventKind::StepUndone { at: planned.at.clone(), state, failure }).ok();
    }

    /// Why the undo of a step must wait for a person.
    fn held(&self, effect: &TheEffect, planned: &UndoStep) -> Option<Failure> {
        if effect.in_doubt() && !effect.step().is_some_and(hooks_may_repeat) {
            return Some(Failure::new("it is not known whether it took effect, so its undo did not run"));
        }
        let unfinished = |place: &&Place| {
            self.node(place).is_some_and(|node| matches!(node.state, StepState::Stuck | StepState::Uncertain))
                && !self.has_nothing_to_undo(place)
        };
        let blocking = planned.after.iter().find(unfinished)?;
        Some(Failure::new(format!("held: the undo of `{blocking}`, which needed it, is not finished")))
    }

    /// Whether a step has nothing to undo, whether or not it took effect.
    fn has_nothing_to_undo(&self, place: &Place) -> bool {
        self.dispatcher.state(|state| {
            let mut planned = state.undo.iter().flatten();
            planned.any(|step| step.at == *place && matches!(step.means, UndoMeans::Nothing { .. }))
        })
    }

    /// Runs what undoes a step; what went wrong.
    async fn run_hooks(&self, effect: &TheEffect, halt: &Halt) -> Option<Failure> {
        let step = effect.step()?;
        let this = undone(&effect.node);
        let frame = effect.standing().frame.of_hooks(this, effect.place.key.as_deref());
        let own;
        let written = step.attempts().and_then(|attempts| attempts.rollback.as_ref());
        let hooks: &[Step] = if let Some(Rollback::Steps(hooks)) = written {
            hooks
        } else {
            own = match automatic(effect, step) {
                Ok(own) => own,
                Err(failure) => return Some(failure),
            };
            &own
        };
        let inner = halt.within();
        tokio::select! {
            () = Box::pin(self.hook_list(&frame, effect.item.as_ref(), hooks, &inner)) => {}
            () = inner.relay(halt, grace(&frame), None) => {}
        }
        inner.pass_on(halt);
        let failed = hooks.iter().filter_map(|hook| frame.records.get(hook.id.as_str()));
        let bad = |state| matches!(state, Some(StepState::Succeeded | StepState::Skipped));
        let failed = failed.into_iter().find(|record| !bad(record.state))?;
        Some(failed.failure.clone().unwrap_or_else(|| Failure::new("its undo did not end well")))
    }

    /// One at a time, in the order they stand.
    async fn hook_list(&self, frame: &Frame, item: Option<&Value>, hooks: &[Step], halt: &Halt) {
        for hook in hooks {
            let standing = Standing { item, ..Standing::top(frame) };
            self.one(standing, hook, halt).await;
        }
    }

    /// What undo sends, for a person who must do it.
    fn by_hand(&self, effect: &TheEffect) -> Vec<String> {
        let Some(step) = effect.step() else { return Vec::new() };
        let frame = effect.frame.of_hooks(undone(&effect.node), effect.place.key.as_deref());
        let lines = |hook: &Step| {
            let StepBody::Kind(body, _) = &hook.body else { return vec![hook.heading()] };
            let scope = frame.scope(hook, effect.item.as_ref(), self.dispatcher.now());
            let binder = frame.binder(&scope, self.redactor);
            let reads = hook.reads.iter().map(|placed| &placed.read);
            let bound = frame.compute_variables(reads, &binder).and_then(|_| body.bind(&binder));
            bound.map_or_else(|_| body.template_lines(), |input| input.lines())
        };
        match step.attempts().and_then(|attempts| attempts.rollback.as_ref()) {
            Some(Rollback::Steps(hooks)) => hooks.iter().flat_map(lines).collect(),
            _ => automatic(effect, step).iter().flatten().flat_map(lines).collect(),
        }
    }

    fn tally(&self, effects: &[(TheEffect, UndoStep)]) -> Tally {
        let mut tally = Tally::default();
        for (_, planned) in effects {
            let state = self.dispatcher.state(|state| state.state(&planned.at));
            match (&planned.means, state) {
                (UndoMeans::Nothing { .. }, _) => {}
                (UndoMeans::Impossible { .. } | UndoMeans::Beyond { .. }, _) => tally.left += 1,
                (_, StepState::RolledBack) => tally.undone += 1,
                (_, StepState::Stuck) => tally.stuck += 1,
                _ => tally.left += 1,
            }
        }
        // What an earlier leg undid counts too.
        let all = self
            .dispatcher
            .state(|state| state.nodes.values().filter(|node| node.state == StepState::RolledBack).count());
        Tally { undone: all, ..tally }
    }
}

/// The steps that the kind derives from what was there before.
fn automatic(effect: &TheEffect, step: &Step) -> Result<Vec<Step>, Failure> {
    let bodies = match effect.derive(step) {
        Undo::Steps(bodies) => bodies,
        Undo::Nothing(why) | Undo::Impossible(why) => return Err(Failure::new(why)),
    };
    let rollback = step.id.child("rollback");
    let id = |number: usize| match bodies.len() {
        1 => rollback.child("auto"),
        _ => rollback.child(&format!("auto_{number}")),
    };
    let ids: Vec<StepId> = (1..=bodies.len()).map(id).collect();
    let bodies = ids.into_iter().zip(bodies);
    bodies.map(|(id, (kind, body))| automatic_step(effect, id, kind, body)).collect()
}

fn automatic_step(
    effect: &TheEffect,
    id: StepId,
    kind: &'static str,
    mut body: Value,
) -> Result<Step, Failure> {
    // The journal has the environment's name of a connection, and a body the runbook's.
    let inner = body.get("connection").and_then(Value::as_str).and_then(|outer| {
        effect.frame.connections.iter().find(|(_, name)| *name == outer).map(|(inner, _)| inner.clone())
    });
    if let Some(inner) = inner {
        body["connection"] = inner.into();
    }
    let connections: Vec<(String, &'static str)> = (effect.frame.runbook.connections.iter())
        .map(|(name, need)| (name.clone(), need.kind_name()))
        .collect();
    derived(id, kind, &body, &connections)
}

/// Whether every hook of a step may run although there may be nothing to undo.
fn hooks_may_repeat(step: &Step) -> bool {
    match step.attempts().and_then(|attempts| attempts.rollback.as_ref()) {
        Some(Rollback::Steps(hooks)) => {
            hooks.iter().all(|hook| hook.attempts().is_some_and(|attempts| attempts.idempotent))
        }
        _ => false,
    }
}

/// Whether a step waited for another one, at any remove. Steps inside others wait for what those wait for, and whoever
/// waits for those waits for them.
fn needs(parents: &BTreeMap<StepId, Vec<StepId>>, step: &StepId, other: &StepId) -> bool {
    let mut seen = BTreeSet::new();
    let mut pending = vec![step.clone()];
    while let Some(id) = pending.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        if id != *step && is_within(other, &id) {
            return true;
        }
        pending.extend(parents.get(&id).into_iter().flatten().cloned());
        for (dot, _) in id.as_str().match_indices('.') {
            let outer = StepId::new(&id.as_str()[..dot]);
            pending.extend(parents.get(&outer).into_iter().flatten().cloned());
        }
    }
    false
}

fn is_within(step: &StepId, outer: &StepId) -> bool {
    step == outer || step.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &[&str])], step: &str, other: &str, expected: bool) {
        let parents = edges
            .iter()
            .map(|(id, needs)| (StepId::new(*id), needs.iter().map(|need| StepId::new(*need)).collect()))
            .collect();
        assert_eq!(needs(&parents, &StepId::new(step), &StepId::new(other)), expected, "{step} {other}");
    }

    #[test]
    fn who_needs_whom_is_known_through_groups() {
        let edges: &[(&str, &[&str])] =
            &[("a", &[]), ("g", &["a"]), ("g.x", &[]), ("g.y", &["g.x"]), ("b", &["g"]), ("c", &[])];
        check(edges, "b", "a", true);
        check(edges, "b", "g.x", true);
        check(edges, "g.y", "g.x", true);
        check(edges, "g.y", "a", true);
        check(edges, "g.x", "g.y", false);
        check(edges, "c", "a", false);
        check(edges, "a", "b", false);
    }
}
