//! The demo's words: what is going on, what each run found, and what was planted. Decides nothing but its exit code.

use super::runs::Detail;
use crate::cli::exit::Exit;
use crate::demo::{PROBLEMS, Problem, ServerBinaries};
use crate::model::{Effect, StepState};
use crate::plan::Plan;
use crate::report::{FindingLevel, Report, StepReport};
use crate::ui::{Mark, Out, Style, Tone, clean, count, duration, wrap};

const WELCOME: &str = "A throwaway PostgreSQL is started and a small warehouse put into it, with problems planted. The \
                       shipped runbooks look for them; a check that finds something ends with exit code 1, so that a \
                       schedule notices. Then everything is removed. It takes about half a minute, and nothing else on \
                       this machine is touched.";

/// What to type next, and why.
const NEXT: [(&str, &str); 4] = [
    ("runbook list", "every runbook there is"),
    ("runbook show weekly-vacuum", "what one does, step by step"),
    ("runbook run connection-pool", "a check of your own server, which it finds as psql does"),
    ("runbook plan weekly-vacuum", "what the weekly vacuum would do there; it changes nothing"),
];

/// Where the demo's words go.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) out: &'a Out,
    pub(super) style: &'a Style,
}

impl Page<'_> {
    fn line(&self, line: &str) {
        let _closed = self.out.stderr(&format!("{line}\n"));
    }

    /// Text after a mark; its further lines stand below the first word.
    fn marked(&self, before: &str, mark: Mark, text: &str) {
        let width = if self.style.unicode { 1 } else { 2 };
        self.hanging(before.len() + width + 1, &format!("{before}{} ", self.style.mark(mark)), text);
    }

    fn hanging(&self, indent: usize, before: &str, text: &str) {
        let room = self.style.current_width().saturating_sub(indent).max(20);
        for (index, line) in wrap(&clean(text), room).iter().enumerate() {
            let start = if index == 0 { before.to_owned() } else { " ".repeat(indent) };
            self.line(&(start + line));
        }
    }

    pub(super) fn welcome(&self) {
        for line in wrap(WELCOME, self.style.current_width().min(100)) {
            self.line(&line);
        }
        self.line("");
    }

    /// Something that is being done now.
    pub(super) fn note(&self, text: &str) {
        self.marked("", Mark::Remark, text);
    }

    /// What would be typed to run it, and what its plan says in one line.
    pub(super) fn command(&self, name: &str, set: &[(String, String)], planned: &Plan, detail: Detail) {
        self.line("");
        let gate = if planned.open_gates().next().is_some() { " --yes" } else { "" };
        let set: String = set.iter().map(|(name, value)| format!(" --set {name}={value}")).collect();
        let command = format!("$ runbook run {name}{set}{gate}");
        self.line(&self.style.paint(Tone::Strong, &command));
        self.field("plan", &counts(planned));
        let blockers = planned.steps.iter().flat_map(|step| &step.blockers).cloned();
        let problems = planned.problems.iter().map(|failure| failure.message.clone());
        blockers.chain(problems).for_each(|line| self.marked("  ", Mark::Warning, &line));
        if detail == Detail::Full {
            self.line("");
        }
    }

    fn field(&self, name: &str, text: &str) {
        self.line(&format!("  {}  {text}", self.style.paint(Tone::Quiet, name)));
    }

    /// What a run did and found, and how it ended.
    pub(super) fn findings(&self, report: &Report) {
        let changes = |step: &&StepReport| step.effect > Effect::Read && step.state != StepState::Skipped;
        report.steps.iter().filter(changes).for_each(|step| self.done(step));
        for finding in &report.findings {
            let mark = match finding.level {
                FindingLevel::Failure => Mark::State(StepState::Failed),
                FindingLevel::Warning => Mark::Warning,
            };
            self.marked("  ", mark, &finding.message);
        }
        let code = report.exit_code.unwrap_or_default();
        self.field("end ", &format!("exit code {code}{}{}", self.style.dot(), duration(report.seconds)));
    }

    /// What a step that changes something did, and to which items.
    fn done(&self, step: &StepReport) {
        let keys: Vec<&str> = step.children.iter().filter_map(|child| child.key.as_deref()).collect();
        let items = if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) };
        self.marked("  ", Mark::State(step.state), &format!("{}{items}", step.title));
    }

    /// Says which planted problems the runbooks found.
    pub(super) fn sum_up(&self, binaries: &ServerBinaries, evidence: &[(&str, String)]) -> Exit {
        let shown = |problem: &&Problem| problem.extension.is_none_or(|name| binaries.has_extension(name));
        let sought: Vec<(&Problem, &str, bool)> = evidence
            .iter()
            .flat_map(|(runbook, output)| {
                let problems = PROBLEMS.iter().filter(shown);
                problems.filter_map(move |problem| {
                    let (_, name) = problem.finder.filter(|(finder, _)| finder == runbook)?;
                    Some((problem, *runbook, output.contains(name)))
                })
            })
            .collect();
        let found = sought.iter().filter(|(.., found)| *found).count();
        let heading = format!("{found} of {} planted problems were found", sought.len());
        self.line("");
        self.line(&self.style.paint(Tone::Strong, &heading));
        for group in sought.chunk_by(|(_, one, _), (_, other, _)| one == other) {
            self.line(&format!("  by {}", group[0].1));
            for (problem, _, found) in group {
                self.verdict(problem.title, *found);
            }
        }
        self.unsought();
        if found == sought.len() { Exit::Success } else { Exit::Failed }
    }

    fn verdict(&self, title: &str, found: bool) {
        let (state, missed) =
            if found { (StepState::Succeeded, "") } else { (StepState::Failed, ": NOT FOUND") };
        self.marked("    ", Mark::State(state), &format!("{title}{missed}"));
    }

    /// The honest rest.
    fn unsought(&self) {
        let unsought: Vec<&str> =
            PROBLEMS.iter().filter(|problem| problem.finder.is_none()).map(|problem| problem.title).collect();
        if unsought.is_empty() {
            return;
        }
        self.line("  planted too, and no shipped runbook looks for it yet");
        for title in unsought {
            self.marked("    ", Mark::State(StepState::Skipped), title);
        }
        self.line("");
    }

    /// What to type next, and why.
    pub(super) fn next(&self) {
        let widest = NEXT.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        self.line("");
        self.line(&self.style.paint(Tone::Strong, "what to type next"));
        for (command, why) in NEXT {
            self.hanging(widest + 4, &format!("  {command:widest$}  "), why);
        }
    }
}

/// The plan in one line.
fn counts(plan: &Plan) -> String {
    let steps = count(plan.leaves().count() as u64, "step");
    let effects = [Effect::Read, Effect::Change, Effect::Disrupt, Effect::Destroy];
    let counted: Vec<String> = effects
        .into_iter()
        .filter(|effect| plan.count(*effect) > 0)
        .map(|effect| format!("{} {}", plan.count(effect), effect.as_str()))
        .collect();
    if plan.count(Effect::Read) == plan.leaves().count() {
        return format!("{steps}, none of which changes anything");
    }
    format!("{steps}: {}", counted.join(", "))
}
