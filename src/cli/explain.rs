//! `runbook explain`: what a diagnostic code means and what to do about it, or what became of a step of a run.

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use crate::diagnostic::{CODES, Code, nearest};
use crate::ui::{Style, Tone, fit};

/// What every full name begins with.
const PREFIX: &str = "runbook::";

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A code such as `sql::hole_place`; all of them are listed when none is given. Or a run, and then a step of it
    #[arg(value_name = "CODE | RUN")]
    code: Option<String>,
    /// The step of the run, such as `vacuum` or `vacuum[orders]`
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

impl Explain {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        if let (Some(run), Some(step)) = (&self.code, &self.step) {
            return super::story::tell(run, step, context);
        }
        match &self.code {
            None if context.json => {
                context.print_json(&CODES.iter().map(|code| brief(code)).collect::<Vec<_>>())?;
            }
            None => context.print(&all(&context.page)),
            Some(name) => {
                let code = find(name)?;
                if context.json {
                    let mut object = brief(code);
                    object["explanation"] = Value::from(code.explanation);
                    context.print_json(&object)?;
                } else {
                    context.print(&one(code, &context.page));
                }
            }
        }
        Ok(Exit::Success)
    }
}

fn brief(code: &Code) -> Value {
    json!({ "code": code.name, "title": code.title })
}

/// The code of a full name, of one without `runbook::`, or of its last word where only one ends so.
fn find(name: &str) -> Result<&'static Code, CliError> {
    let short = name.strip_prefix(PREFIX).unwrap_or(name);
    if let Some(code) = CODES.iter().find(|code| without_prefix(code) == short) {
        return Ok(code);
    }
    let by_last: Vec<&'static Code> = CODES.iter().copied().filter(|code| last_word(code) == short).collect();
    match by_last.as_slice() {
        [only] => return Ok(only),
        [] => {}
        several => {
            let names: Vec<&str> = several.iter().map(|code| without_prefix(code)).collect();
            return Err(CliError::new(format!("several codes end in `{name}`"))
                .help(format!("Type one of {}.", names.join(", "))));
        }
    }
    let whole = nearest(short, CODES.iter().map(|code| without_prefix(code)));
    let near = whole.or_else(|| {
        let word = nearest(short, CODES.iter().map(|code| last_word(code)))?;
        CODES.iter().find(|code| last_word(code) == word).map(|code| without_prefix(code))
    });
    Err(CliError::new(format!("there is no code `{name}`")).help(near.map_or_else(
        || "`runbook explain` lists every code.".to_owned(),
        |near| format!("Did you mean `{near}`? `runbook explain` lists every code."),
    )))
}

fn without_prefix(code: &Code) -> &'static str {
    code.name.strip_prefix(PREFIX).unwrap_or(code.name)
}

fn last_word(code: &Code) -> &'static str {
    code.name.rsplit("::").next().unwrap_or(code.name)
}

fn one(code: &Code, style: &Style) -> String {
    let name = style.paint(Tone::Strong, code.name);
    format!("{name}\n{}\n\n{}\n", code.title, code.explanation.trim_end())
}

fn all(style: &Style) -> String {
    let widest = CODES.iter().map(|code| without_prefix(code).len()).max().unwrap_or(0);
    let room = style.width.saturating_sub(widest + 2).max(20);
    let line = |code: &&'static Code| {
        let name = without_prefix(code);
        let gap = " ".repeat(widest + 2 - name.len());
        format!("{}{gap}{}\n", style.paint(Tone::Strong, name), fit(code.title, room, style.ellipsis()))
    };
    CODES.iter().map(line).collect()
}
