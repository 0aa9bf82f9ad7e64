//! What can be known of a template without values: which variables it reads, and whether all its names exist.
//!
//! Never evaluates anything.

use std::ops::Range;

use minijinja::machinery::ast::{CallArg, Expr, Filter, ForLoop, Stmt, Test};

use crate::diagnostic::nearest;

use super::error::{Problem, TemplateError};
use super::filters::{self, aggregates};
use super::place;

/// The variables a scope may have; `now()` is the only other source of values.
pub const ROOTS: &[&str] = &["params", "vars", "steps", "connections", "env", "run", "item", "loop", "this"];

/// Roots that a `{% for %}` or `{% set %}` may use as a name of its own: its author means the nearest one.
const SHADOWABLE: &[&str] = &["item", "loop"];

/// The functions there are.
const FUNCTIONS: &[&str] = &["now", "range"];

/// One variable that a template reads: `steps.sessions.rows` has the root `steps` and the path `sessions`, `rows`.
///
/// A call of `now()` counts as reading the root `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// One of [`ROOTS`], or `now`.
    pub root: String,
    /// The names after it, as far as they are constant; an index or a computed name ends it.
    pub path: Vec<String>,
    /// Its bytes in the source, from the root to the last name of the path.
    pub range: Range<usize>,
    /// Whether its absence is provided for: it stands before `default(…)`, `is defined` or `is undefined`.
    pub guarded: bool,
}

/// Whether a filter accepts an undefined value.
pub(super) fn guards(filter: &str) -> bool {
    matches!(filter, "default" | "d")
}

/// Whether a test accepts an undefined value.
pub(super) fn is_guarding_test(test: &str) -> bool {
    matches!(test, "defined" | "undefined")
}

/// Collects what one source reads and what is wrong with it.
pub(super) struct Check<'s> {
    source: &'s str,
    reads: Vec<Read>,
    errors: Vec<TemplateError>,
    /// The names that blocks introduce, innermost last.
    locals: Vec<Vec<&'s str>>,
}

impl<'s> Check<'s> {
    /// Checks a whole text.
    pub(super) fn statement(source: &'s str, stmt: &Stmt<'s>) -> Result<Vec<Read>, Vec<TemplateError>> {
        let mut check = Self::new(source);
        check.stmt(stmt);
        check.finish()
    }

    /// Checks a bare expression.
    pub(super) fn expression(source: &'s str, expr: &Expr<'s>) -> Result<Vec<Read>, Vec<TemplateError>> {
        let mut check = Self::new(source);
        check.expr(expr, false);
        check.finish()
    }

    fn new(source: &'s str) -> Self {
        Self { source, reads: Vec::new(), errors: Vec::new(), locals: vec![Vec::new()] }
    }

    fn finish(self) -> Result<Vec<Read>, Vec<TemplateError>> {
        if self.errors.is_empty() { Ok(self.reads) } else { Err(self.errors) }
    }

    fn stmt(&mut self, stmt: &Stmt<'s>) {
        match stmt {
            Stmt::Template(node) => self.body(&node.children),
            Stmt::EmitExpr(node) => self.expr(&node.expr, false),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(node) => self.for_loop(node, place::raw(node.span())),
            Stmt::IfCond(node) => {
                self.expr(&node.expr, false);
                self.body(&node.true_body);
                self.body(&node.false_body);
            }
            Stmt::WithBlock(node) => {
                self.locals.push(Vec::new());
                for (target, value) in &node.assignments {
                    self.expr(value, false);
                    self.assign(target);
                }
                self.body(&node.body);
                self.locals.pop();
            }
            Stmt::Set(node) => {
                self.expr(&node.expr, false);
                self.assign(&node.target);
            }
            Stmt::SetBlock(node) if node.filter.is_none() => {
                self.body(&node.body);
                self.assign(&node.target);
            }
            other => self.refuse(other),
        }
    }

    fn body(&mut self, body: &[Stmt<'s>]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn for_loop(&mut self, node: &ForLoop<'s>, range: Range<usize>) {
        if node.recursive {
            self.report(Problem::Syntax, range, "`recursive` is not part of the language".to_owned(), None);
        }
        self.expr(&node.iter, false);
        self.locals.push(vec!["loop"]);
        self.assign(&node.target);
        if let Some(test) = &node.filter_expr {
            self.expr(test, false);
        }
        self.body(&node.body);
        self.locals.pop();
        self.body(&node.else_body);
    }

    fn refuse(&mut self, stmt: &Stmt<'s>) {
        let (word, span) = match stmt {
            Stmt::AutoEscape(node) => ("autoescape", node.span()),
            Stmt::FilterBlock(node) => ("filter", node.span()),
            Stmt::SetBlock(node) => ("set … |", node.span()),
            Stmt::Block(node) => ("block", node.span()),
            Stmt::Import(node) => ("import", node.span()),
            Stmt::FromImport(node) => ("from", node.span()),
            Stmt::Extends(node) => ("extends", node.span()),
            Stmt::Include(node) => ("include", node.span()),
            Stmt::Macro(node) => ("macro", node.span()),
            Stmt::CallBlock(node) => ("call", node.span()),
            Stmt::Do(node) => ("do", node.span()),
            _ => return,
        };
        let help = "The blocks there are: `if`, `for`, `set` and `with`.".to_owned();
        self.report(
            Problem::Syntax,
            place::raw(span),
            format!("`{word}` is not part of the language"),
            Some(help),
        );
    }

    fn assign(&mut self, target: &Expr<'s>) {
        match target {
            Expr::List(node) => node.items.iter().for_each(|item| self.assign(item)),
            Expr::Var(node) if is_free(node.id) => {
                if let Some(frame) = self.locals.last_mut() {
                    frame.push(node.id);
                }
            }
            other => {
                let range = place::raw(other.span());
                let message = format!("`{}` cannot be assigned to", &self.source[range.clone()]);
                let help = "Choose a name that is not one of the language.".to_owned();
                self.report(Problem::Syntax, range, message, Some(help));
            }
        }
    }

    fn expr(&mut self, expr: &Expr<'s>, guarded: bool) {
        match expr {
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.chain(expr, guarded),
            Expr::Const(_) => {}
            Expr::Slice(node) => {
                self.expr(&node.expr, false);
                node.start.iter().chain(&node.stop).for_each(|bound| self.expr(bound, false));
                if let Some(step) = &node.step {
                    let range = place::range(self.source, step);
                    self.report(Problem::Syntax, range, "a slice takes no step".to_owned(), None);
                }
            }
            Expr::UnaryOp(node) => self.expr(&node.expr, false),
            Expr::BinOp(node) => {
                self.expr(&node.left, false);
                self.expr(&node.right, false);
            }
            Expr::Compare(node) => {
                self.expr(&node.expr, false);
                node.ops.iter().for_each(|op| self.expr(&op.expr, false));
            }
            Expr::IfExpr(node) => {
                self.expr(&node.true_expr, false);
                self.expr(&node.test_expr, false);
                match &node.false_expr {
                    Some(other) => self.expr(other, false),
                    None => self.report_if_without_else(expr),
                }
            }
            Expr::Filter(node) => self.filter(node, place::raw(node.span()), guarded),
            Expr::Test(node) => self.test(node, expr),
            Expr::Call(node) => self.call(&node.expr, &node.args, expr),
            Expr::List(node) => node.items.iter().for_each(|item| self.expr(item, false)),
            Expr::Tuple(node) => node.items.iter().for_each(|item| self.expr(item, false)),
            Expr::Map(node) => node.keys.iter().chain(&node.values).for_each(|part| self.expr(part, false)),
        }
    }

    fn report_if_without_else(&mut self, expr: &Expr<'s>) {
        let range = place::range(self.source, expr);
        let help = "Say what it gives otherwise: `a if b else ''`.".to_owned();
        self.report(
            Problem::Syntax,
            range,
            "an `if` within an expression needs an `else`".to_owned(),
            Some(help),
        );
    }

    /// A variable with the names and indexes after it.
    fn chain(&mut self, expr: &Expr<'s>, guarded: bool) {
        let mut path = Path::default();
        self.links(expr, guarded, &mut path);
        let Some(root) = path.root else { return };
        if self.locals.iter().flatten().any(|name| *name == root) {
            return;
        }
        let range = path.range;
        if !ROOTS.contains(&root) {
            return self.report_unknown_root(root, range.start..range.start + root.len());
        }
        let needed = match root {
            "steps" => 2,
            "params" => 1,
            _ => 0,
        };
        if path.names.len() < needed {
            return self.report_dynamic(root, place::range(self.source, expr));
        }
        self.reads.push(Read { root: root.to_owned(), path: path.names, range, guarded });
    }

    /// Walks from the root outwards; the path ends at the first part that is not a constant name.
    fn links(&mut self, expr: &Expr<'s>, guarded: bool, path: &mut Path<'s>) {
        let end = place::raw(expr.span()).end;
        match expr {
            Expr::Var(node) => {
                path.root = Some(node.id);
                path.range = place::raw(node.span());
            }
            Expr::GetAttr(node) => {
                self.links(&node.expr, guarded, path);
                path.push(node.name, end);
            }
            Expr::GetItem(node) => {
                self.links(&node.expr, guarded, path);
                match &node.subscript_expr {
                    Expr::Const(key) if key.value.as_str().is_some() => {
                        path.push(key.value.as_str().unwrap_or_default(), end);
                    }
                    key => {
                        path.ended = true;
                        self.expr(key, false);
                    }
                }
            }
            other => self.expr(other, guarded),
        }
    }

    fn filter(&mut self, node: &Filter<'s>, range: Range<usize>, guarded: bool) {
        if let Some(input) = &node.expr {
            self.expr(input, guards(node.name) || (guarded && aggregates(node.name)));
        }
        self.args(&node.args);
        self.filter_name(node.name, range.start..range.start + node.name.len());
        self.names_in_arguments(node);
    }

    fn filter_name(&mut self, name: &str, range: Range<usize>) {
        if !filters::names().any(|known| known == name) {
            let help = nearest(name, filters::names()).map_or_else(
                || "Choose a filter of the language, such as `size`, `duration`, `join` or `map`.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            );
            self.report(Problem::UnknownFilter, range, format!("there is no filter `{name}`"), Some(help));
        }
    }

    fn test_name(&mut self, name: &str, range: Range<usize>) {
        if !filters::TESTS.contains(&name) {
            let help = nearest(name, filters::TESTS.iter().copied()).map_or_else(
                || "Choose a test of the language, such as `defined` or `none`.".to_owned(),
                |near| format!("Did you mean `{near}`?"),
            );
            self.report(Problem::UnknownFilter, range, format!("there is no test `{name}`"), Some(help));
        }
    }

    /// `map('upper')` and `selectattr('n', 'gt', 1)` name filters and tests in their arguments.
    fn names_in_arguments(&mut self, node: &Filter<'s>) {
        let at = match node.name {
            "map" | "select" | "reject" => 0,
            "selectattr" | "rejectattr" => 1,
            _ => return,
        };
        let Some(CallArg::Pos(Expr::Const(argument))) = node.args.get(at) else { return };
        let Some(name) = argument.value.as_str().map(str::to_owned) else { return };
        let range = place::raw(argument.span());
        if node.name == "map" { self.filter_name(&name, range) } else { self.test_name(&name, range) }
    }

    fn test(&mut self, node: &Test<'s>, expr: &Expr<'s>) {
        self.expr(&node.expr, is_guarding_test(node.name));
        self.args(&node.args);
        let start = match expr {
            Expr::Test(spanned) => place::raw(spanned.span()).start,
            _ => 0,
        };
        self.test_name(node.name, start..start + node.name.len());
    }

    fn call(&mut self, function: &Expr<'s>, args: &[CallArg<'s>], call: &Expr<'s>) {
        let range = place::range(self.source, call);
        self.args(args);
        match function {
            Expr::Var(node) if node.id == "now" && args.is_empty() => {
                self.reads.push(Read { root: "now".to_owned(), path: Vec::new(), range, guarded: false });
            }
            Expr::Var(node) if node.id == "now" => {
                self.report(Problem::UnknownFunction, range, "`now()` takes no arguments".to_owned(), None);
            }
            Expr::Var(node) if FUNCTIONS.contains(&node.id) => {}
            Expr::Var(node) => {
                let near = nearest(node.id, FUNCTIONS.iter().copied())
                    .map(|near| format!("Did you mean `{near}()`?"));
                let help = near.unwrap_or_else(|| format!("Filters are written `x | {}`.", node.id));
                let place = place::raw(node.span());
                self.report(
                    Problem::UnknownFunction,
                    place,
                    format!("there is no function `{}`", node.id),
                    Some(help),
                );
            }
            other => {
                self.expr(other, false);
                let help = "Use a filter: `x | upper`, `x | items`.".to_owned();
                self.report(
                    Problem::UnknownFunction,
                    range,
                    "values have no functions".to_owned(),
                    Some(help),
                );
            }
        }
    }

    fn args(&mut self, args: &[CallArg<'s>]) {
        for arg in args {
            match arg {
                CallArg::Pos(value) | CallArg::Kwarg(_, value) => self.expr(value, false),
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                    let range = place::range(self.source, value);
                    let message = "`*` before an argument is not part of the language".to_owned();
                    self.report(Problem::Syntax, range, message, None);
                }
            }
        }
    }

    fn report_unknown_root(&mut self, root: &str, range: Range<usize>) {
        let help = if FUNCTIONS.contains(&root) {
            format!("Call it: `{root}()`.")
        } else if let Some(near) = nearest(root, ROOTS.iter().copied()) {
            format!("Did you mean `{near}`?")
        } else {
            format!("If it is a parameter, write `params.{root}`; if a variable, `vars.{root}`.")
        };
        self.report(Problem::UnknownRoot, range, format!("there is no variable `{root}`"), Some(help));
    }

    fn report_dynamic(&mut self, root: &str, range: Range<usize>) {
        let form = if root == "steps" { "steps.<id>.<field>" } else { "params.<name>" };
        let message = format!("`{root}` is read only as `{form}`");
        let help = "Write the names out, so that everything that is read can be seen before anything runs.";
        self.report(Problem::DynamicRoot, range, message, Some(help.to_owned()));
    }

    fn report(&mut self, problem: Problem, range: Range<usize>, message: String, help: Option<String>) {
        self.errors.push(TemplateError { message, range: Some(range), help, problem });
    }
}

/// The constant beginning of a chain.
#[derive(Default)]
struct Path<'s> {
    root: Option<&'s str>,
    names: Vec<String>,
    range: Range<usize>,
    ended: bool,
}

impl Path<'_> {
    fn push(&mut self, name: &str, end: usize) {
        if self.root.is_some() && !self.ended {
            self.names.push(name.to_owned());
            self.range.end = end;
        }
    }
}

fn is_free(name: &str) -> bool {
    let ours = ROOTS.contains(&name) && !SHADOWABLE.contains(&name);
    !ours && !FUNCTIONS.contains(&name) && !name.starts_with("__")
}
