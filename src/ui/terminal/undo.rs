//! The lines about undo: what is planned before it begins, and what became of each step. Pure.

use super::row::{Layout, Row, beneath};
use super::step::{Subject, word};
use crate::event::{UndoMeans, UndoStep};
use crate::model::{Failure, StepState};
use crate::ui::style::{Mark, Tone};

/// What will be undone, the last effect first, and what stays.
pub(super) fn planned(layout: Layout<'_>, why: &str, steps: &[UndoStep]) -> Vec<String> {
    let style = layout.style;
    let mark = style.mark(Mark::State(StepState::RolledBack));
    let heading = style.paint(Tone::Strong, "undo, the last effect first");
    let mut lines = vec![String::new(), format!("{mark} {heading}, because {why}")];
    for step in steps {
        lines.extend(beneath(layout, &format!("{}: ", step.at), Tone::Strong, &means(&step.means)));
    }
    lines
}

fn means(means: &UndoMeans) -> String {
    match means {
        UndoMeans::Hooks { steps: 1 } => "by its `rollback` step".to_owned(),
        UndoMeans::Hooks { steps } => format!("by its {steps} `rollback` steps"),
        UndoMeans::Auto => "from what was there before".to_owned(),
        UndoMeans::Nothing { why } => format!("nothing to undo: {why}"),
        UndoMeans::Impossible { why } => format!("cannot be undone: {why}"),
        UndoMeans::Beyond { point } => format!("stays, because `{point}` after it cannot be undone"),
    }
}

/// The undo of a step is over.
pub(super) fn undone(
    layout: Layout<'_>,
    subject: Subject<'_>,
    state: StepState,
    failure: Option<&Failure>,
) -> Vec<String> {
    let row = Row {
        mark: Mark::State(state),
        word: word(state),
        label: subject.at.to_string(),
        title: "",
        result: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
        seconds: None,
        child: false,
    };
    let mut lines = vec![row.draw(layout)];
    for detail in failure.into_iter().flat_map(|failure| &failure.details) {
        lines.extend(beneath(layout, "", Tone::Quiet, detail));
    }
    lines
}
