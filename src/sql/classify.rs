//! The effect of a statement, from its tree alone. What it does not know is assumed to change something; must not read
//! settings, catalogs or the author's `effect:`.

use super::embedded;
use super::functions;
use super::lock_mode::LockMode;
use super::locks::{is_concurrent, lock_mode};
use super::tree::{Kind, Node, child, contains, has, name_parts, option_is_on, says, tokens};
use super::{alter_table, describe};
use crate::model::{Certainty, Class, Effect};

/// The class of a statement.
pub(super) fn class(statement: &Node) -> Class {
    match statement.kind() {
        Kind::SELECT
        | Kind::SELECT_INTO
        | Kind::COMPOUND_SELECT
        | Kind::PAREN_SELECT
        | Kind::VALUES
        | Kind::TABLE => query(statement),
        Kind::INSERT | Kind::UPDATE | Kind::DELETE | Kind::MERGE | Kind::DECLARE | Kind::PREPARE => {
            query(statement)
        }
        Kind::EXPLAIN => explain(statement),
        Kind::COPY => copy(statement),
        Kind::CREATE_TABLE_AS | Kind::CREATE_MATERIALIZED_VIEW => {
            Class::known(Effect::Change).and(query(statement))
        }
        _ => maintenance(statement),
    }
}

fn query(node: &Node) -> Class {
    let writes = node.descendants().map(|below| write(&below)).fold(Class::default(), Class::and);
    writes.and(calls(node))
}

fn write(node: &Node) -> Class {
    let everything = || !has(node, Kind::WHERE_CLAUSE) && !has(node, Kind::WHERE_CURRENT_OF);
    match node.kind() {
        Kind::UPDATE if everything() => {
            Class::because(Effect::Destroy, "UPDATE without WHERE overwrites every row")
        }
        Kind::DELETE if everything() => {
            Class::because(Effect::Destroy, "DELETE without WHERE deletes every row")
        }
        Kind::INSERT | Kind::UPDATE | Kind::DELETE | Kind::MERGE => Class::known(Effect::Change),
        Kind::LOCKING_CLAUSE => Class::because(Effect::Change, "a locking clause locks rows"),
        Kind::INTO_CLAUSE if node.parent().is_some_and(|parent| parent.kind() == Kind::SELECT_INTO) => {
            Class::because(Effect::Change, "SELECT INTO creates a table")
        }
        _ => Class::default(),
    }
}

/// What the called functions do.
fn calls(node: &Node) -> Class {
    called(node)
        .map(|(call, name)| embedded::class(&call, &name).unwrap_or_else(|| functions::class(&name)))
        .fold(Class::default(), Class::and)
}

/// Every call below a node with the function's name; calls that are key words of the grammar only read.
pub(super) fn called(node: &Node) -> impl Iterator<Item = (Node, Vec<String>)> {
    node.descendants().filter(|below| below.kind() == Kind::CALL_EXPR).filter_map(|call| {
        let name = call.first_child()?;
        let parts = matches!(name.kind(), Kind::NAME_REF | Kind::FIELD_EXPR).then(|| name_parts(&name))?;
        Some((call, parts))
    })
}

fn explain(node: &Node) -> Class {
    let Some(inner) = node.children().filter(|inner| !is_explain_option(inner.kind())).last() else {
        return Class::default();
    };
    if option_is_on(node, "analyze") {
        let mut class = class(&inner);
        if class.effect > Effect::Read {
            class.reasons.insert(0, "EXPLAIN ANALYZE executes the statement".into());
        }
        return class;
    }
    // Planning executes stable functions, never volatile ones: only what is unknown counts.
    let unknown = |class: &Class| class.certainty == Certainty::Assumed;
    called(&inner).map(|(_, name)| functions::class(&name)).filter(unknown).fold(Class::default(), Class::and)
}

fn is_explain_option(kind: Kind) -> bool {
    matches!(kind, Kind::EXPLAIN_OPTION_LIST | Kind::EXPLAIN_ANALYZE | Kind::EXPLAIN_VERBOSE)
}

fn copy(node: &Node) -> Class {
    let inner = child(node, Kind::COPY_QUERY).map(|inner| query(&inner)).unwrap_or_default();
    let program = node.descendants().find(|below| below.kind() == Kind::COPY_PROGRAM);
    let own = match (program, has(node, Kind::COPY_FROM)) {
        (Some(program), _) if says(&program, Kind::PROGRAM_KW) => {
            Class::assumed("COPY runs a program on the server")
        }
        (_, true) => Class::known(Effect::Change),
        (Some(_), false) => Class::because(Effect::Change, "COPY writes a file on the server"),
        (None, false) => Class::default(),
    };
    own.and(inner)
}

fn maintenance(node: &Node) -> Class {
    let change = || Class::known(Effect::Change);
    let disrupt = |reason: &str| Class::because(Effect::Disrupt, reason);
    let destroy = |reason: &str| Class::because(Effect::Destroy, reason);
    match node.kind() {
        Kind::VACUUM if option_is_on(node, "full") => {
            disrupt("VACUUM FULL rewrites the table and blocks everything on it")
        }
        Kind::REINDEX if !is_concurrent(node) => disrupt("REINDEX blocks writes and most reads of the table"),
        Kind::CLUSTER => disrupt("CLUSTER rewrites the table and blocks everything on it"),
        Kind::REPACK if !is_concurrent(node) => {
            disrupt("REPACK rewrites the table and blocks everything on it")
        }
        Kind::REFRESH if !is_concurrent(node) => disrupt("REFRESH blocks reads of the materialized view"),
        Kind::CREATE_INDEX if !is_concurrent(node) => disrupt("CREATE INDEX blocks writes to the table"),
        Kind::TRUNCATE => destroy("TRUNCATE deletes every row"),
        Kind::DROP_INDEX if has(node, Kind::CASCADE) => destroy("CASCADE drops what depends on the index"),
        Kind::DROP_INDEX if !is_concurrent(node) => {
            disrupt("DROP INDEX blocks everything on the table while it waits for its lock")
        }
        Kind::ALTER_TABLE => alter_table(node),
        Kind::ALTER_FOREIGN_TABLE | Kind::ALTER_TYPE
            if contains(node, Kind::DROP_COLUMN) || contains(node, Kind::DROP_ATTRIBUTE) =>
        {
            destroy("the column's data is deleted")
        }
        Kind::ALTER_DATABASE if has(node, Kind::DATABASE_RENAME_TO) => {
            disrupt("a database can be renamed only when nobody uses it")
        }
        Kind::ALTER_DATABASE if has(node, Kind::SET_TABLESPACE) => {
            disrupt("a database can be moved only when nobody uses it")
        }
        Kind::LOCK if lock_mode(node) >= LockMode::Share => {
            disrupt("LOCK blocks others until the transaction ends")
        }
        Kind::COMMIT_PREPARED => destroy("COMMIT PREPARED cannot be taken back"),
        Kind::ROLLBACK_PREPARED => destroy("ROLLBACK PREPARED discards the transaction's work"),
        Kind::REVOKE if contains(node, Kind::CASCADE) => destroy("CASCADE revokes what was granted on"),
        Kind::VACUUM
        | Kind::ANALYZE
        | Kind::REINDEX
        | Kind::REPACK
        | Kind::REFRESH
        | Kind::CREATE_INDEX
        | Kind::LOCK
        | Kind::DROP_INDEX
        | Kind::CHECKPOINT
        | Kind::GRANT
        | Kind::REVOKE
        | Kind::REASSIGN
        | Kind::COMMENT_ON
        | Kind::SECURITY_LABEL
        | Kind::NOTIFY => change(),
        Kind::CREATE_EXTENSION => Class::assumed("CREATE EXTENSION runs the extension's script"),
        Kind::ALTER_EXTENSION => Class::assumed("ALTER EXTENSION may run the extension's script"),
        Kind::IMPORT_FOREIGN_SCHEMA => {
            Class::assumed("IMPORT FOREIGN SCHEMA does what the other server says")
        }
        _ if is_session(node) => session(node),
        _ => by_first_word(node),
    }
}

fn alter_table(node: &Node) -> Class {
    alter_table::actions(node)
        .map(|(_, action)| match action.reason {
            "" => Class::known(action.effect),
            reason => Class::because(action.effect, reason),
        })
        .fold(Class::known(Effect::Change), Class::and)
}

fn is_session(node: &Node) -> bool {
    matches!(
        node.kind(),
        Kind::SET
            | Kind::RESET
            | Kind::SHOW
            | Kind::SET_ROLE
            | Kind::RESET_ROLE
            | Kind::SET_SESSION_AUTH
            | Kind::RESET_SESSION_AUTH
            | Kind::SET_TRANSACTION
            | Kind::SET_CONSTRAINTS
            | Kind::LISTEN
            | Kind::UNLISTEN
            | Kind::FETCH
            | Kind::MOVE
            | Kind::CLOSE
            | Kind::DEALLOCATE
            | Kind::DISCARD
    )
}

/// What concerns the session alone reads, unless it opens a read-only transaction for writing.
fn session(node: &Node) -> Class {
    let guard = |name: &str| matches!(name, "transaction_read_only" | "default_transaction_read_only");
    let set = describe::setting_name(node).is_some_and(|name| guard(&name));
    if (node.kind() == Kind::SET && set) || contains(node, Kind::READ_WRITE) {
        return Class::because(Effect::Change, "it allows the session to write");
    }
    if has(node, Kind::DISCARD_ALL) || has(node, Kind::DISCARD_TEMP) {
        return Class::because(Effect::Change, "DISCARD drops the session's temporary tables");
    }
    Class::default()
}

fn by_first_word(node: &Node) -> Class {
    let first = tokens(node).find(|token| !token.kind().is_trivia()).map(|token| token.kind());
    let verb = describe::verb(node);
    match first {
        Some(Kind::CREATE_KW | Kind::ALTER_KW) => Class::known(Effect::Change),
        Some(Kind::DROP_KW) => Class::because(Effect::Destroy, format!("{verb} cannot be undone")),
        Some(Kind::DO_KW | Kind::CALL_KW | Kind::EXECUTE_KW | Kind::LOAD_KW) => {
            Class::assumed(format!("the effect of {verb} is unknown"))
        }
        _ => Class::assumed(format!("the effect of `{verb}` is unknown")),
    }
}
