//! `runbook show`: a runbook to read: what it is for, what it wants, what it does; or its source; or the procedure for
//! a day without this program.

mod markdown;
mod page;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::args::Target;
use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::overview::{Overview, overview};
use super::prepare::find;
use crate::runbook::{ConnectionKind, PostgresNeeds, Runbook};

/// The arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    target: Target,
    /// markdown: the procedure as plain psql commands; source: the file itself
    #[arg(long = "as", value_name = "FORM", default_value = "text")]
    form: Form,
}

/// The form in which a runbook is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// The procedure as plain commands.
    Markdown,
    /// The file itself.
    Source,
}

impl Show {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.form == Form::Source {
            // A file with mistakes can be read too.
            let source = find(&self.target.name, &context.shelf())?;
            if context.json {
                context.print_json(&json!({ "source": source.origin, "text": source.text }))?;
            } else {
                context.print(&source.text);
            }
            return Ok(Exit::Success);
        }
        let overview = overview(&self.target, context)?;
        match self.form {
            Form::Markdown => context.print(&markdown::write(&overview)),
            _ if context.json => context.print_json(&to_json(&overview))?,
            _ => context.print(&page::write(&overview, &context.page)),
        }
        Ok(Exit::Success)
    }
}

fn to_json(overview: &Overview) -> Value {
    let Overview { runbook, plan, .. } = overview;
    let params: Vec<Value> = runbook
        .params
        .iter()
        .map(|(name, parameter)| {
            json!({
                "name": name,
                "type": parameter.kind,
                "default": if parameter.secret { None } else { parameter.default.as_ref() },
                "required": parameter.is_required(),
                "secret": parameter.secret,
                "description": parameter.description,
            })
        })
        .collect();
    let connections: Vec<Value> = runbook
        .connections
        .iter()
        .map(|(name, need)| {
            json!({ "name": name, "kind": need.kind_name(), "optional": need.optional, "demands": demands(runbook, name) })
        })
        .collect();
    json!({
        "name": runbook.name,
        "title": runbook.title,
        "description": runbook.description,
        "owner": runbook.owner,
        "tags": runbook.tags,
        "schedule": runbook.schedule.as_ref().map(crate::runbook::Schedule::in_words),
        "source": origin(runbook),
        "params": params,
        "connections": connections,
        "steps": plan.steps,
        "on_failure": runbook.on_failure.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(),
        "finally": runbook.finally.iter().map(|step| step.id.as_str()).collect::<Vec<_>>(),
        "outputs": runbook.outputs.keys().collect::<Vec<_>>(),
    })
}

/// Where the runbook was read.
fn origin(runbook: &Runbook) -> &str {
    runbook.documents.first().map_or("", |document| document.name.as_str())
}

/// What a runbook demands of a connection, in words.
fn demands(runbook: &Runbook, name: &str) -> Vec<String> {
    let Some(ConnectionKind::Postgres(needs)) = runbook.connections.get(name).map(|need| &need.kind) else {
        return Vec::new();
    };
    let PostgresNeeds { version, roles, any_role, rights, extensions, primary, max_sessions } = needs;
    let mut demands = Vec::new();
    demands.extend(version.as_ref().map(|version| format!("version {version}")));
    demands.extend(primary.map(|primary| if primary { "a primary" } else { "a standby" }.to_owned()));
    demands.extend(roles.iter().map(|role| format!("a member of {role}")));
    if !any_role.is_empty() {
        demands.push(format!("a member of {}", any_role.join(" or ")));
    }
    demands.extend(rights.iter().cloned());
    demands.extend(extensions.iter().map(|extension| format!("the extension {extension}")));
    demands.extend(max_sessions.map(|number| format!("at most {number} sessions")));
    demands
}
