//! Rewrites the author's syntax tree so that minijinja's machine follows our stricter rules.
//!
//! `a < b` becomes a call of an internal filter, conditions are checked to be booleans, and every variable is checked
//! to be defined where it is read. Generated nodes keep the author's places, so an error of the machine is an error in
//! the author's text. Expects a tree that `check` accepted; anything else is passed on and fails in the machine.

use std::ops::Range;

use minijinja::Value;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, Compare, CompareOpKind, Const, EmitExpr, EmitRaw, Expr, Filter, ForLoop,
    GetAttr, GetItem, IfCond, IfExpr, List, Map, Set, SetBlock, Slice, Spanned, Stmt, Template, Test,
    UnaryOp, UnaryOpKind, Var, WithBlock,
};

use super::check::{guards, is_guarding_test};
use super::filters::aggregates;
use super::operators::name;
use super::place;
use super::scope::NOW;

/// Rewrites the trees of one source.
pub(super) struct Desugar<'s> {
    source: &'s str,
}

impl<'s> Desugar<'s> {
    /// A rewriter for trees parsed from `source`.
    pub(super) fn new(source: &'s str) -> Self {
        Self { source }
    }

    /// Rewrites a whole text, or one of its blocks.
    pub(super) fn statement(&self, stmt: &Stmt<'s>) -> Stmt<'s> {
        match stmt {
            Stmt::Template(node) => {
                let children = self.body(&node.children);
                Stmt::Template(spanned(Template { children }, &place::raw(node.span())))
            }
            Stmt::EmitExpr(node) => {
                let expr = self.expr(&node.expr);
                Stmt::EmitExpr(spanned(EmitExpr { expr }, &place::raw(node.span())))
            }
            Stmt::EmitRaw(node) => {
                Stmt::EmitRaw(spanned(EmitRaw { raw: node.raw }, &place::raw(node.span())))
            }
            Stmt::ForLoop(node) => Stmt::ForLoop(spanned(self.for_loop(node), &place::raw(node.span()))),
            Stmt::IfCond(node) => Stmt::IfCond(spanned(self.if_cond(node), &place::raw(node.span()))),
            Stmt::WithBlock(node) => {
                Stmt::WithBlock(spanned(self.with_block(node), &place::raw(node.span())))
            }
            Stmt::Set(node) => {
                let set = Set { target: target(&node.target), expr: self.expr(&node.expr) };
                Stmt::Set(spanned(set, &place::raw(node.span())))
            }
            Stmt::SetBlock(node) => {
                let set =
                    SetBlock { target: target(&node.target), filter: None, body: self.body(&node.body) };
                Stmt::SetBlock(spanned(set, &place::raw(node.span())))
            }
            // `check` refuses every other block.
            _ => Stmt::EmitRaw(spanned(EmitRaw { raw: "" }, &(0..0))),
        }
    }

    fn body(&self, body: &[Stmt<'s>]) -> Vec<Stmt<'s>> {
        body.iter().map(|stmt| self.statement(stmt)).collect()
    }

    fn for_loop(&self, node: &ForLoop<'s>) -> ForLoop<'s> {
        ForLoop {
            target: target(&node.target),
            iter: self.wrap(name::ITERATE, &node.iter),
            filter_expr: node.filter_expr.as_ref().map(|test| self.truth(test)),
            recursive: false,
            body: self.body(&node.body),
            else_body: self.body(&node.else_body),
        }
    }

    fn if_cond(&self, node: &IfCond<'s>) -> IfCond<'s> {
        IfCond {
            expr: self.truth(&node.expr),
            true_body: self.body(&node.true_body),
            false_body: self.body(&node.false_body),
        }
    }

    fn with_block(&self, node: &WithBlock<'s>) -> WithBlock<'s> {
        let assignments =
            node.assignments.iter().map(|(name, value)| (target(name), self.expr(value))).collect();
        WithBlock { assignments, body: self.body(&node.body) }
    }

    /// Rewrites an expression whose value must be defined.
    pub(super) fn expr(&self, expr: &Expr<'s>) -> Expr<'s> {
        let range = self.range(expr);
        match expr {
            Expr::Var(node) => filter(name::DEFINED, variable(node.id, &range), vec![], &range),
            Expr::Const(node) => constant(node.value.clone(), &range),
            Expr::GetAttr(node) => attr(name::ATTR, node, self.expr(&node.expr), &range),
            Expr::GetItem(node) => self.item(name::ITEM, node, self.expr(&node.expr), &range),
            Expr::Slice(node) => self.slice(node, &range),
            Expr::UnaryOp(node) => self.unary(node, &range),
            Expr::BinOp(node) => self.binary(node, &range),
            Expr::Compare(node) => self.compare(node, &range),
            Expr::IfExpr(node) => self.if_expr(node, &range),
            Expr::Filter(node) => self.filter(node, &range),
            Expr::Test(node) => self.test(node, &range),
            Expr::Call(node) => self.call(node, &range),
            Expr::List(node) => self.list(&node.items, &range),
            Expr::Tuple(node) => self.list(&node.items, &range),
            Expr::Map(node) => self.map(node, &range),
        }
    }

    /// Rewrites an expression that may be undefined, because `default` or `is defined` stands behind it.
    fn guarded(&self, expr: &Expr<'s>) -> Expr<'s> {
        let range = self.range(expr);
        match expr {
            Expr::Var(node) => variable(node.id, &range),
            Expr::GetAttr(node) => attr(name::TRY_ATTR, node, self.guarded(&node.expr), &range),
            Expr::GetItem(node) => self.item(name::TRY_ITEM, node, self.guarded(&node.expr), &range),
            Expr::Filter(node) if aggregates(node.name) => {
                self.plain_filter(node, node.expr.as_ref().map(|input| self.guarded(input)))
            }
            other => self.expr(other),
        }
    }

    /// Rewrites a condition: what is not a boolean by its form is checked to be one.
    fn truth(&self, expr: &Expr<'s>) -> Expr<'s> {
        let certain = match expr {
            Expr::Test(_) | Expr::Compare(_) => true,
            Expr::UnaryOp(node) => matches!(node.op, UnaryOpKind::Not),
            Expr::BinOp(node) => operator(node.op).is_none_or(|(_, gives_boolean)| gives_boolean),
            _ => false,
        };
        if certain { self.expr(expr) } else { self.wrap(name::TRUTH, expr) }
    }

    fn wrap(&self, filter_name: &'static str, expr: &Expr<'s>) -> Expr<'s> {
        filter(filter_name, self.expr(expr), vec![], &self.range(expr))
    }

    fn item(
        &self,
        filter_name: &'static str,
        node: &GetItem<'s>,
        inner: Expr<'s>,
        range: &Range<usize>,
    ) -> Expr<'s> {
        filter(filter_name, inner, vec![CallArg::Pos(self.expr(&node.subscript_expr))], range)
    }

    fn slice(&self, node: &Slice<'s>, range: &Range<usize>) -> Expr<'s> {
        let bound = |bound: &Option<Expr<'s>>| match bound {
            Some(bound) => CallArg::Pos(self.expr(bound)),
            None => CallArg::Pos(constant(Value::from(()), range)),
        };
        filter(name::SLICE, self.expr(&node.expr), vec![bound(&node.start), bound(&node.stop)], range)
    }

    fn unary(&self, node: &UnaryOp<'s>, range: &Range<usize>) -> Expr<'s> {
        match node.op {
            UnaryOpKind::Not => {
                let not = UnaryOp { op: UnaryOpKind::Not, expr: self.truth(&node.expr) };
                Expr::UnaryOp(spanned(not, range))
            }
            UnaryOpKind::Neg => filter(name::NEGATE, self.expr(&node.expr), vec![], range),
        }
    }

    fn binary(&self, node: &BinOp<'s>, range: &Range<usize>) -> Expr<'s> {
        if let Some((filter_name, _)) = operator(node.op) {
            return filter(
                filter_name,
                self.expr(&node.left),
                vec![CallArg::Pos(self.expr(&node.right))],
                range,
            );
        }
        let node = BinOp { op: node.op, left: self.truth(&node.left), right: self.truth(&node.right) };
        Expr::BinOp(spanned(node, range))
    }

    /// `a < b <= c` becomes one call: turning it into `a < b and b <= c` would double `b` at every level.
    fn compare(&self, node: &Compare<'s>, range: &Range<usize>) -> Expr<'s> {
        let words = node.ops.iter().map(|op| comparison(op.op)).collect::<Vec<_>>().join(",");
        let mut args = vec![CallArg::Pos(constant(Value::from(words), range))];
        args.extend(node.ops.iter().map(|op| CallArg::Pos(self.expr(&op.expr))));
        filter(name::CHAIN, self.expr(&node.expr), args, range)
    }

    fn if_expr(&self, node: &IfExpr<'s>, range: &Range<usize>) -> Expr<'s> {
        let node = IfExpr {
            test_expr: self.truth(&node.test_expr),
            true_expr: self.expr(&node.true_expr),
            false_expr: node.false_expr.as_ref().map(|other| self.expr(other)),
        };
        Expr::IfExpr(spanned(node, range))
    }

    fn filter(&self, node: &Spanned<Filter<'s>>, range: &Range<usize>) -> Expr<'s> {
        let input = node
            .expr
            .as_ref()
            .map(|input| if guards(node.name) { self.guarded(input) } else { self.expr(input) });
        let applied = self.plain_filter(node, input);
        if aggregates(node.name) { filter(name::FOUND, applied, vec![], range) } else { applied }
    }

    fn plain_filter(&self, node: &Spanned<Filter<'s>>, input: Option<Expr<'s>>) -> Expr<'s> {
        let node_range = place::raw(node.span());
        Expr::Filter(spanned(
            Filter { name: node.name, expr: input, args: self.args(&node.args) },
            &node_range,
        ))
    }

    fn test(&self, node: &Test<'s>, range: &Range<usize>) -> Expr<'s> {
        let expr = if is_guarding_test(node.name) { self.guarded(&node.expr) } else { self.expr(&node.expr) };
        Expr::Test(spanned(Test { name: node.name, expr, args: self.args(&node.args) }, range))
    }

    fn call(&self, node: &Call<'s>, range: &Range<usize>) -> Expr<'s> {
        match &node.expr {
            Expr::Var(function) if function.id == "now" => {
                filter(name::DEFINED, variable(NOW, range), vec![], range)
            }
            Expr::Var(function) => {
                let call = Call { expr: variable(function.id, range), args: self.args(&node.args) };
                Expr::Call(spanned(call, range))
            }
            other => self.expr(other),
        }
    }

    fn args(&self, args: &[CallArg<'s>]) -> Vec<CallArg<'s>> {
        let rewrite = |arg: &CallArg<'s>| match arg {
            CallArg::Kwarg(name, value) => CallArg::Kwarg(name, self.expr(value)),
            CallArg::Pos(value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                CallArg::Pos(self.expr(value))
            }
        };
        args.iter().map(rewrite).collect()
    }

    /// Tuples become lists: JSON has no others.
    fn list(&self, items: &[Expr<'s>], range: &Range<usize>) -> Expr<'s> {
        Expr::List(spanned(List { items: items.iter().map(|item| self.expr(item)).collect() }, range))
    }

    fn map(&self, node: &Map<'s>, range: &Range<usize>) -> Expr<'s> {
        let all = |exprs: &[Expr<'s>]| exprs.iter().map(|expr| self.expr(expr)).collect();
        Expr::Map(spanned(Map { keys: all(&node.keys), values: all(&node.values) }, range))
    }

    fn range(&self, expr: &Expr<'s>) -> Range<usize> {
        place::range(self.source, expr)
    }
}

/// The internal filter that stands for an operator, and whether it gives a boolean; none for `and` and `or`.
fn operator(op: BinOpKind) -> Option<(&'static str, bool)> {
    Some(match op {
        BinOpKind::Eq => (name::EQ, true),
        BinOpKind::Ne => (name::NE, true),
        BinOpKind::Lt => (name::LT, true),
        BinOpKind::Lte => (name::LE, true),
        BinOpKind::Gt => (name::GT, true),
        BinOpKind::Gte => (name::GE, true),
        BinOpKind::In => (name::IN, true),
        BinOpKind::Add => (name::ADD, false),
        BinOpKind::Sub => (name::SUBTRACT, false),
        BinOpKind::Mul => (name::MULTIPLY, false),
        BinOpKind::Div => (name::DIVIDE, false),
        BinOpKind::FloorDiv => (name::FLOOR_DIVIDE, false),
        BinOpKind::Rem => (name::REMAINDER, false),
        BinOpKind::Pow => (name::POWER, false),
        BinOpKind::Concat => (name::CONCAT, false),
        BinOpKind::ScAnd | BinOpKind::ScOr => return None,
    })
}

fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}

fn spanned<T>(node: T, range: &Range<usize>) -> Spanned<T> {
    Spanned::new(node, place::span(range))
}

fn variable<'s>(id: &'s str, range: &Range<usize>) -> Expr<'s> {
    Expr::Var(spanned(Var { id }, range))
}

fn constant<'s>(value: Value, range: &Range<usize>) -> Expr<'s> {
    Expr::Const(spanned(Const { value }, range))
}

fn filter<'s>(name: &'s str, input: Expr<'s>, args: Vec<CallArg<'s>>, range: &Range<usize>) -> Expr<'s> {
    Expr::Filter(spanned(Filter { name, expr: Some(input), args }, range))
}

fn attr<'s>(name: &'s str, node: &GetAttr<'s>, inner: Expr<'s>, range: &Range<usize>) -> Expr<'s> {
    filter(name, inner, vec![CallArg::Pos(constant(Value::from(node.name), range))], range)
}

/// What is assigned to: names, possibly in a list; never evaluated.
fn target<'s>(expr: &Expr<'s>) -> Expr<'s> {
    let range = place::raw(expr.span());
    match expr {
        Expr::List(node) => {
            Expr::List(spanned(List { items: node.items.iter().map(target).collect() }, &range))
        }
        Expr::Var(node) => variable(node.id, &range),
        _ => variable("", &range),
    }
}
