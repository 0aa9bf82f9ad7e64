//! What a plan can learn about a `sql` step from the server without running it.

use serde_json::Value;

use super::SqlInput;
use super::error::server_failure;
use crate::connect::postgres::{QueryError, ResultLimits, StatementResult};
use crate::connect::{LentSession, Purpose, SessionKey};
use crate::model::{Effect, Failure};
use crate::sql::Statement;
use crate::step::context::ReadContext;
use crate::step::kind::Preview;

/// Settings of every look: the server itself refuses to write, to wait, or to take long.
const GUARDS: &[&str] =
    &["BEGIN READ ONLY", "SELECT 1", "SET LOCAL statement_timeout = '5s'", "SET LOCAL lock_timeout = '1s'"];

/// Asks the server to parse and estimate every statement that can be explained.
pub(super) async fn preview(input: &SqlInput, cx: &ReadContext<'_>) -> Result<Preview, Failure> {
    let mut preview = Preview::default();
    if input.skip_preview || input.login.is_some() {
        return Ok(preview);
    }
    let key = SessionKey {
        database: input.database.clone(),
        ..SessionKey::of(&input.connection, Purpose::Planning)
    };
    let mut lent = cx.connections.lend(&key, None, "runbook:plan").await?;
    for statement in explainable(&input.statements) {
        match explain(&mut lent, input, &statement.text).await {
            Ok(result) => preview.estimate(&result),
            Err(error) => match error.server() {
                Some(server) => preview.blockers.push(server_failure(server, &statement.text).message),
                None => return Err(Failure::new(error.to_string())),
            },
        }
    }
    cx.connections.give_back(lent);
    Ok(preview)
}

/// A statement that stands behind one that changes something may need what that one makes, so it cannot be judged yet.
fn explainable(statements: &[Statement]) -> impl Iterator<Item = &Statement> {
    let reads = statements.iter().take_while(|statement| statement.class.effect == Effect::Read).count();
    statements.iter().take(reads + 1).filter(|statement| statement.prepared)
}

async fn explain(
    lent: &mut LentSession,
    input: &SqlInput,
    statement: &str,
) -> Result<StatementResult, QueryError> {
    let ahead: Vec<String> = GUARDS
        .iter()
        .map(|guard| (*guard).to_owned())
        .chain(input.settings.iter().map(|(name, value)| format!("SET LOCAL {name} = {value}")))
        .chain(input.role.iter().filter_map(|role| {
            crate::sql::quote_ident(role).ok().map(|role| format!("SET LOCAL ROLE {role}"))
        }))
        .collect();
    let limits = ResultLimits::default();
    let result = lent.session.explain(&ahead, statement, &input.args, &limits).await;
    let closed = lent.session.run("ROLLBACK", &limits).await;
    let result = result?;
    closed.map(|_| result)
}

impl Preview {
    fn estimate(&mut self, result: &StatementResult) {
        let Some(plan) = result.rows.first().and_then(|row| row.first()).and_then(root_plan) else { return };
        let number = |key: &str| plan.get(key).and_then(Value::as_f64);
        // The top of a changing plan estimates the rows it returns, which is none; its child the rows it changes.
        let node =
            plan.pointer("/Plans/0").filter(|_| plan.get("Node Type") == Some(&Value::from("ModifyTable")));
        let rows =
            node.map_or_else(|| number("Plan Rows"), |child| child.get("Plan Rows").and_then(Value::as_f64));
        if let Some(rows) = rows {
            self.facts.push(format!("about {rows} rows, by the server's estimate"));
        }
        self.cost = self.cost.max(number("Total Cost").unwrap_or(0.0));
    }
}

fn root_plan(cell: &Value) -> Option<&Value> {
    cell.pointer("/0/Plan")
}
