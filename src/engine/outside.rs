//! [`Outside`]: who does what the steps ask for. A run has the systems themselves, a trial what its author wrote.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::connect::postgres::ResultLimits;
use crate::connect::{Purpose, SessionKey};
use crate::model::Failure;
use crate::runbook::Step;
use crate::step::{Done, Happened, Input, RunContext, Settled, StepError};

/// What lies beyond the engine.
pub trait Outside: Send + Sync {
    /// Does what a step is for, once.
    fn run<'a>(
        &'a self,
        step: &'a Step,
        input: &'a dyn Input,
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Done<Value>, StepError>>;

    /// Finds out what became of an attempt without an answer.
    fn settle<'a>(
        &'a self,
        input: &'a dyn Input,
        happened: &'a Happened<'a>,
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Settled>;

    /// The rows that the side question of a step brings: its `verify` or its `abort_when`.
    fn ask<'a>(
        &'a self,
        connection: &'a str,
        statements: &'a [String],
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Vec<Value>, Failure>>;
}

/// The databases, clusters and hosts that the environment names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Systems;

impl Outside for Systems {
    fn run<'a>(
        &'a self,
        _: &'a Step,
        input: &'a dyn Input,
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Done<Value>, StepError>> {
        input.run(cx)
    }

    fn settle<'a>(
        &'a self,
        input: &'a dyn Input,
        happened: &'a Happened<'a>,
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Settled> {
        input.settle(happened, cx)
    }

    fn ask<'a>(
        &'a self,
        connection: &'a str,
        statements: &'a [String],
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Vec<Value>, Failure>> {
        ask(connection, statements, cx).boxed()
    }
}

/// Asks the server on a read-only session of its own.
async fn ask(connection: &str, statements: &[String], cx: &RunContext<'_>) -> Result<Vec<Value>, Failure> {
    let key = SessionKey::of(connection, Purpose::Asking);
    let mut lent = cx.connections.lend(&key, None, "runbook:check").await?;
    let mut rows = Vec::new();
    for statement in statements {
        let result = lent.query(statement, &ResultLimits::default()).await;
        let result = result.map_err(|error| Failure::new(error.to_string()))?;
        let names = || result.columns.iter().map(|column| column.name.clone());
        rows = result.rows.into_iter().map(|row| names().zip(row).collect()).collect();
    }
    cx.connections.give_back(lent);
    Ok(rows)
}
