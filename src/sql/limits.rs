//! How large a statement may be. The grammar is read by recursion, so a statement of ten thousand `NOT` would end the
//! process; it is refused before it is parsed. Constants and commas are free: long lists do not nest.

use squawk_lexer::TokenKind;

use super::tokens::{Token, lex};

/// Measured: three times as many overflow a stack of 2 MiB in a debug build.
const WORDS: usize = 3_000;
const DEPTH: usize = 200;

/// Where a limit is passed.
pub(super) struct Excess {
    pub(super) at: usize,
    pub(super) message: &'static str,
}

/// The first limit the text passes.
pub(super) fn exceeded(text: &str) -> Option<Excess> {
    // The grammar reads the body of a function too.
    let has_body = first_word(text).is_some_and(|word| word.eq_ignore_ascii_case("create"));
    measure(text, has_body)
}

fn first_word(text: &str) -> Option<&str> {
    lex(text).find(|token| !token.is_trivia()).map(|token| token.text(text))
}

fn measure(text: &str, bodies: bool) -> Option<Excess> {
    let (mut words, mut depth) = (0_usize, 0_usize);
    for token in lex(text).filter(|token| !token.is_trivia()) {
        match token.kind {
            TokenKind::OpenParen | TokenKind::OpenBracket => depth += 1,
            TokenKind::CloseParen | TokenKind::CloseBracket => depth = depth.saturating_sub(1),
            TokenKind::Comma => {}
            TokenKind::Literal { .. } if !token.is_quoted_constant() => {}
            TokenKind::Literal { .. } => {
                if let Some(message) = body(text, &token, bodies) {
                    return Some(Excess { at: token.range.start, message });
                }
            }
            _ => words += 1,
        }
        // Subscripts chain without nesting: `a[1][1]`.
        words += usize::from(token.kind == TokenKind::OpenBracket);
        if let Some(message) = passed(words, depth) {
            return Some(Excess { at: token.range.start, message });
        }
    }
    None
}

fn body(text: &str, token: &Token, bodies: bool) -> Option<&'static str> {
    let quotes = |c: char| c == '\'' || c == '$';
    let inner = token.text(text).trim_matches(quotes);
    // A text no longer than the depth cannot pass a limit; and each is shorter than the one around it, so this ends.
    let excess =
        (bodies && inner.len() > DEPTH && inner.len() < text.len()).then(|| measure(inner, bodies))?;
    excess.map(|excess| excess.message)
}

fn passed(words: usize, depth: usize) -> Option<&'static str> {
    if depth > DEPTH {
        Some("the statement nests too deeply to be checked")
    } else {
        (words > WORDS).then_some("the statement is too long to be checked; bind a list or split it")
    }
}
