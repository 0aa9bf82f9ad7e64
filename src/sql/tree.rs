//! Small questions to the grammar's tree. Every other file asks the tree through these or through node kinds; must not
//! hold opinions about statements.

use super::limits;
use squawk_syntax::syntax_error::SyntaxError;
use squawk_syntax::{SourceFile, SyntaxElement};

pub(super) use squawk_syntax::SyntaxKind as Kind;
pub(super) use squawk_syntax::SyntaxNode as Node;

/// A parsed statement: its node, if there is exactly one, and what the grammar refuses.
pub(super) struct Parsed {
    pub(super) statement: Option<Node>,
    pub(super) errors: Vec<SyntaxError>,
}

/// Parses the text of one statement.
pub(super) fn parse(text: &str) -> Parsed {
    if let Some(excess) = limits::exceeded(text) {
        let at = u32::try_from(excess.at).unwrap_or_default();
        return Parsed {
            statement: None,
            errors: vec![SyntaxError::new_at_offset(excess.message, at.into())],
        };
    }
    let parse = SourceFile::parse(text);
    let errors = parse.errors();
    let mut nodes = parse.syntax_node().children().filter(|node| node.kind() != Kind::EMPTY_STMT);
    let statement = nodes.next().filter(|node| node.kind() != Kind::ERROR);
    let alone = nodes.next().is_none();
    Parsed { statement: statement.filter(|_| alone), errors }
}

/// The first child of a kind.
pub(super) fn child(node: &Node, kind: Kind) -> Option<Node> {
    node.children().find(|child| child.kind() == kind)
}

/// Whether a child of the kind exists.
pub(super) fn has(node: &Node, kind: Kind) -> bool {
    child(node, kind).is_some()
}

/// Whether the node itself holds the key word, not one of its children.
pub(super) fn says(node: &Node, keyword: Kind) -> bool {
    node.children_with_tokens()
        .any(|element| matches!(element, SyntaxElement::Token(token) if token.kind() == keyword))
}

/// Whether a node of the kind is the node itself or anywhere below it.
pub(super) fn contains(node: &Node, kind: Kind) -> bool {
    node.descendants().any(|below| below.kind() == kind)
}

/// Every token below the node.
pub(super) fn tokens(node: &Node) -> impl Iterator<Item = squawk_syntax::SyntaxToken> + use<> {
    node.descendants_with_tokens().filter_map(SyntaxElement::into_token)
}

/// The node's text without white space and comments: for names and options, where they mean nothing.
pub(super) fn compact(node: &Node) -> String {
    tokens(node).filter(|token| !token.kind().is_trivia()).map(|token| token.text().to_owned()).collect()
}

/// The parts of a qualified name, each as the server knows it.
pub(super) fn name_parts(node: &Node) -> Vec<String> {
    tokens(node)
        .filter(|token| !token.kind().is_trivia() && token.kind() != Kind::DOT)
        .map(|token| fold(token.text()))
        .collect()
}

/// A word as the server knows it: quotes removed, or folded to lower case.
pub(super) fn fold(word: &str) -> String {
    match word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_ascii_lowercase(),
    }
}

/// Whether an option list, as in `VACUUM (FULL, ANALYZE off)`, or a bare key word turns the option on.
pub(super) fn option_is_on(statement: &Node, option: &str) -> bool {
    let bare = statement.children_with_tokens().any(|element| match element {
        SyntaxElement::Token(token) => token.text().eq_ignore_ascii_case(option),
        SyntaxElement::Node(node) => node.kind() == Kind::EXPLAIN_ANALYZE && option == "analyze",
    });
    let is_option = |node: &Node| {
        matches!(
            node.kind(),
            Kind::VACUUM_OPTION
                | Kind::EXPLAIN_OPTION
                | Kind::OPTION_ITEM
                | Kind::REINDEX_OPTION_CONCURRENTLY
                | Kind::REINDEX_OPTION_VERBOSE
        )
    };
    let lists = statement.children().flat_map(|list| list.children().filter(is_option).collect::<Vec<_>>());
    let listed = lists.filter(|item| option_name(item) == option).last();
    bare || listed.is_some_and(|item| !is_off(&item))
}

fn option_name(item: &Node) -> String {
    tokens(item).find(|token| !token.kind().is_trivia()).map(|token| fold(token.text())).unwrap_or_default()
}

fn is_off(item: &Node) -> bool {
    let words = tokens(item).filter(|token| !token.kind().is_trivia()).skip(1);
    words.last().is_some_and(|token| {
        let word = token.text().trim_matches('\'').to_ascii_lowercase();
        matches!(word.as_str(), "off" | "false" | "0" | "no")
    })
}
