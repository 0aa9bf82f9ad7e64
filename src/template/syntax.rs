//! From text to minijinja's syntax tree, with the limits that keep every later walk over it shallow.

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
    refuse_unreadable(source, false)?;
    limit(source, false)?;
    parse(source, "", SYNTAX.clone()).map_err(|error| explain(source, &error))
}

/// Parses a bare expression.
pub(super) fn expression(source: &str) -> Result<Expr<'_>, TemplateError> {
    refuse_braces(source)?;
    refuse_unreadable(source, true)?;
    limit(source, true)?;
    parse_expr(source).map_err(|error| explain(source, &error))
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

/// Finds what is no token at all. The parser would drop it silently, with everything after it: `a && b` would be `a`;
/// `what_is_no_token_is_refused` guards this.
fn refuse_unreadable(source: &str, in_expression: bool) -> Result<(), TemplateError> {
    let mut end = 0;
    for found in tokenize(source, in_expression, SYNTAX.clone()) {
        match found {
            Ok((_, span)) => end = super::place::raw(span).end,
            Err(error) => return Err(unreadable(source, end, &error)),
        }
    }
    Ok(())
}

/// A lexer's error, which comes without a place, behind the last token.
fn unreadable(source: &str, end: usize, error: &minijinja::Error) -> TemplateError {
    let rest = source.get(end..).unwrap_or_default();
    let at = end + rest.len() - rest.trim_start().len();
    let rest = &source[at.min(source.len())..];
    let found = explain(source, error);
    if !found.message.contains("unexpected character") {
        let line = rest.lines().next().unwrap_or_default().trim_end();
        return TemplateError { range: found.range.or(Some(at..at + line.len())), ..found };
    }
    let sign = rest.chars().next().unwrap_or(' ');
    let length = rest.chars().take_while(|c| *c == sign).take(2).map(char::len_utf8).sum::<usize>();
    let message = format!("`{}` is not part of the language", &rest[..length]);
    TemplateError::new(Problem::Syntax, at..at + length, message).help(match sign {
        '&' => "Write `and`.".to_owned(),
        '!' => "Write `not`.".to_owned(),
        c if c.is_alphabetic() => "Use names of ASCII letters; quote it if it is text.".to_owned(),
        _ => "Remove it, or quote it if it is text.".to_owned(),
    })
}

fn explain(source: &str, error: &minijinja::Error) -> TemplateError {
    let found = TemplateError::from_machine(source, error);
    let found = TemplateError { problem: Problem::Syntax, ..found };
    let place = found.range.clone().and_then(|range| source.get(range)).unwrap_or_default();
    let help = match found.message.as_str() {
        message if message.contains("end of input") => "Close what was opened: `{{ … }}`, `{% if … %}`.",
        message if message.contains("end of string") => "Close the text with the same quote.",
        message if message.contains("`=`") || place == "=" => "Compare with `==`.",
        message if message.contains("end of variable block") => "Complete the expression before the `}}`.",
        message if message.contains("`|`") || place == "|" => {
            "Write `or`; one `|` is followed by the name of a filter."
        }
        message if message.contains("input after") => {
            "Join the parts with an operator, such as `and`, or remove what is too much."
        }
        _ => "Correct the expression; text within it needs quotes.",
    };
    let help = found.help.clone().unwrap_or_else(|| help.to_owned());
    found.help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str, place: &str) {
        let error = expression(source).map(drop).unwrap_err();
        assert_eq!((error.message.as_str(), &source[error.range.unwrap()]), (expected, place));
        let inside = format!("ü {{{{ {source} }}}}");
        let error = template(&inside).map(drop).unwrap_err();
        assert_eq!((error.message.as_str(), &inside[error.range.unwrap()]), (expected, place));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        check("a && b", "`&&` is not part of the language", "&&");
        check("a and !b", "`!` is not part of the language", "!");
        check("a.größe", "`ö` is not part of the language", "ö");
        check("a ? b : c", "`?` is not part of the language", "?");
        check("a #", "`#` is not part of the language", "#");
    }
}
