//! [`documents`]: where the documents of a stream stand, for files that other programs write, such as manifests.
//!
//! A marker at the start of a line ends a document in whatever scalar it seems to stand, by the rules of YAML, so
//! lines are all that is looked at.

use std::ops::Range;

/// The documents of a text, each with the marker that begins it; those without a value are left out.
pub fn documents(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut at, mut holds) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        if is_marker(line, "---") || is_marker(line, "...") {
            found.extend(holds.then_some(start..at));
            // The marker that ends a document begins none.
            start = if is_marker(line, "---") { at } else { at + line.len() };
            holds = is_marker(line, "---") && is_value(&line[3..]);
        } else {
            holds |= is_value(line);
        }
        at += line.len();
    }
    found.extend(holds.then_some(start..at));
    found
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether a line is more than blank or a comment.
fn is_value(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_at_the_start_of_a_line_parts_documents() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = documents(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("", &[]);
        check("# nothing\n---\n# here\n", &[]);
        check("a: 1\n", &["a: 1\n"]);
        check("a: 1\n---\nb: 2\n---\n", &["a: 1\n", "---\nb: 2\n"]);
        check("# head\n---\na: 1\n...\nb: 2", &["---\na: 1\n", "b: 2"]);
        check("--- # one\na: 1\r\n---\r\nb: 2\r\n", &["--- # one\na: 1\r\n", "---\r\nb: 2\r\n"]);
        check("--- { a: 1 }\n--- { b: 2 }", &["--- { a: 1 }\n", "--- { b: 2 }"]);
        check("a: |\n  ---\n  x\n----: 1\n---x: 2\n", &["a: |\n  ---\n  x\n----: 1\n---x: 2\n"]);
    }
}
