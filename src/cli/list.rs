//! `runbook list`: every runbook that can be named.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::diagnostic::Sources;
use crate::library::{Entry, SHIPPED_PREFIX, Shelf};
use crate::runbook::Schedule;
use crate::ui::{self, Style, Tone};
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
        let books = context.shelf();
        let rows: Vec<Row> = books
            .entries()
            .into_iter()
            .map(|entry| row(entry, &books))
            .filter(|row| self.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)))
            .collect();
        if context.json {
            context.print_json(&rows)?;
        } else {
            context.print(&draw(&rows, &context.page));
        }
        Ok(Exit::Success)
    }
}

/// Reads the head alone: a runbook with mistakes is listed too, and `check` says what they are.
fn row(entry: Entry, shelf: &Shelf) -> Row {
    let source = match entry.origin.strip_prefix(SHIPPED_PREFIX) {
        Some(_) => "shipped".to_owned(),
        None => entry.origin.clone(),
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

/// Two lines each: what it is called, and what else there is to say.
fn draw(rows: &[Row], style: &Style) -> String {
    let indent = rows.iter().map(|row| row.name.len()).max().unwrap_or(0) + 2;
    let room = style.width.saturating_sub(indent).max(20);
    let mut text = String::new();
    for row in rows {
        let name = style.paint(Tone::Strong, &row.name);
        let gap = " ".repeat(indent - row.name.len());
        let title = ui::fit(&ui::one_line(&row.title), room, style.ellipsis());
        let _ = writeln!(text, "{name}{gap}{title}");
        let tags = row.tags.join(", ");
        let facts = [Some(tags.as_str()), row.schedule.as_deref(), Some(row.source.as_str())];
        let facts: Vec<&str> = facts.into_iter().flatten().filter(|fact| !fact.is_empty()).collect();
        for line in ui::wrap(&facts.join(style.dot()), room) {
            let _ = writeln!(text, "{}{}", " ".repeat(indent), style.paint(Tone::Quiet, &line));
        }
    }
    text
}
