//! Reading a file out of a container.

use tokio::io::AsyncWrite;

use super::FilesError;
use super::script::{Script, Streams};
use crate::connect::kubernetes::container::Container;
use crate::connect::kubernetes::exec::Stdin;

/// The file and, beside it on standard error, its checksum: both are read at the same time, so that a large file is
/// read from the disk once. Nobody waits for a checksum when nobody takes the file any more.
const READ: Script = Script {
    text: r#"(sum) < "$1" >&2 & cat < "$1" || { kill "$!"; exit 1; }; wait "$!""#,
    programs: "cat sha256sum",
    writes: false,
};

impl Container {
    /// Reads a file and returns the SHA-256 that the container finds, in hexadecimal. `progress` hears how many bytes
    /// have come.
    pub async fn read_file(
        &self,
        path: &str,
        to: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<String, FilesError> {
        let told = |_: u64, received: u64| progress(received);
        let streams = Streams { stdin: Stdin::None, stdout: Some(to), progress: &told };
        let said = self.script(&READ, &[path.to_owned()], streams).await?;
        checksum(&said.stderr)
    }
}

/// What a checksum looks like, wherever it stands among warnings.
pub(super) fn checksum(text: &str) -> Result<String, FilesError> {
    let is_checksum = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = text.split_whitespace().find(is_checksum).map(str::to_ascii_lowercase);
    found.ok_or_else(|| FilesError::Unreadable(format!("the container gave no checksum: {text}")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_comes_with_its_checksum() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("-a 'b'"), "abc").unwrap();
        let read = |path: &str| {
            let command = READ.command(&[path.to_owned()]);
            Command::new(&command[0]).args(&command[1..]).current_dir(folder.path()).output().unwrap()
        };
        let output = read("-a 'b'");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"abc"[..]));
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(checksum(&String::from_utf8(output.stderr).unwrap()).unwrap(), known);
        assert_eq!(read("none").status.code(), Some(1));
        assert!(checksum("sha256sum: -: Is a directory").is_err());
    }
}
