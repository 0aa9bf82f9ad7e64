//! [`RemoteFile`]: which files a path or a wildcard means in a container.

use super::FilesError;
use super::script::{Script, Streams};
use crate::connect::kubernetes::container::Container;

/// Three fields for each of the words that is something: kind, size, path. A path may hold anything but NUL.
macro_rules! listing {
    ($words:literal) => {
        concat!(
            $words,
            r#"
for path in "$@"; do
  size=0
  if [ -d "$path" ]; then kind=folder
  elif [ ! -f "$path" ]; then
    [ -e "$path" ] || [ -L "$path" ] || continue
    kind=other
  elif [ ! -r "$path" ]; then kind=closed
  else
    kind=file
    size=$(stat -L -c %s -- "$path" 2>/dev/null || wc -c < "$path") || exit 1
  fi
  printf '%s\0%s\0%s\0' "$kind" "$size" "$path"
done
"#
        )
    };
}

/// The words as they are.
const NAMED: Script = Script { text: listing!(""), programs: READING, writes: false };
/// What the one word matches: with no separators, a shell only expands it.
const MATCHING: Script = Script { text: listing!("IFS=; set -- $1"), programs: READING, writes: false };
/// The words as they are, where something is to be written.
const TAKEN: Script = Script { text: listing!(""), programs: WRITING, writes: false };

const READING: &str = "cat sha256sum wc";
const WRITING: &str = "cat chmod mv rm sha256sum wc";

/// Something in a container that has a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is.
    pub path: String,
    /// Its size, where it is a file that can be read.
    pub bytes: u64,
    /// What it is.
    pub kind: FileKind,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file that can be read.
    File,
    /// A file that the container's user may not read.
    Closed,
    /// A folder.
    Folder,
    /// A device, a pipe, a link that leads nowhere.
    Other,
}

impl Container {
    /// What is at this path.
    pub async fn file(&self, path: &str) -> Result<Vec<RemoteFile>, FilesError> {
        self.listed(&NAMED, &[path.to_owned()]).await
    }

    /// What this wildcard matches there, in the order of names.
    pub async fn matching(&self, pattern: &str) -> Result<Vec<RemoteFile>, FilesError> {
        self.listed(&MATCHING, &[pattern.to_owned()]).await
    }

    /// What there is at these paths, at which something is to be written: also whether the container can do that.
    pub async fn taken(&self, paths: &[String]) -> Result<Vec<RemoteFile>, FilesError> {
        self.listed(&TAKEN, paths).await
    }

    async fn listed(&self, script: &Script, words: &[String]) -> Result<Vec<RemoteFile>, FilesError> {
        let said = self.script(script, words, Streams::none()).await?;
        parse(said.stdout).map_err(FilesError::Unreadable)
    }
}

fn parse(listing: Vec<u8>) -> Result<Vec<RemoteFile>, String> {
    let listing = String::from_utf8(listing).map_err(|error| {
        let text = String::from_utf8_lossy(error.as_bytes()).replace('\0', " ");
        format!("a name is no UTF-8, so it cannot be written down: {text}")
    })?;
    let cut = || "the listing of files was cut".to_owned();
    let fields: Vec<&str> = match listing.strip_suffix('\0') {
        Some(fields) => fields.split('\0').collect(),
        None if listing.is_empty() => Vec::new(),
        None => return Err(cut()),
    };
    let (entries, rest) = fields.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(cut());
    }
    entries.iter().map(|[kind, size, path]| entry(kind, size, path).ok_or_else(cut)).collect()
}

fn entry(kind: &str, size: &str, path: &str) -> Option<RemoteFile> {
    let kind = match kind {
        "file" => FileKind::File,
        "closed" => FileKind::Closed,
        "folder" => FileKind::Folder,
        "other" => FileKind::Other,
        _ => return None,
    };
    Some(RemoteFile { path: path.to_owned(), bytes: size.trim().parse().ok()?, kind })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a script lists in a folder of this machine.
    fn list(script: &Script, folder: &std::path::Path, words: &[&str]) -> Vec<RemoteFile> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let command = script.command(&words);
        let output = Command::new(&command[0]).args(&command[1..]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        parse(output.stdout).unwrap()
    }

    fn paths(found: &[RemoteFile]) -> Vec<&str> {
        found.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_word_is_a_path_or_a_wildcard_and_never_shell() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["a b.dump", "it's \"1\".dump", "$(touch stolen).dump", "-x.dump", "two\nlines.dump", "[1]"];
        for name in names {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::fs::create_dir(folder.path().join("c.dump")).unwrap();
        let found = list(&MATCHING, folder.path(), &["*.dump"]);
        let mut found = paths(&found);
        found.sort_unstable();
        let all =
            ["$(touch stolen).dump", "-x.dump", "a b.dump", "c.dump", "it's \"1\".dump", "two\nlines.dump"];
        assert_eq!(found, all);
        for name in names {
            let file = RemoteFile { path: name.to_owned(), bytes: name.len() as u64, kind: FileKind::File };
            assert_eq!(list(&NAMED, folder.path(), &[name]), [file]);
        }
        assert_eq!(paths(&list(&MATCHING, folder.path(), &["* b.d?mp"])), ["a b.dump"]);
        assert_eq!(paths(&list(&MATCHING, folder.path(), &["[[]1]"])), ["[1]"]);
        for nothing in ["$(touch stolen)", "`touch stolen`*", "*.dump; touch stolen", "none-*", "*/.."] {
            let found = list(&MATCHING, folder.path(), &[nothing]);
            assert!(paths(&found).iter().all(|path| *path == "c.dump/.."), "{nothing}: {found:?}");
        }
        assert_eq!(list(&NAMED, folder.path(), &["*.dump"]), []);
        assert!(!folder.path().join("stolen").exists());
    }

    #[test]
    fn what_is_no_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        let found = list(&TAKEN, folder.path(), &[".", "link", "/dev/null", "none"]);
        let kinds: Vec<_> = found.iter().map(|file| file.kind).collect();
        assert_eq!(kinds, [FileKind::Folder, FileKind::Other, FileKind::Other]);
    }

    #[test]
    fn a_listing_that_is_cut_is_no_listing() {
        assert_eq!(parse(Vec::new()), Ok(Vec::new()));
        for cut in ["file", "file\x003", "file\x003\0/a", "file\x003\0/a\0file\0", "what\x003\0/a\0"] {
            assert!(parse(cut.as_bytes().to_vec()).is_err(), "{cut:?}");
        }
        assert!(parse(b"file\x003\0/\xff\0".to_vec()).unwrap_err().contains("no UTF-8"));
    }

    #[test]
    fn what_a_container_lacks_is_named() {
        let command = MATCHING.command(&["*".to_owned()]);
        let output = Command::new("/bin/sh").args(&command[1..]).env("PATH", "/nowhere").output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(97), &b"cat\n"[..]));
    }
}
