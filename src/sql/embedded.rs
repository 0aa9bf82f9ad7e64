//! SQL inside a call: `query_to_xml('SELECT …')` reads when its text is written out and reads. The text may come from
//! `format` with arguments that cannot change its meaning; anything else stays unknown.

use super::classify;
use super::functions::is_opaque;
use super::tree::{Kind, Node, child, compact, has, name_parts, parse};
use crate::model::{Certainty, Class, Effect};

/// The class of a call that runs SQL, when that SQL is known and reads.
pub(super) fn class(call: &Node, name: &[String]) -> Option<Class> {
    let function = name.last()?;
    if !is_opaque(function) || !function.starts_with("query_to_xml") {
        return None;
    }
    let sql = written(&arguments(call).next()?)?;
    let statement = parse(&sql);
    if !statement.errors.is_empty() {
        return None;
    }
    let class = classify::class(&statement.statement?);
    (class.effect == Effect::Read && class.certainty == Certainty::Known).then_some(class)
}

fn arguments(call: &Node) -> impl Iterator<Item = Node> {
    let list = child(call, Kind::ARG_LIST);
    list.into_iter()
        .flat_map(|list| list.children().collect::<Vec<_>>())
        .filter_map(|argument| argument.first_child())
}

/// The text of an argument: a constant, or `format` of one.
fn written(argument: &Node) -> Option<String> {
    match argument.kind() {
        Kind::LITERAL => constant(argument),
        Kind::CALL_EXPR if name_parts(&argument.first_child()?).last()? == "format" => {
            let mut arguments = arguments(argument);
            let template = constant(&arguments.next()?)?;
            fill(&template, arguments)
        }
        _ => None,
    }
}

fn constant(literal: &Node) -> Option<String> {
    let text = compact(literal);
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (literal.kind() == Kind::LITERAL).then(|| inner.replace("''", "'"))
}

/// The template with something harmless for each argument, if every argument is quoted by its conversion or its type.
fn fill(template: &str, mut arguments: impl Iterator<Item = Node>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template.split('%');
    filled.push_str(rest.next()?);
    while let Some(part) = rest.next() {
        let mut characters = part.chars();
        match characters.next() {
            None => {
                filled.push('%');
                filled.push_str(rest.next()?);
                continue;
            }
            Some('I' | 'L') => drop(arguments.next()?),
            Some('s') if is_object_name(&arguments.next()?) => {}
            Some(_) => return None,
        }
        filled.push_str(if part.starts_with('L') { "'x'" } else { "x" });
        filled.push_str(characters.as_str());
    }
    Some(filled)
}

/// `oid::regclass` and its like print names already quoted.
fn is_object_name(argument: &Node) -> bool {
    let types = ["regclass", "regnamespace", "regrole", "regcollation", "regconfig", "regdictionary"];
    let cast_to = || child(argument, Kind::PATH_TYPE).map(|name| compact(&name).to_ascii_lowercase());
    argument.kind() == Kind::CAST_EXPR
        && has(argument, Kind::COLON_COLON)
        && cast_to().is_some_and(|name| types.contains(&name.trim_start_matches("pg_catalog.")))
}
