//! The JSON Schema of a runbook, assembled from the same types that decode it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::head::{Concurrency, Defaults, PostgresNeeds, Schedule};
use super::include::IncludeSpec;
use super::keys::{AbortWhen, ForEach, OnError, OnWarning, Retry, ShowKey, Until, Verify};
use super::parameter::Parameter;
use crate::model::Effect;
use crate::step::KINDS;
use crate::step::templated::{Expr, Seconds, Templated, Text};

/// The schema of a runbook file.
pub fn schema() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let step = step(&mut generator);
    generator.definitions_mut().insert("Step".to_owned(), step);
    let mut root = top(&mut generator);
    let definitions = generator.take_definitions(true);
    root.insert("$defs".to_owned(), Value::Object(definitions));
    root
}

fn top(generator: &mut SchemaGenerator) -> Schema {
    let hooks = json!({ "type": "array", "items": { "$ref": "#/$defs/Step" } });
    let steps = json!({ "type": "array", "items": { "$ref": "#/$defs/Step" }, "minItems": 1 });
    let text = |description: &str| json!({ "type": "string", "description": description });
    let properties = json!({
        "version": { "const": 1, "description": "The version of the language." },
        "name": {
            "type": "string", "pattern": "^[a-z][a-z0-9-]*$", "examples": ["weekly-vacuum"],
            "description": "The runbook's name: lowercase words joined by hyphens, equal to the file's stem.",
        },
        "title": text("One line that says what it is."),
        "description": text("What it does, and why."),
        "owner": text("Who answers for it."),
        "tags": { "type": "array", "items": { "type": "string" }, "description": "Words to find it by." },
        "schedule": described::<Schedule>(generator, "When the procedure is due; a maintenance window."),
        "env": {
            "description": "The environment variables it reads as `env.NAME`: a list, or a map of defaults.",
            "anyOf": [
                { "type": "array", "items": { "type": "string" } },
                { "type": "object", "additionalProperties": { "type": ["string", "null"] } },
            ],
        },
        "params": map_of::<Parameter>(generator, "What it must be given."),
        "vars": map_of::<Templated>(generator, "What is computed once, at first use."),
        "connections": connections(generator),
        "concurrency": described::<Concurrency>(generator, "Which runs exclude each other."),
        "defaults": described::<Defaults>(generator, "What steps have that do not say otherwise."),
        "steps": with(steps, "What is done. A step runs after everything written above it."),
        "on_failure": with(hooks.clone(), "Steps that run after the undo of a failed run."),
        "finally": with(hooks, "Steps that run when the run becomes final."),
        "outputs": map_of::<Expr>(generator, "What the runbook gives to those who include it."),
    });
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://runbook.sh/schemas/runbook.schema.json",
        "title": "Runbook",
        "description": "A maintenance procedure, version 1 of the language.",
        "type": "object",
        "required": ["version", "name", "steps"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn connections(generator: &mut SchemaGenerator) -> Value {
    let postgres =
        described::<PostgresNeeds>(generator, "A PostgreSQL database, and what is demanded of it.");
    let optional = json!({
        "type": "boolean", "default": false,
        "description": "Whether steps that use it are skipped where the environment does not name it.",
    });
    let long = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "postgres": { "anyOf": [postgres, { "type": "null" }], "description": "A PostgreSQL database." },
            "kubernetes": { "type": ["object", "null"], "description": "A Kubernetes cluster." },
            "host": { "type": ["object", "null"], "description": "A machine where programs run." },
            "optional": optional,
        },
    });
    json!({
        "type": "object",
        "description": "What it talks to; environments say where that is.",
        "additionalProperties": { "anyOf": [{ "enum": ["postgres", "kubernetes", "host"] }, long] },
        "examples": [{ "db": "postgres" }, { "db": { "postgres": { "version": ">=12" } } }],
    })
}

/// A step's schema: its one kind decides which definition it must meet, so an editor complains about the key that is
/// wrong, and not about a step that fits none of eight alternatives.
fn step(generator: &mut SchemaGenerator) -> Value {
    let common = common(generator);
    let pick = |keys: &[&str]| -> Map<String, Value> {
        keys.iter().filter_map(|key| Some(((*key).to_owned(), common.get(*key)?.clone()))).collect()
    };
    let mut forms: Vec<Form> = KINDS
        .iter()
        .map(|kind| {
            let body = kind.schema(generator).to_value();
            let body = if kind.short().is_some() { or_text(&body) } else { body };
            Form { name: kind.name(), body: with(body, kind.about()), beside: common.clone(), has_id: true }
        })
        .collect();
    let inner = json!({ "type": "array", "items": { "$ref": "#/$defs/Step" }, "minItems": 1 });
    let form = |name, body, about, beside: &[&str], has_id| Form {
        name,
        body: with(body, about),
        beside: pick(beside),
        has_id,
    };
    let group = &["id", "title", "description", "needs", "when", "for_each", "timeout", "on_error"];
    forms.push(form("steps", inner.clone(), "Steps that run in order under one id.", group, true));
    let block = &["when", "needs"];
    forms.push(form("parallel", inner, "Steps that may run at the same time.", block, false));
    let include = or_text(&generator.subschema_for::<IncludeSpec>().to_value());
    let beside = &["id", "title", "needs", "when", "for_each"];
    forms.push(form("runbook", include, "Another runbook's steps under this id.", beside, true));
    any_form(&common, forms)
}

/// One of the things a step can be: the key that says so, and what may stand beside it.
struct Form {
    name: &'static str,
    body: Value,
    beside: Map<String, Value>,
    has_id: bool,
}

impl Form {
    /// Applies where the key is there.
    fn condition(self) -> Value {
        let mut properties = self.beside;
        let required: &[&str] = if self.has_id { &["id"] } else { &[] };
        properties.insert(self.name.to_owned(), self.body);
        json!({
            "if": { "required": [self.name] },
            "then": { "properties": properties, "required": required, "additionalProperties": false },
        })
    }
}

fn any_form(common: &Map<String, Value>, forms: Vec<Form>) -> Value {
    // For completion and hover, before the kind is known.
    let mut properties = common.clone();
    for form in &forms {
        properties.insert(form.name.to_owned(), json!({ "description": form.body["description"] }));
    }
    let exactly_one: Vec<Value> = forms.iter().map(|form| json!({ "required": [form.name] })).collect();
    let conditions: Vec<Value> = forms.into_iter().map(Form::condition).collect();
    json!({
        "description": "A step: exactly one kind, and the keys that it allows beside it.",
        "type": "object",
        "properties": properties,
        "oneOf": exactly_one,
        "allOf": conditions,
    })
}

/// Text or a map; what is wrong within the map is told as such.
fn or_text(body: &Value) -> Value {
    json!({ "type": ["string", "object"], "if": { "type": "object" }, "then": body })
}

fn common(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let flag = |description: &str| json!({ "type": "boolean", "default": false, "description": description });
    let rollback = json!({
        "description": "How the step is undone.",
        "anyOf": [
            { "const": "auto", "description": "By what the kind derives from what was there before." },
            { "type": "array", "items": { "$ref": "#/$defs/Step" }, "description": "By these steps." },
            { "type": "object", "additionalProperties": false, "required": ["none"],
              "properties": { "none": { "type": "string", "description": "Why there is nothing to undo." } } },
            { "type": "object", "additionalProperties": false, "required": ["impossible"],
              "properties": { "impossible": { "type": "string", "description": "Why it cannot be undone." } } },
        ],
    });
    let properties = json!({
        "id": { "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "description": "Its name: unique, lowercase words joined by underscores." },
        "title": described::<Text>(generator, "What it is called on the screen."),
        "description": { "type": "string", "description": "What it is for." },
        "needs": { "type": "array", "items": { "type": "string" }, "description": "The steps it waits for, instead of everything above it." },
        "when": described::<Expr>(generator, "Whether it runs at all; otherwise it is skipped."),
        "for_each": described::<ForEach>(generator, "One child for each item of a list."),
        "timeout": described::<Seconds>(generator, "How long one attempt may take, connecting and lock waits included."),
        "retry": described::<Retry>(generator, "When and how often a failed attempt is repeated."),
        "until": described::<Until>(generator, "Repeats a read until something holds."),
        "verify": described::<Verify>(generator, "Did it take effect?"),
        "abort_when": described::<AbortWhen>(generator, "A side check while the step runs; a breach cancels it."),
        "on_error": described::<OnError>(generator, "What its failure means for the run."),
        "on_warning": described::<OnWarning>(generator, "What the server's warnings mean."),
        "effect": described::<Effect>(generator, "What it does to the world; may raise what is known."),
        "idempotent": flag("Whether it may be repeated although it took effect."),
        "sensitive": { "type": "boolean", "description": "Whether its output is secret; by default it is when it reads a secret." },
        "show": described::<ShowKey>(generator, "Whether its result is shown."),
        "rollback": rollback,
    });
    match properties {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn described<T: JsonSchema>(generator: &mut SchemaGenerator, description: &str) -> Value {
    with(generator.subschema_for::<T>().to_value(), description)
}

fn map_of<T: JsonSchema>(generator: &mut SchemaGenerator, description: &str) -> Value {
    let item = generator.subschema_for::<T>().to_value();
    json!({ "type": "object", "additionalProperties": item, "description": description })
}

fn with(mut schema: Value, description: &str) -> Value {
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), Value::from(description));
    }
    schema
}
