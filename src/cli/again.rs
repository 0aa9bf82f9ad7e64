//! A run that is gone on with: its journal is taken over, and its runbook is the one it began with.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::configuration;
use super::context::Context;
use super::error::CliError;
use super::prepare::{self, Prepared};
use super::targets::{self, Targets};
use crate::diagnostic::Sources;
use crate::event::{PinnedDocument, RunStarted, RunState};
use crate::journal::{JournalError, Store, Writer};
use crate::model::{Failure, Redactor, RunId, StepState};
use crate::runbook::{self, Library, Runbook, SourceText};
use crate::ui;
use crate::yaml::{Document, Limits, Node};

/// A run whose journal this process has taken over.
pub(super) struct Again {
    /// The run.
    pub(super) id: RunId,
    /// Its journal.
    pub(super) journal: Writer,
    /// What is known of it, nothing masked that is sealed.
    pub(super) state: RunState,
}

impl Again {
    /// Takes a run over. Nothing else may be at work on it.
    pub(super) fn take(store: &Store, text: &str) -> Result<Self, CliError> {
        let id = store.find(text)?;
        let (journal, history) = store.resume(&id).map_err(|error| match error {
            JournalError::Locked { run } => CliError::new(format!("{run} is at work in another process"))
                .help("Wait until that process has ended: one run has one process."),
            other => other.into(),
        })?;
        let mut sealed = store.sealed(&id)?;
        let mut state = RunState::default();
        for mut event in history.events {
            if let Some(kind) = sealed.remove(&event.seq) {
                event.kind = kind;
            }
            state.apply(&event).map_err(|error| {
                CliError::new(format!("the journal of {id} makes no sense: {error}"))
                    .help("`runbook report` shows what can be read of it.")
            })?;
        }
        Ok(Self { id, journal, state })
    }

    /// The first record.
    pub(super) fn started(&self) -> Result<&RunStarted, CliError> {
        self.state.started.as_deref().ok_or_else(|| {
            CliError::new(format!("{} ended before anything began", self.id))
                .help("Run the runbook again: nothing was done.")
        })
    }

    /// What a leg begins with: the pinned runbook, or the changed one where the operator adopts it.
    pub(super) fn prepare(&self, adopt: bool, context: &Context) -> Result<Prepared, CliError> {
        let started = self.started()?;
        let context = &configured(started, context);
        let runbook = if adopt { self.adopted(started, context)? } else { pinned(started, context)? };
        let origin = started.documents.first().map_or("", |document| document.name.as_str());
        let environment = started.environment.as_deref();
        let found = environment.map(|name| configuration::environment(name, origin, context)).transpose()?;
        let Targets { names, connections } =
            targets::decide(&runbook, environment.zip(found.as_ref()), context)?;
        Ok(Prepared {
            params: parameters(&runbook, &started.parameters, &context.redactor),
            protected: found.is_some_and(|environment| environment.protected),
            names,
            connections,
            surroundings: prepare::surroundings(environment, context),
            environment: started.environment.clone(),
            runbook,
        })
    }

    /// The runbook as its file is now. No step that has begun may be another one there.
    fn adopted(&self, started: &RunStarted, context: &Context) -> Result<Arc<Runbook>, CliError> {
        let origin = started.documents.first().map_or("", |document| document.name.as_str());
        let (runbook, _) = prepare::load(origin, context)?;
        let differs = differing(&started.documents, &runbook.documents);
        let begun = self.state.nodes.iter().filter(|(_, node)| {
            node.attempts > 0 && !matches!(node.state, StepState::Pending | StepState::Skipped)
        });
        let begun: BTreeSet<&str> = begun.map(|(place, _)| place.step.as_str()).collect();
        let touched: Vec<String> = begun
            .into_iter()
            .filter(|id| differs.iter().any(|changed| covers(changed, id)))
            .map(|id| format!("`{id}` has begun, and its text is another one now"))
            .collect();
        if touched.is_empty() {
            return Ok(runbook);
        }
        let error = CliError::new(format!("{origin} cannot be adopted"));
        let error = touched.into_iter().fold(error, CliError::detail);
        Err(error.help("Go on without --adopt: the run then keeps the text it began with."))
    }
}

/// The file of environments is the one of the first leg, unless another is named now.
fn configured(started: &RunStarted, context: &Context) -> Context {
    let config = context.config.clone();
    Context { config: config.or(started.options.config.as_ref().map(PathBuf::from)), ..context.clone() }
}

/// A step that has changed concerns everything inside it.
fn covers(changed: &str, id: &str) -> bool {
    id == changed || id.strip_prefix(changed).is_some_and(|rest| rest.starts_with('.'))
}

/// The runbook as it was when the run began; what is different now is named.
fn pinned(started: &RunStarted, context: &Context) -> Result<Arc<Runbook>, CliError> {
    let books = PinnedBooks(&started.documents);
    let Some(first) = started.documents.first() else {
        return Err(CliError::new("the journal has no runbook"));
    };
    let source = SourceText { origin: first.name.clone(), text: first.text.clone() };
    let mut sources = Sources::new();
    let (runbook, diagnostics) = runbook::load(source, &books, &mut sources);
    let Some(runbook) = runbook else {
        let message = format!("{} as the run began with it cannot be used by this version", first.name);
        return Err(CliError::of_document(message, diagnostics, sources));
    };
    for document in changed(started, context) {
        context.say(&format!(
            "{} {document} has changed since the run began: the run keeps the text it began with\n",
            context.style.mark(ui::Mark::Remark)
        ));
    }
    Ok(Arc::new(runbook))
}

/// The runbooks of a run whose files are not what they were.
fn changed(started: &RunStarted, context: &Context) -> Vec<String> {
    let shelf = context.shelf();
    let is_runbook = |document: &&PinnedDocument| document.text.contains("steps:");
    let differs = |document: &&PinnedDocument| match shelf.find(&document.name) {
        Ok((_, text)) => text != document.text,
        Err(_) => true,
    };
    let documents = started.documents.iter().filter(is_runbook).filter(differs);
    documents.map(|document| document.name.clone()).collect()
}

/// The documents of a run, as a runbook finds others and the files beside it.
struct PinnedBooks<'a>(&'a [PinnedDocument]);

impl PinnedBooks<'_> {
    fn stem(name: &str) -> Option<&str> {
        let file = name.rsplit(['/', ':']).next()?;
        file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"))
    }
}

impl Library for PinnedBooks<'_> {
    fn find(&self, name: &str) -> Option<SourceText> {
        let named =
            |document: &&PinnedDocument| document.name == name || Self::stem(&document.name) == Some(name);
        let found = self.0.iter().find(named)?;
        Some(SourceText { origin: found.name.clone(), text: found.text.clone() })
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().filter_map(|document| Self::stem(&document.name)).map(str::to_owned).collect()
    }

    /// Files stand behind the runbook that reads them.
    fn read_beside(&self, origin: &str, file: &str) -> Result<String, Failure> {
        let from = self.0.iter().position(|document| document.name == origin).unwrap_or(0);
        let found = self.0[from..].iter().find(|document| document.name == file);
        found
            .map(|document| document.text.clone())
            .ok_or_else(|| Failure::new(format!("the journal has no file `{file}`")))
    }
}

/// The values of the first leg. One that was masked and is not sealed any more is not there: whoever reads it says so.
fn parameters(runbook: &Runbook, pinned: &Map<String, Value>, redactor: &Redactor) -> Map<String, Value> {
    let mut params = pinned.clone();
    for (name, parameter) in &runbook.params {
        if let Some(default) = &parameter.default {
            params.entry(name.clone()).or_insert_with(|| default.clone());
        }
        if !parameter.secret {
            continue;
        }
        match params.get(name).and_then(Value::as_str) {
            Some(Redactor::MASK) => drop(params.remove(name)),
            Some(secret) => redactor.learn(secret),
            None => {}
        }
    }
    params
}

/// The ids of steps whose text differs between two sets of documents; those of an included runbook that changed are
/// all steps, since what includes it cannot be told from its text.
fn differing(before: &[PinnedDocument], after: &[PinnedDocument]) -> Vec<String> {
    let others = |documents: &[PinnedDocument]| -> BTreeSet<String> {
        documents.iter().skip(1).map(|document| document.text.clone()).collect()
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    for (documents, steps) in [(before, &mut old), (after, &mut new)] {
        if let Some(first) = documents.first() {
            collect(&first.text, steps);
        }
    }
    let changed_beside = others(before) != others(after);
    old.iter()
        .filter(|(id, text)| changed_beside || new.get(*id) != Some(text))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Every step of a document by its id.
fn collect(text: &str, steps: &mut Map<String, Value>) {
    let mut sources = Sources::new();
    let id = sources.add("", text);
    let (document, _) = Document::parse(id, text, &Limits::default());
    let Some(document) = document else { return };
    let root = document.root();
    for list in ["steps", "on_failure", "finally"] {
        if let Some(list) = root.get(list) {
            collect_list(list, "", steps);
        }
    }
}

fn collect_list(list: Node<'_>, prefix: &str, steps: &mut Map<String, Value>) {
    for step in list.items() {
        let id = step.get("id").and_then(Node::as_str).map(|id| format!("{prefix}{id}"));
        for inner in ["steps", "parallel"] {
            if let Some(inner) = step.get(inner).filter(|inner| inner.items().next().is_some()) {
                let prefix = id.as_ref().map_or_else(|| prefix.to_owned(), |id| format!("{id}."));
                collect_list(inner, &prefix, steps);
            } else if let Some(members) = step.get(inner).and_then(|block| block.get("members")) {
                collect_list(members, prefix, steps);
            }
        }
        if let Some(id) = id.filter(|_| step.get("steps").is_none()) {
            steps.insert(id, step.to_json());
        }
    }
}
