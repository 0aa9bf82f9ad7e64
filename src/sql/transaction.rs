//! Which statements may run in a transaction block, and which would control one.

use super::locks::is_concurrent;
use super::statement::Transaction;
use super::tree::{Kind, Node, child, compact, contains, has};

/// Whether the statement begins, ends or marks a transaction: the step owns its transaction.
pub(super) fn is_control(node: &Node) -> bool {
    matches!(
        node.kind(),
        Kind::BEGIN
            | Kind::COMMIT_TRANSACTION
            | Kind::ROLLBACK_TRANSACTION
            | Kind::ROLLBACK_TO_SAVEPOINT
            | Kind::SAVEPOINT_CREATE
            | Kind::RELEASE_SAVEPOINT
            | Kind::PREPARE_TRANSACTION
    )
}

/// Whether the statement may run in a transaction block.
pub(super) fn rule(node: &Node) -> Transaction {
    use Transaction::{Allowed, Bare, Forbidden};
    match node.kind() {
        Kind::VACUUM => Forbidden("VACUUM commits after each table"),
        Kind::REINDEX if is_concurrent(node) => Forbidden("REINDEX CONCURRENTLY uses several transactions"),
        Kind::REINDEX if has(node, Kind::REINDEX_TARGET_INDEX) || has(node, Kind::REINDEX_TARGET_TABLE) => {
            Allowed
        }
        Kind::REINDEX => Forbidden("it commits after each index"),
        Kind::REPACK => Forbidden("REPACK uses several transactions"),
        Kind::CREATE_INDEX if is_concurrent(node) => {
            Forbidden("CREATE INDEX CONCURRENTLY uses several transactions")
        }
        Kind::DROP_INDEX if is_concurrent(node) => {
            Forbidden("DROP INDEX CONCURRENTLY uses several transactions")
        }
        Kind::CLUSTER if node.children().next().is_none() => {
            Forbidden("CLUSTER without a table commits after each table")
        }
        Kind::ALTER_SYSTEM => Forbidden("ALTER SYSTEM writes a file"),
        Kind::CREATE_DATABASE | Kind::DROP_DATABASE => Forbidden("it works on a whole database"),
        Kind::ALTER_DATABASE if has(node, Kind::SET_TABLESPACE) => Forbidden("it copies a whole database"),
        Kind::CREATE_TABLESPACE | Kind::DROP_TABLESPACE => Forbidden("it works on a directory"),
        Kind::DISCARD if has(node, Kind::DISCARD_ALL) => Forbidden("DISCARD ALL resets the session"),
        Kind::CREATE_SUBSCRIPTION if !stays_local(node) => {
            Forbidden("it creates a replication slot elsewhere")
        }
        Kind::DROP_SUBSCRIPTION => Forbidden("it drops a replication slot elsewhere"),
        Kind::ALTER_SUBSCRIPTION if contains(node, Kind::REFRESH_PUBLICATION) => {
            Forbidden("it asks another server")
        }
        Kind::ALTER_TABLE if contains(node, Kind::DETACH_CONCURRENTLY) => {
            Forbidden("DETACH CONCURRENTLY uses two transactions")
        }
        Kind::COMMIT_PREPARED | Kind::ROLLBACK_PREPARED => Forbidden("it ends another transaction"),
        Kind::CALL => Bare("a procedure may commit"),
        Kind::DO if ends_transactions(node) => Bare("its block commits or rolls back"),
        _ => Allowed,
    }
}

fn stays_local(node: &Node) -> bool {
    let options =
        child(node, Kind::WITH_PARAMS).map(|list| compact(&list).to_ascii_lowercase()).unwrap_or_default();
    ["connect=false", "create_slot=false", "slot_name=none"].iter().any(|option| options.contains(option))
}

fn ends_transactions(node: &Node) -> bool {
    let body = compact(node).to_ascii_lowercase();
    body.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| matches!(word, "commit" | "rollback"))
}
