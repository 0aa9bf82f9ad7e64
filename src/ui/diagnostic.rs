//! Diagnostics as text with source excerpts, and as JSON: the only miette code.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeStyles};
use serde_json::{Value, json};

use super::style::{Style, Tone};
use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity, SourceId, Sources, Span};
use crate::ui::count;

/// Every diagnostic with its excerpt, its help, and a last line that counts them. Empty when there are none.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, style: &Style) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let handler = handler(style);
    let mut text = String::new();
    for diagnostic in diagnostics {
        for report in reports(diagnostic, sources) {
            // Writing to a `String` cannot fail, and a place that miette refuses must not hide the message.
            if handler.render_report(&mut text, &report).is_err() {
                text.extend([diagnostic.code.name, ": ", &report.message, "\n"]);
            }
        }
        text.push('\n');
    }
    text + &summary(diagnostics, style) + "\n"
}

/// How many there are: `2 errors, 1 warning`.
pub fn summary(diagnostics: &Diagnostics, style: &Style) -> String {
    let number = |severity| diagnostics.iter().filter(|item| item.severity == severity).count() as u64;
    let part = |severity, noun, tone| {
        let number = number(severity);
        (number > 0).then(|| style.paint(tone, &count(number, noun)))
    };
    let parts =
        [part(Severity::Error, "error", Tone::Bad), part(Severity::Warning, "warning", Tone::Warning)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Every diagnostic as an object: code, severity, message, place, help.
pub fn to_json(diagnostics: &Diagnostics, sources: &Sources) -> Value {
    diagnostics.iter().map(|diagnostic| object(diagnostic, sources)).collect()
}

fn object(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let primary = diagnostic.labels.first().map(|label| label.span);
    let file = primary.map(|span| sources.name(span.source));
    let place = |byte: fn(Span) -> usize| primary.map(|span| sources.line_column(span.source, byte(span)));
    let (start, end) = (place(|span| span.start), place(|span| span.end));
    json!({
        "code": diagnostic.code.name,
        "severity": severity(diagnostic.severity),
        "message": diagnostic.message,
        "file": file,
        "line": start.map(|(line, _)| line),
        "column": start.map(|(_, column)| column),
        "end_line": end.map(|(line, _)| line),
        "end_column": end.map(|(_, column)| column),
        "help": diagnostic.help,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn handler(style: &Style) -> GraphicalReportHandler {
    let mut theme = if style.unicode { GraphicalTheme::unicode() } else { GraphicalTheme::ascii() };
    if !style.color {
        theme.styles = ThemeStyles::none();
    }
    // The words say what the colours say.
    let (error, warning, advice) =
        if style.unicode { ("✗ error:", "! warning:", "·") } else { ("error:", "warning:", "*") };
    error.clone_into(&mut theme.characters.error);
    warning.clone_into(&mut theme.characters.warning);
    advice.clone_into(&mut theme.characters.advice);
    GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1)
        .without_syntax_highlighting()
}

/// What miette draws: a message with an excerpt of one source.
struct Report<'a> {
    code: Option<&'a str>,
    severity: miette::Severity,
    message: String,
    help: Option<&'a str>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
}

/// The diagnostic with its primary source, then one report for each other source that its labels point into.
fn reports<'a>(diagnostic: &'a Diagnostic, sources: &Sources) -> Vec<Report<'a>> {
    let mut ids: Vec<SourceId> = Vec::new();
    for label in &diagnostic.labels {
        if !ids.contains(&label.span.source) {
            ids.push(label.span.source);
        }
    }
    let excerpt = |id: SourceId| {
        let labels = diagnostic.labels.iter().filter(|label| label.span.source == id);
        (named(id, sources), spans(labels, sources))
    };
    let (source, labels) = ids.first().map(|id| excerpt(*id)).unzip();
    let main = Report {
        code: Some(diagnostic.code.name),
        severity: match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        },
        message: diagnostic.message.clone(),
        help: diagnostic.help.as_deref(),
        source,
        labels: labels.unwrap_or_default(),
    };
    let elsewhere = ids.iter().skip(1).map(|id| {
        let (source, labels) = excerpt(*id);
        let message = format!("see also `{}`", sources.name(*id));
        let severity = miette::Severity::Advice;
        Report { code: None, severity, message, help: None, source: Some(source), labels }
    });
    std::iter::once(main).chain(elsewhere).collect()
}

fn named(id: SourceId, sources: &Sources) -> NamedSource<String> {
    NamedSource::new(sources.name(id), sources.text(id).to_string())
}

fn spans<'a>(labels: impl IntoIterator<Item = &'a Label>, sources: &Sources) -> Vec<LabeledSpan> {
    let mut spans = Vec::new();
    for label in labels {
        let (start, end) = within(sources.text(label.span.source), label.span);
        let text = (!label.text.is_empty()).then(|| label.text.clone());
        let span = (start, end - start);
        // The first one decides which line and column the header names.
        spans.push(if spans.is_empty() {
            LabeledSpan::new_primary_with_span(text, span)
        } else {
            LabeledSpan::new_with_span(text, span)
        });
    }
    spans
}

/// The span, held inside the text and at the borders of characters.
fn within(text: &str, span: Span) -> (usize, usize) {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    (start, end)
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    const TEXT: &str = "steps:\n  - id: größe\n    needs: [vaccum]\n    sql: SELECT 1\n";

    fn span(source: SourceId, word: &str) -> Span {
        let start = TEXT.find(word).unwrap();
        Span::new(source, start..start + word.len())
    }

    fn example() -> (Diagnostics, Sources) {
        let mut sources = Sources::new();
        let file = sources.add("weekly.yaml", TEXT);
        let other = sources.add("common.yaml", TEXT);
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(
            Diagnostic::error(Code::YAML_SYNTAX, "step `größe` needs `vaccum`, which does not exist")
                .at(span(file, "vaccum"), "no step has this id")
                .at(span(file, "größe"), "needed here")
                .help("Did you mean `vacuum`?"),
        );
        diagnostics.push(
            Diagnostic::warning(Code::YAML_SYNTAX, "two files define `größe`")
                .at(span(file, "größe"), "first here")
                .at(span(other, "größe"), "again here"),
        );
        (diagnostics, sources)
    }

    #[test]
    fn excerpts_at_eighty_columns_without_colour() {
        let (diagnostics, sources) = example();
        let text = render(&diagnostics, &sources, &Style::plain());
        insta::assert_snapshot!(text, @"
        runbook::yaml::syntax

          ✗ error: step `größe` needs `vaccum`, which does not exist
           ╭─[weekly.yaml:3:13]
         1 │ steps:
         2 │   - id: größe
           ·         ──┬──
           ·           ╰── needed here
         3 │     needs: [vaccum]
           ·             ───┬──
           ·                ╰── no step has this id
         4 │     sql: SELECT 1
           ╰────
          help: Did you mean `vacuum`?

        runbook::yaml::syntax

          ! warning: two files define `größe`
           ╭─[weekly.yaml:2:9]
         1 │ steps:
         2 │   - id: größe
           ·         ──┬──
           ·           ╰── first here
         3 │     needs: [vaccum]
           ╰────
          · see also `common.yaml`
           ╭─[common.yaml:2:9]
         1 │ steps:
         2 │   - id: größe
           ·         ──┬──
           ·           ╰── again here
         3 │     needs: [vaccum]
           ╰────

        1 error, 1 warning
        ");
    }

    #[test]
    fn plain_ascii_where_the_terminal_wants_it() {
        let (diagnostics, sources) = example();
        let style = Style { unicode: false, ..Style::plain() };
        let text = render(&diagnostics, &sources, &style);
        assert!(text.replace("größe", "").is_ascii(), "{text}");
        assert!(text.contains("error: step") && text.contains("warning: two files"), "{text}");
    }

    #[test]
    fn places_outside_of_the_text_are_drawn_anyway() {
        for (start, end) in
            [(0, 0), (TEXT.len(), TEXT.len()), (TEXT.len() + 9, TEXT.len() + 12), (19, 20), (30, 10)]
        {
            let (_, sources) = example();
            let mut sources = sources;
            let file = sources.add("odd.yaml", TEXT);
            let mut diagnostics = Diagnostics::new();
            let span = Span { source: file, start, end };
            diagnostics.push(Diagnostic::error(Code::YAML_SYNTAX, "something is odd").at(span, "here"));
            let text = render(&diagnostics, &sources, &Style::plain());
            assert!(
                text.contains("something is odd") && text.contains("[odd.yaml:"),
                "{start}..{end}: {text}"
            );
        }
    }

    #[test]
    fn without_a_place_the_message_stands_alone() {
        let mut diagnostics = Diagnostics::new();
        assert_eq!(render(&diagnostics, &Sources::new(), &Style::plain()), "");
        diagnostics.push(Diagnostic::error(Code::YAML_SYNTAX, "no runbook was named").help("Name one."));
        insta::assert_snapshot!(render(&diagnostics, &Sources::new(), &Style::plain()), @"
        runbook::yaml::syntax

          ✗ error: no runbook was named
          help: Name one.

        1 error
        ");
    }

    #[test]
    fn programs_get_places_in_characters() {
        let (diagnostics, sources) = example();
        let value = to_json(&diagnostics, &sources);
        assert_eq!(
            value[0],
            json!({
                "code": "runbook::yaml::syntax",
                "severity": "error",
                "message": "step `größe` needs `vaccum`, which does not exist",
                "file": "weekly.yaml", "line": 3, "column": 13, "end_line": 3, "end_column": 19,
                "help": "Did you mean `vacuum`?",
            })
        );
        assert_eq!(value[1]["end_column"], 14);
    }
}
