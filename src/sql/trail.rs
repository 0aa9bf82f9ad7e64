//! [`Trail`]: what a statement leaves in the catalog, so that it can be looked up before and afterwards.
//!
//! It is read from the words of the statement. What is not known here has no trail, which is never wrong.

use squawk_lexer::TokenKind;

use super::quote::{quote_ident, quote_literal};
use super::tokens::lex;
use super::tree::fold;

/// What a statement leaves in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trail {
    /// `ALTER SYSTEM SET` or `RESET`: a line of `postgresql.auto.conf`.
    ServerSetting {
        /// The setting.
        name: String,
    },
    /// `ALTER DATABASE` or `ALTER ROLE … SET` or `RESET`: a row of `pg_db_role_setting`.
    StoredSetting {
        /// The database; nothing for every one.
        database: Option<String>,
        /// The role; nothing for every one.
        role: Option<String>,
        /// The setting.
        name: String,
    },
    /// An index that is made or dropped, outside a transaction.
    Index {
        /// Its name as written, quotes included.
        name: String,
        /// Whether it is there afterwards.
        made: bool,
    },
    /// A database that is made or dropped.
    Database {
        /// Its name.
        name: String,
        /// Whether it is there afterwards.
        made: bool,
    },
    /// Maintenance: nothing tells whether it was done, and doing it twice does no harm.
    Maintenance,
}

/// Settings whose value is a list of names, each quoted by itself.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The trail of a statement, where it leaves one that is known here.
pub fn trail(statement: &str) -> Option<Trail> {
    let words: Vec<&str> = lex(statement)
        .filter(|token| !token.is_trivia() && token.kind != TokenKind::Semi)
        .map(|token| &statement[token.range])
        .collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    match upper.as_slice() {
        ["ALTER", "SYSTEM", "SET" | "RESET", ..] => {
            Some(Trail::ServerSetting { name: setting(&words[3..])? })
        }
        ["ALTER", "DATABASE", _, "SET" | "RESET", rest, ..] if *rest != "TABLESPACE" => {
            let database = Some(fold(words[2]));
            Some(Trail::StoredSetting { database, role: None, name: setting(&words[4..])? })
        }
        ["ALTER", "ROLE" | "USER", role, "SET" | "RESET", ..] => {
            let role = (*role != "ALL").then(|| fold(words[2]));
            Some(Trail::StoredSetting { database: None, role, name: setting(&words[4..])? })
        }
        ["ALTER", "ROLE" | "USER", role, "IN", "DATABASE", _, "SET" | "RESET", ..] => {
            let role = (*role != "ALL").then(|| fold(words[2]));
            Some(Trail::StoredSetting { database: Some(fold(words[5])), role, name: setting(&words[7..])? })
        }
        ["CREATE", "DATABASE", ..] => Some(Trail::Database { name: fold(words.get(2)?), made: true }),
        ["DROP", "DATABASE", "IF", "EXISTS", ..] => {
            Some(Trail::Database { name: fold(words.get(4)?), made: false })
        }
        ["DROP", "DATABASE", ..] => Some(Trail::Database { name: fold(words.get(2)?), made: false }),
        ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => made_index(&words[4..], &upper[4..]),
        ["CREATE", "INDEX", "CONCURRENTLY", ..] => made_index(&words[3..], &upper[3..]),
        ["DROP", "INDEX", "CONCURRENTLY", "IF", "EXISTS", ..] => dropped_index(&words[5..]),
        ["DROP", "INDEX", "CONCURRENTLY", ..] => dropped_index(&words[3..]),
        ["VACUUM" | "ANALYZE" | "ANALYSE" | "REINDEX" | "CLUSTER" | "CHECKPOINT" | "REFRESH", ..] => {
            Some(Trail::Maintenance)
        }
        _ => None,
    }
}

/// The name of a setting, which may have dots in it; `ALL` is none.
fn setting(words: &[&str]) -> Option<String> {
    let first = words.first()?;
    if first.eq_ignore_ascii_case("all") {
        return None;
    }
    if first.eq_ignore_ascii_case("time")
        && words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("zone"))
    {
        return Some("timezone".to_owned());
    }
    let mut name = fold(first);
    let mut rest = &words[1..];
    while let [".", part, more @ ..] = rest {
        name = format!("{name}.{}", fold(part));
        rest = more;
    }
    Some(name)
}

fn made_index(words: &[&str], upper: &[&str]) -> Option<Trail> {
    let skip = if upper.starts_with(&["IF", "NOT", "EXISTS"]) { 3 } else { 0 };
    let end = upper.iter().position(|word| *word == "ON")?;
    // Its schema is the table's, so that `schema.table` says where the index is.
    let mut table = upper.iter().skip(end + 1).position(|word| *word != "ONLY").map(|at| end + 1 + at)?;
    let mut name = words.get(skip..end)?.concat();
    if name.is_empty() {
        return None;
    }
    if words.get(table + 1) == Some(&".") {
        name = format!("{}.{name}", words[table]);
        table += 1;
    }
    (table < words.len()).then_some(Trail::Index { name, made: true })
}

fn dropped_index(words: &[&str]) -> Option<Trail> {
    let one = !words.contains(&",");
    let end =
        words.iter().position(|word| ["CASCADE", "RESTRICT"].contains(&word.to_ascii_uppercase().as_str()));
    let name = words.get(..end.unwrap_or(words.len()))?.concat();
    (one && !name.is_empty()).then_some(Trail::Index { name, made: false })
}

impl Trail {
    /// The query that reads what is there: one row with one text, or none. Nothing where there is nothing to read.
    pub fn reads(&self) -> Option<String> {
        match self {
            Self::ServerSetting { name } => Some(format!(
                "SELECT setting FROM pg_catalog.pg_file_settings WHERE lower(name) = {} \
                 AND sourcefile LIKE '%postgresql.auto.conf' ORDER BY seqno DESC LIMIT 1",
                quote_literal(&name.to_lowercase())
            )),
            Self::StoredSetting { database, role, name } => {
                let oid = |catalog: &str, column: &str, name: &Option<String>| match name {
                    None => "0".to_owned(),
                    Some(name) => format!(
                        "(SELECT oid FROM pg_catalog.{catalog} WHERE {column} = {})",
                        quote_literal(name)
                    ),
                };
                Some(format!(
                    "SELECT substr(entry, strpos(entry, '=') + 1) FROM pg_catalog.pg_db_role_setting, \
                     unnest(setconfig) AS entry WHERE setdatabase = {} AND setrole = {} \
                     AND lower(split_part(entry, '=', 1)) = {}",
                    oid("pg_database", "datname", database),
                    oid("pg_roles", "rolname", role),
                    quote_literal(&name.to_lowercase())
                ))
            }
            Self::Index { name, .. } => Some(format!(
                "SELECT CASE WHEN indisvalid THEN 'valid' ELSE 'invalid' END FROM pg_catalog.pg_index \
                 WHERE indexrelid = pg_catalog.to_regclass({})",
                quote_literal(name)
            )),
            Self::Database { name, .. } => Some(format!(
                "SELECT 'there' FROM pg_catalog.pg_database WHERE datname = {}",
                quote_literal(name)
            )),
            Self::Maintenance => None,
        }
    }

    /// The statements that bring back a value; nothing where that is not one of settings.
    pub fn restore(&self, value: Option<&str>) -> Option<Vec<String>> {
        let (head, name) = match self {
            Self::ServerSetting { name } => ("ALTER SYSTEM".to_owned(), name),
            Self::StoredSetting { database, role, name } => {
                (stored(database.as_deref(), role.as_deref())?, name)
            }
            Self::Index { .. } | Self::Database { .. } | Self::Maintenance => return None,
        };
        let quoted = name.split('.').map(quote_ident).collect::<Result<Vec<_>, _>>().ok()?.join(".");
        let mut statements = vec![match value {
            None => format!("{head} RESET {quoted}"),
            Some(value) => format!("{head} SET {quoted} TO {}", literal(name, value)),
        }];
        // A server goes on with what it has read until it reads again.
        if matches!(self, Self::ServerSetting { .. }) {
            statements.push("SELECT pg_catalog.pg_reload_conf()".to_owned());
        }
        Some(statements)
    }
}

fn stored(database: Option<&str>, role: Option<&str>) -> Option<String> {
    Some(match (database, role) {
        (Some(database), None) => format!("ALTER DATABASE {}", quote_ident(database).ok()?),
        (None, Some(role)) => format!("ALTER ROLE {}", quote_ident(role).ok()?),
        (Some(database), Some(role)) => {
            format!("ALTER ROLE {} IN DATABASE {}", quote_ident(role).ok()?, quote_ident(database).ok()?)
        }
        (None, None) => "ALTER ROLE ALL".to_owned(),
    })
}

/// A value as SQL: a list of names is quoted name by name, as the server has written it.
fn literal(name: &str, value: &str) -> String {
    if !LISTS.contains(&name) || value.trim().is_empty() {
        return quote_literal(value);
    }
    let part = |part: &str| match part.trim() {
        quoted if quoted.starts_with('"') => quoted.to_owned(),
        plain => quote_literal(plain),
    };
    value.split(',').map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: impl Into<Option<Trail>>) {
        assert_eq!(trail(statement), expected.into(), "{statement}");
    }

    #[test]
    fn the_words_of_a_statement_say_what_it_leaves() {
        let server = |name: &str| Some(Trail::ServerSetting { name: name.into() });
        let stored = |database: Option<&str>, role: Option<&str>, name: &str| {
            Some(Trail::StoredSetting {
                database: database.map(Into::into),
                role: role.map(Into::into),
                name: name.into(),
            })
        };
        let index = |name: &str, made| Some(Trail::Index { name: name.into(), made });
        check("ALTER SYSTEM SET work_mem = '8MB'", server("work_mem"));
        check(
            "alter system /* c */ reset auto_explain.log_min_duration",
            server("auto_explain.log_min_duration"),
        );
        check("ALTER SYSTEM RESET ALL", None);
        check("ALTER DATABASE \"W ms\" SET TimeZone TO 'UTC'", stored(Some("W ms"), None, "timezone"));
        check("ALTER DATABASE wms SET TABLESPACE fast", None);
        check("ALTER ROLE app SET TIME ZONE 'UTC'", stored(None, Some("app"), "timezone"));
        check("ALTER ROLE ALL IN DATABASE wms SET a.b = 1", stored(Some("wms"), None, "a.b"));
        check("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (a)", index("s.i", true));
        check("CREATE UNIQUE INDEX CONCURRENTLY \"I x\" ON ONLY t (a)", index("\"I x\"", true));
        check("CREATE INDEX CONCURRENTLY ON t (a)", None);
        check("DROP INDEX CONCURRENTLY IF EXISTS s.i CASCADE", index("s.i", false));
        check("DROP INDEX CONCURRENTLY a, b", None);
        check("CREATE DATABASE x", Some(Trail::Database { name: "x".into(), made: true }));
        check("VACUUM (FULL) t", Some(Trail::Maintenance));
        check("INSERT INTO t VALUES (1)", None);
    }

    #[test]
    fn a_value_is_brought_back_as_it_was() {
        let restored = |statement: &str, value| trail(statement).unwrap().restore(value).unwrap().remove(0);
        assert_eq!(
            restored("ALTER SYSTEM SET work_mem = 1", Some("4MB")),
            "ALTER SYSTEM SET work_mem TO '4MB'"
        );
        assert_eq!(restored("ALTER SYSTEM SET a.b = 1", None), "ALTER SYSTEM RESET a.b");
        assert_eq!(
            restored("ALTER ROLE app IN DATABASE w SET search_path = x", Some("\"$user\", public")),
            "ALTER ROLE app IN DATABASE w SET search_path TO \"$user\", 'public'"
        );
    }
}
