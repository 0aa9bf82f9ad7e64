//! The keys of maps: only text, each one once, and what `<<` brings in.
//!
//! Runs after every scalar has its value. What it refuses it also removes, so that the rest of the document can still
//! be checked.

use super::document::{Document, Entry, NodeId, Range, Style, Value, narrow};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use std::collections::HashSet;

/// Checks the keys of every map.
pub(super) fn check(document: &mut Document, out: &mut Diagnostics) {
    // Inside a key that was refused nothing more needs to be said; values are numbered in the order they start.
    let mut refused_until = 0;
    for id in 0..narrow(document.nodes.len()) {
        let stored = *document.stored(id);
        let Value::Map(range) = stored.value else { continue };
        if stored.start < refused_until {
            continue;
        }
        let mut refused = check_text(document, id, range, out);
        if !refused.is_empty() && is_template(document, id) {
            refused_until = stored.end;
        } else {
            refused.extend(check_once(document, range, out));
        }
        if !refused.is_empty() {
            remove(document, id, range, &refused);
        }
    }
}

/// Reports keys that are not text; returns their positions among the members.
fn check_text(document: &Document, map: NodeId, range: Range, out: &mut Diagnostics) -> HashSet<usize> {
    let mut refused = HashSet::new();
    for (position, key) in keys(document, range) {
        if document.stored(key).value == Value::Text {
            continue;
        }
        refused.insert(position);
        out.push(if is_template(document, map) { template(document, map) } else { not_text(document, key) });
    }
    refused
}

/// Whether a map is really an unquoted `{{ … }}`.
fn is_template(document: &Document, map: NodeId) -> bool {
    document.excerpt(map).starts_with("{{")
}

fn template(document: &Document, map: NodeId) -> Diagnostic {
    let written = document.excerpt(map);
    Diagnostic::error(Code::YAML_NON_TEXT_KEY, "YAML reads this template as a map, because it is not quoted")
        .at(document.span_of(map), "")
        .help(format!("Quote it: `\"{written}\"`."))
}

fn not_text(document: &Document, key: NodeId) -> Diagnostic {
    let (kind, help) = match document.stored(key).value {
        Value::List(_) | Value::Map(_) => ("a list or a map", "Use text as the key.".to_owned()),
        Value::Null => ("nothing", "Write a name before the `:`.".to_owned()),
        Value::Bool(_) => ("a boolean", quote(document, key)),
        _ => ("a number", quote(document, key)),
    };
    Diagnostic::error(Code::YAML_NON_TEXT_KEY, format!("this key is {kind}, not text"))
        .at(document.span_of(key), "")
        .help(help)
}

fn quote(document: &Document, key: NodeId) -> String {
    format!("Quote it: `\"{}\"`.", document.text_of(key))
}

/// Reports keys that were there before; returns their positions among the members.
fn check_once(document: &Document, range: Range, out: &mut Diagnostics) -> Vec<usize> {
    let mut sorted: Vec<_> = keys(document, range)
        .filter(|(_, key)| document.stored(*key).style != Style::Collection)
        .map(|(position, key)| (document.text_of(key), position, key))
        .collect();
    sorted.sort_unstable();
    let mut repeated = Vec::new();
    for run in sorted.chunk_by(|one, other| one.0 == other.0) {
        for (text, position, key) in &run[1..] {
            repeated.push(*position);
            out.push(
                Diagnostic::error(Code::YAML_DUPLICATE_KEY, format!("the key `{text}` is used twice"))
                    .at(document.span_of(*key), "used again")
                    .at(document.span_of(run[0].2), "used here first")
                    .help("Remove or rename one of them."),
            );
        }
    }
    repeated
}

fn keys(document: &Document, range: Range) -> impl Iterator<Item = (usize, NodeId)> {
    document.members(range).iter().enumerate().filter_map(|(position, entry)| Some((position, entry.key?)))
}

fn remove(document: &mut Document, map: NodeId, range: Range, refused: &HashSet<usize>) {
    let kept = document.members(range).iter().enumerate();
    let kept = kept.filter(|(position, _)| !refused.contains(position)).map(|(_, entry)| *entry).collect();
    replace(document, map, kept);
}

fn replace(document: &mut Document, map: NodeId, members: Vec<Entry>) {
    let range = Range { first: narrow(document.entries.len()), count: narrow(members.len()) };
    document.entries.extend(members);
    document.nodes[map as usize].value = Value::Map(range);
}

/// Replaces every `<<` by the members it brings in; `merging` lists the maps, each after those that it merges.
pub(super) fn merge(document: &mut Document, merging: &[NodeId], out: &mut Diagnostics) {
    for map in merging {
        let (merges, mut members): (Vec<_>, Vec<_>) =
            document.members_of(*map).iter().copied().partition(|entry| is_merge(document, *entry));
        let mut present: HashSet<_> =
            members.iter().filter_map(|entry| Some(document.text_of(entry.key?))).collect();
        for base in merges.iter().flat_map(|merge| bases(document, merge.value, out)) {
            for entry in document.members_of(base) {
                if entry.key.is_some_and(|key| present.insert(document.text_of(key))) {
                    members.push(*entry);
                }
            }
        }
        replace(document, *map, members);
    }
}

fn is_merge(document: &Document, entry: Entry) -> bool {
    entry.key.is_some_and(|key| document.text_of(key) == "<<")
}

/// The maps that the value of a `<<` names.
fn bases(document: &Document, value: NodeId, out: &mut Diagnostics) -> Vec<NodeId> {
    let named = match document.stored(value).value {
        Value::List(range) => document.members(range).iter().map(|entry| entry.value).collect(),
        _ => vec![value],
    };
    let (maps, others): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|id| matches!(document.stored(*id).value, Value::Map(_)));
    out.extend(others.into_iter().map(|id| bad_merge(document, id)));
    maps
}

fn bad_merge(document: &Document, value: NodeId) -> Diagnostic {
    Diagnostic::error(Code::YAML_MERGE, "`<<` merges maps, and this is none")
        .at(document.span_of(value), "")
        .help("Write an alias of a map, such as `<<: *defaults`, or a list of them.")
}
