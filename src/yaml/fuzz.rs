//! Property tests: no input makes the reader panic, misplace a value, or read it differently from `serde_yaml`.

use super::{Document, Limits, Node, read_text};
use crate::diagnostic::{Diagnostics, Sources, Span};
use proptest::prelude::*;

const VALID: &str = "name: &n reindex # why\nvars:\n  a: 1\n  'b c': [x, \"y\\tz\", 1.5, ~]\nsteps:\n- id: é\n  sql: |\n    \
                     SELECT 1;\n\n      SELECT 'ü';\n  needs: [*n]\n- <<: &m {k: >-\n    }\n  text: 'it''s\n    folded'\n";

fn parse(text: &str) -> (Option<Document>, Diagnostics) {
    Document::parse(Sources::new().add("fuzz.yaml", text), text, &Limits::default())
}

fn assert_in_text(text: &str, span: Span) {
    assert!(text.get(span.range()).is_some(), "{span:?} is not in {text:?}");
}

/// Everything that must hold for any text.
fn hold(text: &str) {
    let (document, problems) = parse(text);
    for problem in &problems {
        assert!(!problem.labels.is_empty() && problem.help.is_some(), "{problem:?}");
        problem.labels.iter().for_each(|label| assert_in_text(text, label.span));
    }
    assert!(document.is_some() || problems.has_errors());
    let Some(document) = document else { return };
    places(text, document.root());
    if !problems.has_errors() {
        same_as_serde(text, document.root());
    }
}

fn places(text: &str, node: Node<'_>) {
    assert_in_text(text, node.span());
    assert_in_text(text, node.key_span());
    node.trailing_comment().into_iter().for_each(|span| assert_in_text(text, span));
    for (written, scalar) in node.texts() {
        for start in 0..=written.len().min(40) {
            assert_in_text(text, scalar.text_span(start..start + 3));
        }
    }
    node.entries().for_each(|(_, member)| places(text, member));
    node.items().for_each(|item| places(text, item));
}

fn same_as_serde(text: &str, node: Node<'_>) {
    let mut body = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    body.push_str(if body.ends_with('\n') { "" } else { "\n" });
    let expected: serde_yaml::Value = serde_yaml::from_str(&body).unwrap();
    // Its merge leaves a `<<` behind when merged maps merge others, so only documents without one are compared.
    if !text.contains("<<") {
        assert_eq!(node.to_json(), serde_json::to_value(expected).unwrap(), "in {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(text) = read_text("fuzz", bytes, &Limits::default()) {
            hold(&text);
        }
    }

    #[test]
    fn any_text_of_yaml_characters(text in "[ \\n\\t\\r:{}\\[\\],&*#?|>'\"%@`!~<ab01.\\\\é\u{85}\u{2028}\u{feff}-]{0,40}") {
        hold(&text);
    }

    #[test]
    fn any_sequence_of_fragments(parts in proptest::collection::vec(prop::sample::select(&[
        "a: ", "b:", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "&x ", "*x", "<<: ", "|\n", ">\n", "|2-\n", "'", "\"",
        "\\n", "''", "# c", "x", "é", "08", "1", "1.5", "true", "null", "!t ", "!!str ", "---\n", "...\n", "? ", ": ", "\r\n", "\t",
        "{{ x }}", "\\x41", "\\\n",
    ][..]), 0..24)) {
        hold(&parts.concat());
    }

    #[test]
    fn any_change_of_a_valid_document(at in 0..VALID.len(), gone in 0..6_usize, new in "[ \\n:'\"{}*&|#-]{0,3}") {
        let start = VALID.floor_char_boundary(at);
        let end = VALID.ceil_char_boundary((start + gone).min(VALID.len()));
        hold(&format!("{}{new}{}", &VALID[..start], &VALID[end..]));
    }
}
