//! [`Expression`]: a bare expression, as in `when` and `that`.

use std::sync::Arc;

use minijinja::machinery::ast::{BinOpKind, Expr};
use serde_json::Value as Json;

use super::check::{Check, Read};
use super::error::TemplateError;
use super::operators::not_a_boolean;
use super::scope::Scope;
use super::text::json_of;
use super::value::from_json;
use super::{place, syntax};

/// A checked expression without braces. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Box<str>,
    reads: Vec<Read>,
}

impl Expression {
    /// The expression `true`.
    pub fn truth() -> Self {
        Self { inner: Arc::new(Inner { source: "true".into(), reads: Vec::new() }) }
    }

    /// Parses and checks an expression; every problem is reported.
    pub fn parse(source: &str) -> Result<Self, Vec<TemplateError>> {
        let expr = syntax::expression(source).map_err(|error| vec![error])?;
        let reads = Check::expression(source, &expr)?;
        Ok(Self { inner: Arc::new(Inner { source: source.into(), reads }) })
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The variables it reads, in the order they stand in it.
    pub fn reads(&self) -> &[Read] {
        &self.inner.reads
    }

    /// The value.
    pub fn eval(&self, scope: &Scope) -> Result<Json, TemplateError> {
        json_of(self.source(), &syntax::expression(self.source())?, scope)
    }

    /// The value of a condition; anything but a boolean is an error that names its type.
    pub fn eval_bool(&self, scope: &Scope) -> Result<bool, TemplateError> {
        match self.eval(scope)? {
            Json::Bool(value) => Ok(value),
            other => {
                let end = self.source().trim_end().len();
                let start = self.source().len() - self.source().trim_start().len();
                Err(not_a_boolean(&from_json(&other)).at(self.source(), start..end))
            }
        }
    }

    /// What was compared, and its value, for the message of a condition that does not hold: the operands of each
    /// comparison, then what those are computed from. Parts without a value are left out.
    pub fn operands(&self, scope: &Scope) -> Vec<(String, Json)> {
        let Ok(expr) = syntax::expression(self.source()) else { return Vec::new() };
        let mut parts = Vec::new();
        decisive(&expr, &mut parts);
        let mut found: Vec<(String, Json)> = Vec::new();
        for part in parts {
            let text = self.source()[place::range(self.source(), part)].to_owned();
            if found.iter().all(|(known, _)| *known != text)
                && let Ok(value) = json_of(self.source(), part, scope)
            {
                found.push((text, value));
            }
        }
        found
    }
}

/// Walks through what combines conditions, down to what they are made of.
fn decisive<'t, 's>(expr: &'t Expr<'s>, parts: &mut Vec<&'t Expr<'s>>) {
    match expr {
        Expr::UnaryOp(node) => decisive(&node.expr, parts),
        Expr::BinOp(node) if matches!(node.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
            decisive(&node.left, parts);
            decisive(&node.right, parts);
        }
        Expr::BinOp(node) => [&node.left, &node.right].into_iter().for_each(|side| operand(side, parts)),
        Expr::Compare(node) => {
            operand(&node.expr, parts);
            node.ops.iter().for_each(|op| operand(&op.expr, parts));
        }
        Expr::IfExpr(node) => {
            decisive(&node.test_expr, parts);
            decisive(&node.true_expr, parts);
            node.false_expr.iter().for_each(|other| decisive(other, parts));
        }
        Expr::Test(node) => operand(&node.expr, parts),
        other => operand(other, parts),
    }
}

/// An operand, and if it is computed from several, those too.
fn operand<'t, 's>(expr: &'t Expr<'s>, parts: &mut Vec<&'t Expr<'s>>) {
    match expr {
        Expr::Const(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {}
        Expr::BinOp(node) => {
            if !matches!((&node.left, &node.right), (Expr::Const(_), Expr::Const(_))) {
                parts.push(expr);
            }
            operand(&node.left, parts);
            operand(&node.right, parts);
        }
        other => parts.push(other),
    }
}
