//! [`Script`]: statements with holes, checked when the runbook is loaded and bound when their values are known. Must not
//! render a value or send a statement.

use std::ops::Range;

use super::error::{SqlError, SqlProblem};
use super::fragment;
use super::hole::{Assembled, HoleKind, Piece};
use super::samples::Samples;
use super::split::split;
use super::statement::{Statement, Transaction};
use super::tokens::{Token, lex};
use super::tree::{Node, parse};
use super::{describe, passwords, placement, syntax, transaction};
use crate::model::Class;

/// A checked script.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The statements, with something of the right type in every hole.
    pub statements: Vec<Statement>,
    pieces: Vec<Piece>,
}

impl Script {
    /// Checks SQL with holes: where the holes stand, the syntax, and what no step may send.
    ///
    /// Ranges in errors are in the template's source. Every statement is checked; the first problem of each is told.
    pub fn check(pieces: Vec<Piece>) -> Result<Self, Vec<SqlError>> {
        refuse_nul(&pieces).map_err(|error| vec![error])?;
        let misplaced = placement::check(&pieces);
        if !misplaced.is_empty() {
            return Err(misplaced);
        }
        let (assembled, statements) = sampled(&pieces);
        let statements = statements.map_err(|errors| {
            errors
                .into_iter()
                .map(|error| syntax::moved(error, |range| assembled.to_source(&range)))
                .collect::<Vec<_>>()
        })?;
        let statements = statements
            .into_iter()
            .map(|statement| Statement { range: assembled.to_source(&statement.range), ..statement });
        Ok(Self { statements: statements.collect(), pieces })
    }

    /// Checks SQL without holes.
    pub fn plain(sql: &str) -> Result<Self, Vec<SqlError>> {
        Self::check(vec![Piece::Text { text: sql.to_owned(), start: 0 }])
    }

    /// The class of all statements together.
    pub fn class(&self) -> Class {
        self.statements.iter().map(|statement| statement.class.clone()).fold(Class::default(), Class::and)
    }

    /// What the statements together need: the first reason against a transaction block, if there is one.
    pub fn transaction(&self) -> Transaction {
        let rules = || self.statements.iter().map(|statement| statement.transaction);
        let forbidden = rules().find(|rule| matches!(rule, Transaction::Forbidden(_)));
        forbidden
            .or_else(|| rules().find(|rule| matches!(rule, Transaction::Bare(_))))
            .unwrap_or(Transaction::Allowed)
    }

    /// The kinds of the holes, in order: what [`Script::bind`] expects a fragment for.
    pub fn holes(&self) -> impl Iterator<Item = HoleKind> + '_ {
        self.pieces.iter().filter_map(Piece::hole)
    }

    /// Puts rendered fragments in the holes, one for each in order, and makes sure that they stayed inside.
    ///
    /// A fragment is text that is already quoted. The bound text must consist of the checked tokens, with each hole
    /// filled by what its kind allows; then it is parsed and classified again. Whether a higher class is a problem is
    /// for the caller to say.
    pub fn bind(&self, fragments: &[String]) -> Result<Vec<Statement>, SqlError> {
        // Without holes the bound text is the checked one, and everything is known of it.
        if fragments.is_empty() && self.holes().next().is_none() && !self.statements.is_empty() {
            return Ok(self.statements.clone());
        }
        let kinds: Vec<HoleKind> = self.holes().collect();
        if kinds.len() != fragments.len() {
            let message = format!("{} values for {} templates", fragments.len(), kinds.len());
            return Err(
                SqlError::new(SqlProblem::BindChanged, message).help("Give one value for each template.")
            );
        }
        for (index, (kind, fragment)) in kinds.iter().zip(fragments).enumerate() {
            fragment::check(*kind, fragment).map_err(|error| self.place(error, index))?;
        }
        let bound = Assembled::new(&self.pieces, fragments.iter().map(String::as_str));
        self.compare(&bound)?;
        let found = statements(&bound, &[]).map_err(|mut errors| errors.swap_remove(0))?;
        if found.len() == self.statements.len() {
            Ok(found)
        } else {
            Err(changed("a value changes the number of statements"))
        }
    }

    fn place(&self, error: SqlError, hole: usize) -> SqlError {
        let mut ranges = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Hole { range, .. } => Some(range.clone()),
            Piece::Text { .. } => None,
        });
        match ranges.nth(hole) {
            Some(range) => error.at(range),
            None => error,
        }
    }

    /// Requires every token outside of the holes to be as it was, and none to reach across a hole's edge.
    fn compare(&self, bound: &Assembled) -> Result<(), SqlError> {
        let checked = Assembled::new(&self.pieces, self.holes().map(|_| "h"));
        let (before, after) = (outside(&checked)?, outside(bound)?);
        if before == after { Ok(()) } else { Err(changed("a value changes the statement around it")) }
    }
}

/// The tokens outside of the holes, comments included.
fn outside(assembled: &Assembled) -> Result<Vec<&str>, SqlError> {
    let holes: Vec<Range<usize>> = assembled.holes().filter(|hole| !hole.is_empty()).collect();
    let mut found = Vec::new();
    let mut next = 0;
    for token in lex(&assembled.text).filter(|token| !token.is_space()) {
        while holes.get(next).is_some_and(|hole| hole.end <= token.range.start) {
            next += 1;
        }
        match holes.get(next) {
            Some(hole) if hole.start < token.range.end => require_inside(&token, hole)?,
            _ => found.push(&assembled.text[token.range.clone()]),
        }
    }
    Ok(found)
}

fn require_inside(token: &Token, hole: &Range<usize>) -> Result<(), SqlError> {
    let inside = hole.start <= token.range.start && token.range.end <= hole.end;
    if inside { Ok(()) } else { Err(changed("a value joins the text around it")) }
}

fn changed(message: &str) -> SqlError {
    SqlError::new(SqlProblem::BindChanged, message)
        .help("Check the value: it would change what the statement means.")
}

/// The text with stand-ins in its holes, and its statements. The first stand-ins nearly always do.
fn sampled(pieces: &[Piece]) -> (Assembled, Result<Vec<Statement>, Vec<SqlError>>) {
    let mut samples = Samples::new(pieces);
    let assembled = samples.assemble();
    let found = statements(&assembled, pieces);
    // With raw holes what is no SQL is no error either.
    let has_raw = || pieces.iter().filter_map(Piece::hole).any(|kind| kind == HoleKind::Raw);
    if !samples.has_choice() || (found.is_ok() && !has_raw()) {
        return (assembled, found);
    }
    samples.improve();
    let assembled = samples.assemble();
    let found = statements(&assembled, pieces);
    (assembled, found)
}

fn refuse_nul(pieces: &[Piece]) -> Result<(), SqlError> {
    for piece in pieces {
        if let Piece::Text { text, start } = piece
            && let Some(at) = text.find('\0')
        {
            let error =
                SqlError::new(SqlProblem::Syntax, "the text holds a NUL byte").at(start + at..start + at + 1);
            return Err(error.help("Remove the NUL byte: PostgreSQL cannot receive it."));
        }
    }
    Ok(())
}

/// Reads every statement; the ranges are in the assembled text. `pieces` tells which parts are still stand-ins: none
/// once the script is bound.
fn statements(assembled: &Assembled, pieces: &[Piece]) -> Result<Vec<Statement>, Vec<SqlError>> {
    if let Some(error) = syntax::meta_command(&assembled.text) {
        return Err(vec![error]);
    }
    let ranges = split(&assembled.text);
    if ranges.is_empty() {
        let error = SqlError::new(SqlProblem::Empty, "there is no statement").at(0..assembled.text.len());
        return Err(vec![error.help("Write at least one SQL statement.")]);
    }
    let open: Vec<_> = assembled.holes().zip(pieces.iter().filter_map(Piece::hole)).collect();
    let read = ranges.into_iter().map(|range| {
        let inside = |hole: &Range<usize>| range.start <= hole.start && hole.end <= range.end;
        let open: Vec<_> = open.iter().filter(|(hole, _)| inside(hole)).cloned().collect();
        read(&assembled.text, range, &open)
    });
    let (found, errors): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    if errors.is_empty() {
        Ok(found.into_iter().flatten().collect())
    } else {
        Err(errors.into_iter().filter_map(Result::err).collect())
    }
}

fn read(text: &str, range: Range<usize>, open: &[(Range<usize>, HoleKind)]) -> Result<Statement, SqlError> {
    let sql = &text[range.clone()];
    let has_raw = open.iter().any(|(_, kind)| *kind == HoleKind::Raw);
    let is_open = |at: usize| open.iter().any(|(hole, _)| hole.contains(&(range.start + at)));
    match understand(sql, is_open) {
        Ok(node) => {
            let mut statement = describe::describe(sql, range, &node);
            if has_raw {
                statement.class =
                    statement.class.and(Class::assumed("its `raw` parts are known only when they are bound"));
            }
            Ok(statement)
        }
        Err(error) if has_raw && error.problem == SqlProblem::Syntax => Ok(describe::opaque(sql, range)),
        Err(error) => Err(syntax::moved(error, |found| range.start + found.start..range.start + found.end)),
    }
}

/// The statement's tree, unless no step may send it.
fn understand(sql: &str, is_open: impl Fn(usize) -> bool) -> Result<Node, SqlError> {
    let parsed = parse(sql);
    if let Some(error) = parsed.errors.first() {
        return Err(syntax::complaint(sql, usize::from(error.range().start()), error.message()));
    }
    let Some(node) = parsed.statement else {
        return Err(syntax::complaint(sql, 0, "expected one statement"));
    };
    if transaction::is_control(&node) {
        let error =
            SqlError::new(SqlProblem::TransactionControl, format!("{} inside a step", describe::verb(&node)));
        return Err(error
            .at(0..sql.len())
            .help("Remove it: the step's `transaction` says what is one transaction."));
    }
    passwords::check(&node, is_open)?;
    Ok(node)
}
