//! `rollback:`, in its four forms.

use super::list::Within;
use super::{Loader, spot};
use crate::diagnostic::Code;
use crate::model::StepId;
use crate::runbook::step::Rollback;
use crate::yaml::{Node, Shape};

impl Loader<'_, '_> {
    /// The undo of a step. One that has a problem is not the same as none, which would be warned of.
    pub(super) fn rollback(&mut self, node: Node<'_>, id: &StepId) -> Rollback {
        self.written_rollback(node, id).unwrap_or(Rollback::Impossible(String::new()))
    }

    fn written_rollback(&mut self, node: Node<'_>, id: &StepId) -> Option<Rollback> {
        match node.shape() {
            Shape::List => {
                return Some(Rollback::Steps(self.list(node, Some(&id.child("rollback")), Within::Hook)));
            }
            Shape::Text if node.as_str() == Some("auto") => return Some(Rollback::Auto),
            Shape::Map => return self.without_undo(node),
            _ => {}
        }
        self.not_an_undo(node)
    }

    /// `{ none: why }` or `{ impossible: why }`.
    fn without_undo(&mut self, node: Node<'_>) -> Option<Rollback> {
        node.deny_unknown(&["none", "impossible"], &mut self.shared.diagnostics);
        match (node.get("none"), node.get("impossible")) {
            (Some(_), None) => self.decode(node, "none").map(Rollback::Nothing),
            (None, Some(_)) => self.decode(node, "impossible").map(Rollback::Impossible),
            // Its unknown keys were reported.
            (None, None) if node.entries().next().is_some() => None,
            _ => self.not_an_undo(node),
        }
    }

    fn not_an_undo(&mut self, node: Node<'_>) -> Option<Rollback> {
        let help = "Write a list of steps, `auto`, `{ none: why }` or `{ impossible: why }`.";
        self.error(Code::ROLLBACK, "this is not a way to undo a step", spot(node), help);
        None
    }
}
