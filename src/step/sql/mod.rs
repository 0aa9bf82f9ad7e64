//! Kind `sql`: statements on a PostgreSQL connection, sent one by one.

mod attempt;
mod error;
mod output;
mod preview;
mod settle;
mod spec;
mod undo;
mod watch;

pub(super) use output::SqlOutput;
pub(super) use spec::SqlSpec;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::bind::Binder;
use super::context::{ReadContext, RunContext};
use super::error::{BindError, StepError};
use super::kind::{CheckContext, Done, Happened, Need, Preview, Settled, StepKind, TookEffect, Undo};
use crate::connect::LoginProof;
use crate::model::{Class, Failure};
use crate::sql::{LockMode, Statement, UndoNature};

/// The kind.
#[derive(Debug)]
pub struct Sql;

/// The statements as they will be sent.
#[derive(Debug, Serialize)]
pub struct SqlInput {
    /// The environment's name of the connection.
    pub connection: String,
    /// The statements, in order.
    #[serde(serialize_with = "texts")]
    pub statements: Vec<Statement>,
    /// The values of `$1`, `$2` and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Value>,
    /// Another database than the connection's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The role of `SET ROLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The role to log in as, with its password.
    #[serde(skip)]
    pub login: Option<(String, LoginProof)>,
    /// How the statements are wrapped.
    pub transaction: Wrapping,
    /// Settings of the session while the step runs, as SQL.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Milliseconds, from the step's own field.
    #[serde(skip)]
    pub statement_timeout: Option<f64>,
    /// How many rows are kept.
    #[serde(skip)]
    pub max_rows: usize,
    /// The error that means success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_error: Option<String>,
    /// The file that `COPY … FROM STDIN` reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_file: Option<String>,
    /// The file that `COPY … TO STDOUT` writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout_file: Option<String>,
    /// Whether that file may be replaced.
    #[serde(skip)]
    pub overwrite: bool,
    /// Whether a plan must not look at the server for this step.
    #[serde(skip)]
    pub skip_preview: bool,
}

/// How the statements of a step are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wrapping {
    /// One transaction around all of them.
    One,
    /// Each on its own.
    Each,
}

fn texts<S: serde::Serializer>(statements: &[Statement], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(statements.iter().map(|statement| &statement.text))
}

impl StepKind for Sql {
    const NAME: &'static str = "sql";
    const ABOUT: &'static str = "Runs SQL statements on a PostgreSQL connection.";
    const SHORT: Option<&'static str> = Some("query");
    type Spec = SqlSpec;
    type Input = SqlInput;
    type Output = SqlOutput;

    fn check(spec: &mut SqlSpec, cx: &mut CheckContext<'_>) {
        spec.check(cx);
    }

    fn classify(spec: &SqlSpec) -> Class {
        spec.class()
    }

    fn summary(spec: &SqlSpec) -> String {
        spec.summary()
    }

    fn needs(spec: &SqlSpec) -> Vec<Need> {
        vec![Need { kind: "postgres", name: spec.connection.clone() }]
    }

    fn leaves_nothing_to_undo(spec: &SqlSpec) -> bool {
        spec.statements().iter().all(|statement| matches!(statement.undo_note, UndoNature::Nothing(_)))
    }

    fn fields(_: &SqlSpec) -> &'static [&'static str] {
        output::FIELDS
    }

    fn bind(spec: &SqlSpec, binder: &Binder<'_>) -> Result<SqlInput, BindError> {
        spec.bind(binder)
    }

    fn classify_bound(input: &SqlInput) -> Class {
        input.statements.iter().fold(Class::default(), |class, statement| class.and(statement.class.clone()))
    }

    fn lines(input: &SqlInput) -> Vec<String> {
        let mut lines: Vec<String> =
            input.statements.iter().map(|statement| statement.text.clone()).collect();
        if !input.args.is_empty() {
            let args: Vec<String> = input
                .args
                .iter()
                .enumerate()
                .map(|(index, value)| format!("${} = {value}", index + 1))
                .collect();
            lines.push(format!("-- {}", args.join(", ")));
        }
        lines
    }

    fn locks(input: &SqlInput) -> Vec<String> {
        let locks = input.statements.iter().flat_map(|statement| &statement.locks);
        locks
            .filter(|lock| lock.mode > LockMode::RowExclusive)
            .map(|lock| format!("{} on {}: blocks {}", lock.mode.as_str(), lock.relation, lock.mode.blocks()))
            .collect()
    }

    fn template_lines(spec: &SqlSpec) -> Vec<String> {
        spec.query.iter().map(|query| query.source().trim_end().to_owned()).collect()
    }

    async fn preview(input: &SqlInput, cx: &ReadContext<'_>) -> Result<Preview, Failure> {
        preview::preview(input, cx).await
    }

    async fn run(input: &SqlInput, cx: &RunContext<'_>) -> Result<Done<SqlOutput>, StepError> {
        attempt::run(input, cx).await
    }

    async fn settle(input: &SqlInput, happened: &Happened<'_>, cx: &RunContext<'_>) -> Settled {
        Box::pin(settle::settle(input, happened, cx)).await
    }

    fn undo(took_effect: &TookEffect<'_>) -> Undo {
        undo::undo(took_effect)
    }
}
