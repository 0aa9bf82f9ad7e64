//! A line for each case and each fault, and below it what is not as declared.

use std::fmt::Write as _;

use super::Tried;
use crate::model::StepState;
use crate::trial::Verdict;
use crate::ui::{self, Mark, Style, Tone};

/// The page of some fixtures.
pub(super) fn draw(tried: &[Tried], style: &Style) -> String {
    let mut text = String::new();
    for fixture in tried {
        let name = style.paint(Tone::Strong, &fixture.runbook.name);
        let _ = writeln!(text, "{name}  {}", style.paint(Tone::Quiet, &fixture.file));
        for case in &fixture.cases {
            line(&mut text, "  ", &case.name, &case.verdict, style);
            for (fault, verdict) in &case.faults {
                line(&mut text, "    ", fault, verdict, style);
            }
        }
        text.push('\n');
    }
    text + &closing(tried)
}

fn line(text: &mut String, indent: &str, name: &str, verdict: &Verdict, style: &Style) {
    let state = if verdict.passed() { StepState::Succeeded } else { StepState::Failed };
    let _ = writeln!(text, "{indent}{} {}", style.mark(Mark::State(state)), ui::clean(name));
    for difference in &verdict.differences {
        let _ = writeln!(text, "{indent}    {}", ui::clean(&difference.what));
        several(text, indent, "expected", &difference.expected);
        several(text, indent, "got", &difference.got);
    }
    for missing in &verdict.missing {
        let _ = writeln!(
            text,
            "{indent}    `{}` ran, and the case has no result for it; below `steps:` write",
            missing.step
        );
        let _ = writeln!(text, "{indent}      {}", ui::clean(&missing.example));
    }
}

/// A value of one line or more, its lines below each other.
fn several(text: &mut String, indent: &str, word: &str, value: &str) {
    for (index, line) in value.lines().enumerate() {
        let word = if index == 0 { word } else { "" };
        let _ = writeln!(text, "{indent}      {word:8}  {}", ui::clean(line));
    }
}

fn closing(tried: &[Tried]) -> String {
    let runs = || tried.iter().flat_map(Tried::all);
    let cases: usize = tried.iter().map(|one| one.cases.len()).sum();
    let faults: usize = tried.iter().flat_map(|one| &one.cases).map(|case| case.faults.len()).sum();
    let failed = runs().filter(|run| !run.passed()).count();
    let verdict = match failed {
        0 => "all as declared".to_owned(),
        _ => format!("{failed} not as declared"),
    };
    let count = |number: usize, noun: &str| ui::count(number as u64, noun);
    format!(
        "{}, {}, {}: {verdict}\n",
        count(tried.len(), "runbook"),
        count(cases, "case"),
        count(faults, "fault")
    )
}
