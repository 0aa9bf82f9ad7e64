//! [`plan_page`]: the page an operator reads before a window.
//!
//! First what matters most: where it leads, how many steps do what, what stands in the way. Then every step. It reads a
//! finished plan and decides nothing.

mod step;
mod summary;

use super::style::{Style, Tone};
use super::text::{clean, fit, wrap};
use crate::plan::Plan;

/// Lines longer than this are hard to read, however wide the terminal is.
const WIDEST: usize = 110;
/// Below this nothing fits; lines are then longer than the terminal is wide.
const NARROWEST: usize = 40;

/// The plan as text. `verbose` shows every statement and every item in full.
pub fn plan_page(plan: &Plan, style: &Style, verbose: bool) -> String {
    let width = style.current_width().clamp(NARROWEST, WIDEST);
    let mut page = Page { style, verbose, width, text: String::new() };
    page.heading(plan);
    page.summary(plan);
    page.blank();
    for index in 0..plan.steps.len() {
        page.step(plan, index);
    }
    page.blank();
    page.next(plan);
    page.text
}

/// A page being written.
struct Page<'a> {
    style: &'a Style,
    verbose: bool,
    width: usize,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Words of one tone, wrapped; lines after the first stand deeper.
    fn words(&mut self, indent: usize, tone: Option<Tone>, text: &str) {
        for (number, line) in wrap(text, self.width.saturating_sub(indent + 2)).iter().enumerate() {
            let before = " ".repeat(if number == 0 { indent } else { indent + 2 });
            let line = tone.map_or_else(|| line.clone(), |tone| self.style.paint(tone, line));
            self.line(&(before + &line));
        }
    }

    /// One line of code, as it is, cut at the width.
    fn code(&mut self, indent: usize, line: &str) {
        let room = self.width.saturating_sub(indent);
        self.line(&(" ".repeat(indent) + &fit(&clean(line), room, self.style.ellipsis())));
    }

    /// One line of code in full, broken at the width; what follows the break stands deeper.
    fn whole_code(&mut self, indent: usize, line: &str) {
        let line = clean(line);
        let deeper = indent + 2 + (line.len() - line.trim_start().len());
        for (number, piece) in pieces(&line, self.width, indent, deeper).into_iter().enumerate() {
            self.line(&(" ".repeat(if number == 0 { indent } else { deeper }) + piece));
        }
    }
}

/// Breaks a line at blanks where it can. Nothing is left out but the blanks at which it is broken.
fn pieces(line: &str, width: usize, indent: usize, deeper: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let room = width.saturating_sub(if pieces.is_empty() { indent } else { deeper }).max(NARROWEST / 2);
        let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
        let own_indent = rest.len() - rest.trim_start().len();
        let at_blank = rest[..end].rfind(' ').filter(|at| *at > own_indent);
        let cut = if end == rest.len() { end } else { at_blank.unwrap_or(end) };
        pieces.push(&rest[..cut]);
        rest = rest[cut..].strip_prefix(' ').unwrap_or(&rest[cut..]);
    }
    pieces
}

#[cfg(test)]
mod tests;
