//! Where a hole may stand: alone, as a token of its own. Anything else could let a value change the text around it.

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind};

use super::error::{SqlError, SqlProblem};
use super::hole::{Assembled, HoleKind, Piece};
use super::tokens::{Token, lex};

/// A hole's stand-in: cannot end a literal or a comment, and joins every word it touches.
const NEUTRAL: &str = "h";

/// Every hole that does not stand alone.
pub(super) fn check(pieces: &[Piece]) -> Vec<SqlError> {
    let kinds: Vec<HoleKind> = pieces.iter().filter_map(Piece::hole).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let assembled = Assembled::new(pieces, kinds.iter().map(|_| NEUTRAL));
    let tokens: Vec<Token> = lex(&assembled.text).collect();
    let holes = assembled.holes().zip(kinds).enumerate();
    holes
        .filter_map(|(index, (hole, kind))| {
            let (problem, help) = misplaced(&assembled.text, &tokens, &hole, kind)?;
            let error = SqlError::new(SqlProblem::HolePlace, problem).help(help);
            Some(error.at(assembled.hole_source(index)?))
        })
        .collect()
}

type Words = (&'static str, &'static str);

const TOUCHES: Words = (
    "a template touches the word or literal beside it",
    "Put the whole word into the template, as in `{{ prefix ~ name | ident }}`.",
);

fn misplaced(text: &str, tokens: &[Token], hole: &Range<usize>, kind: HoleKind) -> Option<Words> {
    let at = tokens.iter().position(|token| token.range.end > hole.start)?;
    if tokens[at].range != *hole {
        return Some(inside(&tokens[at]));
    }
    if touches(text, hole, kind) {
        return Some(TOUCHES);
    }
    (kind == HoleKind::Literal && continues(tokens, at)).then_some((
        "a template stands beside a string constant on another line",
        "Join them with `||`: PostgreSQL would read both as one constant.",
    ))
}

fn inside(token: &Token) -> Words {
    match token.kind {
        TokenKind::LineComment | TokenKind::BlockComment { .. } => {
            ("a template inside a comment", "Move the template out of the comment, or use a YAML comment.")
        }
        TokenKind::QuotedIdent { .. } => (
            "a template inside a quoted identifier",
            "Drop the quotes and write `{{ name | ident }}`, which adds them itself.",
        ),
        TokenKind::Literal { kind: LiteralKind::DollarQuotedString { .. } } => (
            "a template inside a dollar-quoted string",
            "Set a parameter with `set_config` in its own statement and read it inside with `current_setting`.",
        ),
        TokenKind::Literal { .. } if token.is_quoted_constant() => (
            "a template inside a literal",
            "Drop the quotes, as the template adds them itself; join texts with `||` or `~`.",
        ),
        _ => TOUCHES,
    }
}

/// Whether the characters beside the hole could join what fills it.
fn touches(text: &str, hole: &Range<usize>, kind: HoleKind) -> bool {
    let (before, after) = (&text[..hole.start], &text[hole.end..]);
    let joins = |c: char| c.is_alphanumeric() || !c.is_ascii() || "_$'\"".contains(c);
    let dotted = kind == HoleKind::Literal
        && (before.ends_with('.') || (after.starts_with('.') && !after.starts_with("..")));
    let escape = before.ends_with("U&") || before.ends_with("u&");
    before.ends_with(joins) || after.starts_with(joins) || dotted || escape
}

/// Whether the token is beside a string constant: with a line break between, the server joins the two and reads the
/// second by the rules of the first; without one it is no SQL.
fn continues(tokens: &[Token], at: usize) -> bool {
    let beside = |found: Option<&Token>| found.is_some_and(Token::is_quoted_constant);
    let before = tokens[..at].iter().rev().find(|token| !token.is_trivia());
    let after = tokens[at + 1..].iter().find(|token| !token.is_trivia());
    beside(before) || beside(after)
}

#[cfg(test)]
mod tests {
    use crate::sql::testing::pieces;

    #[track_caller]
    fn check(source: &str, expected: Option<&str>) {
        let errors = super::check(&pieces(source));
        let found = errors.first().map(|error| error.message.as_str());
        match (found, expected) {
            (Some(found), Some(expected)) => assert!(found.contains(expected), "{source}: {found}"),
            (found, expected) => assert_eq!(found, expected, "{source}"),
        }
        for error in errors {
            let range = error.range.unwrap();
            assert!(source[range.clone()].starts_with("{{") && source[range].ends_with("}}"), "{source}");
        }
    }

    #[test]
    fn a_hole_stands_alone() {
        for good in [
            "select {{ x }}",
            "select {{x}}::int, ({{y}})",
            "vacuum {{ t | relation }}",
            "select * from public.{{ t | ident }} where a={{ x }} and b in ({{ xs }})",
            "select 1-{{ x }}, a[{{ x }}:{{ y }}]",
            "select date {{ x }}, 'a' || {{ x }}",
            "select {{ a | ident }}.{{ b | ident }}",
            "select 'a' {{ b | ident }}, c = 'd' {{ e | raw }}",
        ] {
            check(good, None);
        }
    }

    #[test]
    fn a_hole_inside_a_token_is_refused() {
        check("select '{{ x }}'", Some("inside a literal"));
        check("select E'a\\'{{ x }}'", Some("inside a literal"));
        check("select \"{{ x | ident }}\"", Some("quoted identifier"));
        check("do $$ begin {{ x }} end $$", Some("dollar-quoted"));
        check("select 1 -- {{ x }}", Some("comment"));
        check("/* {{ x }} */ select 1", Some("comment"));
        for glued in [
            "select a{{ x }}",
            "select {{ x }}a",
            "select 1{{ x }}",
            "select {{ x }}1",
            "select {{ x }}{{ y }}",
            "select $1{{ x }}",
            "select ${{ x }}",
            "select 'a'{{ x }}",
            "select {{ x }}'a'",
            "select E{{ x }}",
            "select U&{{ x }}",
            "select .{{ x }}",
            "select {{ x }}.5",
            "select \"a\"{{ x | ident }}",
            "select ä{{ x }}",
            "select t_{{ x | ident }}",
        ] {
            check(glued, Some("touches"));
        }
        check("select 'a'\n {{ x }}", Some("on another line"));
        check("select {{ x }} -- why\n 'b'", Some("on another line"));
    }
}
