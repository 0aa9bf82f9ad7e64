//! The grammar's complaints in plain words: where the problem is, what was expected, and which psql habit explains it.

use std::ops::Range;

use squawk_lexer::TokenKind;

use super::error::{SqlError, SqlProblem};
use super::keywords::STATEMENT_WORDS;
use super::tokens::{Token, lex};
use crate::diagnostic::nearest;

/// The first complaint about a statement, at a range of the text.
pub(super) fn complaint(text: &str, offset: usize, message: &str) -> SqlError {
    let tokens: Vec<Token> = lex(text).filter(|token| !token.is_trivia()).collect();
    let found = tokens.iter().find(|token| token.range.end > offset).or(tokens.last());
    let range = found.map_or(offset..offset, |token| token.range.clone());
    let word = &text[range.clone()];
    if let Some(hint) = psql_variable(text, &tokens) {
        return hint;
    }
    if message.starts_with("expected command") {
        let error =
            SqlError::new(SqlProblem::Syntax, format!("`{}` does not begin a statement", shorten(word)))
                .at(range);
        let meant = nearest(&word.to_ascii_lowercase(), STATEMENT_WORDS.iter().copied());
        return match meant {
            Some(meant) => error.help(format!("Did you mean `{}`?", meant.to_ascii_uppercase())),
            None => error.help("Begin the statement with an SQL command such as SELECT."),
        };
    }
    let at_end = found.is_none_or(|token| token.range.end <= offset);
    let place = if at_end { "at the end".to_owned() } else { format!("at `{}`", shorten(word)) };
    SqlError::new(SqlProblem::Syntax, format!("syntax error {place}: {}", plain_words(message)))
        .at(range)
        .help("Correct the statement: this is PostgreSQL's grammar, read without a server.")
}

/// A line for psql, or the data behind a COPY.
pub(super) fn meta_command(text: &str) -> Option<SqlError> {
    let tokens: Vec<Token> = lex(text).collect();
    let at = tokens.iter().position(|token| token.kind == TokenKind::Unknown && token.text(text) == "\\")?;
    let start = tokens[at].range.start;
    let line = text[start..].lines().next().unwrap_or_default();
    let command = line.split_whitespace().next().unwrap_or(line);
    let range = start..start + command.len();
    if command == "\\." {
        let error = SqlError::new(SqlProblem::CopyInline, "the rows of a COPY cannot follow it in the text");
        return Some(error.at(range).help("Put the rows into a file and name it in `stdin_file`."));
    }
    let error = SqlError::new(
        SqlProblem::MetaCommand,
        format!("`{}` is a command of psql, not of the server", shorten(command)),
    );
    Some(error.at(range).help(advice(command)))
}

fn advice(command: &str) -> &'static str {
    match command {
        "\\copy" => "Write `COPY … FROM STDIN` with `stdin_file`, or `COPY … TO STDOUT` with `stdout_file`.",
        "\\c" | "\\connect" => "Name the database in the step's `database` or `connection`.",
        "\\set" | "\\gset" => "Use `params`, `vars` or an earlier step's output.",
        "\\timing" | "\\x" | "\\pset" => "Remove it: timing is always recorded and `show` prints results.",
        "\\i" | "\\ir" => "Name the file in the step's `file`.",
        command if command.starts_with("\\d") || command.starts_with("\\l") => {
            "Query the catalog instead, such as `pg_class`."
        }
        _ => "Remove it, or write what it does as SQL.",
    }
}

/// `:name`, `:'name'` or `:"name"`, which psql would have replaced.
fn psql_variable(text: &str, tokens: &[Token]) -> Option<SqlError> {
    let touching = |pair: &[Token]| pair[0].range.end == pair[1].range.start;
    let is_name = |token: &Token| {
        matches!(token.kind, TokenKind::Ident | TokenKind::QuotedIdent { .. }) || token.is_quoted_constant()
    };
    let after_colon =
        |at: usize| at > 0 && tokens[at - 1].kind == TokenKind::Colon && touching(&tokens[at - 1..=at]);
    let (at, pair) = tokens.windows(2).enumerate().find(|(at, pair)| {
        pair[0].kind == TokenKind::Colon && is_name(&pair[1]) && touching(pair) && !after_colon(*at)
    })?;
    let range = tokens[at].range.start..pair[1].range.end;
    let message = format!("`{}` is a variable of psql", shorten(&text[range.clone()]));
    let help = "Write `{{ params.name }}`, with `| ident` for an identifier.";
    Some(SqlError::new(SqlProblem::MetaCommand, message).at(range).help(help))
}

fn shorten(word: &str) -> String {
    let first = word.lines().next().unwrap_or_default();
    if first.chars().count() <= 40 {
        first.to_owned()
    } else {
        first.chars().take(39).chain(['…']).collect()
    }
}

/// The grammar's message without the names of its tokens.
fn plain_words(message: &str) -> String {
    let words = message.trim_end_matches('.').split(' ').map(plain_word).collect::<Vec<_>>().join(" ");
    let mut characters = words.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn plain_word(word: &str) -> String {
    let (name, comma) = word.strip_suffix(',').map_or((word, ""), |name| (name, ","));
    let plain = match name {
        "EOF" => "the end".to_owned(),
        "IDENT" => "a name".to_owned(),
        "L_PAREN" => "`(`".to_owned(),
        "R_PAREN" => "`)`".to_owned(),
        "L_BRACK" => "`[`".to_owned(),
        "R_BRACK" => "`]`".to_owned(),
        "COMMA" => "`,`".to_owned(),
        "SEMICOLON" => "`;`".to_owned(),
        "EQ" => "`=`".to_owned(),
        "DOT" => "`.`".to_owned(),
        "INT_NUMBER" | "NUMERIC_NUMBER" => "a number".to_owned(),
        "STRING" | "ESC_STRING" => "a text".to_owned(),
        _ => match name.strip_suffix("_KW") {
            Some(keyword) => format!("`{keyword}`"),
            None => name.to_owned(),
        },
    };
    plain + comma
}

/// Moves a problem's place.
pub(super) fn moved(mut error: SqlError, place: impl FnOnce(Range<usize>) -> Range<usize>) -> SqlError {
    error.range = error.range.map(place);
    error
}
