//! [`matching`]: which files of this machine a path or a wildcard means.

use std::io;
use std::path::{Path, PathBuf};

use super::names::is_wildcard;
use crate::model::Failure;

/// The files that a path means, in the order of names; as in a shell, a wildcard leaves hidden ones out.
pub(super) fn matching(folder: &Path, path: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = vec![if path.starts_with('/') { PathBuf::from("/") } else { folder.to_owned() }];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if is_wildcard(part) {
            let listed: io::Result<Vec<_>> = found.iter().map(|folder| named(folder, part)).collect();
            found =
                listed.map_err(|error| Failure::new(format!("cannot look for `{path}`: {error}")))?.concat();
        } else {
            for found in &mut found {
                found.push(part);
            }
            found.retain(|found| !is_wildcard(path) || found.exists());
        }
    }
    if is_wildcard(path) {
        found.retain(|found| found.is_file());
    }
    found.sort();
    Ok(found)
}

fn named(folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    // What is no folder has nothing in it that could match.
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let name = entry?.file_name();
        // Others could not be written down in the journal.
        let Some(text) = name.to_str() else { continue };
        let text: Vec<char> = text.chars().collect();
        if (text.first() != Some(&'.') || pattern.first() == Some(&'.')) && matches(&pattern, &text) {
            found.push(folder.join(name));
        }
    }
    Ok(found)
}

/// Whether a name is as a pattern says: `*` is anything, `?` one character, `[a-c]` one of these, `[!a-c]` none of them.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        (['*', rest @ ..], _) => (0..=name.len()).any(|taken| matches(rest, &name[taken..])),
        (_, []) => false,
        (['?', rest @ ..], [_, after @ ..]) => matches(rest, after),
        (['[', set @ ..], [first, after @ ..]) if let Some(end) = end_of_set(set) => {
            is_in(&set[..end], *first) && matches(&set[end + 1..], after)
        }
        ([expected, rest @ ..], [first, after @ ..]) => expected == first && matches(rest, after),
    }
}

/// Where the `]` stands that ends a set: the first one in it is one of its characters.
fn end_of_set(set: &[char]) -> Option<usize> {
    let first = 1 + usize::from(set.first() == Some(&'!'));
    set.iter().skip(first).position(|c| *c == ']').map(|end| end + first)
}

fn is_in(set: &[char], c: char) -> bool {
    match set {
        ['!', rest @ ..] => !is_in(rest, c),
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || is_in(rest, c),
        [one, rest @ ..] => *one == c || is_in(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_matches_as_in_a_shell() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.dump", "b.dump", "c d.dump", ".hidden.dump", "[1].dump", "a.txt", "ü.dump"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir_all(folder.path().join("below/deep.dump")).unwrap();
        std::fs::write(folder.path().join("below/e.dump"), "").unwrap();
        let check = |pattern: &str, expected: &[&str]| {
            let found = matching(folder.path(), pattern).unwrap();
            let found: Vec<_> = found.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
            assert_eq!(found, expected.iter().map(Path::new).collect::<Vec<_>>(), "{pattern}");
        };
        check("*.dump", &["[1].dump", "a.dump", "b.dump", "c d.dump", "ü.dump"]);
        check("?.dump", &["a.dump", "b.dump", "ü.dump"]);
        check("[a-b].*", &["a.dump", "a.txt", "b.dump"]);
        check("[!a-c]*.dump", &["[1].dump", "ü.dump"]);
        check("[[]1].dump", &["[1].dump"]);
        check("[]x[]*", &["[1].dump"]);
        check(".*.dump", &[".hidden.dump"]);
        check("be*/*.dump", &["below/e.dump"]);
        check("*/e.dump", &["below/e.dump"]);
        check("none*", &[]);
        check("a.dump", &["a.dump"]);
        check("none", &["none"]);
    }
}
