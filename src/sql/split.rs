//! [`split`]: the statements of a script, found as psql finds them. Works on tokens, so it also splits text that
//! the grammar refuses; must not look for meaning.

use std::ops::Range;

use squawk_lexer::TokenKind;

use super::tokens::{Token, lex};

/// The ranges of the statements, without their semicolons; comments before a statement belong to it.
///
/// Empty statements and statements of comments alone are dropped.
pub fn split(sql: &str) -> Vec<Range<usize>> {
    let mut splitter = Splitter { sql, ..Splitter::default() };
    lex(sql).for_each(|token| splitter.take(&token));
    splitter.finish();
    splitter.found
}

#[derive(Default)]
struct Splitter<'a> {
    sql: &'a str,
    found: Vec<Range<usize>>,
    /// From the first byte that is not white space to the end of the last token that is not.
    current: Option<Range<usize>>,
    has_words: bool,
    parentheses: usize,
    body: Body,
}

impl Splitter<'_> {
    fn take(&mut self, token: &Token) {
        if token.kind == TokenKind::Semi && self.parentheses == 0 && !self.body.is_open() {
            return self.finish();
        }
        match token.kind {
            TokenKind::Whitespace => return,
            TokenKind::OpenParen => self.parentheses += 1,
            TokenKind::CloseParen => self.parentheses = self.parentheses.saturating_sub(1),
            TokenKind::Ident if self.parentheses == 0 => self.body.word(token.text(self.sql)),
            _ => {}
        }
        self.has_words |= !token.is_trivia();
        let start = self.current.as_ref().map_or(token.range.start, |range| range.start);
        self.current = Some(start..token.range.end);
    }

    fn finish(&mut self) {
        let current = self.current.take().filter(|_| self.has_words);
        self.found.extend(current);
        self.has_words = false;
        self.parentheses = 0;
        self.body = Body::default();
    }
}

/// Whether the semicolons belong to a `BEGIN ATOMIC … END` body, the only place where the grammar nests statements
/// without parentheses or quotes.
#[derive(Default)]
struct Body {
    words: usize,
    replaces: bool,
    routine: bool,
    after_begin: bool,
    depth: usize,
}

impl Body {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn word(&mut self, word: &str) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        let is_routine = is("function") || is("procedure");
        self.words += 1;
        match self.words {
            1 => self.routine = is("create"),
            2 if is("or") => self.replaces = true,
            2 => self.routine &= is_routine,
            4 if self.replaces => self.routine &= is_routine,
            _ => {}
        }
        if self.after_begin && is("atomic") && self.routine {
            self.depth = 1;
        } else if self.is_open() && is("case") {
            self.depth += 1;
        } else if self.is_open() && is("end") {
            self.depth -= 1;
        }
        self.after_begin = is("begin");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &[&str]) {
        let found: Vec<_> = split(sql).into_iter().map(|range| &sql[range]).collect();
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_everything_else() {
        check("", &[]);
        check(" ; ;; -- nothing\n", &[]);
        check("a; b", &["a", "b"]);
        check("-- why\na ; /* ; */ b -- done\n;", &["-- why\na", "/* ; */ b -- done"]);
        check(
            "select ';', \";\", $$;$$, $x$ ; $$ ; $x$, E'\\';'; b",
            &["select ';', \";\", $$;$$, $x$ ; $$ ; $x$, E'\\';'", "b"],
        );
        check("/* /* ; */ ; */ a; b", &["/* /* ; */ ; */ a", "b"]);
        check(
            "create rule r as on insert to t do (a; b); c",
            &["create rule r as on insert to t do (a; b)", "c"],
        );
    }

    #[test]
    fn the_body_of_a_routine_is_one_statement() {
        let function = "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end";
        check(&format!("{function}; select 1"), &[function, "select 1"]);
        check(
            "create procedure p() begin atomic a; b; end; c",
            &["create procedure p() begin atomic a; b; end", "c"],
        );
        check("create table begin (a int); b; end", &["create table begin (a int)", "b", "end"]);
        check("begin; commit", &["begin", "commit"]);
    }
}
