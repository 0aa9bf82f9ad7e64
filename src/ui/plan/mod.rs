//! [`plan_page`]: the page an operator reads before a window.
//!
//! First what matters most: where it leads, how many steps do what, what stands in the way. Then every step. It reads a
//! finished plan and decides nothing.

mod step;
mod summary;

use super::style::{Style, Tone};
use super::text::{fit, wrap};
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

    /// One line of code, as it is; cut at the width unless everything is to be shown.
    fn code(&mut self, indent: usize, line: &str) {
        let line = super::text::clean(line);
        let room = self.width.saturating_sub(indent);
        let line = if self.verbose { line } else { fit(&line, room, self.style.ellipsis()) };
        self.line(&(" ".repeat(indent) + &line));
    }
}

#[cfg(test)]
mod tests;
