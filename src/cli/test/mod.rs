//! `runbook test`: runbooks tried on the fixtures beside them, without anything they talk to.

mod files;
mod page;

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::error::CliError;
use super::exit::Exit;
use super::prepare::{self, find};
use super::runtime::block_on;
use crate::diagnostic::Sources;
use crate::runbook::Runbook;
use crate::trial::{self, CaseVerdict, Verdict};

/// The arguments of `test`.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Fixtures, runbooks, folders or names; ./runbooks when none is given
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
}

/// What came of one fixture.
struct Tried {
    file: String,
    runbook: Arc<Runbook>,
    cases: Vec<CaseVerdict>,
}

impl Tried {
    fn all(&self) -> impl Iterator<Item = &Verdict> {
        self.cases.iter().flat_map(CaseVerdict::all)
    }
}

impl Test {
    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let fixtures = files::fixtures(&self.paths, context)?;
        let tried: Vec<Tried> =
            fixtures.iter().map(|fixture| attempt(fixture, context)).collect::<Result<_, _>>()?;
        if context.json {
            context.print_json(&to_json(&tried))?;
        } else {
            context.print(&page::draw(&tried, &context.page));
        }
        let passed = tried.iter().flat_map(Tried::all).all(Verdict::passed);
        Ok(if passed { Exit::Success } else { Exit::Failed })
    }
}

/// Tries one fixture on its runbook.
fn attempt(fixture: &files::Pair, context: &Context) -> Result<Tried, CliError> {
    let (runbook, _) = prepare::load(&fixture.runbook, context)?;
    let source = find(&fixture.fixture, &context.shelf())?;
    let file = source.origin;
    let mut sources = Sources::new();
    let (loaded, diagnostics) = trial::load(&file, &source.text, &runbook, &mut sources);
    let Some(loaded) = loaded else {
        return Err(CliError::of_document(format!("{file} cannot be used"), diagnostics, sources));
    };
    let cases = block_on(trial::attempt(&loaded))??;
    Ok(Tried { file, runbook, cases })
}

fn to_json(tried: &[Tried]) -> Value {
    let fixture = |one: &Tried| {
        let cases: Vec<Value> = one.cases.iter().map(case).collect();
        json!({ "file": one.file, "runbook": one.runbook.name, "cases": cases })
    };
    let runs = || tried.iter().flat_map(Tried::all);
    json!({
        "fixtures": tried.iter().map(fixture).collect::<Vec<_>>(),
        "passed": runs().filter(|run| run.passed()).count(),
        "failed": runs().filter(|run| !run.passed()).count(),
    })
}

/// A case and its faults; each fault is named by what it does to which step.
fn case(case: &CaseVerdict) -> Value {
    let mut one = verdict("name", &case.name, &case.verdict);
    one["faults"] = case.faults.iter().map(|(name, after)| verdict("fault", name, after)).collect();
    one
}

fn verdict(key: &str, name: &str, verdict: &Verdict) -> Value {
    json!({
        key: name,
        "passed": verdict.passed(),
        "differences": verdict.differences,
        "missing": verdict.missing,
    })
}
