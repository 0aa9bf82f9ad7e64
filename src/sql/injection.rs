//! No value, however it is made, changes a statement: whatever `quote_*` writes binds, and binding leaves every other
//! token as it was; what is not quoted is refused.

use proptest::prelude::*;

use super::testing::pieces;
use super::{Script, SqlError, SqlProblem, Statement, quote_ident, quote_literal, quote_relation};
use crate::model::{Certainty, Effect};

fn script(source: &str) -> Script {
    Script::check(pieces(source)).unwrap_or_else(|errors| panic!("{source}: {errors:?}"))
}

fn bind(source: &str, fragments: &[&str]) -> Result<Vec<Statement>, SqlError> {
    script(source).bind(&fragments.iter().map(|&fragment| fragment.to_owned()).collect::<Vec<_>>())
}

#[track_caller]
fn check(source: &str, fragments: &[&str], expected: &str) {
    let bound = bind(source, fragments).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    assert_eq!(bound.iter().map(|statement| statement.text.as_str()).collect::<Vec<_>>().join(";"), expected);
}

#[track_caller]
fn refuse(source: &str, fragments: &[&str]) {
    let error = bind(source, fragments).expect_err(source);
    assert_eq!(error.problem, SqlProblem::BindChanged, "{source} {fragments:?}: {error:?}");
}

#[test]
fn values_take_the_place_of_their_holes() {
    check("select {{ x }}", &["-1"], "select -1");
    check("select 1-{{ x }}", &["-1"], "select 1- -1");
    check("select 1 from t where a in ({{ x }})", &["1, 2, NULL"], "select 1 from t where a in (1, 2, NULL)");
    check("vacuum {{ t | relation }}", &["public.\"Dock Schedule\""], "vacuum public.\"Dock Schedule\"");
    check("vacuum a; analyze {{ t | ident }};", &["b"], "vacuum a;analyze b");
    check("select * from t {{ x | raw }}", &["where a = 1"], "select * from t where a = 1");
    check("select * from t {{ x | raw }}", &[""], "select * from t");
    check("set lock_timeout = {{ x }}", &["'5s'"], "set lock_timeout = '5s'");
    check(
        "create role {{ r | ident }} connection limit {{ n }}",
        &["r", "5"],
        "create role r connection limit 5",
    );
}

#[test]
fn a_number_is_tried_where_a_text_does_not_fit() {
    script("create role a password {{ p }} connection limit {{ n }}");
    script("alter table t alter a set statistics {{ n }}");
    script("select interval {{ i }}, {{ n }}");
}

#[test]
fn values_that_are_not_what_their_hole_allows_are_refused() {
    for fragment in
        ["1; drop table t", "1 or true", "'a' || 'b'", "1 --", "/*", "'", "x", "", "(select 1)", "1) --"]
    {
        refuse("select * from t where (a = {{ x }})", &[fragment]);
    }
    for fragment in ["a; drop table b", "a b", "\"a", "select", "a(b)", "\"\"", "a --"] {
        refuse("vacuum {{ t | relation }}", &[fragment]);
        refuse("vacuum {{ t | ident }}", &[fragment]);
    }
    for fragment in ["; drop table t", "--", "/*", "'", "\"", "$$", "$a$", "-- x"] {
        refuse("select * from t {{ x | raw }} order by 1", &[fragment]);
    }
    refuse("select {{ x }}", &[]);
    refuse("select {{ x }}", &["1", "2"]);
}

#[test]
fn a_raw_hole_is_assumed_until_it_is_bound() {
    for source in ["select * from t {{ x | raw }}", "alter table t {{ x | raw }}", "{{ x | raw }}"] {
        assert_eq!(script(source).class().certainty, Certainty::Assumed, "{source}");
    }
    let bound = bind("{{ x | raw }}", &["drop table t"]).unwrap();
    assert_eq!((bound[0].class.effect, bound[0].class.certainty), (Effect::Destroy, Certainty::Known));
}

#[test]
fn errors_point_into_the_template() {
    let source = "vacuum {{ t | relation }}; selec {{ x }}";
    let error = Script::check(pieces(source)).unwrap_err().swap_remove(0);
    assert_eq!(&source[error.range.unwrap()], "selec");
    let source = "select 1 {{ x }}";
    let error = Script::check(pieces(source)).unwrap_err().swap_remove(0);
    assert_eq!(&source[error.range.unwrap()], "{{ x }}");
}

/// Templates with one hole for a literal and one for a name.
const TEMPLATES: &[&str] = &[
    "select * from {{ t | relation }} where a = {{ x }} -- it's",
    "insert into {{ t | ident }} values ({{ x }}, 'a')",
    "select \"q\", $$d$$, {{ x }}::text from {{ t | ident }} /* c */",
    "vacuum {{ t | relation }}; select {{ x }}, E'\\''",
];

fn holes_in_order(source: &str, literal: &str, name: &str) -> Vec<String> {
    let literal_first = source.find("{{ x }}") < source.find("{{ t");
    if literal_first { vec![literal.into(), name.into()] } else { vec![name.into(), literal.into()] }
}

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC*", "['\"\\\\;$\\-/* a\n]{0,12}", "[^\0]{0,20}"]
}

#[test]
fn deep_statements_are_refused_not_parsed() {
    let deep = |before: &str, after: &str| format!("{}1{}", before.repeat(20_000), after.repeat(20_000));
    for sql in [
        format!("select {}", deep("(", ")")),
        format!("select {}", deep("not ", "")),
        format!("select {}", deep("case when a then ", " end")),
        format!("select {}", deep("", " or 1")),
        format!("select {}", deep("", "::int")),
        format!("select a{}", deep("[", "]")),
        format!("select 1, 2 {}", " union select 1, 2".repeat(20_000)),
        deep("select (", ")"),
        deep("explain ", ""),
        format!("create function f() returns int language sql as $$ select {} $$", deep("(", ")")),
        format!("create function f() returns int language sql as 'select {}'", deep("- ", "")),
        format!("select query_to_xml('select {}', true, true, '')", deep("(", ")")),
    ] {
        drop(Script::plain(&sql));
    }
    let list = vec!["(1, 'a (((')"; 20_000].join(", ");
    assert!(Script::plain(&format!("insert into t values {list}")).is_ok());
}

proptest! {
    #[test]
    fn quoted_values_never_change_a_statement(text in nasty(), name in nasty(), template in 0..TEMPLATES.len()) {
        let (text, name) = (text.replace('\0', ""), name.replace('\0', ""));
        if let Ok(name) = quote_ident(&name) {
            let source = TEMPLATES[template];
            let checked = script(source);
            let bound = checked.bind(&holes_in_order(source, &quote_literal(&text), &name)).unwrap();
            prop_assert_eq!(bound.len(), checked.statements.len());
            for (bound, checked) in bound.iter().zip(&checked.statements) {
                prop_assert_eq!(&bound.verb, &checked.verb);
                prop_assert_eq!(&bound.class, &checked.class);
            }
        }
    }

    #[test]
    fn relations_survive_being_quoted_again(text in nasty()) {
        if let Ok(quoted) = quote_relation(&text) {
            prop_assert_eq!(quote_relation(&quoted).unwrap(), quoted.clone());
            script("vacuum {{ t | relation }}").bind(&[quoted]).unwrap();
        }
    }

    #[test]
    fn unquoted_values_never_get_past_their_hole(text in nasty(), template in 0..TEMPLATES.len()) {
        let source = TEMPLATES[template];
        let checked = script(source);
        if let Ok(bound) = checked.bind(&holes_in_order(source, &text, &text)) {
            prop_assert_eq!(bound.len(), checked.statements.len());
        }
    }

    #[test]
    fn nothing_panics(text in nasty()) {
        drop(Script::plain(&text));
        drop(script("select * from t {{ x | raw }}").bind(&[text]));
    }
}
