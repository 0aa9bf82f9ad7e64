//! Properties that hold for every text and every expression.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Expression, Found, Lookup, Scope, SqlTemplate, Template};

#[derive(Debug)]
struct Anything;

impl Lookup for Anything {
    fn lookup(&self, key: &str) -> Found {
        match key.len() % 4 {
            0 => Found::Absent,
            1 => Found::Value(json!([{ "n": 1, "t": "x" }, { "n": 2.5, "t": null }])),
            2 => Found::Lookup(Arc::new(Self)),
            _ => Found::Refused("it did not succeed".to_owned()),
        }
    }
}

fn scope() -> Scope {
    Scope::new()
        .with_value(
            "params",
            json!({ "a": 1, "b": "text", "c": true, "d": null, "e": [3, 1, 2], "f": { "g": 1.5 } }),
        )
        .with_value("item", json!("x"))
        .with_lookup("steps", Arc::new(Anything))
        .with_now(jiff::Timestamp::UNIX_EPOCH)
}

/// Words that are likely to mean something together.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{-",
        "-%}",
        "if",
        "else",
        "endif",
        "for",
        "in",
        "endfor",
        "set",
        "with",
        "elif",
        "params.a",
        "params.b",
        "params.c",
        "params.d",
        "params.e",
        "params.f.g",
        "steps.x.yy",
        "item",
        "loop.index",
        "now()",
        "x",
        "|",
        "sum",
        "max",
        "default(1)",
        "map('upper')",
        "select('odd')",
        "sort",
        "table",
        "size",
        "date",
        "ident",
        "raw",
        "round(-40)",
        "int",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ".",
        "==",
        "<",
        "<=",
        "and",
        "or",
        "not",
        "is",
        "none",
        "defined",
        "divisibleby(0)",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "~",
        "1",
        "0",
        "2.5",
        "1e308",
        "9223372036854775807",
        "'é'",
        "\"",
        "'",
        "\\",
        "true",
        "range(3)",
        "[-9223372036854775808:]",
        "[::-1]",
        "[0]",
        "\n",
        "é",
        "raw %}",
        "macro f() %}",
        "include 'x'",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"]
}

fn exercise(text: &str) {
    let scope = scope();
    if let Ok(template) = Template::parse(text) {
        drop((template.render(&scope), template.render_text(&Scope::new())));
        for read in template.reads() {
            assert!(
                text.get(read.range.clone()).is_some_and(|found| found.starts_with(&read.root)),
                "{text:?} {read:?}"
            );
        }
    }
    if let Ok(sql) = SqlTemplate::parse(text) {
        drop(sql.fragments(&scope));
        let length: usize = sql
            .pieces()
            .iter()
            .map(|piece| match piece {
                crate::sql::Piece::Text { text, .. } => text.len(),
                crate::sql::Piece::Hole { range, .. } => range.len(),
            })
            .sum();
        assert_eq!(length, text.len(), "{text:?}");
    }
    match Expression::parse(text) {
        Ok(expression) => {
            drop((expression.eval(&scope), expression.eval_bool(&scope), expression.operands(&scope)));
        }
        Err(errors) => assert!(!errors.is_empty()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        exercise(&text);
        exercise(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec(word(), 0..14)) {
        let text = words.join(" ");
        exercise(&text);
        exercise(&words.concat());
        exercise(&format!("{{{{ {text} }}}}"));
        exercise(&format!("{{% if {text} %}}a{{% endif %}}"));
    }
}

/// Expressions whose meaning is the same under our rules and minijinja's own.
fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-50_i64..50).prop_map(|n| if n < 0 { format!("({n})") } else { n.to_string() }),
        (0_i64..40).prop_map(|n| format!("{n}.5")),
        Just("params.a".to_owned()),
        Just("params.f.g".to_owned()),
        Just("params.e[1]".to_owned()),
        Just("params.e | length".to_owned()),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let pair = (inner.clone(), prop::sample::select(vec!["+", "-", "*", "//", "%", "/"]), inner.clone());
        prop_oneof![
            pair.prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (condition_of(inner.clone().boxed()), inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("({a}) if {c} else ({b})")),
        ]
    })
}

fn condition_of(number: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let compare = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (number.clone(), compare.clone(), number.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
        (number.clone(), compare.clone(), number.clone(), compare, number)
            .prop_map(|(a, x, b, y, c)| format!("(({a}) {x} ({b}) {y} ({c}))")),
        Just("params.c".to_owned()),
        Just("params.b == 'text'".to_owned()),
        Just("params.x is defined".to_owned()),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["and", "or"]), inner.clone())
                .prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn well_typed_expressions_mean_what_minijinja_means(text in prop_oneof![number().boxed(), condition_of(number().boxed()).boxed()]) {
        let native = minijinja::Environment::new();
        let context = minijinja::Value::from_object(Native);
        let expected = native.compile_expression(&text).unwrap().eval(context);
        let parsed = Expression::parse(&text);
        prop_assume!(!parsed.as_ref().is_err_and(|errors| errors[0].message.contains("too long")));
        let found = parsed.unwrap().eval(&scope());
        match (expected, found) {
            (Ok(expected), Ok(found)) => {
                let expected = super::value::to_json(&expected).unwrap();
                let close = match (expected.as_f64(), found.as_f64()) {
                    (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0) && expected.is_i64() == found.is_i64(),
                    _ => expected == found,
                };
                prop_assert!(close, "{text}: {expected} and {found}");
            }
            (Err(_), Err(_)) => {}
            // Our own limit of 64 bits and of finite numbers is narrower.
            (Ok(_), Err(error)) => prop_assert_eq!(error.problem, super::Problem::Type, "{}", text),
            (Err(error), Ok(found)) => prop_assert!(false, "{text}: {error} and {found}"),
        }
    }
}

/// The same variables for minijinja alone.
#[derive(Debug)]
struct Native;

impl minijinja::value::Object for Native {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let params: Json =
            json!({ "a": 1, "b": "text", "c": true, "d": null, "e": [3, 1, 2], "f": { "g": 1.5 } });
        (key.as_str() == Some("params")).then(|| super::value::from_json(&params))
    }
}

#[test]
fn deep_and_long_texts_are_refused_or_survived() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("not ", "true", ""),
        ("-", "1", ""),
        ("1 + ", "1", ""),
        ("1 if true else ", "1", ""),
        ("", "params.a", ".b"),
        ("", "params.a", " | d(1)"),
        ("", "params.a", " == 1"),
        ("", "params.a", "[0]"),
        ("", "1", " is odd"),
        ("{'a': ", "1", "}"),
        ("1 < (2 < ", "1", " < 3)"),
    ] {
        for depth in [10, 70, 140, 200, 249, 300, 20_000] {
            let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            exercise(&text);
            exercise(&format!("{{{{ {text} }}}}"));
        }
    }
    for depth in [10, 99, 101, 140, 5000] {
        exercise(&format!("{{% if true %}}{}{{% endif %}}", "{% elif true %}a".repeat(depth)));
        exercise(&format!("{}{}", "{% if true %}".repeat(depth), "{% endif %}".repeat(depth)));
        exercise(&format!("{}{}", "{% for x in [1] %}".repeat(depth), "{% endfor %}".repeat(depth)));
    }
}
