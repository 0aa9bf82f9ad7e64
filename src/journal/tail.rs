//! The first and the last whole line of a journal, read without the lines between.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How much is read from the end at first; doubled until a whole line is in it.
const CHUNK: u64 = 8 * 1024;

/// The first and the last whole line, without newlines; they are the same when there is only one.
pub(super) fn first_and_last(path: &Path) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut file = File::open(path)?;
    let Some(first) = first(&file)? else { return Ok(None) };
    let last = last(&mut file)?.unwrap_or_else(|| first.clone());
    Ok(Some((first, last)))
}

/// The first line, when it is whole.
pub(super) fn first(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}

fn last(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    let mut chunk = CHUNK;
    loop {
        let from = length.saturating_sub(chunk);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.by_ref().take(length - from).read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|&byte| byte == b'\n');
        let start = end.and_then(|end| bytes[..end].iter().rposition(|&byte| byte == b'\n'));
        match (start, end) {
            (Some(start), Some(end)) => return Ok(Some(bytes[start + 1..end].to_vec())),
            (None, Some(end)) if from == 0 => return Ok(Some(bytes[..end].to_vec())),
            _ if from == 0 => return Ok(None),
            _ => chunk *= 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let found = first_and_last(file.path()).unwrap();
        let lossy = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
        let found = found.map(|(first, last)| (lossy(&first), lossy(&last)));
        assert_eq!(found, expected.map(|(first, last)| (first.to_owned(), last.to_owned())));
    }

    #[test]
    fn only_whole_lines_count() {
        let long = "x".repeat(50_000);
        check("", None);
        check("torn", None);
        check("one\n", Some(("one", "one")));
        check("one\ntwo\n", Some(("one", "two")));
        check("one\ntwo\ntorn", Some(("one", "two")));
        check(&format!("one\n{long}\n"), Some(("one", &long)));
        check(&format!("{long}\n{long}"), Some((&long, &long)));
    }
}
