//! The key words of PostgreSQL 12 to 18, reserved or not: a name that is one of them is quoted, because an unreserved
//! word can still mean something else where it stands (`REINDEX TABLE concurrently`).

use super::word_list::holds;

static KEYWORDS: &str = include_str!("keywords.txt");

/// Whether a lower-case word is a key word.
pub(super) fn is_keyword(word: &str) -> bool {
    holds(KEYWORDS, word)
}

/// The key words that begin a statement, to name the one that was meant.
pub(super) const STATEMENT_WORDS: &[&str] = &[
    "abort",
    "alter",
    "analyze",
    "begin",
    "call",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "discard",
    "do",
    "drop",
    "end",
    "execute",
    "explain",
    "fetch",
    "grant",
    "import",
    "insert",
    "listen",
    "load",
    "lock",
    "merge",
    "move",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "select",
    "set",
    "show",
    "start",
    "table",
    "truncate",
    "unlisten",
    "update",
    "vacuum",
    "values",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_agree() {
        assert!(KEYWORDS.lines().is_sorted());
        for word in STATEMENT_WORDS.iter().chain(&["all", "concurrently", "xmltable", "zone"]) {
            assert!(is_keyword(word), "{word}");
        }
        assert!(!is_keyword("orders"));
    }
}
