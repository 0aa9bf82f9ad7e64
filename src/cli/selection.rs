//! `--only`, `--from` and `--skip`: which steps of a runbook run, decided before anything is asked or started.
//!
//! Never leaves out a guard of what runs: a confirm or an assert that a chosen step comes after stays, unless `--skip`
//! names it itself.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::execute::offline_plan;
use super::exit::Exit;
use super::prepare::Prepared;
use crate::connect::{AnswerKind, PromptError, Prompter as _, Question};
use crate::diagnostic::nearest;
use crate::model::Effect;
use crate::plan::{Plan, PlannedStep};
use crate::ui::{Mark, Screen, TerminalPrompter};

/// Which steps run.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Run only these steps, and the reads and guards they come after
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Run this step and what comes after it, and the reads and guards they come after
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    from: Vec<String>,
    /// Exclude a step; a gate or an assert only with `--reason`
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
}

/// What was chosen: every step that does something, by its id, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    runs: Vec<String>,
    /// The steps that do not run; a group stands for its members.
    pub(super) excluded: Vec<String>,
}

impl Selection {
    /// Decides. `reason` is why guards may be left out; a plan, which does nothing, needs none.
    pub(super) async fn choose(
        &self,
        prepared: &Prepared,
        context: &Context,
        needs_reason: bool,
    ) -> Result<Chosen, CliError> {
        if self.only.is_empty() && self.from.is_empty() && self.skip.is_empty() {
            return Ok(Chosen::default());
        }
        let plan = offline_plan(prepared, context, &[]).await;
        let steps = Steps::of(&plan);
        for (flag, ids) in [("--only", &self.only), ("--from", &self.from), ("--skip", &self.skip)] {
            if let Some(id) = ids.iter().find(|id| !steps.by_id.contains_key(id.as_str())) {
                return Err(unknown(flag, id, plan.steps.iter()));
            }
        }
        self.check_guards(&steps, prepared.protected, needs_reason)?;
        Ok(self.apply(&steps))
    }

    /// A guard is excluded by its own id, with a reason, and never where it is protected.
    fn check_guards(&self, steps: &Steps<'_>, protected: bool, needs_reason: bool) -> Result<(), CliError> {
        for named in &self.skip {
            for id in steps.members(named).filter(|id| steps.is_guard(id)) {
                if protected {
                    let message = format!("`{id}` guards a protected environment and cannot be excluded");
                    return Err(CliError::new(message));
                }
                if !self.skip.iter().any(|own| own == id) {
                    let error = CliError::new(format!("`{id}` in `{named}` is a guard"));
                    return Err(error.help(format!("Exclude it by its own id, too: `--skip {named},{id}`.")));
                }
                if needs_reason {
                    let error = CliError::new(format!("`{id}` is a guard: excluding it needs a reason"));
                    return Err(error.help("Add `--reason TEXT`: it is kept in the journal."));
                }
            }
        }
        Ok(())
    }

    fn apply(&self, steps: &Steps<'_>) -> Chosen {
        let skipped: BTreeSet<&str> = self.skip.iter().flat_map(|id| steps.members(id)).collect();
        let kept = if self.only.is_empty() && self.from.is_empty() {
            steps.leaves().collect()
        } else {
            let only = self.only.iter().flat_map(|id| steps.members(id));
            let from = self.from.iter().flat_map(|id| steps.after(id));
            steps.with_what_they_need(only.chain(from).collect())
        };
        let (runs, excluded) =
            steps.leaves().partition::<Vec<&str>, _>(|id| kept.contains(id) && !skipped.contains(id));
        let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
        Chosen { runs: owned(runs), excluded: owned(excluded) }
    }
}

impl Chosen {
    /// Says what runs and what does not, where that is not everything.
    pub(super) fn tell(&self, context: &Context) {
        if self.excluded.is_empty() {
            return;
        }
        let mark = context.style.mark(Mark::Remark);
        let (runs, excluded) = (listed(&self.runs), listed(&self.excluded));
        context.say(&format!("{mark} runs: {runs}\n{mark} excluded: {excluded}\n"));
    }

    /// Lets a person at the terminal agree.
    pub(super) async fn confirm(&self, context: &Context) -> Result<(), CliError> {
        if self.excluded.is_empty() {
            return Ok(());
        }
        let (out, style) = (context.out.clone(), context.style.clone());
        let prompter = TerminalPrompter::new(out.clone(), style.clone(), Screen::new(out, style));
        let question = Question {
            id: "selection".to_owned(),
            message: format!("Run {} of {} steps?", self.runs.len(), self.runs.len() + self.excluded.len()),
            about: Vec::new(),
            shown: Value::Null,
            answer: AnswerKind::YesNo { default: false },
            timeout: None,
        };
        match prompter.ask(&question).await {
            Ok(Value::Bool(true)) => Ok(()),
            Ok(_) => Err(CliError::new("declined; nothing was started").exit(Exit::Declined)),
            Err(PromptError::Interrupted) => {
                Err(CliError::new("interrupted before the run began").exit(Exit::Interrupted))
            }
            Err(error) => Err(CliError::new(error.to_string()).exit(Exit::Declined)),
        }
    }
}

fn listed(ids: &[String]) -> String {
    if ids.is_empty() { "nothing".to_owned() } else { ids.join(", ") }
}

/// The steps of a plan as a graph of the ones that do something.
struct Steps<'a> {
    order: Vec<&'a PlannedStep>,
    by_id: BTreeMap<&'a str, &'a PlannedStep>,
}

impl<'a> Steps<'a> {
    fn of(plan: &'a Plan) -> Self {
        let order: Vec<&PlannedStep> = plan.steps.iter().collect();
        let by_id = order.iter().map(|step| (step.id.as_str(), *step)).collect();
        Self { order, by_id }
    }

    /// The steps that do something themselves.
    fn leaves(&self) -> impl Iterator<Item = &'a str> {
        self.order.iter().filter(|step| !is_group(step)).map(|step| step.id.as_str())
    }

    /// The step itself or, for a group or an included runbook, the ones inside.
    fn members(&self, id: &str) -> impl Iterator<Item = &'a str> {
        self.leaves().filter(move |leaf| is_inside(leaf, id))
    }

    fn is_guard(&self, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|step| matches!(step.kind.as_str(), "confirm" | "assert"))
    }

    /// Whether leaving the step in changes nothing: it reads, or it guards.
    fn is_harmless(&self, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|step| step.class.effect == Effect::Read)
    }

    /// The steps that a step waits for; one inside a group waits for what the group waits for.
    fn parents(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let around = self.order.iter().filter(|step| is_inside(id, step.id.as_str())).copied();
        let direct: Vec<&'a str> =
            around.flat_map(|step| &step.parents).map(|edge| edge.step.as_str()).collect();
        direct.into_iter().flat_map(|parent| self.members(parent))
    }

    /// Everything that steps come after, near and far.
    fn ancestors(&self, of: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let (mut found, mut pending) = (BTreeSet::new(), of.into_iter().collect::<Vec<_>>());
        while let Some(id) = pending.pop() {
            pending.extend(self.parents(id).filter(|parent| found.insert(*parent)));
        }
        found
    }

    /// A step and everything that comes after it.
    fn after(&self, id: &str) -> Vec<&'a str> {
        let first: BTreeSet<&str> = self.members(id).collect();
        let comes_after =
            |leaf: &&'a str| first.contains(leaf) || !self.ancestors([*leaf]).is_disjoint(&first);
        self.leaves().filter(comes_after).collect()
    }

    /// The steps, and of what they come after whatever changes nothing.
    fn with_what_they_need(&self, mut kept: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let before = self.ancestors(kept.iter().copied());
        kept.extend(before.into_iter().filter(|id| self.is_harmless(id)));
        kept
    }
}

fn is_group(step: &PlannedStep) -> bool {
    matches!(step.kind.as_str(), "steps" | "runbook")
}

fn is_inside(id: &str, group: &str) -> bool {
    id == group || id.strip_prefix(group).is_some_and(|rest| rest.starts_with('.'))
}

/// An option names a step that is not there.
pub(super) fn unknown<'a>(flag: &str, id: &str, steps: impl Iterator<Item = &'a PlannedStep>) -> CliError {
    let names: Vec<&str> = steps.map(|step| step.id.as_str()).collect();
    let error = CliError::new(format!("`{flag}` names `{id}`, and there is no such step"));
    match nearest(id, names.iter().copied()) {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error.help("`runbook show` lists the steps."),
    }
}
