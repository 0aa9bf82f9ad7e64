//! [`Keys`]: finds a key in the schema, wherever it stands, and says in words what it takes.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::Value;

use crate::ui::{self, Style, Tone};

/// References are followed this far; a schema that is deeper refers to itself.
const DEPTH: usize = 12;

/// The keys of a schema.
pub(super) struct Keys<'a> {
    root: &'a Value,
}

/// A key that the schema does not have.
pub(super) struct UnknownKey {
    pub(super) key: String,
    pub(super) inside: Option<String>,
    pub(super) known: Vec<String>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(root: &'a Value) -> Self {
        Self { root }
    }

    /// The schema of a key. The first word is a key of the file or of a step; names that an author chooses, such as
    /// a parameter's, are left out.
    pub(super) fn find(&self, path: &str) -> Result<&'a Value, UnknownKey> {
        let mut members = self.members(self.root);
        if let Some(step) = self.root.pointer("/$defs/Step") {
            for (name, schema) in self.members(step) {
                members.entry(name).or_insert(schema);
            }
        }
        let mut found = self.root;
        let mut inside: Option<String> = None;
        for key in path.split('.') {
            found = members.get(key).copied().ok_or_else(|| UnknownKey {
                key: key.to_owned(),
                inside: inside.clone(),
                known: members.keys().cloned().collect(),
            })?;
            members = self.members(found);
            inside = Some(inside.map_or_else(|| key.to_owned(), |inside| format!("{inside}.{key}")));
        }
        Ok(found)
    }

    /// The keys that a value of this schema may have, whichever of its forms it takes.
    fn members(&self, schema: &'a Value) -> IndexMap<String, &'a Value> {
        let mut members = IndexMap::new();
        self.gather(schema, DEPTH, &mut members);
        members
    }

    fn gather(&self, schema: &'a Value, depth: usize, members: &mut IndexMap<String, &'a Value>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let known = members.entry(name.clone()).or_insert(property);
                // A step names its kinds first, and says what each takes only under its own condition.
                if is_stub(known) {
                    *known = property;
                }
            }
        }
        if let Some(then) = schema.get("then") {
            self.gather(then, depth, members);
        }
        if let Some(target) = self.target(schema) {
            self.gather(target, depth, members);
        }
        for form in forms(schema) {
            self.gather(form, depth, members);
        }
        // The names of a map are the author's, and the positions of a list nobody's: both are passed through.
        for inner in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(inner).filter(|inner| inner.is_object()) {
                self.gather(inner, depth, members);
            }
        }
    }

    fn target(&self, schema: &Value) -> Option<&'a Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// A key in words: what it is for, what it takes, and the keys below it.
    pub(super) fn page(&self, path: &str, schema: &'a Value, style: &Style) -> String {
        let mut text = format!("{}\n", style.paint(Tone::Strong, path));
        let mut paragraph = |line: &str, indent: usize| {
            for line in ui::wrap(line, style.width.saturating_sub(indent)) {
                let _ = writeln!(text, "{}{line}", " ".repeat(indent));
            }
        };
        if let Some(description) = self.description(schema) {
            paragraph(&description, 0);
        }
        let types = self.types(schema);
        if !types.is_empty() {
            paragraph(&format!("Takes {}.", types.join(", or ")), 0);
        }
        if let Some(default) = self.default(schema) {
            paragraph(&format!("Without it: {default}."), 0);
        }
        for (word, meaning) in self.words(schema) {
            paragraph(&if meaning.is_empty() { word } else { format!("{word}: {meaning}") }, 2);
        }
        let members = self.members(schema);
        if !members.is_empty() {
            text.push('\n');
        }
        text + &self.list(&members, style)
    }

    fn list(&self, members: &IndexMap<String, &'a Value>, style: &Style) -> String {
        let widest = members.keys().map(String::len).max().unwrap_or(0);
        let room = style.width.saturating_sub(widest + 4).max(20);
        let mut text = String::new();
        for (name, schema) in members {
            let description = self.description(schema).unwrap_or_default();
            let gap = " ".repeat(widest - name.len());
            let mut lines = ui::wrap(&description, room).into_iter();
            let first = lines.next().unwrap_or_default();
            text += format!("  {}{gap}  {first}", style.paint(Tone::Strong, name)).trim_end();
            text.push('\n');
            for line in lines {
                let _ = writeln!(text, "{}{line}", " ".repeat(widest + 4));
            }
        }
        text
    }

    fn description(&self, schema: &'a Value) -> Option<String> {
        let own = schema.get("description").and_then(Value::as_str);
        let text = own.or_else(|| self.target(schema)?.get("description")?.as_str());
        text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn default(&self, schema: &'a Value) -> Option<String> {
        let own = schema.get("default");
        let default = own.or_else(|| self.target(schema)?.get("default"))?;
        (!default.is_null() && default != &Value::Array(Vec::new())).then(|| default.to_string())
    }

    /// The types a value may have, in words.
    fn types(&self, schema: &'a Value) -> Vec<String> {
        let mut types = Vec::new();
        self.gather_types(schema, DEPTH, &mut types);
        types
    }

    fn gather_types(&self, schema: &'a Value, depth: usize, types: &mut Vec<String>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let mut add = |name: &str| {
            let word = type_word(name, schema);
            if !word.is_empty() && !types.contains(&word) {
                types.push(word);
            }
        };
        match schema.get("type") {
            Some(Value::String(name)) => add(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).for_each(add),
            _ => {}
        }
        if let Some(target) = self.target(schema) {
            self.gather_types(target, depth, types);
        }
        forms(schema).for_each(|form| self.gather_types(form, depth, types));
    }

    /// The words a value must be one of, each with its meaning.
    fn words(&self, schema: &'a Value) -> Vec<(String, String)> {
        let mut words = Vec::new();
        self.gather_words(schema, DEPTH, &mut words);
        words
    }

    fn gather_words(&self, schema: &'a Value, depth: usize, words: &mut Vec<(String, String)>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(only) = schema.get("const") {
            words.push((word(only), self.description(schema).unwrap_or_default()));
        }
        for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten() {
            words.push((word(value), String::new()));
        }
        if let Some(target) = self.target(schema) {
            self.gather_words(target, depth, words);
        }
        forms(schema).for_each(|form| self.gather_words(form, depth, words));
    }
}

/// Whether a schema says nothing of what it takes.
fn is_stub(schema: &Value) -> bool {
    schema.as_object().is_none_or(|keys| keys.keys().all(|key| key == "description"))
}

/// The forms that a value may take.
fn forms(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

fn type_word(name: &str, schema: &Value) -> String {
    let one_of = schema.get("enum").is_some() || schema.get("const").is_some();
    let limit =
        |key: &str, word: &str| schema.get(key).map(|limit| format!(", {word} {limit}")).unwrap_or_default();
    match name {
        "null" => String::new(),
        "string" if one_of => "one of the words below".to_owned(),
        "string" => "a text".to_owned(),
        "integer" => format!("a whole number{}{}", limit("minimum", "at least"), limit("maximum", "at most")),
        "number" => format!("a number{}{}", limit("minimum", "at least"), limit("maximum", "at most")),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a map".to_owned(),
        other => other.to_owned(),
    }
}
