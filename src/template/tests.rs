//! What templates and expressions give, what they refuse, and where the refusal points.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Expression, Found, Lookup, Problem, Scope, SqlTemplate, Template, TemplateError};
use crate::sql::{HoleKind, Piece};

/// The outputs of three steps: one that succeeded, one that has no rows, one that failed.
#[derive(Debug, Clone, Copy)]
struct Steps;

#[derive(Debug)]
struct Step(&'static str);

impl Lookup for Steps {
    fn lookup(&self, key: &str) -> Found {
        match key {
            "good" | "empty" | "failed" => Found::Lookup(Arc::new(Step(
                ["good", "empty", "failed"].into_iter().find(|id| *id == key).unwrap(),
            ))),
            _ => Found::Absent,
        }
    }
    fn keys(&self) -> Vec<String> {
        ["good", "empty", "failed"].map(str::to_owned).to_vec()
    }
}

impl Lookup for Step {
    fn lookup(&self, key: &str) -> Found {
        match (self.0, key) {
            (id, "succeeded") => Found::Value(json!(id != "failed")),
            ("failed", _) => Found::Refused("`steps.failed` did not succeed".to_owned()),
            ("empty", "rows") => Found::Value(json!([])),
            ("empty", "value") => Found::Value(Json::Null),
            (_, "rows") => {
                Found::Value(json!([{ "n": 3, "s": "a", "big": 2048 }, { "n": 4, "s": "b", "big": 1 }]))
            }
            (_, "value") => Found::Value(json!(7)),
            _ => Found::Absent,
        }
    }
    fn keys(&self) -> Vec<String> {
        ["rows", "value", "succeeded"].map(str::to_owned).to_vec()
    }
}

fn scope() -> Scope {
    Scope::new()
        .with_value("params", json!({ "name": "orders", "limit": 80, "ratio": 0.5, "on": true, "none": null,
            "list": [1, 2], "texts": ["b", "a"], "map": { "k": "v" }, "nul": "a\u{0}b", "quote": "it's", "big": i64::MAX }))
        .with_lookup("steps", Arc::new(Steps))
        .with_now(jiff::Timestamp::UNIX_EPOCH)
}

fn eval(text: &str) -> Result<Json, TemplateError> {
    match Expression::parse(text) {
        Ok(expression) => expression.eval(&scope()),
        Err(mut errors) => Err(errors.remove(0)),
    }
}

#[test]
fn expressions_have_values() {
    let check = |text: &str, expected: Json| assert_eq!(eval(text), Ok(expected), "{text}");
    check("1 + 2 * 3", json!(7));
    check("7 / 2", json!(3.5));
    check("-7 // 2", json!(-4));
    check("1.0 // 0.1", json!(9.0));
    check("-34.0 // (-17 / 3)", json!(5.0));
    check("-7 % 3", json!(2));
    check("2 ** 10", json!(1024));
    check("-params.limit", json!(-80));
    check("'a' ~ 1 ~ none", json!("a1none"));
    check("[1] + [2]", json!([1, 2]));
    check("1 <= 2 < 3 != 4", json!(true));
    check("1 == 1.0", json!(true));
    check("'a' < 'b' and not 1 > 2", json!(true));
    check("1 in [1, 2] and 'k' in params.map and 'rd' in params.name and 3 not in [1]", json!(true));
    check("params.none is none", json!(true));
    check("'x' if params.on else 'y'", json!("x"));
    check("params.list[0] + params['limit'] + steps.good.rows[-1].n", json!(85));
    check("params.name[1:3] ~ params.list[5:]", json!("rd[]"));
    check("params.missing is defined or params.map.a.b.c is undefined", json!(true));
    check("params.missing.deeper | default(5)", json!(5));
    check("steps.failed.value | default('none')", json!("none"));
    check("steps.failed.succeeded", json!(false));
    check("steps.good.rows | sum(attribute='n')", json!(7));
    check("steps.empty.rows | sum(attribute='n') | default(0)", json!(0));
    check("steps.empty.rows | max(attribute='n', default=1)", json!(1));
    check("steps.failed.rows | max(attribute='n') | default(9)", json!(9));
    check("params.texts | min ~ (params.list | max)", json!("a2"));
    check("steps.good.rows | selectattr('n', 'gt', 3) | map(attribute='s') | list", json!(["b"]));
    check("params.list | select('odd') | list", json!([1]));
    check("params.texts | sort | join(', ')", json!("a, b"));
    check("now()", json!("1970-01-01T00:00:00.000000Z"));
    check("'10GB' | bytes", json!(10_i64 << 30));
    check("'1h30m' | seconds", json!(5400));
    check("'abc' | int(default=3)", json!(3));
    check("1.5 | date('%H:%M:%S')", json!("00:00:01"));
    check("'2026-03-01' | epoch", json!(1_772_323_200));
    check("'2026-03-01T00:00:00.5Z' | epoch", json!(1_772_323_200.5));
    check("'2026-03-01T00:00:00Z' | shift('-1h')", json!("2026-02-28T23:00:00.000000Z"));
    check(
        "steps.good.rows | table(columns=['s', 'big'], bytes=['big'])",
        json!("s      big\na     2 kB\nb  1 bytes"),
    );
    check("{'a': [1]} | to_json(indent=1)", json!("{\n \"a\": [\n  1\n ]\n}"));
    check("'x' | scram_verifier | length > 100", json!(true));
    check(
        "[{'name': 'a', 'n': 1}, {'name': 'b', 'n': 1}] | compare([{'name': 'b', 'n': 2}, {'name': 'c', 'n': 1}])",
        json!({ "added": [{ "name": "c", "n": 1 }], "removed": [{ "name": "a", "n": 1 }], "same": 0,
            "changed": [{ "key": "b", "before": { "name": "b", "n": 1 }, "after": { "name": "b", "n": 2 } }] }),
    );
}

#[test]
fn expressions_fail_where_they_are_wrong() {
    use Problem::{DynamicRoot, Filter, Refused, Syntax, Truthiness, Type, Undefined};
    let check = |text: &str, problem: Problem, place: &str| {
        let error = eval(text).expect_err(text);
        let found = error.range.clone().and_then(|range| text.get(range));
        assert_eq!((error.problem, found), (problem, Some(place)), "{text}: {error:?}");
        assert!(!error.message.ends_with('.'), "{}", error.message);
    };
    check("{{ params.on }}", Syntax, "{{");
    check("1 +", Syntax, "+");
    check("1 and\n  params.on", Truthiness, "1");
    check("params.on and\n  params.name", Truthiness, "params.name");
    check("not params.none", Truthiness, "params.none");
    check("1 if params.list else 2", Truthiness, "params.list");
    check("1 if true", Syntax, "1 if true");
    check("true and (params.name) < 1", Type, "(params.name) < 1");
    check("params.none == none", Type, "params.none == none");
    check("params.on == true", Type, "params.on == true");
    check("1 < 2 < 'x'", Type, "1 < 2 < 'x'");
    check("params.list | select('gt', 'a') | list", Type, "select('gt', 'a')");
    check("é == 1", Syntax, "é");
    check("1 == 'open", Syntax, "'open");
    check("'é' ~ params.nmae", Undefined, "params.nmae");
    check("steps.typo.rows", Undefined, "steps.typo");
    check("steps.good.rwos", Undefined, "steps.good.rwos");
    check("steps.failed.rows | length", Refused, "steps.failed.rows");
    check("params.list[7]", Undefined, "params.list[7]");
    check("item.x", Undefined, "item");
    check("this", Undefined, "this");
    check("steps", DynamicRoot, "steps");
    check("steps.good", DynamicRoot, "steps.good");
    check("steps[params.name].rows", DynamicRoot, "steps[params.name].rows");
    check("params[params.name]", DynamicRoot, "params[params.name]");
    check("parms.x", Problem::UnknownRoot, "parms");
    check("1 | legnth", Problem::UnknownFilter, "legnth");
    check("1 is nothing", Problem::UnknownFilter, "nothing");
    check("[] | map('uper')", Problem::UnknownFilter, "'uper'");
    check("nwo()", Problem::UnknownFunction, "nwo");
    check("params.map.items()", Problem::UnknownFunction, "params.map.items()");
    check("1 / 0", Type, "1 / 0");
    check("1 + params.limit // (params.limit - 80)", Type, "params.limit // (params.limit - 80)");
    check("params.big + 1", Type, "params.big + 1");
    check("2 ** 64", Type, "2 ** 64");
    check("'x' * 1000000", Type, "'x' * 1000000");
    check("true + 1", Type, "true + 1");
    check("[] | max", Filter, "[] | max");
    check("steps.empty.rows | sum(attribute='n')", Filter, "steps.empty.rows | sum(attribute='n')");
    check("[1, none] | sum", Type, "sum");
    check("[1, 'a'] | min", Type, "min");
    check("[1] | sum(attribute='n')", Undefined, "sum(attribute='n')");
    check("1 | scram_verifier", Type, "scram_verifier");
    check("'?' | b64decode", Filter, "b64decode");
    check("'soon' | date", Filter, "date");
    check("now() | date(tz='Nowhere/Land')", Filter, "date(tz='Nowhere/Land')");
    check("range(100) | map('nothing')", Problem::UnknownFilter, "'nothing'");
    check("4 is divisibleby(0)", Type, "4 is divisibleby(0)");
    check("'abc'[::2]", Syntax, "2");
}

#[test]
fn help_names_what_was_meant() {
    let check =
        |text: &str, help: &str| assert_eq!(eval(text).unwrap_err().help.as_deref(), Some(help), "{text}");
    check("params.nmae", "Did you mean `name`?");
    check("steps.goood.rows", "Did you mean `good`?");
    check("parms.x", "Did you mean `params`?");
    check("limit", "If it is a parameter, write `params.limit`; if a variable, `vars.limit`.");
    check("1 | legnth", "Did you mean `length`?");
    check("params.none > 1", "Test for none with `is none` or `is not none`.");
    check("params.on == 'true'", "A boolean needs no comparison: write `x` or `not x`.");
    check("now", "Call it: `now()`.");
}

#[test]
fn conditions_are_booleans() {
    let check = |text: &str, expected: Result<bool, &str>| {
        let found = Expression::parse(text).unwrap().eval_bool(&scope()).map_err(|error| error.message);
        assert_eq!(found, expected.map_err(str::to_owned));
    };
    check("params.on", Ok(true));
    check("params.limit > 100", Ok(false));
    check(" params.name ", Err("`params.name` is text, not a boolean"));
    check("params.list", Err("`params.list` is a list, not a boolean"));
}

#[test]
fn operands_explain_a_failed_condition() {
    let text = "steps.good.rows | sum(attribute='n') * 100 <= params.limit and params.on";
    let found = Expression::parse(text).unwrap().operands(&scope());
    let expected = [
        ("steps.good.rows | sum(attribute='n') * 100", json!(700)),
        ("steps.good.rows | sum(attribute='n')", json!(7)),
        ("params.limit", json!(80)),
        ("params.on", json!(true)),
    ];
    assert_eq!(found, expected.map(|(text, value)| (text.to_owned(), value)));
}

#[test]
fn templates_render() {
    let check = |text: &str, expected: Json| {
        assert_eq!(Template::parse(text).unwrap().render(&scope()), Ok(expected), "{text}");
    };
    check("plain { text }\n", json!("plain { text }\n"));
    check("{{ params.limit }}", json!(80));
    check("{{- params.list -}}", json!([1, 2]));
    check("{{ params.none }}", json!(null));
    check("{{ params.limit }}\n", json!("80\n"));
    check(" {{- params.limit }}", json!("80"));
    check("{{ params.limit }}%", json!("80%"));
    check(
        "{{ params.list }} {{ params.map }} {{ params.none }} {{ params.ratio }} {{ params.on }}",
        json!("[1,2] {\"k\":\"v\"} none 0.5 true"),
    );
    check("{% if params.on %}a{% elif false %}b{% else %}c{% endif %}{# gone #}", json!("a"));
    check("{% for item in params.list %}{{ loop.index }}:{{ item }} {% endfor %}", json!("1:1 2:2 "));
    check("{% for k, v in params.map | items %}{{ k }}={{ v }}{% else %}none{% endfor %}", json!("k=v"));
    check("{% for x in params.list if x > 1 %}{{ x }}{% endfor %}", json!("2"));
    check(
        "{% set x = 1 %}{% set y %}<{{ x }}>{% endset %}{% with z = y %}{{ z }}{% endwith %}",
        json!("<1>"),
    );
    check("{% raw %}{{ x }}{% endraw %}", json!("{{ x }}"));
}

#[test]
fn templates_fail_where_they_are_wrong() {
    let check = |text: &str, problem: Problem, place: &str| {
        let error = match Template::parse(text) {
            Ok(template) => template.render(&scope()).unwrap_err(),
            Err(mut errors) => errors.remove(0),
        };
        let found = error.range.clone().and_then(|range| text.get(range));
        assert_eq!((error.problem, found), (problem, Some(place)), "{text}: {error:?}");
    };
    check("{% if params.name %}a{% endif %}", Problem::Truthiness, "params.name");
    check("{% for x in params.name %}a{% endfor %}", Problem::Type, "params.name");
    check("é {{ params.x }}", Problem::Undefined, "params.x");
    check("{% if false %}{% set x = 1 %}{% endif %}{{ x }}", Problem::Undefined, "x");
    check("{% for x in [1] %}{% endfor %}{{ x }}", Problem::UnknownRoot, "x");
    check("{% set params = 1 %}", Problem::Syntax, "params");
    check("{% set x.y = 1 %}", Problem::Syntax, "y");
    check("{% macro f() %}{% endmacro %}", Problem::Syntax, "macro f() %}{% endmacro");
    check("{% include 'x' %}", Problem::Syntax, "include 'x'");
    check("{% for x in range(90000) %}{{ x + 1 }}{% endfor %}", Problem::Fuel, "x + 1");
    let both = Template::parse("{{ a }} {{ b | c }}").unwrap_err();
    assert_eq!(both.len(), 3, "every problem is reported");
}

#[test]
fn reads_are_known() {
    let check = |text: &str, expected: &[&str]| {
        let template = Template::parse(text).unwrap();
        let found: Vec<String> = template
            .reads()
            .iter()
            .map(|read| {
                assert!(text[read.range.clone()].starts_with(&read.root));
                let parts: Vec<&str> =
                    std::iter::once(&read.root).chain(&read.path).map(String::as_str).collect();
                format!("{}{}", parts.join("."), if read.guarded { "?" } else { "" })
            })
            .collect();
        assert_eq!(found, expected, "{text}");
        assert_eq!(template.is_constant(), expected.is_empty());
    };
    check("nothing", &[]);
    check("{{ 1 + 1 }}", &[]);
    check("{{ steps.a.rows[0].n }} {{ steps['b'].value }}", &["steps.a.rows", "steps.b.value"]);
    check("{{ params.a[params.b] }}", &["params.b", "params.a"]);
    check("{{ steps.a.value | default(params.b) }}", &["steps.a.value?", "params.b"]);
    check("{{ steps.a.rows | max(attribute='n') | d(0) }}", &["steps.a.rows?"]);
    check(
        "{% if vars.x is defined and vars.x > now() %}{{ item }}{% endif %}",
        &["vars.x?", "vars.x", "now", "item"],
    );
    check(
        "{% for item in params.list %}{{ item }}{{ loop.index }}{{ this.value }}{% endfor %}",
        &["params.list", "this.value"],
    );
    check("{{ params.list | map('upper') | join(env.SEP) }}", &["params.list", "env.SEP"]);
}

#[test]
fn sql_holes_are_filled() {
    let check = |hole: &str, expected: Result<&str, Problem>| {
        let text = format!("SELECT {hole} x");
        let found = match SqlTemplate::parse(&text) {
            Ok(sql) => sql.fragments(&scope()),
            Err(mut errors) => Err(errors.remove(0)),
        };
        assert_eq!(found.map_err(|error| error.problem), expected.map(|one| vec![one.to_owned()]), "{hole}");
    };
    check("{{ params.limit }}", Ok("80"));
    check("{{ params.ratio | literal }}", Ok("0.5"));
    check("{{ params.quote }}", Ok("'it''s'"));
    check("{{ params.none }}", Ok("NULL"));
    check("{{ params.on }}", Ok("true"));
    check("{{ params.texts }}", Ok("'b', 'a'"));
    check("{{ params.map | to_json }}", Ok("'{\"k\":\"v\"}'"));
    check("{{ 'x; DROP' | raw }}", Ok("x; DROP"));
    check("{{ ['B', 'A'] | map('ident') | join(', ') | raw }}", Ok("\"B\", \"A\""));
    check("{{ [] }}", Err(Problem::SqlHole));
    check("{{ params.map }}", Err(Problem::SqlHole));
    check("{{ [[1]] }}", Err(Problem::SqlHole));
    check("{{ params.nul }}", Err(Problem::SqlHole));
    check("{{ params.none | ident }}", Err(Problem::SqlHole));
    check("{{ params.list | relation }}", Err(Problem::SqlHole));
    check("{{ params.name | ident | upper }}", Err(Problem::SqlHole));
    check("{{ (params.name | ident) if params.on else 'x' }}", Err(Problem::SqlHole));
    check("{% if params.on %}1{% endif %}", Err(Problem::SqlBlock));
    check("{# why #} 1", Err(Problem::SqlBlock));
    check("{% raw %}{{{% endraw %}", Err(Problem::SqlBlock));
    check("'{{1,2},{3,4}}'", Err(Problem::Syntax));
}

#[test]
fn sql_is_cut_into_pieces() {
    let sql = SqlTemplate::parse("VACUUM {{- params.t|relation -}} ; -- {{ '}}' }}").unwrap();
    let text = |text: &str, start| Piece::Text { text: text.to_owned(), start };
    let hole = |kind, range| Piece::Hole { kind, range, sample: None };
    let expected = [
        text("VACUUM ", 0),
        hole(HoleKind::Relation, 7..32),
        text(" ; -- ", 32),
        hole(HoleKind::Literal, 38..48),
    ];
    assert_eq!(sql.pieces(), expected);
    assert_eq!(SqlTemplate::parse("SELECT 1").unwrap().pieces(), [text("SELECT 1", 0)]);
}
