//! [`read_text`]: bytes of a file to text, or a diagnostic that says why it is not text.
//!
//! No span exists before there is text, so these messages carry the line or the byte offset themselves.

use super::Limits;
use crate::diagnostic::{Code, Diagnostic};

/// Turns the bytes of the file `name` into text.
///
/// A byte-order mark stays: spans count bytes of the file, and [`super::Document::parse`] steps over it.
pub fn read_text(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<String, Diagnostic> {
    if bytes.len() > limits.bytes {
        return Err(too_large(&format!("`{name}`"), bytes.len(), limits));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Diagnostic::error(Code::YAML_EMPTY, format!("`{name}` is empty"))
            .help("Write at least one key and a value into the file."));
    }
    if let Some(encoding) = wide_encoding(&bytes) {
        return Err(Diagnostic::error(
            Code::YAML_NOT_UTF8,
            format!("`{name}` is {encoding} text, not UTF-8"),
        )
        .help("Save the file as UTF-8."));
    }
    if let Some(offset) = bytes.iter().position(|&byte| byte == 0) {
        return Err(Diagnostic::error(
            Code::YAML_BINARY,
            format!("`{name}` is not a text file: byte {offset} is zero"),
        )
        .help("Name a YAML file; this one looks like a program, an archive or a picture."));
    }
    String::from_utf8(bytes)
        .map_err(|error| not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// The diagnostic for a document over the size budget.
pub(super) fn too_large(subject: &str, size: usize, limits: &Limits) -> Diagnostic {
    let (size, limit) = (in_units(size), in_units(limits.bytes));
    Diagnostic::error(Code::YAML_TOO_LARGE, format!("{subject} is {size} long, and {limit} is the most"))
        .help("Split the file, or move bulk data out of it.")
}

fn in_units(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

/// UTF-16 and UTF-32 announce themselves with a byte-order mark.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ => None,
    }
}

fn not_utf8(name: &str, bytes: &[u8], offset: usize) -> Diagnostic {
    let line = bytes.iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1;
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let message = format!("line {line} of `{name}` is not UTF-8: byte 0x{byte:02x} at offset {offset}");
    Diagnostic::error(Code::YAML_NOT_UTF8, message)
        .help("Save the file as UTF-8; an editor probably wrote it in an older encoding such as Latin-1.")
}

/// The first few characters that YAML forbids, wherever they stand.
pub(super) fn control_characters(text: &str) -> Vec<(usize, char)> {
    let forbidden =
        |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || is_unusable(c);
    text.char_indices().filter(|(_, c)| forbidden(*c)).take(10).collect()
}

/// Characters outside the control range that YAML text may not hold.
fn is_unusable(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], code: &Code, expected: &str) {
        let problem = read_text("a.yaml", bytes.to_vec(), &Limits::small()).unwrap_err();
        assert_eq!((problem.code, problem.message.as_str()), (code, expected));
        assert!(problem.help.is_some());
    }

    #[test]
    fn says_why_a_file_is_not_text() {
        check(b"", Code::YAML_EMPTY, "`a.yaml` is empty");
        check(b" \r\n\t", Code::YAML_EMPTY, "`a.yaml` is empty");
        check(
            b"a: 1\nb: \xe9\n",
            Code::YAML_NOT_UTF8,
            "line 2 of `a.yaml` is not UTF-8: byte 0xe9 at offset 8",
        );
        check(b"\xff\xfea\0", Code::YAML_NOT_UTF8, "`a.yaml` is UTF-16 text, not UTF-8");
        check(b"\x7fELF\0", Code::YAML_BINARY, "`a.yaml` is not a text file: byte 4 is zero");
        check(&[b'x'; 5000], Code::YAML_TOO_LARGE, "`a.yaml` is 5000 bytes long, and 4096 bytes is the most");
    }

    #[test]
    fn a_hundred_megabytes_are_refused_without_a_look() {
        let problem = read_text("a.yaml", vec![b'x'; 100 << 20], &Limits::default()).unwrap_err();
        assert_eq!(problem.message, "`a.yaml` is 100 MiB long, and 8 MiB is the most");
    }

    #[test]
    fn keeps_every_byte_of_text() {
        assert_eq!(read_text("a", "\u{feff}é: 1".into(), &Limits::default()).unwrap(), "\u{feff}é: 1");
    }
}
