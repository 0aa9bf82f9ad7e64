//! The one rule of order (language.md, section 2): which step waits for which, and why.

use std::collections::{BTreeSet, HashMap};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};

/// An edge of the graph: a step that must be final first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Its index in the list.
    pub parent: usize,
    /// Why.
    pub reason: Reason,
    /// The `needs` entry or the reference, where there is one.
    pub span: Option<Span>,
}

/// Why a step waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The other stands above it.
    Above,
    /// `needs` names it.
    Needs,
    /// It reads the other's output.
    Reads,
}

impl Reason {
    /// The reason in a word or two.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Above => "stands above",
            Self::Needs => "needs",
            Self::Reads => "reads its output",
        }
    }
}

/// A `needs` as written: the names and where each stands.
pub(super) type Needs = Vec<(String, Span)>;

/// How the entries of a list stand to each other, before names are resolved.
#[derive(Debug)]
pub(super) enum Entry {
    /// A step, by its index.
    Single { step: usize, needs: Option<Needs> },
    /// A `parallel` block.
    Block { members: Vec<(usize, Option<Needs>)>, needs: Option<Needs> },
}

/// Computes the edges of a list. `names` are the ids at this level; `references` the steps that each step reads.
pub(super) fn order(
    entries: &[Entry],
    names: &[String],
    references: &[Vec<(usize, Span)>],
    diagnostics: &mut Diagnostics,
) -> Vec<Vec<Edge>> {
    let by_name = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut order =
        Order { by_name, edges: vec![Vec::new(); names.len()], frontier: Vec::new(), diagnostics };
    for entry in entries {
        match entry {
            Entry::Single { step, needs } => order.single(*step, needs.as_ref()),
            Entry::Block { members, needs } => order.block(members, needs.as_ref()),
        }
    }
    let Order { mut edges, .. } = order;
    for (step, reads) in references.iter().enumerate() {
        // A step above in the same list is waited for already, unless `needs` replaced that.
        let ordered = edges[step].iter().any(|edge| edge.reason == Reason::Above);
        for (parent, span) in reads {
            let known = (ordered && *parent < step) || edges[step].iter().any(|edge| edge.parent == *parent);
            if !known {
                edges[step].push(Edge { parent: *parent, reason: Reason::Reads, span: Some(*span) });
            }
        }
    }
    edges
}

struct Order<'a> {
    by_name: HashMap<&'a str, usize>,
    edges: Vec<Vec<Edge>>,
    /// The steps above that nothing above waits for.
    frontier: Vec<usize>,
    diagnostics: &'a mut Diagnostics,
}

impl Order<'_> {
    fn single(&mut self, step: usize, needs: Option<&Needs>) {
        self.edges[step] = match needs {
            Some(needs) => self.resolve(needs),
            None => above(&self.frontier),
        };
        if needs.is_none() {
            self.frontier.clear();
        }
        self.frontier.push(step);
    }

    fn block(&mut self, members: &[(usize, Option<Needs>)], needs: Option<&Needs>) {
        let shared = match needs {
            Some(needs) => self.resolve(needs),
            None => above(&self.frontier),
        };
        let mut waits = needs.is_none();
        for (step, own) in members {
            waits &= own.is_none();
            self.edges[*step] = own.as_ref().map_or_else(|| shared.clone(), |own| self.resolve(own));
        }
        if waits && !members.is_empty() {
            self.frontier.clear();
        }
        self.frontier.extend(members.iter().map(|(step, _)| *step));
    }

    fn resolve(&mut self, needs: &Needs) -> Vec<Edge> {
        let mut seen = BTreeSet::new();
        let mut edges = Vec::new();
        for (name, span) in needs {
            match self.by_name.get(name.as_str()) {
                Some(parent) if seen.insert(*parent) => {
                    edges.push(Edge { parent: *parent, reason: Reason::Needs, span: Some(*span) });
                }
                Some(_) => {}
                None => self.unknown(name, *span),
            }
        }
        edges
    }

    fn unknown(&mut self, name: &str, span: Span) {
        let near = nearest(name, self.by_name.keys().copied());
        let outer = name.split('.').next().filter(|outer| *outer != name && self.by_name.contains_key(outer));
        let help = match (outer, near) {
            (Some(outer), _) => {
                format!("Steps inside `{outer}` cannot be needed one by one: need `{outer}`.")
            }
            (None, Some(near)) => format!("Did you mean `{near}`?"),
            (None, None) => "`needs` takes ids of steps in the same list.".to_owned(),
        };
        self.diagnostics.push(
            Diagnostic::error(Code::GRAPH_UNKNOWN_STEP, format!("there is no step `{name}` here"))
                .at(span, "no such step")
                .help(help),
        );
    }
}

fn above(frontier: &[usize]) -> Vec<Edge> {
    frontier.iter().map(|parent| Edge { parent: *parent, reason: Reason::Above, span: None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(names: &[&str]) -> Needs {
        let mut sources = crate::diagnostic::Sources::new();
        let source = sources.add("t", "");
        names.iter().map(|name| ((*name).to_owned(), Span::new(source, 0..0))).collect()
    }

    fn check(entries: &[Entry], expected: &[&str]) {
        let names: Vec<String> = (0..expected.len()).map(|index| format!("s{index}")).collect();
        let mut diagnostics = Diagnostics::new();
        let edges = order(entries, &names, &vec![Vec::new(); names.len()], &mut diagnostics);
        let shown: Vec<String> = edges
            .iter()
            .map(|edges| edges.iter().map(|edge| edge.parent.to_string()).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_list_is_a_chain() {
        let single = |step| Entry::Single { step, needs: None };
        check(&[single(0), single(1), single(2)], &["", "0", "1"]);
    }

    #[test]
    fn a_block_waits_for_what_stands_above_and_is_waited_for() {
        let block = Entry::Block { members: vec![(1, None), (2, None)], needs: None };
        let single = |step| Entry::Single { step, needs: None };
        check(&[single(0), block, single(3)], &["", "0", "0", "1 2"]);
    }

    #[test]
    fn needs_never_loosens_the_steps_below() {
        let single = |step, needs| Entry::Single { step, needs };
        check(&[single(0, None), single(1, Some(needs(&[]))), single(2, None)], &["", "", "0 1"]);
        check(
            &[single(0, None), single(1, None), single(2, Some(needs(&["s0"]))), single(3, None)],
            &["", "0", "0", "1 2"],
        );
    }
}
