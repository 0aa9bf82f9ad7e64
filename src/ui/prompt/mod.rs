//! [`TerminalPrompter`]: asks a person at the controlling terminal.
//!
//! Questions never overlap, the live display stands still meanwhile, and the terminal gets its settings back however
//! a question ends: answered, timed out, interrupted, or dropped.

mod form;
mod keyboard;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::form::{Form, Progress};
use self::keyboard::Keyboard;
use super::out::Out;
use super::style::{Mark, Style, Tone};
use super::terminal::Screen;
use super::text::wrap;
use crate::connect::{PromptError, Prompter, Question};
use crate::report;
use crate::ui::duration;

/// Asks at the terminal that stderr shows and `/dev/tty` reads.
#[derive(Debug)]
pub struct TerminalPrompter {
    out: Out,
    style: Style,
    screen: Screen,
    /// Held while a question is on the screen.
    turn: Mutex<()>,
}

impl TerminalPrompter {
    /// A prompter beside a display that it may pause.
    pub fn new(out: Out, style: Style, screen: Screen) -> Self {
        Self { out, style, screen, turn: Mutex::new(()) }
    }

    async fn put(&self, question: &Question) -> Result<Value, PromptError> {
        let _turn = self.turn.lock().await;
        if !self.style.interactive {
            return Err(PromptError::NoTerminal);
        }
        let mut keyboard = Keyboard::open()?;
        let _pause = Pause::new(&self.screen);
        self.print(&headline(question, &self.style).join("\n"))?;
        let mut form = Form::new(&question.answer);
        let answer = match question.timeout {
            None => self.fill(&mut form, &mut keyboard).await,
            Some(limit) => self.fill_within(&mut form, &mut keyboard, limit).await,
        };
        // The terminal is back to its settings before anything else is shown.
        keyboard.close().await;
        self.out.flush();
        answer
    }

    async fn fill_within(
        &self,
        form: &mut Form,
        keyboard: &mut Keyboard,
        limit: Duration,
    ) -> Result<Value, PromptError> {
        let deadline = Instant::now().checked_add(limit);
        let filled = self.fill(form, keyboard);
        let Some(deadline) = deadline else { return filled.await };
        if let Ok(answer) = tokio::time::timeout_at(deadline, filled).await {
            return answer;
        }
        self.print("\n  nobody answered in time\n\n")?;
        Err(PromptError::TimedOut(limit))
    }

    async fn fill(&self, form: &mut Form, keyboard: &mut Keyboard) -> Result<Value, PromptError> {
        let mut drawn = self.draw(form, 0)?;
        loop {
            let key = keyboard.key().await.ok_or(PromptError::NoTerminal)?;
            match form.press(key) {
                Progress::More => drawn = self.draw(form, drawn)?,
                Progress::Answered(value, words) => {
                    let words = self.style.paint(Tone::Strong, &words);
                    self.redraw(&[format!("  {words}"), String::new(), String::new()], drawn)?;
                    return Ok(value);
                }
                Progress::Interrupted => {
                    self.redraw(&["  interrupted".to_owned(), String::new()], drawn)?;
                    return Err(PromptError::Interrupted);
                }
            }
        }
    }

    /// Draws the form over its last drawing and returns how many lines it takes.
    fn draw(&self, form: &Form, drawn: usize) -> Result<usize, PromptError> {
        let lines = form.lines(&self.style, self.style.current_width());
        self.redraw(&lines, drawn)?;
        Ok(lines.len())
    }

    fn redraw(&self, lines: &[String], drawn: usize) -> Result<(), PromptError> {
        let up = if drawn > 1 { format!("\u{1b}[{}A", drawn - 1) } else { String::new() };
        self.print(&format!("\r{up}\u{1b}[J{}", lines.join("\n")))
    }

    fn print(&self, text: &str) -> Result<(), PromptError> {
        let written = self.out.stderr(text);
        self.out.flush_stderr();
        written.map_err(|_| PromptError::NoTerminal)
    }
}

impl Prompter for TerminalPrompter {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Value, PromptError>> {
        Box::pin(self.put(question))
    }
}

/// The rows drawn above a question at most.
const MOST_ROWS: usize = 30;

/// What is about to happen, then the question.
fn headline(question: &Question, style: &Style) -> Vec<String> {
    let room = style.current_width().saturating_sub(4).max(20);
    let mut lines = vec![String::new()];
    for about in &question.about {
        lines.extend(wrap(about, room).into_iter().map(|line| format!("    {line}")));
    }
    if let Some(shown) = report::shown(&json!({ "shown": question.shown }), room, MOST_ROWS)
        && !question.shown.is_null()
    {
        lines.extend(shown.lines().map(|line| format!("    {line}")));
        lines.push(String::new());
    }
    let message = wrap(&question.message, room).into_iter().enumerate();
    lines.extend(message.map(|(index, line)| {
        let mark = if index == 0 { style.mark(Mark::Question) } else { " ".to_owned() };
        format!("{mark} {}", style.paint(Tone::Strong, &line))
    }));
    if let Some(limit) = question.timeout {
        let text = format!("  waits {} for an answer", duration(limit.as_secs_f64()));
        lines.push(style.paint(Tone::Quiet, &text));
    }
    lines.push(String::new());
    lines
}

/// A pause of the display that ends with the scope.
struct Pause<'a>(&'a Screen);

impl<'a> Pause<'a> {
    fn new(screen: &'a Screen) -> Self {
        screen.pause();
        Self(screen)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::AnswerKind;
    use crate::model::Redactor;
    use crate::ui::out::capture::out;

    fn question() -> Question {
        Question {
            id: "go".to_owned(),
            message: "Rebuild the index?".to_owned(),
            about: vec!["REINDEX INDEX CONCURRENTLY orders_pkey".to_owned(), "took 3m last time".to_owned()],
            shown: Value::Null,
            answer: AnswerKind::YesNo { default: false },
            timeout: Some(Duration::from_mins(5)),
        }
    }

    #[test]
    fn what_is_about_to_happen_stands_above_the_question() {
        insta::assert_snapshot!(headline(&question(), &Style::plain()).join("\n"), @"
            REINDEX INDEX CONCURRENTLY orders_pkey
            took 3m last time
        ? Rebuild the index?
          waits 5m 00s for an answer
        ");
    }

    #[tokio::test]
    async fn without_a_terminal_nobody_is_asked() {
        let (out, _, stderr) = out(&Redactor::new());
        let screen = Screen::new(out.clone(), Style::plain());
        let prompter = TerminalPrompter::new(out, Style::plain(), screen);
        assert_eq!(prompter.ask(&question()).await, Err(PromptError::NoTerminal));
        assert_eq!(stderr.text(), "");
    }
}
