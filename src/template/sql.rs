//! [`SqlTemplate`]: SQL text with `{{ … }}` holes, and nothing else of the template language.

use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::ast::{CallArg, EmitExpr, Expr, Filter, Spanned, Stmt};

use super::check::{Check, Read};
use super::error::{Problem, TemplateError};
use super::filters::{is_quoting, quoted};
use super::fragment::fragment;
use super::scope::Scope;
use super::text::json_of;
use super::{place, syntax};
use crate::sql::{HoleKind, Piece};

/// Checked SQL text with holes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SqlTemplate {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    source: Box<str>,
    reads: Vec<Read>,
    holes: Vec<(HoleKind, Range<usize>)>,
}

impl SqlTemplate {
    /// Parses and checks the holes of SQL text; the SQL itself is not looked at.
    pub fn parse(source: &str) -> Result<Self, Vec<TemplateError>> {
        let mut inner = Inner { source: source.into(), reads: Vec::new(), holes: Vec::new() };
        if !syntax::is_plain(source) {
            let stmt = syntax::template(source).map_err(|error| vec![in_sql(error)])?;
            inner.holes = holes(source, &stmt)?;
            inner.reads = Check::statement(source, &stmt)?;
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The SQL text as written.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The holes that put text into SQL as it is.
    pub fn raw_holes(&self) -> Vec<Range<usize>> {
        let raw = self.inner.holes.iter().filter(|(kind, _)| *kind == HoleKind::Raw);
        raw.map(|(_, range)| range.clone()).collect()
    }

    /// The variables its holes read; a read belongs to the hole whose range holds its own.
    pub fn reads(&self) -> &[Read] {
        &self.inner.reads
    }

    /// Text and holes in turn, as they stand in the source.
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.inner.holes.len() * 2 + 1);
        let mut at = 0;
        for (kind, range) in &self.inner.holes {
            self.push_text(&mut pieces, at..range.start);
            pieces.push(Piece::Hole { kind: *kind, range: range.clone(), sample: None });
            at = range.end;
        }
        self.push_text(&mut pieces, at..self.source().len());
        pieces
    }

    fn push_text(&self, pieces: &mut Vec<Piece>, range: Range<usize>) {
        if !range.is_empty() {
            pieces.push(Piece::Text { text: self.source()[range.clone()].to_owned(), start: range.start });
        }
    }

    /// The text for each hole, quoted as its kind demands.
    pub fn fragments(&self, scope: &Scope) -> Result<Vec<String>, TemplateError> {
        if self.inner.holes.is_empty() {
            return Ok(Vec::new());
        }
        let stmt = syntax::template(self.source())?;
        emitted(&stmt).zip(&self.inner.holes).map(|(emit, hole)| self.fill(emit, hole, scope)).collect()
    }

    fn fill(
        &self,
        emit: &EmitExpr<'_>,
        (kind, range): &(HoleKind, Range<usize>),
        scope: &Scope,
    ) -> Result<String, TemplateError> {
        let value = json_of(self.source(), unquoted(&emit.expr), scope)?;
        fragment(*kind, &value).map_err(|fault| fault.at(self.source(), range.clone()))
    }
}

fn emitted<'t, 's>(stmt: &'t Stmt<'s>) -> impl Iterator<Item = &'t Spanned<EmitExpr<'s>>> {
    let children = match stmt {
        Stmt::Template(template) => template.children.as_slice(),
        _ => &[],
    };
    children.iter().filter_map(|child| match child {
        Stmt::EmitExpr(emit) => Some(emit),
        _ => None,
    })
}

/// The holes in order, or what is in the text that is not a hole.
fn holes(source: &str, stmt: &Stmt<'_>) -> Result<Vec<(HoleKind, Range<usize>)>, Vec<TemplateError>> {
    let mut holes = Vec::new();
    let mut errors = Vec::new();
    let mut at = 0;
    for emit in emitted(stmt) {
        let range = braces(source, place::raw(emit.span()));
        refuse_blocks(source, at..range.start, &mut errors);
        refuse_inner_quoting(&emit.expr, &mut errors);
        at = range.end;
        holes.push((kind_of(&emit.expr), range));
    }
    refuse_blocks(source, at..source.len(), &mut errors);
    if errors.is_empty() { Ok(holes) } else { Err(errors) }
}

/// From the opening to the closing braces; the parser's span ends with the expression.
fn braces(source: &str, range: Range<usize>) -> Range<usize> {
    let close = source[range.end..].find("}}").map_or(source.len(), |found| range.end + found + 2);
    range.start..close
}

/// Blocks, comments and `raw` leave their marks in the text between the holes.
fn refuse_blocks(source: &str, gap: Range<usize>, errors: &mut Vec<TemplateError>) {
    let Some(text) = source.get(gap.clone()) else { return };
    for (mark, end, what) in [("{%", "%}", "a block"), ("{#", "#}", "a comment")] {
        if let Some(found) = text.find(mark) {
            let start = gap.start + found;
            let close =
                source[start..].find(end).map_or(start + mark.len(), |found| start + found + end.len());
            let message = format!("{what} of the template language cannot stand in SQL");
            errors.push(TemplateError::new(Problem::SqlBlock, start..close, message).help(
                "Decide with `when`, or in SQL with CASE; to write the two characters in a literal, split it: \
                 `'{' || '%'`.",
            ));
        }
    }
}

fn in_sql(error: TemplateError) -> TemplateError {
    // A wrong sign within an expression has nothing to do with the braces.
    if error.message.ends_with("is not part of the language") {
        return error;
    }
    let help = "In SQL, `{{` always begins a hole; write an array as `ARRAY[[1, 2], [3, 4]]`.".to_owned();
    TemplateError { help: Some(help), ..error }
}

/// The filter that decides how a hole is filled, if its expression ends with one.
fn last_quoting<'t, 's>(expr: &'t Expr<'s>) -> Option<&'t Filter<'s>> {
    match expr {
        Expr::Filter(node) if is_quoting(node.name) => Some(node),
        _ => None,
    }
}

fn kind_of(expr: &Expr<'_>) -> HoleKind {
    last_quoting(expr).and_then(|filter| quoted(filter.name)).unwrap_or(HoleKind::Literal)
}

/// The expression below the filter that decides how the hole is filled.
fn unquoted<'t, 's>(expr: &'t Expr<'s>) -> &'t Expr<'s> {
    last_quoting(expr).and_then(|filter| filter.expr.as_ref()).unwrap_or(expr)
}

/// A quoted name that is then taken for a value would be quoted twice: the hole would be a text, not a name.
fn refuse_inner_quoting(expr: &Expr<'_>, errors: &mut Vec<TemplateError>) {
    if kind_of(expr) == HoleKind::Raw {
        return;
    }
    let mut found = Vec::new();
    quoting_inside(unquoted(expr), &mut found);
    for filter in found {
        let range = place::raw(filter.span());
        let message = format!("`{}` is not the last filter of its hole", filter.name);
        errors.push(
            TemplateError::new(Problem::SqlHole, range, message).help(format!(
                "Choose the value first and quote it last: `{{{{ (…) | {} }}}}`.",
                filter.name
            )),
        );
    }
}

fn quoting_inside<'t, 's>(expr: &'t Expr<'s>, found: &mut Vec<&'t Spanned<Filter<'s>>>) {
    match expr {
        Expr::Filter(node) => {
            if is_quoting(node.name) {
                found.push(node);
            }
            node.expr.iter().for_each(|input| quoting_inside(input, found));
            for arg in &node.args {
                if let CallArg::Pos(value) | CallArg::Kwarg(_, value) = arg {
                    quoting_inside(value, found);
                }
            }
        }
        Expr::IfExpr(node) => {
            quoting_inside(&node.true_expr, found);
            node.false_expr.iter().for_each(|other| quoting_inside(other, found));
        }
        Expr::BinOp(node) => {
            quoting_inside(&node.left, found);
            quoting_inside(&node.right, found);
        }
        Expr::List(node) => node.items.iter().for_each(|item| quoting_inside(item, found)),
        _ => {}
    }
}
