//! Where a node of the syntax tree stands in its source.
//!
//! The parser's own spans may start at the token before a comparison, or in the middle of a chain; these do not.

use std::ops::Range;

use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

/// The bytes of an expression, from its first operand to its last token.
pub(super) fn range(source: &str, expr: &Expr<'_>) -> Range<usize> {
    let end = end(expr);
    balanced(source, start(source, expr).min(end)..end)
}

/// The bytes of a span as the parser gives it.
pub(super) fn raw(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

/// A span for generated nodes. All claim the same line: the code generator drops the offsets of a node that spans
/// several lines, and nothing here needs lines.
pub(super) fn span(range: &Range<usize>) -> Span {
    let offset = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    Span {
        start_line: 1,
        start_col: 0,
        start_offset: offset(range.start),
        end_line: 1,
        end_col: 0,
        end_offset: offset(range.end),
    }
}

fn end(expr: &Expr<'_>) -> usize {
    raw(expr.span()).end
}

fn start(source: &str, expr: &Expr<'_>) -> usize {
    let own = raw(expr.span()).start;
    match expr {
        Expr::GetAttr(node) => start(source, &node.expr),
        Expr::GetItem(node) => start(source, &node.expr),
        Expr::Slice(node) => start(source, &node.expr),
        Expr::Call(node) => start(source, &node.expr),
        Expr::Compare(node) => start(source, &node.expr),
        Expr::IfExpr(node) => start(source, &node.true_expr),
        Expr::Test(node) => start(source, &node.expr),
        Expr::Filter(node) => node.expr.as_ref().map_or(own, |input| start(source, input)),
        Expr::BinOp(node) if is_comparison(node.op) => start(source, &node.left),
        Expr::UnaryOp(node) if matches!(node.op, UnaryOpKind::Not) => {
            let inner = start(source, &node.expr);
            // `x is not y` and `x not in y` are also nodes of this kind; only `not x` starts with the word.
            if source.get(own..).is_some_and(|text| text.starts_with("not")) { own.min(inner) } else { inner }
        }
        _ => own,
    }
}

fn is_comparison(op: BinOpKind) -> bool {
    use BinOpKind::{Eq, Gt, Gte, In, Lt, Lte, Ne};
    matches!(op, Eq | Ne | Lt | Lte | Gt | Gte | In)
}

/// Takes in the opening parentheses that the first operand's own place leaves out: `(a) < b`.
fn balanced(source: &str, mut range: Range<usize>) -> Range<usize> {
    let text = source.get(range.clone()).unwrap_or_default();
    let mut missing = text.matches(')').count().saturating_sub(text.matches('(').count());
    let bytes = source.as_bytes();
    let mut at = range.start;
    while missing > 0 && at > 0 && matches!(bytes[at - 1], b'(' | b' ' | b'\n' | b'\t') {
        at -= 1;
        if bytes[at] == b'(' {
            missing -= 1;
            range.start = at;
        }
    }
    range
}
