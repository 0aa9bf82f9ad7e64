//! [`derived`]: a step that nobody wrote, made from the body that undoes another one.
//!
//! It is read as if it stood in a file, so it is bound, shown, journaled and run like any other.

use serde_json::{Value, json};

use super::step::{Step, StepBody};
use crate::diagnostic::{Diagnostics, Sources, Span};
use crate::model::{Failure, StepId};
use crate::step::{CheckContext, KINDS};
use crate::yaml::{Document, Limits};

/// A step of a kind with a body in which no text is a template.
pub fn derived(
    id: StepId,
    kind: &'static str,
    body: &Value,
    connections: &[(String, &'static str)],
) -> Result<Step, Failure> {
    let unusable = |what: &str| Failure::new(format!("the undo of a step cannot be read: {what}"));
    let text = json!({ kind: verbatim(body) }).to_string();
    let mut sources = Sources::new();
    let source = sources.add(id.as_str(), text.as_str());
    let (document, problems) = Document::parse(source, &text, &Limits::default());
    let document = document.ok_or_else(|| unusable(&first(&problems)))?;
    let node = document.root().get(kind).ok_or_else(|| unusable("it has no kind"))?;
    let known = KINDS.iter().find(|known| known.name() == kind);
    let decoded = known.ok_or_else(|| unusable("its kind is unknown"))?.decode(node);
    let mut body = decoded.map_err(|problem| unusable(&problem.message))?;
    let mut no_files = |_: &str| Err(Failure::new("it reads no files"));
    let mut cx = CheckContext { read_file: &mut no_files, connections, problems: Vec::new() };
    body.check(&mut cx);
    if let Some((_, problem)) = cx.problems.first() {
        return Err(unusable(&problem.message));
    }
    Ok(Step {
        id_span: Span::new(source, 0..0),
        id,
        title: None,
        description: String::new(),
        when: Vec::new(),
        parents: Vec::new(),
        for_each: None,
        timeout: None,
        on_error: super::OnError::Stop,
        class: body.classify(),
        body: StepBody::Kind(body, Box::default()),
        reads: Vec::new(),
        secret: false,
    })
}

fn first(problems: &Diagnostics) -> String {
    problems.iter().next().map(|problem| problem.message.clone()).unwrap_or_default()
}

/// The same value for a reader who takes every text for a template.
fn verbatim(value: &Value) -> Value {
    const MARKS: [&str; 3] = ["{{", "{%", "{#"];
    match value {
        Value::String(text) if MARKS.iter().any(|mark| text.contains(mark)) => {
            format!("{{{{ {} }}}}", Value::from(text.as_str())).into()
        }
        Value::Array(items) => items.iter().map(verbatim).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), verbatim(value))).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_template_is_taken_as_it_is() {
        let check = |body: Value| {
            derived(StepId::new("a"), "kubectl", &body, &[("cluster".to_owned(), "kubernetes")]).unwrap()
        };
        let step = check(json!({ "scale": { "target": "deployment/backend", "replicas": 2 } }));
        assert_eq!(step.kind(), "kubectl");
        let object = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "a" },
                             "data": { "t": "{{ \"x\" }}\n{% if %}" } });
        check(json!({ "create": { "object": object } }));
        assert_eq!(verbatim(&json!("{{ \"x\" }}")), json!("{{ \"{{ \\\"x\\\" }}\" }}"));
    }
}
