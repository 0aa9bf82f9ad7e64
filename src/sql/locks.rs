//! [`LockForecast`]: the table locks a statement will ask for. A forecast from the text alone: it must not claim to know
//! partitions, views' tables or what a function does.

use super::alter_table;
use super::describe::is_prepared;
use super::lock_mode::LockMode;
use super::tree::{Kind, Node, child, compact, contains, has, option_is_on, says};

/// A table lock that a statement will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockForecast {
    /// The lock's mode.
    pub mode: LockMode,
    /// The relation as written in the statement.
    pub relation: String,
    /// What else is locked, or for how long.
    pub note: Option<String>,
}

/// The locks of a statement: the strongest for each relation, in the order found.
pub(super) fn forecast(statement: &Node) -> Vec<LockForecast> {
    let mut locks = Locks::default();
    locks.statement(statement);
    locks.found
}

/// The names of the relations below a node, as written, without common table expressions.
pub(super) fn relations(node: &Node) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in named(node).map(|name| compact(&name)) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn is_relation(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RELATION_NAME_REF
            | Kind::TABLE_NAME_REF
            | Kind::VIEW_REF
            | Kind::INDEX_REF
            | Kind::SEQUENCE_REF
    )
}

fn named(node: &Node) -> impl Iterator<Item = Node> {
    let (mut relations, mut expressions) = (Vec::new(), Vec::new());
    for below in node.descendants() {
        match below.kind() {
            Kind::CTE_NAME => expressions.push(compact(&below)),
            kind if is_relation(kind) => relations.push(below),
            _ => {}
        }
    }
    // Only what is read can be a common table expression: the target of a write never is.
    let is_expression = move |below: &Node| {
        !expressions.is_empty()
            && below.parent().is_some_and(|parent| parent.kind() == Kind::RELATION_FROM_ITEM)
            && expressions.contains(&compact(below))
    };
    relations.into_iter().filter(move |below| !is_expression(below))
}

#[derive(Default)]
struct Locks {
    found: Vec<LockForecast>,
}

impl Locks {
    fn add(&mut self, mode: LockMode, relation: String, note: &str) {
        let note = (!note.is_empty()).then(|| note.to_owned());
        match self.found.iter_mut().find(|lock| lock.relation == relation) {
            Some(lock) if lock.mode >= mode => {}
            Some(lock) => (lock.mode, lock.note) = (mode, note),
            None => self.found.push(LockForecast { mode, relation, note }),
        }
    }

    fn all(&mut self, statement: &Node, mode: LockMode, note: &str) {
        named(statement).for_each(|name| self.add(mode, compact(&name), note));
    }

    fn statement(&mut self, node: &Node) {
        let concurrently = is_concurrent(node);
        match node.kind() {
            Kind::VACUUM if option_is_on(node, "full") => {
                self.all(node, LockMode::AccessExclusive, "rewrites the table");
            }
            Kind::VACUUM | Kind::ANALYZE | Kind::ALTER_INDEX | Kind::COMMENT_ON | Kind::CREATE_STATISTICS => {
                self.all(node, LockMode::ShareUpdateExclusive, "");
            }
            Kind::REINDEX => self.reindex(node),
            Kind::CREATE_INDEX if concurrently => {
                self.all(node, LockMode::ShareUpdateExclusive, "waits for old transactions");
            }
            Kind::CREATE_INDEX => self.all(node, LockMode::Share, "until the index is built"),
            Kind::DROP_INDEX if concurrently => {
                self.all(
                    node,
                    LockMode::ShareUpdateExclusive,
                    "and on its table; waits for everyone who uses it",
                );
            }
            Kind::DROP_INDEX => self.all(node, LockMode::AccessExclusive, "and on its table"),
            Kind::CLUSTER => {
                self.all_of(node, Kind::TABLE_NAME_REF, LockMode::AccessExclusive, "rewrites the table");
            }
            Kind::REPACK if !concurrently => self.all(node, LockMode::AccessExclusive, "rewrites the table"),
            Kind::REPACK => {
                self.all(node, LockMode::ShareUpdateExclusive, "ACCESS EXCLUSIVE briefly at the end");
            }
            Kind::TRUNCATE => self.all(node, LockMode::AccessExclusive, ""),
            Kind::REFRESH if concurrently => self.all(node, LockMode::Exclusive, ""),
            Kind::REFRESH => self.all(node, LockMode::AccessExclusive, "until it is filled"),
            Kind::ALTER_TABLE => self.alter_table(node),
            Kind::ALTER_SEQUENCE => self.subject(node, LockMode::ShareRowExclusive),
            Kind::DROP_TABLE
            | Kind::DROP_VIEW
            | Kind::DROP_MATERIALIZED_VIEW
            | Kind::DROP_FOREIGN_TABLE
            | Kind::DROP_SEQUENCE => {
                self.all(node, LockMode::AccessExclusive, "");
            }
            Kind::CREATE_TABLE => self.create_table(node),
            Kind::CREATE_TRIGGER => self.all(node, LockMode::ShareRowExclusive, ""),
            Kind::ALTER_VIEW
            | Kind::ALTER_MATERIALIZED_VIEW
            | Kind::ALTER_FOREIGN_TABLE
            | Kind::CREATE_POLICY
            | Kind::DROP_POLICY
            | Kind::ALTER_POLICY
            | Kind::CREATE_RULE
            | Kind::DROP_RULE
            | Kind::DROP_TRIGGER => {
                self.subject(node, LockMode::AccessExclusive);
            }
            Kind::LOCK => self.all(node, lock_mode(node), "until the end of the transaction"),
            Kind::COPY => self.copy(node),
            Kind::CREATE_VIEW => self.all(node, LockMode::AccessShare, ""),
            _ if is_query(node) => self.query(node),
            _ => {}
        }
    }

    fn all_of(&mut self, statement: &Node, kind: Kind, mode: LockMode, note: &str) {
        for name in statement.children().filter(|child| child.kind() == kind) {
            self.add(mode, compact(&name), note);
        }
    }

    /// The relation that the statement is about: the first one named.
    fn subject(&mut self, node: &Node, mode: LockMode) {
        if let Some(name) = named(node).next() {
            self.add(mode, compact(&name), "");
        }
    }

    fn reindex(&mut self, node: &Node) {
        if is_concurrent(node) {
            return self.all(node, LockMode::ShareUpdateExclusive, "waits for old transactions");
        }
        if has(node, Kind::REINDEX_TARGET_INDEX) {
            return self.all(node, LockMode::AccessExclusive, "and SHARE on its table");
        }
        self.all(node, LockMode::Share, "and ACCESS EXCLUSIVE on each index, so most reads wait too");
    }

    fn alter_table(&mut self, node: &Node) {
        let Some(table) = named(node).next().map(|name| compact(&name)) else { return };
        for (subcommand, action) in alter_table::actions(node) {
            self.add(action.mode, table.clone(), "");
            match subcommand.kind() {
                Kind::ATTACH_PARTITION => {
                    self.all(&subcommand, LockMode::AccessExclusive, "and on the default partition");
                }
                Kind::DETACH_PARTITION => self.all(&subcommand, action.mode, ""),
                Kind::ADD_CONSTRAINT | Kind::ADD_COLUMN => {
                    self.all_of_deep(&subcommand, Kind::TABLE_NAME_REF, LockMode::ShareRowExclusive);
                }
                _ => {}
            }
        }
    }

    fn all_of_deep(&mut self, node: &Node, kind: Kind, mode: LockMode) {
        for name in node.descendants().filter(|below| below.kind() == kind) {
            self.add(mode, compact(&name), "referenced");
        }
    }

    fn create_table(&mut self, node: &Node) {
        if let Some(parent) = child(node, Kind::PARTITION_OF) {
            self.all(&parent, LockMode::AccessExclusive, "and on the default partition");
        }
        if let Some(arguments) = child(node, Kind::TABLE_ARG_LIST) {
            self.all_of_deep(&arguments, Kind::TABLE_NAME_REF, LockMode::ShareRowExclusive);
        }
    }

    fn copy(&mut self, node: &Node) {
        self.query(node);
        let mode = if has(node, Kind::COPY_FROM) { LockMode::RowExclusive } else { LockMode::AccessShare };
        if let Some(table) = child(node, Kind::COPY_TABLE) {
            self.all(&table, mode, "");
        }
    }

    fn query(&mut self, node: &Node) {
        for below in node.descendants() {
            match below.kind() {
                Kind::INSERT | Kind::UPDATE | Kind::DELETE | Kind::MERGE => {
                    self.subject(&strip_with(&below), LockMode::RowExclusive);
                }
                Kind::SELECT if has(&below, Kind::LOCKING_CLAUSE) => self.row_locks(&below),
                _ => {}
            }
        }
        self.all(node, LockMode::AccessShare, "");
    }

    fn row_locks(&mut self, select: &Node) {
        if let Some(from) = child(select, Kind::FROM_CLAUSE) {
            self.all(&from, LockMode::RowShare, "");
        }
    }
}

/// The first relation of a write is its target, but for the common table expressions before it.
fn strip_with(write: &Node) -> Node {
    write
        .children()
        .find(|child| child.kind() != Kind::WITH_CLAUSE && named(child).next().is_some())
        .unwrap_or_else(|| write.clone())
}

fn is_query(node: &Node) -> bool {
    is_prepared(node)
        || matches!(
            node.kind(),
            Kind::SELECT_INTO
                | Kind::EXPLAIN
                | Kind::DECLARE
                | Kind::PREPARE
                | Kind::CREATE_TABLE_AS
                | Kind::CREATE_MATERIALIZED_VIEW
        )
}

/// The mode a LOCK statement asks for.
pub(super) fn lock_mode(node: &Node) -> LockMode {
    let Some(clause) = child(node, Kind::LOCK_MODE_CLAUSE) else { return LockMode::AccessExclusive };
    let modes = [
        (Kind::ACCESS_SHARE, LockMode::AccessShare),
        (Kind::ROW_SHARE, LockMode::RowShare),
        (Kind::ROW_EXCLUSIVE, LockMode::RowExclusive),
        (Kind::SHARE_UPDATE_EXCLUSIVE, LockMode::ShareUpdateExclusive),
        (Kind::SHARE_ROW_EXCLUSIVE, LockMode::ShareRowExclusive),
        (Kind::SHARE, LockMode::Share),
        (Kind::EXCLUSIVE, LockMode::Exclusive),
    ];
    let found = modes.into_iter().find(|(kind, _)| contains(&clause, *kind));
    found.map_or(LockMode::AccessExclusive, |(_, mode)| mode)
}

/// Whether the statement holds CONCURRENTLY where it counts.
pub(super) fn is_concurrent(node: &Node) -> bool {
    says(node, Kind::CONCURRENTLY_KW)
        || node.children().any(|child| {
            says(&child, Kind::CONCURRENTLY_KW)
                || (child.kind() == Kind::REINDEX_OPTION_LIST && option_is_on(node, "concurrently"))
        })
}
