//! What may fill a hole: the grammar of fragments, checked on tokens. Stricter than PostgreSQL on purpose.

use squawk_lexer::{LiteralKind, TokenKind};

use super::error::{SqlError, SqlProblem};
use super::hole::HoleKind;
use super::quote::is_plain;
use super::tokens::{Token, lex};

/// Refuses a fragment that is not what its hole allows.
pub(super) fn check(kind: HoleKind, fragment: &str) -> Result<(), SqlError> {
    if fragment.contains('\0') {
        return Err(refused("a value holds a NUL byte, which PostgreSQL cannot store"));
    }
    let tokens: Vec<Token> = lex(fragment).filter(|token| !token.is_space()).collect();
    match kind {
        HoleKind::Literal if !is_constants(fragment, &tokens) => {
            Err(refused("a value is not a constant or a list of constants"))
        }
        HoleKind::Ident | HoleKind::Relation if !is_name(fragment, &tokens) => {
            Err(refused("a value is not a quoted name"))
        }
        HoleKind::Raw if tokens.iter().any(|token| token.kind == TokenKind::Semi) => {
            Err(refused("a `raw` value cannot end the statement"))
        }
        _ => Ok(()),
    }
}

fn refused(message: &str) -> SqlError {
    SqlError::new(SqlProblem::BindChanged, message).help("Check the value and the filter of its template.")
}

/// Constants with commas between them.
fn is_constants(text: &str, tokens: &[Token]) -> bool {
    !tokens.is_empty()
        && tokens.split(|token| token.kind == TokenKind::Comma).all(|part| is_constant(text, part))
}

fn is_constant(text: &str, tokens: &[Token]) -> bool {
    match tokens {
        [sign, number] if matches!(sign.kind, TokenKind::Minus | TokenKind::Plus) => is_number(number),
        [token] if token.kind == TokenKind::Ident => {
            ["null", "true", "false"].iter().any(|word| token.text(text).eq_ignore_ascii_case(word))
        }
        [token] => is_number(token) || is_text(token),
        _ => false,
    }
}

fn is_number(token: &Token) -> bool {
    let whole = |junk: u32| junk as usize == token.range.len();
    match token.kind {
        TokenKind::Literal { kind: LiteralKind::Int { empty_int, trailing_junk_start, .. } } => {
            !empty_int && whole(trailing_junk_start)
        }
        TokenKind::Literal { kind: LiteralKind::Numeric { empty_exponent_start, trailing_junk_start } } => {
            empty_exponent_start.is_none() && whole(trailing_junk_start)
        }
        _ => false,
    }
}

fn is_text(token: &Token) -> bool {
    matches!(
        token.kind,
        TokenKind::Literal {
            kind: LiteralKind::Str { terminated: true } | LiteralKind::EscStr { terminated: true }
        }
    )
}

/// Identifiers with dots between them, each as [`super::quote_ident`] writes it.
fn is_name(text: &str, tokens: &[Token]) -> bool {
    let is_part = |token: &Token| match token.kind {
        TokenKind::QuotedIdent { terminated: true, uescape: false } => token.range.len() > 2,
        TokenKind::Ident => is_plain(token.text(text)),
        _ => false,
    };
    tokens.split(|token| token.kind == TokenKind::Dot).all(|part| matches!(part, [token] if is_part(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_what_their_hole_allows() {
        let check = |kind, fragment: &str, expected: bool| {
            assert_eq!(check(kind, fragment).is_ok(), expected, "{kind:?} {fragment}");
        };
        for good in
            ["1", "-1", "+1.5", "1e-7", ".5", "'it''s'", "E'a\\\\b'", "NULL", "true", "1, 'a', NULL", " 'x' "]
        {
            check(HoleKind::Literal, good, true);
        }
        for bad in [
            "",
            "1; drop",
            "a",
            "1 2",
            "'a' 'b'",
            "1,",
            "--1",
            "- -1",
            "-'a'",
            "1 -- x",
            "1 /* x */",
            "'a",
            "now()",
            "1a",
            "1::int",
            "$1",
            "current_user",
            "B'1'",
            "$$a$$",
            "1e",
            "('a')",
            "\"a\"",
            "1\0",
        ] {
            check(HoleKind::Literal, bad, false);
        }
        for good in ["orders", "public.orders", "\"Dock Schedule\"", "a.\"b.c\"", "\"select\""] {
            check(HoleKind::Ident, good, true);
            check(HoleKind::Relation, good, true);
        }
        for bad in [
            "",
            "select",
            "Orders",
            "a b",
            "a.",
            "a;b",
            "\"\"",
            "\"a",
            "'a'",
            "1",
            "a.*",
            "U&\"a\"",
            "concurrently",
            "a--b",
            "ä",
        ] {
            check(HoleKind::Ident, bad, false);
        }
        check(HoleKind::Raw, "where a = 1", true);
        check(HoleKind::Raw, "a; drop table b", false);
        check(HoleKind::Raw, "';'", true);
    }
}
