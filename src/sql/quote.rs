//! Values as SQL text: literals, identifiers, relations. Everything here is one token, or tokens joined by dots, whatever
//! the value is; must not guess what a value means.

use super::error::{SqlError, SqlProblem};
use super::keywords::is_keyword;

/// PostgreSQL cuts longer names silently.
const LONGEST_NAME: usize = 63;

/// One string constant. With a backslash in it the `E''` form is used, which means the same under every
/// `standard_conforming_strings`. The caller refuses NUL, which PostgreSQL cannot store.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// One identifier, quoted when it would otherwise mean something else.
pub fn quote_ident(name: &str) -> Result<String, SqlError> {
    check_name(name)?;
    if is_plain(name) { Ok(name.to_owned()) } else { Ok(format!("\"{}\"", name.replace('"', "\"\""))) }
}

/// The parts of a relation's name in PostgreSQL's own spelling, as in `public.t` or `"Dock Schedule"`.
///
/// Parts without quotes fold to lower case.
pub fn parse_relation(text: &str) -> Result<Vec<String>, SqlError> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = parse_part(rest).ok_or_else(|| not_a_relation(text))?;
        check_name(&part)?;
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) if parts.len() < 3 => rest = next.trim_start(),
            None if after.is_empty() => return Ok(parts),
            _ => return Err(not_a_relation(text)),
        }
    }
}

/// A relation's name, parsed and quoted again part by part.
pub fn quote_relation(text: &str) -> Result<String, SqlError> {
    let parts = parse_relation(text)?;
    let quoted = parts.iter().map(|part| quote_ident(part)).collect::<Result<Vec<_>, _>>()?;
    Ok(quoted.join("."))
}

/// Whether a name needs no quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_ascii_digit() || c == '$')
        && !is_keyword(name)
}

fn check_name(name: &str) -> Result<(), SqlError> {
    if name.is_empty() {
        return Err(SqlError::new(SqlProblem::Quote, "an empty text is not a name")
            .help("Give the name of the object."));
    }
    if name.contains('\0') {
        return Err(
            SqlError::new(SqlProblem::Quote, "a name cannot hold a NUL byte").help("Remove the NUL byte.")
        );
    }
    if name.len() > LONGEST_NAME {
        let message = format!("`{name}` has {} bytes, more than the {LONGEST_NAME} of a name", name.len());
        return Err(SqlError::new(SqlProblem::Quote, message)
            .help("Shorten the name: PostgreSQL would cut it silently."));
    }
    Ok(())
}

fn parse_part(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return parse_quoted(quoted);
    }
    let end = text
        .find(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && c != '$')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let starts_well = word.starts_with(|c: char| !c.is_ascii_digit() && c != '$');
    starts_well.then(|| (word.to_ascii_lowercase(), rest))
}

fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((name, after)),
        }
    }
}

fn not_a_relation(text: &str) -> SqlError {
    SqlError::new(SqlProblem::Quote, format!("`{text}` is not the name of a relation"))
        .help("Write it as PostgreSQL shows it, such as `public.orders` or `public.\"Dock Schedule\"`.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_one_constant() {
        let check = |text: &str, expected: &str| assert_eq!(quote_literal(text), expected);
        check("", "''");
        check("it's", "'it''s'");
        check("a\\", "E'a\\\\'");
        check("\\'; DROP TABLE x; --", "E'\\\\''; DROP TABLE x; --'");
        check("ä\n", "'ä\n'");
    }

    #[test]
    fn an_identifier_is_one_identifier() {
        let check = |name: &str, expected: &str| assert_eq!(quote_ident(name).unwrap(), expected);
        check("orders", "orders");
        check("_a$1", "_a$1");
        check("Orders", "\"Orders\"");
        check("select", "\"select\"");
        check("user", "\"user\"");
        check("a.b", "\"a.b\"");
        check("a\"b", "\"a\"\"b\"");
        check("größe", "\"größe\"");
        check("1a", "\"1a\"");
        for bad in ["", "a\0b", &"x".repeat(64), &"ä".repeat(32)] {
            assert_eq!(quote_ident(bad).unwrap_err().problem, SqlProblem::Quote, "{bad}");
        }
        assert!(quote_ident(&"x".repeat(63)).is_ok());
    }

    #[test]
    fn a_relation_is_spelt_as_postgresql_shows_it() {
        let check = |text: &str, expected: &str| assert_eq!(quote_relation(text).unwrap(), expected);
        check("orders", "orders");
        check("Public.Orders", "public.orders");
        check("\"Dock Schedule\"", "\"Dock Schedule\"");
        check("public.\"Dock \"\"Schedule\"", "public.\"Dock \"\"Schedule\"");
        check(" a . \"b.c\" ", "a.\"b.c\"");
        check("db.s.t", "db.s.t");
        check("\"order\"", "\"order\"");
        for bad in [
            "",
            "Dock Schedule",
            "a.",
            ".a",
            "a..b",
            "a.b.c.d",
            "\"a",
            "\"\"",
            "a;b",
            "1a",
            "a--b",
            "a\"b\"",
            "$a",
        ] {
            assert_eq!(quote_relation(bad).unwrap_err().problem, SqlProblem::Quote, "{bad}");
        }
    }
}
