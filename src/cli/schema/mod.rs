//! `runbook schema`: the JSON Schema of a runbook, or one key of it in words.

mod key;

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::diagnostic::nearest;
use crate::runbook;
use key::Keys;

/// The arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// A key such as `sql.lock_timeout`, `params.type` or `steps.retry`; the whole JSON Schema when none is given
    #[arg(value_name = "KEY.PATH")]
    path: Option<String>,
}

impl Schema {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let schema = runbook::schema().to_value();
        let Some(path) = &self.path else {
            context.print_json(&schema)?;
            return Ok(Exit::Success);
        };
        let keys = Keys::of(&schema);
        let found = keys.find(path).map_err(|unknown| {
            let help = match nearest(&unknown.key, unknown.known.iter().map(String::as_str)) {
                Some(near) => format!("Did you mean `{near}`?"),
                None if unknown.known.is_empty() => "It has no keys of its own.".to_owned(),
                None => format!("The keys are {}.", unknown.known.join(", ")),
            };
            let place = unknown.inside.map_or_else(String::new, |inside| format!(" in `{inside}`"));
            CliError::new(format!("there is no key `{}`{place}", unknown.key)).help(help)
        })?;
        if context.json {
            context.print_json(found)?;
        } else {
            context.print(&keys.page(path, found, &context.page));
        }
        Ok(Exit::Success)
    }
}
