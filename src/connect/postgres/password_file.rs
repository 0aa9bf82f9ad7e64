//! [`PasswordFile`]: libpq's password file, read once and asked per host.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::model::Secret;

/// The lines of a password file that hold a password.
#[derive(Clone, Default)]
pub(super) struct PasswordFile {
    /// The path, once a file was read.
    path: Option<String>,
    lines: Vec<String>,
}

impl std::fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PasswordFile {
    /// Reads a file. One that others may read is ignored and the reason returned, as libpq does; a missing one is fine.
    pub(super) fn read(path: &Path) -> (Self, Option<String>) {
        let shown = path.display().to_string();
        let Ok(metadata) = std::fs::metadata(path) else { return (Self::default(), None) };
        if !metadata.is_file() {
            return (Self::default(), Some(format!("password file `{shown}` ignored: not a plain file")));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            let note = format!(
                "password file `{shown}` ignored: group or others have access; set its mode to 0600 or less"
            );
            return (Self::default(), Some(note));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => (Self { path: Some(shown), lines: lines(&text) }, None),
            Err(error) => (Self::default(), Some(format!("password file `{shown}` ignored: {error}"))),
        }
    }

    /// The path, if a file was read.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The password of the first line that fits.
    pub(super) fn find(&self, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
        let port = port.to_string();
        let wanted = [host, &port, database, user];
        self.lines.iter().find_map(|line| {
            let rest = wanted.iter().try_fold(line.as_str(), |rest, value| field(rest, value))?;
            Some(Secret::new(unescape(rest)))
        })
    }
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// What follows the first field of `line`, if that field is `*` or equals `value`.
fn field<'a>(line: &'a str, value: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut expected = value.chars();
    let mut written = line.char_indices();
    while let Some((index, character)) = written.next() {
        let character = match character {
            ':' => return expected.next().is_none().then(|| &line[index + 1..]),
            '\\' => written.next()?.1,
            plain => plain,
        };
        if expected.next() != Some(character) {
            return None;
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            // Further fields are none of ours: the password ends at a bare colon.
            ':' => break,
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn check(text: &str, host: &str, user: &str, expected: Option<&str>) {
        let file = PasswordFile { path: None, lines: lines(text) };
        let found = file.find(host, 5432, "wms_db", user);
        assert_eq!(found.as_ref().map(Secret::expose), expected, "{text}");
    }

    #[test]
    fn the_first_fitting_line_wins() {
        check("h:5432:wms_db:u:one\nh:*:*:u:two", "h", "u", Some("one"));
        check("x:5432:wms_db:u:one\n*:*:*:u:two", "h", "u", Some("two"));
        check("# h:5432:wms_db:u:no\nh:5432:wms_db:u:yes", "h", "u", Some("yes"));
        check("h:5433:wms_db:u:one", "h", "u", None);
        check("h:5432:wms_db:us:one", "h", "u", None);
        check("h:5432:wms_db:u", "h", "u", None);
        check("", "h", "u", None);
    }

    #[test]
    fn backslashes_escape() {
        check(r"\:\:1:5432:wms_db:a\\b:p\:w\\d", "::1", r"a\b", Some(r"p:w\d"));
        check("*:*:*:*:", "h", "u", Some(""));
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "*:*:*:*:secret\n").unwrap();
        let mode = |mode| std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        let (ignored, note) = PasswordFile::read(file.path());
        assert!(ignored.find("h", 1, "d", "u").is_none() && note.unwrap().contains("0600"));
        mode(0o600);
        let (read, note) = PasswordFile::read(file.path());
        assert_eq!((read.find("h", 1, "d", "u").unwrap().expose(), note), ("secret", None));
    }
}
