//! From text to minijinja's syntax tree, with the limits that keep every later walk over it shallow.

use std::ops::Range;
use std::sync::LazyLock;

use minijinja::machinery::ast::{Expr, Stmt};
use minijinja::machinery::{Token, parse, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::error::{Problem, TemplateError};

/// How many operators, filters and brackets one expression may have: each may add a level to the tree, and the tree
/// is walked recursively, here and in minijinja.
const MAX_OPERATORS: usize = 250;

/// How many `elif` a text may have, for the same reason.
const MAX_ELIF: usize = 100;

static SYNTAX: LazyLock<SyntaxConfig> = LazyLock::new(|| {
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default delimiters are valid")
});

/// Whether a text has any template in it; one that has none never meets the parser.
pub(super) fn is_plain(source: &str) -> bool {
    !source.as_bytes().windows(2).any(|pair| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'))
}

/// Parses a text with `{{ … }}` and `{% … %}` in it.
pub(super) fn template(source: &str) -> Result<Stmt<'_>, TemplateError> {
    limit(source, false)?;
    parse(source, "", SYNTAX.clone()).map_err(|error| explain(source, &error, false))
}

/// Parses a bare expression.
pub(super) fn expression(source: &str) -> Result<Expr<'_>, TemplateError> {
    refuse_braces(source)?;
    limit(source, true)?;
    parse_expr(source).map_err(|error| explain(source, &error, true))
}

fn refuse_braces(source: &str) -> Result<(), TemplateError> {
    let trimmed = source.trim();
    let start = source.len() - source.trim_start().len();
    if trimmed.is_empty() {
        return Err(TemplateError::new(Problem::Syntax, 0..source.len(), "the expression is empty"));
    }
    if ["{{", "{%"].iter().any(|brace| trimmed.starts_with(brace)) {
        let message = "an expression stands without braces";
        return Err(TemplateError::new(Problem::Syntax, start..start + 2, message)
            .help("Remove the braces: this key already is an expression."));
    }
    Ok(())
}

fn limit(source: &str, in_expression: bool) -> Result<(), TemplateError> {
    if source.len() <= MAX_ELIF {
        return Ok(());
    }
    let (mut operators, mut elif) = (0, 0);
    for found in tokenize(source, in_expression, SYNTAX.clone()) {
        // The parser meets the same problem and says it better.
        let Ok((token, span)) = found else { return Ok(()) };
        match token {
            Token::VariableStart | Token::BlockStart => operators = 0,
            Token::Ident("elif") => elif += 1,
            token if is_operator(&token) => operators += 1,
            _ => {}
        }
        if operators > MAX_OPERATORS || elif > MAX_ELIF {
            let message = "the expression is too long";
            return Err(TemplateError::new(Problem::Syntax, super::place::raw(span), message)
                .help("Compute parts of it in `vars`, or in SQL."));
        }
    }
    Ok(())
}

fn is_operator(token: &Token<'_>) -> bool {
    match token {
        Token::Ident(word) => matches!(*word, "not" | "and" | "or" | "if" | "is" | "in"),
        token => !matches!(
            token,
            Token::Str(_)
                | Token::String(_)
                | Token::Int(_)
                | Token::Int128(_)
                | Token::Float(_)
                | Token::Comma
                | Token::Colon
                | Token::Assign
                | Token::ParenClose
                | Token::BracketClose
                | Token::BraceClose
                | Token::TemplateData(_)
                | Token::VariableEnd
                | Token::BlockEnd
        ),
    }
}

/// The character at which the text stops being tokens; the lexer's errors have no place.
fn unreadable(source: &str, in_expression: bool) -> Option<Range<usize>> {
    let mut end = 0;
    for found in tokenize(source, in_expression, SYNTAX.clone()) {
        let Ok((_, span)) = found else {
            let rest = source.get(end..)?.trim_start();
            let start = source.len() - rest.len();
            return Some(start..start + rest.chars().next()?.len_utf8());
        };
        end = super::place::raw(span).end;
    }
    None
}

fn explain(source: &str, error: &minijinja::Error, in_expression: bool) -> TemplateError {
    let found = TemplateError::from_machine(source, error);
    let range = found.range.clone().or_else(|| unreadable(source, in_expression));
    let found = TemplateError { problem: Problem::Syntax, range, ..found };
    match found.message.as_str() {
        message if message.contains("end of input") => {
            found.help("Close what was opened: `{{ … }}`, `{% if … %}`.")
        }
        message if message.contains("`=`") || message.contains("unexpected `=`") => {
            found.help("Compare with `==`.")
        }
        _ => found,
    }
}
