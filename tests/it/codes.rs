//! Every documented problem has an example that raises it, and every example is shown as people see it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::diagnostic::{CODES, Code, Diagnostic, Diagnostics, Sources};
use runbook::sql::Script;
use runbook::step::templated::{sql_code, template_code};
use runbook::template::{Expression, Scope, SqlTemplate, Template};
use runbook::trial;
use runbook::yaml::{Limits, read_text};
use serde_json::json;

use crate::support::snapshot::compare;
use crate::support::{Loaded, files, load_text, package, stem};

/// Codes that no small document raises, and why; each is raised by a test of its own or needs what no test has here.
const WITHOUT_EXAMPLE: &[(&Code, &str)] = &[
    (Code::SQL_BIND_CHANGED, "needs a value: `values_are_judged_when_they_are_known`"),
    (Code::SQL_CLASS_RAISED, "needs a value; raised by the engine before the intent is written"),
    (Code::TEMPLATE_FILTER, "needs a value: `values_are_judged_when_they_are_known`"),
    (Code::TEMPLATE_FUEL, "needs an evaluation: `values_are_judged_when_they_are_known`"),
    (Code::TEMPLATE_REFUSED, "needs a value: `a_scope_may_refuse_a_value`"),
    (Code::TEMPLATE_TRUTHINESS, "needs a value: `values_are_judged_when_they_are_known`"),
    (Code::TEMPLATE_TYPE, "needs a value: `values_are_judged_when_they_are_known`"),
    (Code::YAML_FILE_UNREADABLE, "no document is there: raised by the command line"),
    (Code::YAML_TOO_LARGE, "needs 8 MiB: `a_large_document_is_refused`"),
];

fn folder() -> PathBuf {
    package().join("tests/diagnostics")
}

fn example_name(code: &Code) -> String {
    code.name.trim_start_matches("runbook::").replace("::", "__")
}

/// Loads an example as the file that its `name` says, from bytes as the command line does.
fn load_example(path: &Path) -> Loaded {
    if stem(path).starts_with("test__") {
        return load_fixture(path);
    }
    let name = stem(path).replace("__", "-").replace('_', "-");
    match read_text(&format!("{name}.yaml"), std::fs::read(path).unwrap(), &Limits::default()) {
        Ok(text) => load_text(&name, &text, &folder().join("beside")),
        Err(problem) => {
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(problem);
            Loaded { runbook: None, diagnostics, sources: Sources::new() }
        }
    }
}

/// A fixture of the runbook that lies in `beside`.
fn load_fixture(path: &Path) -> Loaded {
    let beside = folder().join("beside");
    let text = std::fs::read_to_string(beside.join("archive.yaml")).unwrap();
    let Loaded { runbook, mut sources, .. } = load_text("archive", &text, &beside);
    let runbook = Arc::new(runbook.unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    let (fixture, diagnostics) = trial::load("archive.test.yaml", &text, &runbook, &mut sources);
    assert!(fixture.is_none());
    Loaded { runbook: None, diagnostics, sources }
}

fn snapshot(path: &Path, rendered: &str) {
    compare(&format!("diagnostics__{}", stem(path)), rendered);
}

#[test]
fn every_code_has_an_example_and_every_example_a_code() {
    let examples: Vec<String> = files(&folder(), "yaml").iter().map(|path| stem(path)).collect();
    for code in CODES {
        let excused = WITHOUT_EXAMPLE.iter().any(|(known, _)| known == code);
        let has = examples.contains(&example_name(code));
        assert_eq!(has, !excused, "tests/diagnostics/{}.yaml", example_name(code));
    }
    for example in &examples {
        assert!(CODES.iter().any(|code| example_name(code) == *example), "no code is called `{example}`");
    }
}

#[test]
fn each_example_raises_its_own_code_and_no_other() {
    let wrong = RefCell::new(Vec::new());
    insta::glob!("../diagnostics", "*.yaml", |path| {
        let loaded = load_example(path);
        let foreign = |problem: &&Diagnostic| example_name(problem.code) != stem(path);
        let mut found: Vec<String> = loaded.diagnostics.iter().filter_map(bad_words).collect();
        found.extend(loaded.diagnostics.iter().filter(foreign).map(|problem| problem.code.name.to_owned()));
        if loaded.diagnostics.is_empty() || loaded.runbook.is_none() != loaded.diagnostics.has_errors() {
            found.push("not refused".to_owned());
        }
        wrong.borrow_mut().extend(found.into_iter().map(|found| format!("{}: {found}", stem(path))));
        snapshot(path, &loaded.rendered());
    });
    assert!(wrong.borrow().is_empty(), "{:#?}", wrong.borrow());
}

#[test]
fn problems_are_told_together_and_once() {
    let wrong = RefCell::new(Vec::new());
    insta::glob!("../diagnostics/together", "*.yaml", |path| {
        let loaded = load_example(path);
        let mut told = HashSet::new();
        let twice = |problem: &&Diagnostic| !told.insert((problem.labels[0].span, problem.message.clone()));
        wrong.borrow_mut().extend(loaded.diagnostics.iter().filter_map(bad_words));
        wrong.borrow_mut().extend(loaded.diagnostics.iter().filter(twice).map(|twice| format!("{twice:?}")));
        snapshot(path, &loaded.rendered());
    });
    assert!(wrong.borrow().is_empty(), "{:#?}", wrong.borrow());
}

/// A message is a lowercase fragment, help a sentence; says which is not.
fn bad_words(problem: &Diagnostic) -> Option<String> {
    let message = problem.message.as_str();
    let keyword = message.split(' ').next().is_some_and(|word| word.chars().all(|c| c.is_ascii_uppercase()));
    let fragment = !message.starts_with(char::is_uppercase) || keyword;
    if !fragment || message.ends_with('.') || message.contains(['\n', '"']) {
        return Some(format!("message: {message}"));
    }
    let help = problem.help.as_deref().unwrap_or_default();
    let sentence = help.starts_with(|c: char| c.is_uppercase() || c == '`') && help.ends_with(['.', '?']);
    (!sentence).then(|| format!("help of {message}: {help}"))
}

#[test]
fn a_large_document_is_refused() {
    let text = format!("# {}\n", "x".repeat(9 << 20));
    let loaded = load_text("large", &text, &folder());
    assert_eq!(loaded.diagnostics.iter().next().unwrap().code, Code::YAML_TOO_LARGE);
    assert_eq!(loaded.diagnostics.iter().count(), 1);
}

fn scope() -> Scope {
    Scope::new().with_value(
        "params",
        json!({ "text": "ten", "number": 10, "order": "1; DROP TABLE orders", "table": "a".repeat(70) }),
    )
}

#[test]
fn values_are_judged_when_they_are_known() {
    let expression = |source: &str| {
        let problem = Expression::parse(source).unwrap().eval(&scope()).unwrap_err();
        template_code(problem.problem)
    };
    assert_eq!(expression("params.text < params.number"), Code::TEMPLATE_TYPE);
    assert_eq!(expression("params.number and true"), Code::TEMPLATE_TRUTHINESS);
    assert_eq!(expression("params.text | bytes"), Code::TEMPLATE_FILTER);
    assert_eq!(expression("params.nothing"), Code::TEMPLATE_UNDEFINED);
    let endless = "{% for a in range(9000) %}{% for b in range(9000) %}.{% endfor %}{% endfor %}";
    let problem = Template::parse(endless).unwrap().render_text(&scope()).unwrap_err();
    assert_eq!(template_code(problem.problem), Code::TEMPLATE_FUEL);
    assert_eq!(bound("SELECT * FROM orders ORDER BY {{ params.order | raw }}"), Code::SQL_BIND_CHANGED);
    assert_eq!(bound("SELECT * FROM {{ params.table | ident }}"), Code::SQL_HOLE_VALUE);
}

/// The code of what is wrong with SQL once its values are there.
fn bound(source: &str) -> &'static Code {
    let template = SqlTemplate::parse(source).unwrap();
    let script = Script::check(template.pieces()).unwrap();
    match template.fragments(&scope()) {
        Ok(fragments) => sql_code(script.bind(&fragments).unwrap_err().problem),
        Err(problem) => template_code(problem.problem),
    }
}

#[test]
fn a_scope_may_refuse_a_value() {
    #[derive(Debug)]
    struct Skipped;
    impl runbook::template::Lookup for Skipped {
        fn lookup(&self, _: &str) -> runbook::template::Found {
            runbook::template::Found::Refused("`lag` was skipped".to_owned())
        }
        fn keys(&self) -> Vec<String> {
            Vec::new()
        }
    }
    let scope = Scope::new().with_lookup("steps", Arc::new(Skipped));
    let problem = Expression::parse("steps.lag.value").unwrap().eval(&scope).unwrap_err();
    assert_eq!(template_code(problem.problem), Code::TEMPLATE_REFUSED);
}
