//! Compiles a rewritten syntax tree and runs it.
//!
//! Nothing compiled is kept: compiling a scalar costs about as much as looking it up would, and minijinja's
//! instructions borrow their source.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{Expr, Stmt};
use minijinja::machinery::{CodeGenerator, eval, make_string_output};
use minijinja::{AutoEscape, Environment, Error, Value};

use super::desugar::Desugar;
use super::environment::ENVIRONMENT;
use super::error::{Problem, TemplateError};
use super::scope::Scope;

/// The value of an expression that was parsed from `source`.
pub(super) fn value_of(source: &str, expr: &Expr<'_>, scope: &Scope) -> Result<Value, TemplateError> {
    let expr = Desugar::new(source).expr(expr);
    let mut generator = CodeGenerator::new("", source);
    generator.compile_expr(&expr);
    let (value, _) = run(source, generator, scope)?;
    value
        .ok_or_else(|| TemplateError::new(Problem::Undefined, 0..source.len(), "the expression has no value"))
}

/// The text of a template that was parsed from `source`.
pub(super) fn text_of(source: &str, stmt: &Stmt<'_>, scope: &Scope) -> Result<String, TemplateError> {
    let stmt = Desugar::new(source).statement(stmt);
    let mut generator = CodeGenerator::new("", source);
    generator.compile_stmt(&stmt);
    run(source, generator, scope).map(|(_, text)| text)
}

fn run<'s>(
    source: &'s str,
    generator: CodeGenerator<'s>,
    scope: &Scope,
) -> Result<(Option<Value>, String), TemplateError> {
    let (instructions, blocks) = generator.finish();
    let environment: &Environment<'s> = &ENVIRONMENT;
    let mut text = String::new();
    let found = execute(environment, &instructions, &blocks, scope, &mut text);
    found.map(|value| (value, text)).map_err(|error| TemplateError::from_machine(source, &error))
}

fn execute<'env>(
    environment: &'env Environment<'env>,
    instructions: &minijinja::machinery::Instructions<'env>,
    blocks: &BTreeMap<&'env str, minijinja::machinery::Instructions<'env>>,
    scope: &Scope,
    text: &mut String,
) -> Result<Option<Value>, Error> {
    let mut output = make_string_output(text);
    eval(environment, instructions, scope.to_root(), blocks, &mut output, AutoEscape::None)
        .map(|(value, _)| value)
}
