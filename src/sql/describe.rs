//! Fills a [`Statement`] from its tree: everything but its class and its locks, which have files of their own.

use std::ops::Range;

use super::classify;
use super::locks::{self, is_concurrent};
use super::statement::{CopyDirection, ProgressView, SessionSetting, Statement, Transaction, UndoNature};
use super::transaction;
use super::tree::{Kind, Node, child, compact, contains, has, name_parts, option_is_on, tokens};
use crate::model::{Certainty, Class, Effect};

/// Everything that the tree says about a statement.
pub(super) fn describe(text: &str, range: Range<usize>, node: &Node) -> Statement {
    let class = classify::class(node);
    Statement {
        text: text.to_owned(),
        range,
        verb: verb(node),
        transaction: transaction::rule(node),
        locks: locks::forecast(node),
        settings: setting(node, text).into_iter().collect(),
        progress: progress(node),
        copy: copy(node),
        prepared: is_prepared(node),
        parameters: parameters(node, text),
        functions: functions(node, text),
        relations: locks::relations(node),
        undo_note: undo(node, &class),
        closes_database_sessions: closes_sessions(node),
        class,
    }
}

/// A statement that cannot be read before its raw parts are known.
pub(super) fn opaque(text: &str, range: Range<usize>) -> Statement {
    Statement {
        text: text.to_owned(),
        range,
        verb: text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase(),
        class: Class::assumed("its `raw` parts are known only when they are bound"),
        transaction: Transaction::Allowed,
        locks: Vec::new(),
        settings: Vec::new(),
        progress: None,
        copy: None,
        prepared: false,
        parameters: 0,
        functions: Vec::new(),
        relations: Vec::new(),
        undo_note: UndoNature::Possible,
        closes_database_sessions: false,
    }
}

/// What people call the statement.
pub(super) fn verb(node: &Node) -> String {
    let name = format!("{:?}", node.kind()).replace('_', " ");
    let verb = match node.kind() {
        Kind::COMPOUND_SELECT | Kind::PAREN_SELECT => "SELECT".to_owned(),
        Kind::VACUUM if option_is_on(node, "full") => "VACUUM FULL".to_owned(),
        Kind::REFRESH => "REFRESH MATERIALIZED VIEW".to_owned(),
        Kind::SET_SESSION_AUTH => "SET SESSION AUTHORIZATION".to_owned(),
        Kind::REASSIGN => "REASSIGN OWNED".to_owned(),
        Kind::REINDEX => {
            let target = node.children().find(|child| child.kind() != Kind::REINDEX_OPTION_LIST);
            let target = target.map(|child| format!("{:?}", child.kind()).replace("REINDEX_TARGET_", ""));
            format!("REINDEX {}", target.unwrap_or_default())
        }
        _ => name,
    };
    if is_concurrent(node) { format!("{verb} CONCURRENTLY") } else { verb }
}

/// The setting that a SET or RESET is about.
pub(super) fn setting_name(node: &Node) -> Option<String> {
    let named = || node.descendants().find(|below| below.kind() == Kind::CONFIG_PARAMETER_REF);
    match node.kind() {
        Kind::SET_ROLE | Kind::RESET_ROLE => Some("role".into()),
        Kind::SET_SESSION_AUTH | Kind::RESET_SESSION_AUTH => Some("session_authorization".into()),
        Kind::SET_TRANSACTION => Some("session characteristics".into()),
        Kind::SET | Kind::RESET
            if contains(node, Kind::SET_TIME_ZONE) || contains(node, Kind::RESET_TIME_ZONE) =>
        {
            Some("timezone".into())
        }
        Kind::RESET if has(node, Kind::ALL) => Some("all".into()),
        Kind::DISCARD => Some("all".into()),
        Kind::SET | Kind::RESET => named().map(|name| name_parts(&name).join(".")),
        _ => None,
    }
}

/// The setting that outlives the statement: not SET LOCAL, and SET TRANSACTION only as the session's characteristics.
fn setting(node: &Node, text: &str) -> Option<SessionSetting> {
    let local = has(node, Kind::LOCAL_SCOPE)
        || (node.kind() == Kind::SET_TRANSACTION && !has(node, Kind::SESSION_CHARACTERISTICS))
        || (node.kind() == Kind::DISCARD && !has(node, Kind::DISCARD_ALL));
    let name = setting_name(node).filter(|_| !local)?;
    Some(SessionSetting { name, statement: text.to_owned() })
}

fn progress(node: &Node) -> Option<ProgressView> {
    match node.kind() {
        Kind::VACUUM if option_is_on(node, "full") => Some(ProgressView::Cluster),
        Kind::VACUUM => Some(ProgressView::Vacuum),
        Kind::ANALYZE => Some(ProgressView::Analyze),
        Kind::CREATE_INDEX | Kind::REINDEX => Some(ProgressView::CreateIndex),
        Kind::CLUSTER => Some(ProgressView::Cluster),
        Kind::COPY => Some(ProgressView::Copy),
        _ => None,
    }
}

fn copy(node: &Node) -> Option<CopyDirection> {
    if node.kind() != Kind::COPY {
        return None;
    }
    let streams = contains(node, Kind::COPY_STDIN) || contains(node, Kind::COPY_STDOUT);
    let direction =
        if has(node, Kind::COPY_FROM) { CopyDirection::FromStdin } else { CopyDirection::ToStdout };
    streams.then_some(direction)
}

/// Whether it is one of the statements that take `$1`, which are those that read or write rows.
pub(super) fn is_prepared(node: &Node) -> bool {
    matches!(
        node.kind(),
        Kind::SELECT
            | Kind::COMPOUND_SELECT
            | Kind::PAREN_SELECT
            | Kind::VALUES
            | Kind::TABLE
            | Kind::INSERT
            | Kind::UPDATE
            | Kind::DELETE
            | Kind::MERGE
    )
}

fn parameters(node: &Node, text: &str) -> usize {
    // Walking the tree costs more than everything else here.
    if !text.contains('$') {
        return 0;
    }
    let numbers = tokens(node).filter(|token| token.kind() == Kind::POSITIONAL_PARAM);
    numbers.filter_map(|token| token.text().strip_prefix('$')?.parse().ok()).max().unwrap_or_default()
}

fn functions(node: &Node, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if !text.contains('(') {
        return found;
    }
    for name in classify::called(node).map(|(_, name)| name.join(".")) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn undo(node: &Node, class: &Class) -> UndoNature {
    match node.kind() {
        Kind::VACUUM
        | Kind::ANALYZE
        | Kind::REINDEX
        | Kind::CLUSTER
        | Kind::REPACK
        | Kind::REFRESH
        | Kind::CHECKPOINT => UndoNature::Nothing("it keeps the data as it is"),
        _ if class.certainty == Certainty::Assumed => UndoNature::Possible,
        _ if class.effect == Effect::Read => UndoNature::Nothing("it changes nothing"),
        _ if class.effect == Effect::Destroy => {
            UndoNature::Impossible("what it removes cannot be brought back")
        }
        _ if class.effect == Effect::Disrupt && is_prepared(node) => {
            UndoNature::Impossible("what it interrupts is gone")
        }
        _ => UndoNature::Possible,
    }
}

fn closes_sessions(node: &Node) -> bool {
    match node.kind() {
        Kind::DROP_DATABASE => true,
        Kind::ALTER_DATABASE => has(node, Kind::DATABASE_RENAME_TO) || has(node, Kind::SET_TABLESPACE),
        // The template must be idle; template0 accepts no sessions anyway.
        Kind::CREATE_DATABASE => {
            let template = node.descendants().find(|below| below.kind() == Kind::DATABASE_OPTION_TEMPLATE);
            let name =
                template.and_then(|option| child(&option, Kind::DATABASE_REF)).map(|name| compact(&name));
            name.is_some_and(|name| name != "template0")
        }
        _ => false,
    }
}
