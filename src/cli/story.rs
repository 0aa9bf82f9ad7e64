//! The story of one step: every event of a run that concerns it, in order, with what was sent and what came back.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::diagnostic::nearest;
use crate::event::{Event, EventKind, Place, RunState, UndoMeans};
use crate::journal::Store;
use crate::ui::{Tone, duration};

/// Tells what became of a step, by the run's journal alone.
pub(super) fn tell(run: &str, step: &str, context: &Context) -> Result<Exit, CliError> {
    let store = Store::open(&context.process);
    let run = store.find(run)?;
    let history = store.read(&run)?;
    let mut state = RunState::default();
    for event in &history.events {
        // What follows damage is not told; the report names it.
        if state.apply(event).is_err() {
            break;
        }
    }
    let place = find(&state, step)?;
    let events: Vec<&Event> = history.events.iter().filter(|event| concerns(event, &place)).collect();
    if context.json {
        let node = &state.nodes[&place];
        context.print_json(&json!({
            "run": run, "step": place.step, "key": place.key, "state": node.state,
            "input": node.input, "before": node.before, "output": node.output, "failure": node.failure,
            "events": events,
        }))?;
    } else {
        context.print(&text(&place, &events, &state, context));
    }
    Ok(Exit::Success)
}

/// The step or child that is meant.
fn find(state: &RunState, wanted: &str) -> Result<Place, CliError> {
    let names: Vec<String> = state.nodes.keys().map(ToString::to_string).collect();
    if let Some(index) = names.iter().position(|name| name == wanted)
        && let Some((place, _)) = state.nodes.get_index(index)
    {
        return Ok(place.clone());
    }
    let error = CliError::new(format!("the run has no step `{wanted}`"));
    Err(match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) => error.help(format!("Did you mean `{near}`?")),
        None => error.help("`runbook report RUN` names the steps."),
    })
}

fn concerns(event: &Event, place: &Place) -> bool {
    match &event.kind {
        EventKind::StepStarted { at, .. }
        | EventKind::StepTraced { at, .. }
        | EventKind::AttemptFailed { at, .. }
        | EventKind::AnswerGiven { at, .. }
        | EventKind::StepFinished { at, .. }
        | EventKind::StepSkipped { at, .. }
        | EventKind::StepReopened { at, .. }
        | EventKind::FailureDecided { at, .. }
        | EventKind::StepUndone { at, .. }
        | EventKind::ItemsListed { at, .. } => at == place,
        EventKind::UndoPlanned { steps, .. } => steps.iter().any(|step| step.at == *place),
        EventKind::RunResumed { .. } | EventKind::RunPaused { .. } => true,
        _ => false,
    }
}

fn text(place: &Place, events: &[&Event], state: &RunState, context: &Context) -> String {
    let pinned = state.started.as_ref().and_then(|started| {
        let mut steps = started.steps.iter();
        steps.find(|step| step.id == place.step)
    });
    let title = pinned.map(|step| step.title.as_str()).unwrap_or_default();
    let mut text = format!("{}  {title}\n", context.page.paint(Tone::Strong, &place.to_string()));
    let mut needs =
        pinned.map(|step| step.needs.as_slice()).unwrap_or_default().iter().map(ToString::to_string);
    if let Some(first) = needs.next() {
        let all = needs.fold(first, |all, next| format!("{all}, {next}"));
        let _ = writeln!(text, "waited for {all}");
    }
    for event in events {
        let time = event.at.strftime("%Y-%m-%d %H:%M:%S%.3f");
        let _ =
            writeln!(text, "\n{time}  {}", context.page.paint(Tone::Quiet, &headline(&event.kind, place)));
        for line in details(&event.kind) {
            let _ = writeln!(text, "    {}", line.replace('\n', "\n    "));
        }
    }
    text
}

fn headline(kind: &EventKind, place: &Place) -> String {
    match kind {
        EventKind::StepStarted { attempt, effect, .. } => {
            format!("attempt {attempt} begins ({})", effect.as_str())
        }
        EventKind::StepTraced { .. } => "noted, before the effect could become durable".to_owned(),
        EventKind::AttemptFailed { attempt, retry_in, .. } => {
            format!("attempt {attempt} failed; the next one in {}", duration(*retry_in))
        }
        EventKind::AnswerGiven { by, how, .. } => format!("answered by {by} ({how})"),
        EventKind::StepFinished { state, seconds, .. } => {
            format!("{} after {}", state.as_str().replace('_', " "), duration(*seconds))
        }
        EventKind::StepSkipped { reason, .. } => format!("skipped: {}", reason.describe()),
        EventKind::StepReopened { why, .. } => format!("opened again: {why}"),
        EventKind::FailureDecided { choice, by, .. } => format!("{by} chose {}", json!(choice)),
        EventKind::StepUndone { state, .. } => format!("undo: {}", state.as_str().replace('_', " ")),
        EventKind::ItemsListed { items, .. } => format!("the list has {} items", items.len()),
        EventKind::UndoPlanned { why, steps } => {
            let step = steps.iter().find(|step| step.at == *place);
            format!(
                "undo was planned because {why}: {}",
                step.map_or_else(String::new, |step| means(&step.means))
            )
        }
        EventKind::RunResumed { operator, .. } => format!("the run was resumed by {operator}"),
        EventKind::RunPaused { reason } => format!("the run paused: {reason}"),
        _ => String::new(),
    }
}

fn means(means: &UndoMeans) -> String {
    match means {
        UndoMeans::Hooks { .. } => "by its `rollback`".to_owned(),
        UndoMeans::Auto => "from what was there before".to_owned(),
        UndoMeans::Nothing { why } => format!("nothing to undo, {why}"),
        UndoMeans::Impossible { why } => format!("it cannot be undone, {why}"),
        UndoMeans::Beyond { point } => format!("it stays, since `{point}` after it cannot be undone"),
    }
}

fn details(kind: &EventKind) -> Vec<String> {
    let failure = match kind {
        EventKind::StepStarted { input, .. } => return shown(input),
        EventKind::StepTraced { trace, .. } => return shown(trace),
        EventKind::AnswerGiven { question, answer, .. } => return vec![format!("{question}  {answer}")],
        EventKind::StepFinished { output, failure: None, .. } => return shown(output),
        EventKind::AttemptFailed { failure, .. } => Some(failure),
        EventKind::StepFinished { failure, .. } | EventKind::StepUndone { failure, .. } => failure.as_ref(),
        _ => None,
    };
    let Some(failure) = failure else { return Vec::new() };
    std::iter::once(&failure.message).chain(&failure.details).chain(&failure.help).cloned().collect()
}

/// A value as people read it: a line for each field that says something.
fn shown(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| {
                !matches!(value, Value::Null) && *value != &json!([]) && *value != &json!({})
            })
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}: {text}"),
                Value::Array(items) if items.iter().all(Value::is_string) => {
                    let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                    format!("{name}: {}", items.join("; "))
                }
                other => format!("{name}: {other}"),
            })
            .collect(),
        other => vec![other.to_string()],
    }
}
