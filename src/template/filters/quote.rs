//! `ident`, `relation`, `literal`, `raw`: values as parts of SQL text.
//!
//! As the last filter of a hole in SQL they say how the hole is filled; anywhere else they give the quoted text.

use minijinja::{Environment, Error, Value};

use crate::sql::HoleKind;
use crate::template::error::Fault;
use crate::template::fragment::fragment;
use crate::template::value::to_json;

const KINDS: &[(&str, HoleKind)] = &[
    ("ident", HoleKind::Ident),
    ("relation", HoleKind::Relation),
    ("literal", HoleKind::Literal),
    ("raw", HoleKind::Raw),
];

/// How a hole whose last filter has this name is filled, if the filter says so.
pub(in crate::template) fn quoted(filter: &str) -> Option<HoleKind> {
    KINDS.iter().find(|(name, _)| *name == filter).map(|(_, kind)| *kind)
}

/// Whether a filter makes a part of SQL text.
pub(in crate::template) fn is_quoting(filter: &str) -> bool {
    quoted(filter).is_some()
}

pub(super) fn register(environment: &mut Environment<'static>) {
    for &(name, kind) in KINDS {
        environment.add_filter(name, move |value: Value| Ok::<_, Error>(quote(kind, &value)?));
    }
}

fn quote(kind: HoleKind, value: &Value) -> Result<String, Fault> {
    fragment(kind, &to_json(value)?)
}
