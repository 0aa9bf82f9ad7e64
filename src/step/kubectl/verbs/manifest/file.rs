//! A manifest file: one YAML document for each object, sent as it stands.

use std::ops::Range;

use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic, Severity, Sources};
use crate::step::templated::Problem;
use crate::yaml::{Document, Limits, Node, Shape, documents};

/// The objects of a manifest, in its order, or every problem with its place in the text.
pub(super) fn objects(text: &str) -> Result<Vec<Value>, Vec<Problem>> {
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    for range in documents(text) {
        match object(&text[range.clone()]) {
            Ok(found) => objects.extend(found),
            Err(found) => problems.extend(found.into_iter().map(|problem| moved(problem, range.start))),
        }
    }
    if problems.is_empty() && objects.is_empty() {
        problems.push(problem("the file holds no object", 0..text.len(), "Write an object."));
    }
    if problems.is_empty() { Ok(objects) } else { Err(problems) }
}

/// The object of a document, or those of a `List`.
fn object(text: &str) -> Result<Vec<Value>, Vec<Problem>> {
    let source = Sources::new().add("", "");
    let (document, found) = Document::parse(source, text, &Limits::default());
    let mut problems: Vec<Problem> = found.into_iter().map(of_yaml).collect();
    let Some(document) = document else { return Err(problems) };
    let root = document.root();
    let is_list = root.get("kind").and_then(Node::as_str) == Some("List");
    let nodes: Vec<Node<'_>> = match root.get("items") {
        Some(items) if is_list => items.items().collect(),
        _ => vec![root],
    };
    problems.extend(nodes.iter().filter_map(|node| flaw(*node)));
    if problems.is_empty() { Ok(nodes.into_iter().map(Node::to_json).collect()) } else { Err(problems) }
}

/// What an object lacks, or has and must not have.
fn flaw(node: Node<'_>) -> Option<Problem> {
    if node.shape() != Shape::Map {
        let message = format!("an object is a map, and this is {}", node.shape().describe());
        return Some(problem(&message, node.span().range(), "Write `apiVersion`, `kind` and `metadata`."));
    }
    let text = |node: Option<Node<'_>>| {
        node.and_then(Node::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let metadata = node.get("metadata");
    let lacks = [
        ("apiVersion", text(node.get("apiVersion"))),
        ("kind", text(node.get("kind"))),
        ("metadata.name", text(metadata.and_then(|metadata| metadata.get("name")))),
    ];
    if let Some((field, _)) = lacks.iter().find(|(_, value)| value.is_none()) {
        let message = format!("the object has no `{field}`, or one that is no text");
        return Some(problem(&message, first_line(node), "Every object of a manifest says what it is."));
    }
    let values = ["data", "stringData"].iter().find_map(|key| node.get(key))?;
    let is_secret = text(node.get("kind")).as_deref() == Some("Secret");
    let help = "Write the step with `secret:`, and take the values from parameters or files.";
    is_secret.then(|| problem("the values of a Secret stand in the file", values.key_span().range(), help))
}

/// Where an object begins; all of it would be too much to show.
fn first_line(node: Node<'_>) -> Range<usize> {
    let first = node.entries().next().map(|(_, value)| value.key_span());
    first.map_or(node.span().range(), crate::diagnostic::Span::range)
}

fn of_yaml(found: Diagnostic) -> Problem {
    let range = found.labels.first().map(|label| label.span.range());
    Problem { code: found.code, severity: found.severity, message: found.message, range, help: found.help }
}

fn problem(message: &str, range: Range<usize>, help: &str) -> Problem {
    Problem {
        code: Code::KUBECTL_FILE,
        severity: Severity::Error,
        message: message.to_owned(),
        range: Some(range),
        help: Some(help.to_owned()),
    }
}

/// The same problem in the whole text, of which its document starts here.
fn moved(problem: Problem, start: usize) -> Problem {
    let range = problem.range.map_or(start..start, |range| range.start + start..range.end + start);
    Problem { range: Some(range), ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_an_object_and_every_problem_has_its_place() {
        let two = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\n\
                   apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: Pod, metadata: { name: b } }]\n";
        let names: Vec<Value> =
            objects(two).unwrap().iter().map(|object| object["metadata"]["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
        let check = |text: &str, expected: &[(&str, &str)]| {
            let problems = objects(text).unwrap_err();
            let found: Vec<(&str, &str)> = problems
                .iter()
                .map(|problem| (problem.message.as_str(), &text[problem.range.clone().unwrap()]))
                .collect();
            assert_eq!(found, expected);
        };
        check("# nothing\n", &[("the file holds no object", "# nothing\n")]);
        check(
            "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\nstringData: { a: b }\n---\n- 1\n---\nkind: Pod\n",
            &[
                ("the values of a Secret stand in the file", "stringData"),
                ("an object is a map, and this is a list", "- 1"),
                ("the object has no `apiVersion`, or one that is no text", "kind"),
            ],
        );
    }
}
