//! Writing a file into a container: under another name first, then, once it is known to be whole, under its own.

use tokio::io::AsyncRead;

use super::FilesError;
use super::download::checksum;
use super::script::{Script, Streams};
use crate::connect::kubernetes::container::Container;
use crate::connect::kubernetes::exec::Stdin;

/// Writes standard input to a new file: path, mode, length. Nothing is left of one that did not come whole, also when
/// nobody is there any more to remove it.
const WRITE: Script = Script {
    text: r#"rm -f -- "$1"
set -C; umask 077
whole() { [ "$(wc -c < "$1")" -eq "$2" ] || { echo 'it did not come whole' >&2; return 1; }; }
cat > "$1" && whole "$1" "$3" && chmod "$2" -- "$1" && (sum) < "$1" && exit
rm -f -- "$1"
exit 1"#,
    programs: "cat chmod rm sha256sum wc",
    writes: true,
};

/// Gives files their names: `new` or `replace`, then pairs of names. All names are looked at before the first is given.
const NAME: Script = Script {
    text: r#"how=$1; shift; count=$#; place=0
while [ "$place" -lt "$count" ]; do
  if [ -d "$2" ] || { [ "$how" = new ] && { [ -e "$2" ] || [ -L "$2" ]; }; }; then printf %s "$2"; exit 0; fi
  part=$1 name=$2; shift 2; set -- "$@" "$part" "$name"; place=$((place + 2))
done
while [ $# -gt 0 ]; do mv -f -- "$1" "$2" || exit 1; shift 2; done"#,
    programs: "mv",
    writes: true,
};

const REMOVE: Script = Script { text: r#"rm -f -- "$@""#, programs: "rm", writes: true };

/// A file to be written.
#[derive(Debug, Clone, Copy)]
pub struct Placing<'a> {
    /// Where it goes.
    pub path: &'a str,
    /// How long it is.
    pub length: u64,
    /// Who may do what with it, as `chmod` takes it.
    pub mode: u32,
}

impl Container {
    /// Writes a file beside its name, and returns the SHA-256 of what the container then reads there, in hexadecimal.
    /// Without success nothing is left under its name nor beside it, as far as the container can still be reached.
    pub async fn write_part(
        &self,
        file: Placing<'_>,
        from: &mut (dyn AsyncRead + Send + Unpin),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<String, FilesError> {
        let told = |sent: u64, _: u64| progress(sent);
        let stdin = Stdin::Length(from, file.length);
        let arguments = [part(file.path), format!("{:o}", file.mode), file.length.to_string()];
        let streams = Streams { stdin, stdout: None, progress: &told };
        let said = self.script(&WRITE, &arguments, streams).await?;
        checksum(&String::from_utf8_lossy(&said.stdout))
    }

    /// Gives files that were written beside their names these names, all or none where one of them is taken: then it
    /// says which.
    pub async fn name_parts(&self, paths: &[String], replace: bool) -> Result<Option<String>, FilesError> {
        let how = if replace { "replace" } else { "new" }.to_owned();
        let pairs = paths.iter().flat_map(|path| [part(path), path.clone()]);
        let arguments: Vec<String> = std::iter::once(how).chain(pairs).collect();
        let said = self.script(&NAME, &arguments, Streams::none()).await?;
        let taken = String::from_utf8_lossy(&said.stdout).into_owned();
        Ok((!taken.is_empty()).then_some(taken))
    }

    /// Removes what was written beside these names.
    pub async fn remove_parts(&self, paths: &[String]) -> Result<(), FilesError> {
        let parts: Vec<String> = paths.iter().map(|path| part(path)).collect();
        self.script(&REMOVE, &parts, Streams::none()).await.map(drop)
    }
}

fn part(path: &str) -> String {
    format!("{path}.part")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output, Stdio};

    use super::*;

    fn run(script: &Script, folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let command = script.command(&arguments);
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_file_that_does_not_come_whole_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let write = |length| run(&WRITE, folder.path(), &["-a 'b'.part", "640", length], b"abc");
        assert_eq!(write("4").status.code(), Some(1));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let whole = write("3");
        assert!(whole.stdout.starts_with(b"ba7816bf8f01cfea"), "{whole:?}");
        let metadata = std::fs::metadata(folder.path().join("-a 'b'.part")).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (3, 0o640));
    }

    #[test]
    fn a_link_that_waits_at_the_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("victim", folder.path().join("a.part")).unwrap();
        assert!(run(&WRITE, folder.path(), &["a.part", "600", "3"], b"abc").status.success());
        assert!(!folder.path().join("victim").exists());
    }

    #[test]
    fn names_are_given_to_all_files_or_to_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a b.part", "c.part", "c"] {
            std::fs::write(path(name), name).unwrap();
        }
        let name = |how| run(&NAME, folder.path(), &[how, "a b.part", "a b", "c.part", "c"], b"");
        let taken = name("new");
        assert_eq!((taken.status.code(), taken.stdout.as_slice()), (Some(0), &b"c"[..]));
        assert!(path("a b.part").exists() && !path("a b").exists());
        let given = name("replace");
        assert_eq!((given.status.code(), given.stdout.len()), (Some(0), 0));
        assert_eq!(std::fs::read_to_string(path("a b")).unwrap(), "a b.part");
        assert_eq!(std::fs::read_to_string(path("c")).unwrap(), "c.part");
        std::fs::create_dir(path("d")).unwrap();
        assert_eq!(run(&NAME, folder.path(), &["replace", "e.part", "d"], b"").stdout, b"d");
    }
}
