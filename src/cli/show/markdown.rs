//! The procedure as plain psql commands, for the day this program or its host is gone. What depends on an answer of the
//! server stands there as the template it is, to be filled in by hand.

use std::fmt::Write as _;

use super::{demands, origin};
use crate::cli::overview::Overview;
use crate::model::Effect;
use crate::plan::{Knowledge, PlannedStep};

/// Writes the page.
pub(super) fn write(overview: &Overview) -> String {
    let Overview { runbook, plan, .. } = overview;
    let mut text = format!("# {}\n\n", runbook.title);
    let _ = writeln!(text, "{}\n", runbook.description.trim());
    let _ = writeln!(text, "From `{}` in {}.\n", runbook.name, origin(runbook));
    for (name, need) in &runbook.connections {
        let demands = demands(runbook, name);
        let demands = if demands.is_empty() { String::new() } else { format!(": {}", demands.join(", ")) };
        let _ = writeln!(text, "- connection `{name}`, {}{demands}", need.kind_name());
    }
    if !plan.parameters.is_empty() {
        let _ = writeln!(text, "\nWith these parameters:\n");
        for (name, value) in &plan.parameters {
            let _ = writeln!(text, "- `{name}`: `{value}`");
        }
    }
    text += "\nRun each block in `psql -X -v ON_ERROR_STOP=1`, in this order. A comment `-- $1 = …` below a statement \
             says what to put for `$1`; what stands in `{{ … }}` is known only when the steps before it have run.\n";
    for (index, step) in plan.steps.iter().enumerate() {
        text += &section(index + 1, step);
    }
    if !runbook.finally.is_empty() {
        text += "\n## In the end, in any case\n\n";
        for step in &runbook.finally {
            let _ = writeln!(text, "- {}", step.heading());
        }
    }
    text
}

fn section(number: usize, step: &PlannedStep) -> String {
    let mut text = format!("\n## {number}. {}\n\n", heading(step));
    let effect = match step.class.effect {
        Effect::Read => "",
        Effect::Change => " Changes something.",
        Effect::Disrupt => " **Disrupts others.**",
        Effect::Destroy => " **Cannot be undone.**",
    };
    let _ = writeln!(text, "`{}`, {}.{effect}", step.id, step.kind);
    for condition in &step.conditions {
        let _ = writeln!(text, "\nOnly when `{}`.", condition.when);
    }
    match &step.knowledge {
        Knowledge::After { steps } => {
            let names: Vec<String> = steps.iter().map(|step| format!("`{step}`")).collect();
            let _ = writeln!(text, "\nNeeds the result of {}.", names.join(", "));
        }
        Knowledge::Skipped { because } => {
            let _ = writeln!(text, "\nSkipped: {because}.");
            return text;
        }
        Knowledge::Exactly | Knowledge::CannotTell { .. } => {}
    }
    text += &body(step);
    if let Some(undo) = step.undo.as_ref().filter(|_| step.class.effect > Effect::Read) {
        let _ = writeln!(text, "\nUndo: {}", undo.means);
        for line in &undo.lines {
            let _ = writeln!(text, "\n    {}", line.trim_end().replace('\n', "\n    "));
        }
    }
    text
}

/// The title; the id where the title would only repeat what is done.
fn heading(step: &PlannedStep) -> &str {
    let first = step.lines.first().map(|line| crate::ui::one_line(line)).unwrap_or_default();
    let repeats = first.starts_with(step.title.trim_end_matches(['…', '.']));
    if repeats { step.id.as_str() } else { &step.title }
}

fn body(step: &PlannedStep) -> String {
    match (step.kind.as_str(), &step.children) {
        ("sql", Some(children)) => {
            let all: Vec<&String> = children.iter().flat_map(|child| &child.lines).collect();
            fenced("sql", &statements(&all))
        }
        ("sql", None) => fenced("sql", &statements(&step.lines.iter().collect::<Vec<_>>())),
        ("exec", _) => fenced("sh", &step.lines.join("\n")),
        ("kubectl", _) => format!("\nWith kubectl:\n{}", fenced("", &step.lines.join("\n"))),
        ("assert", _) => format!("\nGo on only if this holds:\n{}", fenced("", &step.lines.join("\n"))),
        ("confirm", _) => format!("\nStop and decide:\n{}", fenced("", &step.lines.join("\n"))),
        _ => String::new(),
    }
}

/// Each statement ended by a semicolon, as psql wants it.
fn statements(lines: &[&String]) -> String {
    let ended: Vec<String> = lines
        .iter()
        .map(|line| {
            let line = line.trim_end();
            let ends = line.ends_with(';') || line.starts_with("--");
            if ends { line.to_owned() } else { format!("{line};") }
        })
        .collect();
    ended.join("\n")
}

/// A fence longer than any run of backticks in the text.
fn fenced(language: &str, text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("\n{fence}{language}\n{}\n{fence}\n", text.trim_end())
}
