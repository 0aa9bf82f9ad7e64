//! A runbook as a page of text.

use std::fmt::Write as _;

use serde_json::Value;

use super::{demands, origin};
use crate::cli::overview::Overview;
use crate::model::{format_duration, format_size};
use crate::plan::PlannedStep;
use crate::runbook::{Parameter, ParameterType, Runbook, Step};
use crate::ui::{self, Style, Tone};

/// Writes the page.
pub(super) fn write(overview: &Overview, style: &Style) -> String {
    let Overview { runbook, plan, .. } = overview;
    let mut page = Page { style, text: String::new() };
    page.head(runbook);
    page.parameters(runbook);
    page.connections(runbook);
    page.section("Steps");
    for (index, step) in plan.steps.iter().enumerate() {
        page.step(index + 1, step);
    }
    page.hooks("After a failure, once undone", &runbook.on_failure);
    page.hooks("In the end, in any case", &runbook.finally);
    page.outputs(runbook);
    let _ = writeln!(page.text, "\nWhat a run would do: runbook plan {}", runbook.name);
    page.text
}

struct Page<'a> {
    style: &'a Style,
    text: String,
}

impl Page<'_> {
    fn head(&mut self, runbook: &Runbook) {
        self.line(0, &self.style.paint(Tone::Strong, &ui::one_line(&runbook.title)));
        let mut facts = vec![runbook.name.clone()];
        facts.extend((!runbook.tags.is_empty()).then(|| runbook.tags.join(", ")));
        facts.extend((!runbook.owner.is_empty()).then(|| format!("owner {}", runbook.owner)));
        facts.push(origin(runbook).to_owned());
        self.words(0, Some(Tone::Quiet), &facts.join(self.style.dot()));
        if let Some(schedule) = &runbook.schedule {
            let window = schedule.duration.as_ref().and_then(crate::step::templated::Seconds::fixed);
            let window =
                window.map(|window| format!(", for {}", format_duration(window))).unwrap_or_default();
            self.words(0, Some(Tone::Quiet), &format!("{}{window}", schedule.in_words()));
        }
        if !runbook.description.trim().is_empty() {
            self.text.push('\n');
            self.words(0, None, &runbook.description);
        }
    }

    fn parameters(&mut self, runbook: &Runbook) {
        if runbook.params.is_empty() {
            return;
        }
        self.section("Parameters");
        let widest = runbook.params.keys().map(String::len).max().unwrap_or(0);
        for (name, parameter) in &runbook.params {
            let gap = " ".repeat(widest - name.len());
            let name = self.style.paint(Tone::Strong, name);
            self.line(2, &format!("{name}{gap}  {}", type_of(parameter)));
            self.words(4 + widest, Some(Tone::Quiet), &parameter.description);
        }
    }

    fn connections(&mut self, runbook: &Runbook) {
        if runbook.connections.is_empty() {
            return;
        }
        self.section("Connections");
        for (name, need) in &runbook.connections {
            let mut facts = vec![need.kind_name().to_owned()];
            facts.extend(need.optional.then(|| "optional".to_owned()));
            facts.extend(demands(runbook, name));
            self.words(2, None, &format!("{}: {}", self.style.paint(Tone::Strong, name), facts.join(", ")));
        }
    }

    fn step(&mut self, number: usize, step: &PlannedStep) {
        let indent = " ".repeat(2 * step.depth);
        let effect = step.class.effect;
        let effect = self.style.paint(Tone::from(effect), effect.as_str());
        let id = self.style.paint(Tone::Strong, step.id.as_str());
        let gate = if step.gate { format!("{}a person answers", self.style.dot()) } else { String::new() };
        self.line(0, &format!("{number:>2} {indent}{id}  {}{}{effect}{gate}", step.kind, self.style.dot()));
        self.words(3 + indent.len(), None, &step.title);
        for condition in &step.conditions {
            self.words(3 + indent.len(), Some(Tone::Quiet), &format!("when {}", condition.when));
        }
    }

    fn hooks(&mut self, title: &str, steps: &[Step]) {
        if steps.is_empty() {
            return;
        }
        self.section(title);
        for step in steps {
            self.words(2, None, &format!("{}: {}", step.id, step.heading()));
        }
    }

    fn outputs(&mut self, runbook: &Runbook) {
        if !runbook.outputs.is_empty() {
            self.section("Outputs");
            for (name, (expression, _)) in &runbook.outputs {
                self.words(2, None, &format!("{name}: {}", expression.source()));
            }
        }
    }

    fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.line(0, &self.style.paint(Tone::Strong, title));
    }

    fn words(&mut self, indent: usize, tone: Option<Tone>, text: &str) {
        // Names may be painted already, and wrapping would take the colours away.
        if text.contains('\u{1b}') {
            return self.line(indent, text);
        }
        for line in ui::wrap(text, self.style.width.saturating_sub(indent).max(20)) {
            let line = tone.map_or_else(|| line.clone(), |tone| self.style.paint(tone, &line));
            self.line(indent, &line);
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.text += &" ".repeat(indent);
        self.text += text.trim_end();
        self.text.push('\n');
    }
}

/// `int, 80, from 1 to 100`; a secret's default is not shown.
fn type_of(parameter: &Parameter) -> String {
    let word =
        |kind: ParameterType| serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned));
    let mut kind = word(parameter.kind).unwrap_or_default();
    if parameter.kind == ParameterType::List {
        kind = format!("list of {}", word(parameter.items).unwrap_or_default());
    }
    let mut facts = vec![kind];
    if !parameter.values.is_empty() {
        facts.push(format!("one of {}", parameter.values.join(", ")));
    }
    let bound =
        |bound: &Option<crate::runbook::Bound>| bound.as_ref().map(|bound| value(&bound.0, parameter.kind));
    facts.extend(bound(&parameter.min).map(|min| format!("at least {min}")));
    facts.extend(bound(&parameter.max).map(|max| format!("at most {max}")));
    facts.extend(parameter.pattern.as_ref().map(|pattern| format!("matching {pattern}")));
    facts.extend(parameter.secret.then(|| "secret".to_owned()));
    match &parameter.default {
        Some(_) if parameter.secret => facts.push("has a default".to_owned()),
        Some(default) => facts.push(format!("default {}", value(default, parameter.kind))),
        None if parameter.generate.is_some() => facts.push("drawn for each run".to_owned()),
        None if parameter.is_required() => facts.push("must be given".to_owned()),
        None => facts.push("may be left out".to_owned()),
    }
    facts.join(", ")
}

/// A value as an author would write it.
fn value(value: &Value, kind: ParameterType) -> String {
    match (value, kind) {
        (Value::Number(number), ParameterType::Size) => {
            number.as_i64().map_or_else(|| number.to_string(), format_size)
        }
        (Value::Number(number), ParameterType::Duration) => {
            number.as_f64().map_or_else(|| number.to_string(), format_duration)
        }
        (Value::String(text), _) if !text.is_empty() => ui::one_line(text),
        (other, _) => other.to_string(),
    }
}
