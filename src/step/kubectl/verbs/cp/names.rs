//! The names of what is copied: wildcards, folders, and names that would meet.

use std::collections::BTreeMap;

use crate::model::Failure;
use crate::step::templated::Text;

/// Whether a path means all files that it matches.
pub(super) fn is_wildcard(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Whether a path says that it is a folder.
pub(super) fn is_folder(path: &str) -> bool {
    path.ends_with('/')
}

/// The last part of a path.
pub(super) fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// What is wrong with two paths as they stand in the file.
pub(super) fn check(from: &Text, to: &Text) -> Option<(String, String)> {
    let (from, to) = (from.source(), to.source());
    let problem = if from.is_empty() || to.is_empty() {
        ("a path is empty", "Write which file it is.".to_owned())
    } else if is_folder(from) {
        ("`from` is a folder, and files are copied", format!("Write `{from}*` for the files in it."))
    } else if to.contains("{{") || from.contains("{{") {
        return None;
    } else if is_wildcard(to) {
        ("`to` is a wildcard", "Write where the files go.".to_owned())
    } else if is_wildcard(from) && !is_folder(to) {
        ("a wildcard may match several files, and `to` is one", format!("Write the folder as `{to}/`."))
    } else {
        return None;
    };
    Some((problem.0.to_owned(), problem.1))
}

/// Refuses a wildcard that does not go into a folder: the first file would be named like the second.
pub(super) fn into_folder(from: &str, to: &str, is_folder: bool) -> Result<(), Failure> {
    if is_wildcard(from) && !is_folder {
        let message = format!("`{from}` may match several files, and `{to}` is no folder");
        return Err(Failure::new(message).help(format!("Write the folder as `{to}/`.")));
    }
    Ok(())
}

/// Refuses files of one name from several folders: in one folder they would replace each other.
pub(super) fn distinct<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for path in paths {
        if let Some(other) = seen.insert(last(path), path) {
            let message = format!("`{other}` and `{path}` have the same name, and go into one folder");
            return Err(Failure::new(message).help("Copy them in two steps, into two folders."));
        }
    }
    Ok(())
}

/// That a wildcard, or a path, leads to nothing.
pub(super) fn nothing(from: &str, place: &str, look: &str) -> Failure {
    let verb = if is_wildcard(from) { "matches" } else { "is called" };
    Failure::new(format!("no file in {place} {verb} `{from}`"))
        .help(format!("Look what is there, such as by `{look}`, and correct the path."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_copied_is_found_in_the_file() {
        let check = |from: &str, to: &str| check(&Text::parse(from), &Text::parse(to)).map(|(what, _)| what);
        assert_eq!(check("/a/*", "b/"), None);
        assert_eq!(check("/a", "b"), None);
        assert_eq!(check("/a/*", "{{ params.folder }}"), None);
        assert_eq!(check("/a/", "b").unwrap(), "`from` is a folder, and files are copied");
        assert_eq!(check("/a", "b*").unwrap(), "`to` is a wildcard");
        assert!(check("/a/*", "b").unwrap().contains("several files"));
        assert_eq!(check("/a", "").unwrap(), "a path is empty");
    }

    #[test]
    fn files_of_one_name_do_not_meet() {
        assert_eq!(distinct(["/a/x", "/a/y", "z"].into_iter()), Ok(()));
        assert!(distinct(["/a/x", "/b/x"].into_iter()).unwrap_err().message.contains("`/a/x` and `/b/x`"));
        assert_eq!([last("/a/b"), last("b"), last("a/b/"), last("/")], ["b", "b", "b", ""]);
    }
}
