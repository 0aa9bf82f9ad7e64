//! The tokens of a text with their ranges. The only caller of the lexer; must not interpret what it finds.

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind};

/// A token and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

impl Token {
    pub(super) fn text<'a>(&self, source: &'a str) -> &'a str {
        &source[self.range.clone()]
    }

    pub(super) fn is_space(&self) -> bool {
        self.kind == TokenKind::Whitespace
    }

    /// Whether the grammar never sees it.
    pub(super) fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. })
    }

    /// Whether it is a quoted constant of any kind.
    pub(super) fn is_quoted_constant(&self) -> bool {
        let TokenKind::Literal { kind } = self.kind else { return false };
        !matches!(kind, LiteralKind::Int { .. } | LiteralKind::Numeric { .. })
    }
}

/// Every token of the text, white space and comments included.
pub(super) fn lex(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut start = 0;
    squawk_lexer::tokenize(text).filter(|token| token.len > 0).map(move |token| {
        let range = start..start + token.len as usize;
        start = range.end;
        Token { kind: token.kind, range }
    })
}
