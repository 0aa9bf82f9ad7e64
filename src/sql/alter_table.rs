//! [`Action`]: what one subcommand of ALTER TABLE locks and does. The table is section 2 of PostgreSQL's lock levels as
//! measured; must not look at anything but the subcommand.

use super::lock_mode::LockMode;
use super::tree::{Kind, Node, child, compact, contains, has, name_parts, tokens};
use crate::model::Effect;

/// One subcommand.
pub(super) struct Action {
    pub(super) mode: LockMode,
    pub(super) effect: Effect,
    /// Why it is more than a change; empty for changes of the catalog alone.
    pub(super) reason: &'static str,
}

const fn action(mode: LockMode, effect: Effect, reason: &'static str) -> Action {
    Action { mode, effect, reason }
}

const BRIEF: Action = action(LockMode::AccessExclusive, Effect::Change, "");
const GENTLE: Action = action(LockMode::ShareUpdateExclusive, Effect::Change, "");

const fn rewrite(reason: &'static str) -> Action {
    action(LockMode::AccessExclusive, Effect::Disrupt, reason)
}

/// The subcommands of an ALTER TABLE, in order.
pub(super) fn actions(statement: &Node) -> impl Iterator<Item = (Node, Action)> {
    let subject = |kind| {
        matches!(
            kind,
            Kind::TABLE_RELATION_NAME | Kind::IF_EXISTS | Kind::TABLE_NAME_REF | Kind::RELATION_NAME_REF
        )
    };
    statement.children().filter(move |node| !subject(node.kind())).map(|node| {
        let action = classify(&node);
        (node, action)
    })
}

fn classify(node: &Node) -> Action {
    match node.kind() {
        Kind::ADD_COLUMN => add_column(node),
        Kind::DROP_COLUMN => {
            action(LockMode::AccessExclusive, Effect::Destroy, "DROP COLUMN deletes the column's data")
        }
        Kind::ALTER_COLUMN => node
            .children()
            .map(|inner| alter_column(&inner))
            .max_by_key(|inner| inner.effect)
            .unwrap_or(BRIEF),
        Kind::ADD_CONSTRAINT => add_constraint(node),
        Kind::DROP_CONSTRAINT if has(node, Kind::CASCADE) => {
            action(LockMode::AccessExclusive, Effect::Destroy, "CASCADE drops what depends on the constraint")
        }
        Kind::VALIDATE_CONSTRAINT
        | Kind::SET_OPTIONS
        | Kind::RESET_OPTIONS
        | Kind::CLUSTER_ON
        | Kind::SET_WITHOUT_CLUSTER
        | Kind::ATTACH_PARTITION => GENTLE,
        Kind::DETACH_PARTITION
            if has(node, Kind::DETACH_CONCURRENTLY) || has(node, Kind::DETACH_FINALIZE) =>
        {
            GENTLE
        }
        Kind::SET_TABLESPACE => rewrite("SET TABLESPACE copies the table and blocks everything on it"),
        Kind::SET_LOGGED | Kind::SET_UNLOGGED => {
            rewrite("SET LOGGED or UNLOGGED rewrites the table and blocks everything on it")
        }
        Kind::SET_ACCESS_METHOD => {
            rewrite("SET ACCESS METHOD rewrites the table and blocks everything on it")
        }
        Kind::MERGE_PARTITIONS | Kind::SPLIT_PARTITION => {
            rewrite("moving rows between partitions blocks everything on the table")
        }
        Kind::DISABLE_TRIGGER
        | Kind::ENABLE_TRIGGER
        | Kind::ENABLE_ALWAYS_TRIGGER
        | Kind::ENABLE_REPLICA_TRIGGER => action(LockMode::ShareRowExclusive, Effect::Change, ""),
        _ => BRIEF,
    }
}

fn alter_column(node: &Node) -> Action {
    match node.kind() {
        Kind::COLUMN_NAME_REF
        | Kind::SET_STATISTICS
        | Kind::ALTER_SET_STATISTICS
        | Kind::SET_OPTIONS
        | Kind::RESET_OPTIONS => GENTLE,
        Kind::SET_TYPE => rewrite("a new column type may rewrite the table, which blocks everything on it"),
        Kind::SET_NOT_NULL => rewrite("SET NOT NULL scans the table and blocks everything on it"),
        Kind::SET_EXPRESSION => rewrite("a new expression rewrites the table and blocks everything on it"),
        _ => BRIEF,
    }
}

fn add_column(node: &Node) -> Action {
    let changing = |call: Node| {
        let name = call.first_child().map(|name| name_parts(&name)).unwrap_or_default();
        let last = name.last().map(String::as_str);
        call.kind() == Kind::CALL_EXPR
            && !matches!(last, Some("now" | "transaction_timestamp" | "statement_timestamp"))
    };
    let default_changes =
        child(node, Kind::DEFAULT_CONSTRAINT).is_some_and(|default| default.descendants().any(changing));
    let serial = child(node, Kind::PATH_TYPE)
        .is_some_and(|name| compact(&name).to_ascii_lowercase().ends_with("serial"));
    if default_changes || serial || contains(node, Kind::GENERATED_CONSTRAINT) {
        return rewrite(
            "a column whose value differs per row rewrites the table and blocks everything on it",
        );
    }
    if has(node, Kind::CHECK_CONSTRAINT)
        || has(node, Kind::UNIQUE_CONSTRAINT)
        || has(node, Kind::PRIMARY_KEY_CONSTRAINT)
    {
        return rewrite("a constraint on a new column scans the table and blocks everything on it");
    }
    BRIEF
}

fn add_constraint(node: &Node) -> Action {
    let later = contains(node, Kind::NOT_VALID) || contains(node, Kind::NOT_ENFORCED);
    let foreign = contains(node, Kind::FOREIGN_KEY_CONSTRAINT);
    match (foreign, later) {
        (true, true) => action(LockMode::ShareRowExclusive, Effect::Change, ""),
        (true, false) => action(
            LockMode::ShareRowExclusive,
            Effect::Disrupt,
            "a foreign key scans the table and blocks writes on both tables",
        ),
        (false, true) => BRIEF,
        (false, false) if contains(node, Kind::USING_INDEX_NAME) || contains(node, Kind::USING_INDEX) => {
            BRIEF
        }
        (false, false)
            if tokens(node).any(|token| {
                matches!(token.kind(), Kind::UNIQUE_KW | Kind::PRIMARY_KW | Kind::EXCLUDE_KW)
            }) =>
        {
            rewrite("the constraint builds an index and blocks everything on the table")
        }
        (false, false) => rewrite("the constraint scans the table and blocks everything on it"),
    }
}
