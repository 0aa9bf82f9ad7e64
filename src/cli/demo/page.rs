//! The demo's words: what is going on, what each run found, and what was planted. Decides nothing but its exit code.

use std::collections::BTreeMap;

use super::runs::Detail;
use crate::cli::exit::Exit;
use crate::demo::{PROBLEMS, Problem, ServerBinaries};
use crate::model::{Effect, StepState};
use crate::plan::Plan;
use crate::report::{FindingLevel, Report};
use crate::ui::{Mark, Out, Style, Tone, clean, count, duration, wrap};

const WELCOME: &str = "A throwaway PostgreSQL is started and a small warehouse put into it, with problems planted. The \
                       shipped runbooks look for them. Then everything is removed. It takes about half a minute, and \
                       nothing else on this machine is touched.";

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

    /// What a run found, and how it ended.
    pub(super) fn findings(&self, report: &Report) {
        for finding in &report.findings {
            let mark = match finding.level {
                FindingLevel::Failure => Mark::State(StepState::Failed),
                FindingLevel::Warning => Mark::Warning,
            };
            self.marked("  ", mark, &finding.message);
        }
        let code = report.exit_code.unwrap_or_default();
        let ended = match code {
            0 => "exit code 0".to_owned(),
            code => format!("exit code {code}: what was found fails a check, so that a schedule notices"),
        };
        self.field("end ", &format!("{ended}{}{}", self.style.dot(), duration(report.seconds)));
    }

    /// Says which planted problems the runbooks found, and what to type next.
    pub(super) fn sum_up(
        &self,
        binaries: &ServerBinaries,
        evidence: &BTreeMap<&'static str, String>,
    ) -> Exit {
        let absent = |problem: &Problem| problem.extension.is_some_and(|name| !binaries.has_extension(name));
        let mut by_runbook: Vec<(&str, Vec<(&Problem, bool)>)> = Vec::new();
        for problem in &PROBLEMS {
            let Some((runbook, name)) = problem.finder.filter(|_| !absent(problem)) else { continue };
            let found = evidence.get(runbook).is_some_and(|output| output.contains(name));
            match by_runbook.iter_mut().find(|(known, _)| *known == runbook) {
                Some((_, problems)) => problems.push((problem, found)),
                None => by_runbook.push((runbook, vec![(problem, found)])),
            }
        }
        let all = by_runbook.iter().flat_map(|(_, problems)| problems);
        let (planted, missed) = (all.clone().count(), all.filter(|(_, found)| !found).count());
        self.line("");
        let heading = format!("{} of {planted} planted problems were found", planted - missed);
        self.line(&self.style.paint(Tone::Strong, &heading));
        for (runbook, problems) in by_runbook {
            self.line(&format!("  by {runbook}"));
            for (problem, found) in problems {
                let state = if found { StepState::Succeeded } else { StepState::Failed };
                let missed = if found { "" } else { ": NOT FOUND" };
                self.marked("    ", Mark::State(state), &format!("{}{missed}", problem.title));
            }
        }
        self.unsought();
        self.next();
        if missed == 0 { Exit::Success } else { Exit::Failed }
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
    }

    fn next(&self) {
        let widest = NEXT.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        self.line("");
        self.line(&self.style.paint(Tone::Strong, "what to type next"));
        for (command, why) in NEXT {
            self.hanging(widest + 4, &format!("  {command:widest$}  "), why);
        }
        self.line("");
    }
}

/// The plan in one line.
fn counts(plan: &Plan) -> String {
    let effects = [Effect::Read, Effect::Change, Effect::Disrupt, Effect::Destroy];
    let counted = effects.into_iter().map(|effect| (plan.count(effect), effect)).filter(|(n, _)| *n > 0);
    let counted: Vec<String> =
        counted.map(|(number, effect)| format!("{number} {}", effect.as_str())).collect();
    format!("{}: {}", count(plan.leaves().count() as u64, "step"), counted.join(", "))
}
