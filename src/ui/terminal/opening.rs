//! The block at the start of a run: what, where, who, how much. Pure.

use indexmap::IndexMap;

use super::row::Layout;
use crate::event::{PinnedConnection, RunStarted};
use crate::model::{Effect, RunId};
use crate::ui::style::Tone;
use crate::ui::text::{one_line, wrap};

/// The columns of the names at the left.
const NAMES: usize = 13;

/// Names the runbook, the environment, the targets, the operator, and the steps by effect.
pub(super) fn opening(layout: Layout<'_>, run: &RunId, started: &RunStarted) -> Vec<String> {
    let style = layout.style;
    let name = style.paint(Tone::Quiet, &format!("({})", one_line(&started.runbook)));
    let heading = format!("{} {name}", style.paint(Tone::Strong, &one_line(&started.title)));
    let mut lines = vec![heading];
    let mut say = |name: &str, text: &str| lines.extend(field(layout, name, text));
    say("environment", started.environment.as_deref().unwrap_or("none"));
    for (index, connection) in started.connections.iter().enumerate() {
        say(if index == 0 { "target" } else { "" }, &target(connection));
    }
    say("operator", &started.operator);
    if let Some(reason) = &started.reason {
        say("reason", reason);
    }
    say("steps", &steps(layout, started));
    say("run", run.as_str());
    lines.push(String::new());
    lines
}

/// A name at the left, its text beside it, wrapped.
pub(super) fn field(layout: Layout<'_>, name: &str, text: &str) -> Vec<String> {
    let room = layout.width.saturating_sub(NAMES + 2).max(20);
    let name = |index| if index == 0 { format!("{name:<NAMES$}") } else { " ".repeat(NAMES) };
    let line =
        |(index, line): (usize, String)| format!("  {}{line}", layout.style.paint(Tone::Quiet, &name(index)));
    // Painted text is ours and short; wrapping would take its colours away.
    let lines = if text.contains('\u{1b}') { vec![text.to_owned()] } else { wrap(text, room) };
    lines.into_iter().enumerate().map(line).collect()
}

fn target(connection: &PinnedConnection) -> String {
    format!("{} = {} ({})", connection.name, one_line(&connection.target), connection.kind)
}

fn steps(layout: Layout<'_>, started: &RunStarted) -> String {
    let mut by_effect: IndexMap<Effect, u64> = IndexMap::new();
    for step in &started.steps {
        *by_effect.entry(step.effect).or_default() += 1;
    }
    by_effect.sort_unstable_keys();
    let part = |(effect, number): (&Effect, &u64)| {
        layout.style.paint(Tone::from(*effect), &format!("{number} {}", effect.as_str()))
    };
    let parts: Vec<String> = by_effect.iter().map(part).collect();
    format!("{}: {}", started.steps.len(), parts.join(", "))
}
