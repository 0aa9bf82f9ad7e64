//! [`Row`]: one line about one step, and the indented lines beneath it.

use console::measure_text_width;

use crate::ui::duration;
use crate::ui::style::{Mark, Style, Tone};
use crate::ui::text::{fit, one_line, wrap};

/// What every line of a run has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) style: &'a Style,
    /// The columns of the terminal.
    pub(super) width: usize,
    /// The columns kept for step ids.
    pub(super) label_width: usize,
}

/// The columns that the title of a step needs at least, to be worth showing beside its result.
const SHORTEST_TITLE: usize = 12;
/// The columns by which lines beneath a row stand in.
const INDENT: usize = 4;

/// One line about one step.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) mark: Mark,
    /// What the mark means, for those who see no symbols.
    pub(super) word: &'a str,
    pub(super) label: String,
    pub(super) title: &'a str,
    pub(super) result: String,
    pub(super) seconds: Option<f64>,
    /// Whether it is a child of the step above it.
    pub(super) child: bool,
}

impl Row<'_> {
    /// The line; where the cursor cannot be moved nothing is cut, since nobody can widen a log file.
    pub(super) fn draw(&self, layout: Layout<'_>) -> String {
        let Layout { style, width, .. } = layout;
        let head = self.head(layout);
        let time = self.seconds.map(duration).unwrap_or_default();
        let reserved = if time.is_empty() { 0 } else { time.len() + 2 };
        let room = width.saturating_sub(measure_text_width(&head) + reserved);
        let text = if style.interactive { self.text(style, room) } else { self.text(style, usize::MAX) };
        let line = head + &text;
        if time.is_empty() {
            return line.trim_end().to_owned();
        }
        let gap = width.saturating_sub(measure_text_width(&line) + time.len()).max(2);
        format!("{line}{}{}", " ".repeat(gap), style.paint(Tone::Quiet, &time))
    }

    /// Whether the line has room for all of its result.
    pub(super) fn fits(&self, layout: Layout<'_>) -> bool {
        let time = self.seconds.map_or(0, |seconds| duration(seconds).len() + 2);
        let used =
            measure_text_width(&self.head(layout)) + measure_text_width(&self.text_of_result(layout.style));
        used + time <= layout.width
    }

    fn head(&self, layout: Layout<'_>) -> String {
        let Layout { style, label_width, .. } = layout;
        let indent = if self.child { "  " } else { "" };
        let word = if style.interactive { String::new() } else { format!("{:<9}  ", self.word) };
        let label_width = label_width.saturating_sub(indent.len());
        let label = one_line(&self.label);
        let pad = label_width.saturating_sub(measure_text_width(&label));
        let label = style.paint(Tone::Strong, &label);
        format!(
            "{indent}{} {}{label}{}  ",
            style.mark(self.mark),
            style.paint(self.mark.tone(), &word),
            " ".repeat(pad)
        )
    }

    /// The result, behind the title where there is room for both.
    fn text(&self, style: &Style, room: usize) -> String {
        let result = self.text_of_result(style);
        let title = one_line(self.title);
        let left = room.saturating_sub(measure_text_width(&result) + style.dot().chars().count());
        if title.is_empty() || (left < SHORTEST_TITLE && measure_text_width(&title) > left) {
            return fit(&result, room, style.ellipsis());
        }
        if result.is_empty() {
            return fit(&title, room, style.ellipsis());
        }
        format!("{}{}{result}", fit(&title, left, style.ellipsis()), style.paint(Tone::Quiet, style.dot()))
    }

    /// What did not simply succeed says so in words, whatever the symbols look like.
    fn text_of_result(&self, style: &Style) -> String {
        let plain = one_line(&self.result);
        if !style.interactive || self.word.is_empty() || self.mark.tone() == Tone::Good {
            return plain;
        }
        let word = style.paint(self.mark.tone(), self.word);
        if plain.is_empty() { word } else { format!("{word}: {plain}") }
    }
}

/// Text of any length beneath a row, after a heading on its first line.
pub(super) fn beneath(layout: Layout<'_>, heading: &str, tone: Tone, text: &str) -> Vec<String> {
    let heading_width = measure_text_width(heading);
    let room = layout.width.saturating_sub(INDENT + heading_width).max(20);
    let pad = " ".repeat(INDENT + heading_width);
    let first = " ".repeat(INDENT) + &layout.style.paint(tone, heading);
    let lines = wrap(text, room).into_iter().enumerate();
    lines
        .map(|(index, line)| if index == 0 { format!("{first}{line}") } else { format!("{pad}{line}") })
        .collect()
}
