//! `runbook list`: every runbook that can be named.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::diagnostic::Sources;
use crate::library::{Entry, SHIPPED_PREFIX, Shelf};
use crate::report::table;
use crate::runbook::Schedule;
use crate::yaml::{Document, Limits};

/// The arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only runbooks with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// A runbook in one line.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    title: String,
    tags: Vec<String>,
    /// When it is due, in words.
    schedule: Option<String>,
    /// A path, or `shipped`.
    source: String,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let shelf = context.shelf();
        let rows: Vec<Row> = shelf
            .entries()
            .into_iter()
            .map(|entry| row(entry, &shelf, context))
            .filter(|row| self.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)))
            .collect();
        if context.json {
            context.print_json(&rows)?;
        } else {
            context.print(&(draw(&rows, context.page.width) + "\n"));
        }
        Ok(Exit::Success)
    }
}

/// Reads the head alone: a runbook with mistakes is listed too, and `check` says what they are.
fn row(entry: Entry, shelf: &Shelf, context: &Context) -> Row {
    let source = match entry.origin.strip_prefix(SHIPPED_PREFIX) {
        Some(_) => "shipped".to_owned(),
        None => relative(&entry.origin, context),
    };
    let text = shelf.find(&entry.name).map(|(_, text)| text).unwrap_or_default();
    let id = Sources::new().add("", "");
    let (document, _) = Document::parse(id, &text, &Limits::default());
    let Some(document) = document else {
        let title = "(cannot be read)".to_owned();
        return Row { name: entry.name, title, tags: Vec::new(), schedule: None, source };
    };
    let head = document.root();
    let title = head.get("title").and_then(|node| node.as_str().map(str::to_owned));
    let tags = head.get("tags").and_then(|node| node.decode().ok()).unwrap_or_default();
    let schedule = head.get("schedule").and_then(|node| node.decode::<Schedule>().ok());
    Row {
        name: entry.name,
        title: title.unwrap_or_default(),
        tags,
        schedule: schedule.map(|s| s.in_words()),
        source,
    }
}

fn relative(origin: &str, context: &Context) -> String {
    let directory = context.process.directory.display().to_string();
    let below = origin.strip_prefix(&directory).and_then(|rest| rest.strip_prefix('/'));
    below.unwrap_or(origin).to_owned()
}

fn draw(rows: &[Row], width: usize) -> String {
    let columns = ["name", "title", "tags", "schedule", "source"].map(str::to_owned);
    let cells: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| {
            let schedule = row.schedule.clone().unwrap_or_default();
            [&row.name, &row.title, &row.tags.join(", "), &schedule, &row.source]
                .map(|text| Value::from(text.as_str()))
                .to_vec()
        })
        .collect();
    table(&columns, &cells, width, usize::MAX)
}
