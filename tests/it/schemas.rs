//! The JSON Schemas accept what the loader accepts, and the files in `schemas/` are up to date.

use runbook::event::Event;
use runbook::report::Report;
use runbook::trial::FixtureFile;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::support::{files, load_text, package};

fn runbook_schema() -> Value {
    runbook::runbook::schema().to_value()
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

fn generated() -> [(&'static str, Value); 4] {
    [
        ("runbook", runbook_schema()),
        ("fixture", schema_of::<FixtureFile>()),
        ("event", schema_of::<Event>()),
        ("report", schema_of::<Report>()),
    ]
}

/// `UPDATE_SCHEMAS=1 cargo test --test it schemas` writes them.
#[test]
fn schema_files_are_up_to_date() {
    for (name, schema) in generated() {
        let path = package().join("schemas").join(format!("{name}.schema.json"));
        let expected = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if option_env_at_run_time("UPDATE_SCHEMAS") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == expected, "schemas/{name}.schema.json is old: run with UPDATE_SCHEMAS=1");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no `cli` that reads the environment for it")]
fn option_env_at_run_time(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// A YAML text as JSON, read by the parser the schema knows nothing of.
fn value(text: &str) -> Value {
    let mut sources = runbook::diagnostic::Sources::new();
    let id = sources.add("document", text);
    let (document, problems) = runbook::yaml::Document::parse(id, text, &runbook::yaml::Limits::default());
    assert!(!problems.has_errors(), "{text}");
    document.unwrap().root().to_json()
}

#[test]
fn shipped_runbooks_and_warned_examples_are_valid() {
    let schema = runbook_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shipped = files(&package().join("runbooks"), "yaml");
    let examples = files(&package().join("tests/diagnostics"), "yaml");
    let examples = examples.into_iter().filter(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        load_text("-", &text, &package().join("tests/diagnostics/beside")).runbook.is_some()
    });
    let mut count = 0;
    for path in shipped.into_iter().chain(examples) {
        let instance = value(&std::fs::read_to_string(&path).unwrap());
        let errors: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        count += 1;
    }
    assert!(count > 8, "{count}");
}

#[test]
fn shipped_fixtures_are_valid() {
    let validator = jsonschema::validator_for(&schema_of::<FixtureFile>()).unwrap();
    for path in files(&package().join("runbooks"), "test.yaml") {
        let instance = value(&std::fs::read_to_string(&path).unwrap());
        let errors: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn what_is_written_in_a_wrong_way_is_refused() {
    let schema = runbook_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |steps: &str, valid: bool| {
        let text = format!("version: 1\nname: a\nconnections: {{ db: postgres }}\nsteps: {steps}\n");
        assert_eq!(validator.is_valid(&value(&text)), valid, "{text}");
    };
    check("[{ id: a, sql: SELECT 1 }]", true);
    check("[{ id: a, sql: { query: SELECT 1, args: [1] }, rollback: { none: why } }]", true);
    check("[{ parallel: [{ id: a, sql: SELECT 1 }], when: true }]", true);
    check("[{ id: a, runbook: b }, { id: c, steps: [{ id: d, confirm: sure? }] }]", true);
    check("[{ id: a, for_each: { in: x, max_parallel: 2 }, exec: { command: [ls] } }]", true);
    for wrong in [
        "[{ sql: SELECT 1 }]",
        "[{ id: A, sql: SELECT 1 }]",
        "[{ id: a, sql: 1 }]",
        "[{ id: a, sql: { qery: SELECT 1 } }]",
        "[{ id: a, sql: SELECT 1, confirm: sure? }]",
        "[{ id: a }]",
        "[{ id: a, sql: SELECT 1, retry: { attempts: many } }]",
        "[{ id: a, sql: SELECT 1, on_error: ignore }]",
        "[{ id: a, sql: SELECT 1, rollback: true }]",
        "[{ id: a, exec: ls }]",
        "[{ id: a, runbook: b, retry: { attempts: 2 } }]",
        "[{ id: a, for_each: { in: x, max_parallel: 0 }, sql: SELECT 1 }]",
        "[]",
        "SELECT 1",
    ] {
        check(wrong, false);
    }
}

#[test]
fn every_property_is_described() {
    for (name, schema) in generated() {
        let mut bare = Vec::new();
        undescribed(&schema, &schema, name, &mut bare);
        assert!(bare.is_empty(), "without a description: {bare:#?}");
    }
}

fn undescribed(root: &Value, schema: &Value, path: &str, bare: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                for (name, property) in properties {
                    if !is_described(root, property) {
                        bare.push(format!("{path}.{name}"));
                    }
                }
            }
            for (key, value) in map {
                undescribed(root, value, &format!("{path}.{key}"), bare);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                undescribed(root, item, &format!("{path}.{index}"), bare);
            }
        }
        _ => {}
    }
}

/// Directly, or where it refers to; a constant describes itself.
fn is_described(root: &Value, schema: &Value) -> bool {
    let own = schema.get("description").is_some() || schema.get("const").is_some();
    let referred =
        schema.get("$ref").and_then(Value::as_str).and_then(|path| root.pointer(path.strip_prefix('#')?));
    own || referred.is_some_and(|target| target.get("description").is_some())
}
