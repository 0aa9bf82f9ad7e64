//! [`Report`] as text: what a tired person reads.

use serde_json::{Map, Value};

use super::words::{clip, duration, number, plain, symbol, wrap};
use super::{Finding, FindingLevel, Report, StepReport, count, in_brief, shown};
use crate::model::{Applied, Failure, StepState};

/// A result table ends after this many rows; the JSON report has them all.
const ROWS: usize = 50;
/// With more children than this, those that succeeded are only counted.
const CHILDREN: usize = 20;
/// Text is readable at no less than this.
const NARROWEST: usize = 40;

/// The report at most `width` wide.
pub(super) fn write(report: &Report, width: usize) -> String {
    let mut page = Page { lines: Vec::new(), width: width.max(NARROWEST) };
    page.header(report);
    page.blank();
    report.steps.iter().for_each(|step| page.step(step));
    page.blank();
    page.line(&tally(report));
    page.outputs(&report.outputs);
    page.findings(&report.findings);
    page.text()
}

struct Page {
    lines: Vec<String>,
    width: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.lines.push(clip(text.trim_end(), self.width));
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn paragraph(&mut self, text: &str, indent: &str) {
        self.lines.extend(wrap(text, self.width, indent).into_iter().map(|line| line.trim_end().to_owned()));
    }

    fn text(mut self) -> String {
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self.lines.push(String::new());
        self.lines.join("\n")
    }

    fn header(&mut self, report: &Report) {
        self.line(&plain(&report.title));
        let code = report.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        self.field("state", &format!("{}{code}", spoken(&report.state)));
        self.field("paused", report.paused.as_deref().unwrap_or_default());
        self.field("run", &format!("{} of `{}`", report.run, report.runbook));
        self.field("when", &when(report));
        self.field("operator", &report.operator);
        self.field("reason", report.reason.as_deref().unwrap_or_default());
        self.field("environment", report.environment.as_deref().unwrap_or_default());
        for connection in &report.connections {
            self.field(
                "target",
                &format!("{} ({}): {}", connection.name, connection.kind, connection.target),
            );
        }
        for (name, value) in &report.parameters {
            self.field("with", &format!("{name} = {}", value_text(value)));
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(&format!("  {name:<12} {}", plain(value)));
        }
    }

    fn step(&mut self, step: &StepReport) {
        self.summary(step, "");
        self.details(step, "    ");
        self.result(step);
        let brief = step.children.len() > CHILDREN;
        let hidden = |child: &&StepReport| brief && child.state == StepState::Succeeded;
        for child in step.children.iter().filter(|child| !hidden(child)) {
            self.summary(child, "    ");
            self.details(child, "        ");
        }
        match step.children.iter().filter(hidden).count() {
            0 => {}
            count => self.line(&format!("    … and {count} more that succeeded")),
        }
    }

    fn summary(&mut self, step: &StepReport, indent: &str) {
        let name = step.key.as_ref().map_or_else(|| step.id.to_string(), |key| format!("[{key}]"));
        let time = if step.started_at.is_some() { duration(step.seconds) } else { String::new() };
        let state = spoken(step.state.as_str());
        let remark = remark(step).map(|remark| format!(": {remark}")).unwrap_or_default();
        self.line(&format!("{indent}{} {state:<11} {time:>7}  {}{remark}", symbol(step.state), plain(&name)));
    }

    fn details(&mut self, step: &StepReport, indent: &str) {
        if let Some(failure) = step.failure.as_ref().filter(|_| step.state != StepState::Succeeded) {
            self.failure(failure, indent);
        }
        if step.attempts > 1 {
            self.line(&format!("{indent}after {}", number(step.attempts.into(), "attempt")));
        }
    }

    fn failure(&mut self, failure: &Failure, indent: &str) {
        let code = failure.sqlstate.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        self.paragraph(&format!("{}{code}", failure.message), indent);
        for detail in &failure.details {
            self.paragraph(detail, &format!("{indent}  "));
        }
        match failure.applied {
            Applied::No => {}
            Applied::Partly => self.line(&format!("{indent}some of it took effect")),
            Applied::Yes => self.line(&format!("{indent}it took effect")),
            Applied::Unknown => self.line(&format!("{indent}nobody knows whether it took effect")),
        }
        if let Some(help) = &failure.help {
            self.paragraph(&format!("help: {help}"), indent);
        }
    }

    fn result(&mut self, step: &StepReport) {
        if !step.show {
            return;
        }
        if let Some(text) = shown(&step.output, self.width - 4, ROWS) {
            self.lines.push(String::new());
            self.lines.extend(text.lines().map(|line| format!("    {line}")));
            self.lines.push(String::new());
        }
    }

    fn outputs(&mut self, outputs: &Map<String, Value>) {
        if outputs.is_empty() {
            return;
        }
        self.blank();
        self.line("Outputs");
        for (name, value) in outputs {
            self.paragraph(&format!("{name} = {}", value_text(value)), "  ");
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.blank();
        self.line("Findings");
        for finding in findings {
            let level = match finding.level {
                FindingLevel::Warning => "! warning",
                FindingLevel::Failure => "✗ failed",
            };
            let key = finding.key.as_ref().map(|key| format!("[{key}]")).unwrap_or_default();
            self.paragraph(&format!("{level}  {}{key}: {}", finding.step, finding.message), "  ");
        }
    }
}

/// A state's word as it is said.
fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn when(report: &Report) -> String {
    let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    match (report.started_at, report.finished_at) {
        (Some(from), Some(to)) => format!("{} to {} UTC, {}", time(from), time(to), duration(report.seconds)),
        (Some(from), None) => format!("since {} UTC", time(from)),
        (None, _) => String::new(),
    }
}

/// What became of a step in a few words; what it is, when there is nothing else to say.
fn remark(step: &StepReport) -> Option<String> {
    let skipped = step.skipped.as_ref().map(|reason| plain(&reason.describe()));
    let result = || in_brief(&step.output).filter(|_| step.state != StepState::Failed);
    let answer =
        || step.answer.as_ref().map(|answer| format!("{}, by {}", value_text(&answer.answer), answer.by));
    let title = || Some(plain(&step.title)).filter(|title| !title.is_empty());
    skipped.or_else(result).or_else(answer).or_else(title)
}

fn tally(report: &Report) -> String {
    let counts: Vec<String> =
        count(&report.steps).into_iter().map(|(state, count)| format!("{count} {}", spoken(state))).collect();
    format!("{}: {}", number(report.steps.len() as u64, "step"), counts.join(", "))
}
