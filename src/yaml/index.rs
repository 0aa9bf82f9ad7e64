//! The span index: parser events to a [`Document`] whose scalars are still without meaning.
//!
//! It knows where everything stands and refuses what must not be expanded. It never decides what a scalar means:
//! `meaning.rs` asks the other parser, and refuses the document if the two differ.

use super::Limits;
use super::document::{Document, Entry, NodeId, Range, Stored, Style, TextAt, Value, narrow};
use super::syntax;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use granit_parser::{Event, Parser, ScalarStyle, Span as EventSpan};
use std::collections::HashMap;

/// A range of positions in the text.
type Bytes = std::ops::Range<usize>;

/// What the events said.
pub(super) struct Index {
    pub(super) document: Document,
    /// Maps with a `<<`, each after the maps that it merges.
    pub(super) merging: Vec<NodeId>,
}

/// A document cannot be used further; the problems say why.
pub(super) struct Unusable;

/// Reads the text of `document` as events.
pub(super) fn build(document: Document, limits: &Limits, out: &mut Diagnostics) -> Result<Index, Unusable> {
    let text = document.shared_text();
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        // One more than ours, so that our own count speaks first.
        flow_nesting_limit: limits.depth + 1,
        block_nesting_limit: limits.depth + 1,
    };
    let mut builder = Builder::new(document, limits, out);
    for event in Parser::new_from_str_with_options(&text, options) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let problem = syntax::describe(&builder.document, &error, builder.last_end, limits);
                builder.out.push(problem);
                return Err(Unusable);
            }
        }
    }
    builder.finish()
}

struct Builder<'a> {
    document: Document,
    merging: Vec<NodeId>,
    limits: &'a Limits,
    out: &'a mut Diagnostics,
    open: Vec<Open>,
    /// Members of the collections that are still open.
    pending: Vec<Entry>,
    anchors: HashMap<usize, Anchored>,
    /// Values so far, aliases followed.
    total: u64,
    /// Where the last scalar ended.
    last_end: usize,
    has_root: bool,
    unusable: bool,
}

/// A list or map whose end has not been seen.
struct Open {
    node: NodeId,
    is_map: bool,
    /// Its first member in `pending`.
    first: usize,
    /// A key that waits for its value.
    key: Option<NodeId>,
    size: u64,
    height: usize,
    anchor: usize,
    is_flow: bool,
}

/// What an alias stands for.
#[derive(Clone, Copy)]
struct Anchored {
    node: NodeId,
    /// Values in it, itself included; `None` until its end is seen.
    measure: Option<(u64, usize)>,
}

impl<'a> Builder<'a> {
    fn new(document: Document, limits: &'a Limits, out: &'a mut Diagnostics) -> Self {
        Self {
            document,
            merging: Vec::new(),
            limits,
            out,
            open: Vec::new(),
            pending: Vec::new(),
            anchors: HashMap::new(),
            total: 0,
            last_end: 0,
            has_root: false,
            unusable: false,
        }
    }

    fn take(&mut self, event: Event<'_>, span: EventSpan) -> Result<(), Unusable> {
        let at = span.byte_range().unwrap_or_default();
        match event {
            Event::DocumentStart(..) if self.has_root => return Err(self.refuse_second_document(at.start)),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_custom_tag(tag.as_deref(), &span);
                self.scalar(&text, style, anchor, at)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.refuse_custom_tag(tag.as_deref(), &span);
                self.start(false, style, anchor, at.start)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_custom_tag(tag.as_deref(), &span);
                self.start(true, style, anchor, at.start)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at.end),
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::UnresolvedAlias(name) => self.unresolved(&name, at),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Index, Unusable> {
        if !self.has_root {
            self.out.push(
                Diagnostic::error(Code::YAML_EMPTY, "the file holds no values")
                    .at(self.document.span(0, 0), "")
                    .help("Write at least one key and a value; comments alone do nothing."),
            );
            return Err(Unusable);
        }
        if self.unusable {
            return Err(Unusable);
        }
        Ok(Index { document: self.document, merging: self.merging })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, at: Bytes) -> Result<(), Unusable> {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        // An absent value is reported as `~` without a single byte.
        let absent = style == Style::Plain && at.is_empty();
        let text = if absent { "" } else { text };
        let at = if absent { self.after_colon(at.start) } else { at };
        let end = self.trimmed(at.start, at.end);
        self.last_end = end;
        let kept = self.document.keep(text, at.start, end, style);
        let node = self.push(at.start, end, Value::Unread, kept, style);
        self.remember(anchor, node, Some((1, 0)));
        self.attach(node, 1, 0)
    }

    /// The place of an absent value: behind its key and the colon.
    fn after_colon(&self, start: usize) -> Bytes {
        let has_key = self.open.last().is_some_and(|open| open.key.is_some());
        let colon = has_key && self.document.text().as_bytes().get(start) == Some(&b':');
        let place = start + usize::from(colon);
        place..place
    }

    fn start(
        &mut self,
        is_map: bool,
        style: granit_parser::StructureStyle,
        anchor: usize,
        start: usize,
    ) -> Result<(), Unusable> {
        if self.open.len() >= self.limits.depth {
            return Err(self.refuse_depth(start, start + 1));
        }
        let nothing = TextAt::File { start: 0, length: 0 };
        let range = Range { first: 0, count: 0 };
        let value = if is_map { Value::Map(range) } else { Value::List(range) };
        let node = self.push(start, start, value, nothing, Style::Collection);
        self.remember(anchor, node, None);
        self.total += 1;
        self.check_total(start)?;
        let is_flow = style == granit_parser::StructureStyle::Flow;
        let first = self.pending.len();
        self.open.push(Open { node, is_map, first, key: None, size: 1, height: 1, anchor, is_flow });
        Ok(())
    }

    fn end(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        let range = Range {
            first: narrow(self.document.entries.len()),
            count: narrow(self.pending.len() - open.first),
        };
        let last = self.pending.get(open.first..).and_then(<[Entry]>::last).copied();
        self.document.entries.extend(self.pending.drain(open.first..));
        if open.is_map && self.document.members(range).iter().any(|entry| self.is_merge_key(entry.key)) {
            self.merging.push(open.node);
        }
        let end = if open.is_flow { end } else { self.end_of(last).unwrap_or(end) };
        let stored = &mut self.document.nodes[open.node as usize];
        stored.value = if open.is_map { Value::Map(range) } else { Value::List(range) };
        stored.end = narrow(end).max(stored.start);
        self.last_end = self.last_end.max(end);
        self.remember(open.anchor, open.node, Some((open.size, open.height)));
        self.join(open.node, open.size, open.height);
    }

    /// Where the last member of a block collection ends; an alias ends where its anchor does, so it does not count.
    fn end_of(&self, last: Option<Entry>) -> Option<usize> {
        let last = last?;
        let end = |id: NodeId| self.document.stored(id).end;
        let key_end = last.key.map_or(0, end);
        Some(end(last.value).max(key_end).max(narrow(self.last_end)) as usize)
    }

    fn is_merge_key(&self, key: Option<NodeId>) -> bool {
        key.is_some_and(|key| self.document.text_of(key) == "<<")
    }

    fn alias(&mut self, anchor: usize, at: Bytes) -> Result<(), Unusable> {
        let Some(anchored) = self.anchors.get(&anchor).copied() else { return Ok(()) };
        let Some((size, height)) = anchored.measure else {
            let problem =
                Diagnostic::error(Code::YAML_ALIAS, "this alias stands for a value that contains it")
                    .at(self.document.span(at.start, at.end), "would never end")
                    .at(self.document.span_of(anchored.node), "the value it stands for")
                    .help("Write the value out instead of repeating it with an alias.");
            self.out.push(problem);
            return Err(Unusable);
        };
        if self.open.len() + height > self.limits.depth {
            return Err(self.refuse_depth(at.start, at.end));
        }
        self.last_end = at.end;
        self.total += size - 1;
        self.attach(anchored.node, size, height)
    }

    fn unresolved(&mut self, name: &str, at: Bytes) {
        self.out.push(
            Diagnostic::error(Code::YAML_ALIAS, format!("no anchor `&{name}` comes before this alias"))
                .at(self.document.span(at.start, at.end), "")
                .help("Define the anchor above, or quote the value if `*` is part of the text."),
        );
        self.unusable = true;
        self.last_end = at.end;
        let nothing = TextAt::File { start: 0, length: 0 };
        let node = self.push(at.start, at.end, Value::Null, nothing, Style::Plain);
        self.join(node, 1, 0);
    }

    fn push(&mut self, start: usize, end: usize, value: Value, text: TextAt, style: Style) -> NodeId {
        let id = narrow(self.document.nodes.len());
        self.document.nodes.push(Stored { start: narrow(start), end: narrow(end), value, text, style });
        id
    }

    fn remember(&mut self, anchor: usize, node: NodeId, measure: Option<(u64, usize)>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node, measure });
        }
    }

    /// Counts a finished value and puts it where it belongs.
    fn attach(&mut self, node: NodeId, size: u64, height: usize) -> Result<(), Unusable> {
        self.total += 1;
        self.check_total(self.last_end)?;
        self.join(node, size, height);
        Ok(())
    }

    fn join(&mut self, node: NodeId, size: u64, height: usize) {
        let Some(parent) = self.open.last_mut() else {
            self.has_root = true;
            self.document.root = node;
            return;
        };
        parent.size = parent.size.saturating_add(size);
        parent.height = parent.height.max(height + 1);
        match parent.key.take() {
            None if parent.is_map => parent.key = Some(node),
            key => self.pending.push(Entry { key, value: node }),
        }
    }

    fn check_total(&mut self, at: usize) -> Result<(), Unusable> {
        let limit = self.limits.nodes;
        if self.total <= limit as u64 {
            return Ok(());
        }
        let message = format!("the document has more than {limit} values once its aliases are followed");
        self.out.push(
            Diagnostic::error(Code::YAML_TOO_MANY_NODES, message)
                .at(self.document.span(at, at), "the limit is passed here")
                .help("Split the file, or repeat less with aliases."),
        );
        Err(Unusable)
    }

    fn refuse_depth(&mut self, start: usize, end: usize) -> Unusable {
        self.out.push(syntax::too_deep(self.document.span(start, end), self.limits));
        Unusable
    }

    fn refuse_second_document(&mut self, start: usize) -> Unusable {
        self.out.push(
            Diagnostic::error(Code::YAML_SECOND_DOCUMENT, "a second document starts here")
                .at(self.document.span(start, start + 3), "only one document fits a file")
                .help("Remove the `---`, or move what follows into its own file."),
        );
        Unusable
    }

    fn refuse_custom_tag(&mut self, tag: Option<&granit_parser::Tag>, span: &EventSpan) {
        let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) else { return };
        let at = span.tag_span().and_then(|span| span.byte_range()).or(span.byte_range()).unwrap_or_default();
        self.out.push(
            Diagnostic::error(Code::YAML_TAG, format!("the tag `{}` means nothing here", tag.original()))
                .at(self.document.span(at.start, at.end), "")
                .help("Remove the tag, or quote the value if `!` is part of the text."),
        );
    }

    /// The end of a scalar without the blank space that belongs to a block.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        let text = self.document.text();
        text.get(start..end).map_or(end, |scalar| start + scalar.trim_end().len())
    }
}
