//! Tests of the whole module: problems with what they underline, values, places in text, typed decode.

use super::{Document, Limits, Node};
use crate::diagnostic::{Diagnostic, Diagnostics, Sources, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn parse_with(text: &str, limits: &Limits) -> (Option<Document>, Diagnostics) {
    Document::parse(Sources::new().add("a.yaml", text), text, limits)
}

#[track_caller]
fn parsed(text: &str) -> Document {
    let (document, problems) = parse_with(text, &Limits::default());
    assert!(problems.is_empty(), "{}", show_all(text, &problems));
    document.unwrap()
}

fn under(text: &str, span: Span) -> &str {
    &text[span.range()]
}

/// `code: message [underlined] [underlined again]`
fn show(text: &str, problem: &Diagnostic) -> String {
    let name = problem.code.name.trim_start_matches("runbook::yaml::");
    let mut line = format!("{name}: {}", problem.message);
    for label in &problem.labels {
        write!(line, " [{}]", under(text, label.span)).unwrap();
    }
    line
}

fn show_all(text: &str, problems: &Diagnostics) -> String {
    problems.iter().map(|problem| show(text, problem)).collect::<Vec<_>>().join("\n")
}

/// Every problem of `text` under small limits, one a line.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (_, problems) = parse_with(text, &Limits::small());
    assert_eq!(show_all(text, &problems), expected.join("\n"), "in {text:?}");
    assert!(problems.iter().all(|problem| problem.help.is_some()));
}

#[track_caller]
fn check_help(text: &str, expected: &str) {
    let (_, problems) = parse_with(text, &Limits::small());
    let help = problems.iter().next().and_then(|problem| problem.help.clone());
    assert_eq!(help.as_deref(), Some(expected), "in {text:?}");
}

#[test]
fn duplicate_keys_are_all_reported_at_both_places() {
    check(
        "a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n",
        &[
            "duplicate_key: the key `a` is used twice [a] [a]",
            "duplicate_key: the key `d` is used twice [d] [d]",
        ],
    );
    check(
        "1: a\n\"1\": b\n",
        &[
            "non_text_key: this key is a number, not text [1]",
            "duplicate_key: the key `1` is used twice [\"1\"] [1]",
        ],
    );
}

#[test]
fn the_first_of_two_keys_is_kept_for_further_checks() {
    let (document, problems) = parse_with("a: 1\na: 2\n", &Limits::default());
    assert!(problems.has_errors());
    let document = document.unwrap();
    assert_eq!(document.root().to_json(), serde_json::json!({"a": 1}));
}

#[test]
fn keys_are_text() {
    check(
        "table: {{ vars.t }}\n",
        &["non_text_key: YAML reads this template as a map, because it is not quoted [{{ vars.t }}]"],
    );
    check_help("table: {{ vars.t }}\n", "Quote it: `\"{{ vars.t }}\"`.");
    check(
        "5432: a\ntrue: b\n~: c\n? [x]\n: d\n",
        &[
            "non_text_key: this key is a number, not text [5432]",
            "non_text_key: this key is a boolean, not text [true]",
            "non_text_key: this key is nothing, not text [~]",
            "non_text_key: this key is a list or a map, not text [[x]]",
        ],
    );
}

#[test]
fn syntax_errors_say_where_and_why() {
    check("a:\n\tb: 1\n", &["syntax: a tab where only spaces may stand [b]"]);
    check_help("a:\n\tb: 1\n", "Indent with spaces; YAML does not allow tabs.");
    check("é: b: c\n", &["syntax: a `:` where no key can be [:]"]);
    check_help("a: b: c\n", "Quote the text if `: ` is part of it, or fix the indentation.");
    check("a: {{ x }} y\n", &["syntax: expected a key [y]"]);
    check_help("a: {{ x }} y\n", "Quote a value that starts with a template: `key: \"{{ … }}\"`.");
    check("a: 'ü\n", &["syntax: quoted text without its closing quote [] [']"]);
    check("a: [1, 2\nb: 3\n", &["syntax: a `:` where no key can be [:]"]);
    check("a: [1 {2}]\n", &["syntax: expected `,` or `]` [{]"]);
    check("a: \"\\ud83d\\ude00\"\n", &["syntax: found invalid Unicode character escape code [d]"]);
    check("a: 'it's'\n", &["syntax: text after a closing quote [s]"]);
    check("a: *\n", &["syntax: expected a name after `*` or `&` [*]"]);
    check("a: @x\n", &["syntax: a character that cannot start a value [@]"]);
    check_help("a:\n  b: 1\n c: 2\n", "Indent the line exactly like the others of its list or map.");
    check(
        "a: \u{7}\nb: \u{8}\n",
        &[
            "syntax: the character U+0007 is not allowed [\u{7}]",
            "syntax: the character U+0008 is not allowed [\u{8}]",
        ],
    );
}

#[test]
fn what_must_not_be_guessed_is_refused() {
    check(
        "a: 08\nb: 012\nc: -07\nd: '012'\n",
        &[
            "octal: `08` is a number with a leading zero [08]",
            "octal: `012` is a number with a leading zero [012]",
            "octal: `-07` is a number with a leading zero [-07]",
        ],
    );
    check(
        "a: 99999999999999999999\nb: 18446744073709551615\n",
        &["integer_range: `99999999999999999999` does not fit 64 bits [99999999999999999999]"],
    );
    check(
        "a: 0.12345678901234567890\n",
        &[
            "integer_range: `0.12345678901234567890` has more digits than a number keeps [0.12345678901234567890]",
        ],
    );
    check("a: .inf\n", &["bad_value: `.inf` is not a number that can be used [.inf]"]);
    check(
        "a: !vault x\nb: !!str 1\nc: !other {d: 1}\ne: ! f\n",
        &[
            "tag: the tag `!vault` means nothing here [!vault]",
            "tag: the tag `!other` means nothing here [!other]",
            "tag: the tag `!` means nothing here [!]",
        ],
    );
    check("a: 1\n--- \nb: 2\n", &["second_document: a second document starts here [---]"]);
    check("# nothing\n", &["empty: the file holds no values []"]);
    check("a: one\u{2028}two\n", &["ambiguous: this value can be read in two ways [one\u{2028}two]"]);
}

#[test]
fn aliases_are_bounded() {
    check(
        "a: *x\nb: *y\n",
        &[
            "alias: no anchor `&x` comes before this alias [*x]",
            "alias: no anchor `&y` comes before this alias [*y]",
        ],
    );
    check("a: &a [1, *a]\n", &["alias: this alias stands for a value that contains it [*a] []"]);
    let bomb = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n";
    check(bomb, &["too_many_nodes: the document has more than 64 values once its aliases are followed []"]);
    check(
        "a: &a [[[[1]]]]\nb: [[[[*a]]]]\n",
        &["too_deep: more than 8 lists and maps inside each other [*a]"],
    );
}

#[test]
fn large_and_deep_documents_are_refused() {
    for (open, close) in [("[", ""), ("[", "]"), ("- ", ""), ("{a: ", "")] {
        let text = format!("{}{}\n", open.repeat(20_000), close.repeat(20_000));
        let (document, problems) = parse_with(&text, &Limits::default());
        assert!(document.is_none());
        let codes: Vec<_> = problems.iter().map(|problem| problem.code.name).collect();
        assert_eq!(codes, ["runbook::yaml::too_deep"]);
    }
    let limits = Limits { bytes: 10, ..Limits::default() };
    let (document, problems) = parse_with("a: 1\nb: 234\n", &limits);
    assert!(document.is_none());
    assert_eq!(
        show_all("", &problems),
        "too_large: the document is 12 bytes long, and 10 bytes is the most []"
    );
}

#[test]
fn a_bomb_within_the_budget_is_read() {
    let mut text = "a0: &a0 x\n".to_owned();
    for level in 1..6 {
        let alias = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", [alias.as_str(); 10].join(",")).unwrap();
    }
    let (_, problems) = parse_with(&text, &Limits::default());
    // 111,111 values from 60 events: within our budget, beyond the second parser's own.
    assert_eq!(show_all(&text, &problems), "too_many_nodes: the document repeats too much with aliases []");
}

#[test]
fn merge_keys_bring_in_what_is_not_there() {
    let document = parsed(
        "base: &b {x: 1, y: 2}\nmore: &m {<<: *b, z: 3}\nuse:\n  y: 9\n  <<: *m\nboth: {<<: [{x: 0}, *m]}\n",
    );
    let root = document.root();
    let json = root.to_json();
    assert_eq!(serde_json::to_string(&json["use"]).unwrap(), r#"{"y":9,"z":3,"x":1}"#);
    assert_eq!(serde_json::to_string(&json["both"]).unwrap(), r#"{"x":0,"z":3,"y":2}"#);
    check(
        "a: {<<: 1}\nb: {<<: [{c: 1}, x]}\n",
        &["merge: `<<` merges maps, and this is none [1]", "merge: `<<` merges maps, and this is none [x]"],
    );
}

#[test]
fn merged_values_are_traced_to_their_source() {
    let text = "base: &b {x: first}\nuse:\n  <<: *b\n  y: 2\n";
    let document = parsed(text);
    let merged = document.root().get("use").and_then(|node| node.get("x")).unwrap();
    assert_eq!((under(text, merged.span()), merged.span().start), ("first", 13));
}

#[test]
fn byte_order_mark_and_line_ends_do_not_move_places() {
    for text in ["\u{feff}é: ü\r\nb: |\r\n  one\r\n  twö\r\nc: x", "\u{feff}é: ü\nb: |\n  one\n  twö\nc: x"]
    {
        let document = parsed(text);
        let root = document.root();
        let places: Vec<_> =
            root.entries().map(|(_, node)| under(text, node.span()).replace('\r', "")).collect();
        assert_eq!(places, ["ü", "one\n  twö", "x"]);
        let block = root.get("b").unwrap();
        assert_eq!(block.as_str(), Some("one\ntwö\n"));
        assert_eq!(under(text, block.text_span(4..8)), "twö");
    }
}

#[test]
fn every_value_knows_its_place() {
    let text = "a: 1 # one\nb:\nc:\n- x\n- y: [p, {q: r}]\n\n# end\n";
    let document = parsed(text);
    let root = document.root();
    assert_eq!(under(text, root.span()), "a: 1 # one\nb:\nc:\n- x\n- y: [p, {q: r}]");
    let b = root.get("b").unwrap();
    assert_eq!((under(text, b.key_span()), under(text, b.span()), b.span().start), ("b", "", 13));
    let texts: Vec<_> =
        root.texts().into_iter().map(|(written, node)| (written, under(text, node.span()))).collect();
    assert_eq!(texts, [("1", "1"), ("", ""), ("x", "x"), ("p", "p"), ("r", "r")]);
    let comment = root.get("a").and_then(Node::trailing_comment).unwrap();
    assert_eq!(under(text, comment), "# one");
    assert!(root.get("c").unwrap().trailing_comment().is_none());
}

/// The place of `needle` in the text of `a`.
#[track_caller]
fn traced(text: &str, needle: &str) {
    let document = parsed(text);
    let node = document.root().get("a").unwrap();
    let start = node.as_str().unwrap().find(needle).unwrap();
    let found = node.text_span(start..start + needle.len());
    assert_eq!(under(text, found), needle, "in {text:?}");
    assert_eq!(found.start, text.rfind(needle).unwrap(), "in {text:?}");
}

#[test]
fn positions_in_text_are_traced_to_the_file() {
    traced("a: one néédle two\n", "néédle");
    traced("a: one\n  needle two\n", "needle");
    traced("a: 'one needle'\n", "needle");
    traced("a: 'it''s a needle'\n", "needle");
    traced("a: \"one\\n \\u00e9 \\x41 needle\"\n", "needle");
    traced("a: \"one \\\n  needle\"\n", "needle");
    traced("a: |\n  one\n    needle two\n", "needle two");
    traced("a: |2-\n   one\n\n   needle", "needle");
    traced("a: >\n  one\n  needle\n\n  two\n", "needle");
    traced("a: |\r\n  one\r\n  needle\r\n", "needle");
    traced("a: |\n  SELECT 1,\n  \n    needle\n", "needle");
    let text = "a: |\n  one\n";
    let document = parsed(text);
    let node = document.root().get("a").unwrap();
    assert_eq!(under(text, node.text_span(4..4)), "");
    assert_eq!(under(text, node.text_span(0..99)), "one");
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Step {
    id: String,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    attempts: u8,
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    env: BTreeMap<String, String>,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Quick,
    Careful,
    Custom {
        level: i64,
    },
}

#[track_caller]
fn wrong(body: &str, expected: &str, help: &str) {
    let text = format!("- {}\n", body.replace('\n', "\n  "));
    let document = parsed(&text);
    let problem = document.root().items().next().unwrap().decode::<Step>().unwrap_err();
    assert_eq!((show(&text, &problem).as_str(), problem.help.as_deref()), (expected, Some(help)));
}

#[test]
fn a_failed_decode_underlines_the_smallest_wrong_thing() {
    wrong(
        "id: 12",
        "wrong_type: expected text, found the number `12` [12]",
        "Quote it to make it text: `\"12\"`.",
    );
    wrong(
        "id: true",
        "wrong_type: expected text, found the boolean `true` [true]",
        "Quote it to make it text: `\"true\"`.",
    );
    wrong("id:", "wrong_type: expected text, found nothing [id]", "Write a value, or remove the key.");
    wrong("id: a\nneds: [b]", "unknown_key: unknown key `neds` [neds]", "Did you mean `needs`?");
    wrong(
        "id: a\nneeds: b",
        "wrong_type: expected a list, found text [b]",
        "Write a list, even of one item: `[b]`.",
    );
    wrong(
        "id: a\nneeds: [b, 1.5]",
        "wrong_type: expected text, found the number `1.5` [1.5]",
        "Quote it to make it text: `\"1.5\"`.",
    );
    wrong(
        "id: a\nneeds:",
        "wrong_type: expected a list, found nothing [needs]",
        "Write `[]` for an empty list, or remove the key.",
    );
    wrong("needs: [b]", "missing_key: the key `id` is missing [needs]", "Add `id:` here.");
    wrong(
        "id: a\nattempts: -1",
        "bad_value: expected a whole number from 0 to 255, found `-1` [-1]",
        "Write a whole number from 0 to 255 here.",
    );
    wrong(
        "id: a\nattempts: '3'",
        "wrong_type: expected a whole number from 0 to 255, found text ['3']",
        "Remove the quotes.",
    );
    wrong("id: a\nwait: yes", "wrong_type: expected `true` or `false`, found text [yes]", "Write `true`.");
    wrong("id: a\nmode: quik", "bad_value: unknown value `quik` [quik]", "Did you mean `quick`?");
    wrong(
        "id: a\nmode: {custm: {level: 1}}",
        "bad_value: unknown value `custm` [custm]",
        "Did you mean `custom`?",
    );
    wrong(
        "id: a\nmode: {custom: {level: x}}",
        "wrong_type: expected a whole number, found text [x]",
        "Write a whole number here.",
    );
    wrong(
        "id: a\nmode: [x]",
        "wrong_type: expected text or a map with one key, found a list [[x]]",
        "Write text or a map with one key here.",
    );
    wrong(
        "id: a\nenv: {A: 1}",
        "wrong_type: expected text, found the number `1` [1]",
        "Quote it to make it text: `\"1\"`.",
    );
}

#[test]
fn decodes_what_is_written() {
    let document = parsed("id: a\nneeds: [b]\nmode: {custom: {level: 3}}\nenv: {A: x}\nwait: true\nnote:\n");
    let step: Step = document.root().decode().unwrap();
    let env = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
    let mode = Mode::Custom { level: 3 };
    let expected =
        Step { id: "a".into(), needs: vec!["b".into()], attempts: 0, wait: true, mode, env, note: None };
    assert_eq!(step, expected);
    let whole: serde_json::Value = document.root().decode().unwrap();
    assert_eq!(whole, document.root().to_json());
}

#[test]
fn unknown_keys_are_all_reported() {
    let text = "id: a\nrolback: x\nzzz: y\n";
    let document = parsed(text);
    let mut problems = Diagnostics::new();
    document.root().deny_unknown(&["id", "rollback"], &mut problems);
    assert_eq!(
        show_all(text, &problems),
        "unknown_key: unknown key `rolback` [rolback]\nunknown_key: unknown key `zzz` [zzz]"
    );
    let helps: Vec<_> = problems.iter().filter_map(|problem| problem.help.as_deref()).collect();
    assert_eq!(helps, ["Did you mean `rollback`?", "Use one of `id`, `rollback`."]);
}

#[test]
fn every_code_explains_itself() {
    for code in crate::diagnostic::CODES.iter().filter(|code| code.name.contains("::yaml::")) {
        assert!(code.explanation.contains("Wrong:") && code.explanation.contains("Right:"), "{}", code.name);
        assert!(code.explanation.len() > 200, "{}", code.name);
    }
}
