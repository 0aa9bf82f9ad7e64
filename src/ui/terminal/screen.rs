//! [`Screen`]: the live block at the bottom of the terminal, lines above it, and a pause for questions.
//!
//! Nothing but this file draws with indicatif. Whoever asks a person pauses the screen first; lines that arrive
//! meanwhile wait, so neither the engine nor the person is held up by the other.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use super::live::Live;
use crate::ui::out::Out;
use crate::ui::style::Style;

/// Redraws of the live block in a second.
const FRAMES: u8 = 10;

/// A handle on the display; clones draw to the same one.
#[derive(Debug, Clone)]
pub struct Screen {
    out: Out,
    style: Style,
    live: Arc<Mutex<Live>>,
    display: Arc<Mutex<Display>>,
}

#[derive(Debug)]
struct Display {
    /// The block and its one bar; none where the cursor may not be moved, or when no run goes on.
    block: Option<(MultiProgress, ProgressBar)>,
    paused: bool,
    waiting: Vec<Piece>,
}

/// Text for one of the two streams.
#[derive(Debug)]
enum Piece {
    Line(String),
    Data(String),
}

impl Screen {
    /// A display that shows nothing yet.
    pub fn new(out: Out, style: Style) -> Self {
        let display = Display { block: None, paused: false, waiting: Vec::new() };
        Self { out, style, live: Arc::default(), display: Arc::new(Mutex::new(display)) }
    }

    /// Writes lines to stderr, above the live block.
    pub fn lines(&self, lines: &[String]) {
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        lock(&self.display).put(&self.out, Piece::Line(text));
    }

    /// Writes data to stdout.
    pub fn data(&self, text: &str) {
        lock(&self.display).put(&self.out, Piece::Data(text.to_owned()));
    }

    /// Takes the live block away and holds every line back until [`Screen::resume`].
    pub fn pause(&self) {
        let mut display = lock(&self.display);
        display.paused = true;
        if let Some((block, bar)) = &display.block {
            bar.disable_steady_tick();
            block.clear().ok();
        }
    }

    /// Shows the lines that waited, and the live block again.
    pub fn resume(&self) {
        let mut display = lock(&self.display);
        display.paused = false;
        for piece in std::mem::take(&mut display.waiting) {
            display.put(&self.out, piece);
        }
        if let Some((_, bar)) = &display.block {
            bar.enable_steady_tick(Duration::from_secs(1) / u32::from(FRAMES));
        }
    }

    /// The seconds since the live block was opened.
    pub(super) fn elapsed(&self) -> Duration {
        lock(&self.display).block.as_ref().map(|(_, bar)| bar.elapsed()).unwrap_or_default()
    }

    /// Changes what the live block shows from its next frame on.
    pub(super) fn update(&self, change: impl FnOnce(&mut Live)) {
        change(&mut lock(&self.live));
    }

    /// Begins to show the live block, where there can be one.
    pub(super) fn open(&self) {
        let mut display = lock(&self.display);
        if !self.style.interactive || display.block.is_some() {
            return;
        }
        let cursor = Cursor { out: self.out.clone(), style: self.style.clone() };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(cursor), FRAMES);
        let block = MultiProgress::with_draw_target(target);
        let bar = block.add(ProgressBar::new_spinner().with_style(self.frames()));
        if !display.paused {
            bar.enable_steady_tick(Duration::from_secs(1) / u32::from(FRAMES));
        }
        display.block = Some((block, bar));
    }

    /// Takes the live block away for good.
    pub(super) fn close(&self) {
        if let Some((block, bar)) = lock(&self.display).block.take() {
            bar.disable_steady_tick();
            bar.finish_and_clear();
            block.clear().ok();
        }
        self.out.flush();
    }

    /// One key of the template draws the whole block, so a frame is one pure function of [`Live`].
    fn frames(&self) -> ProgressStyle {
        let (live, style) = (Arc::clone(&self.live), self.style.clone());
        let draw = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let now = state.elapsed();
            let lines = lock(&live).lines(now, spinner(now, &style), style.current_width(), &style);
            let _ = out.write_str(&lines.join("\n"));
        };
        ProgressStyle::with_template("{live}").expect("the template is valid").with_key("live", draw)
    }
}

impl Display {
    fn put(&mut self, out: &Out, piece: Piece) {
        if self.paused {
            self.waiting.push(piece);
            return;
        }
        // A closed stream is remembered by `Out`; the terminal asks it after each event.
        let write = || match &piece {
            Piece::Line(text) => out.stderr(text),
            Piece::Data(text) => out.stdout(text),
        };
        let _ = match &self.block {
            Some((block, _)) => block.suspend(write),
            None => write(),
        };
    }
}

fn spinner(now: Duration, style: &Style) -> &'static str {
    const UNICODE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
    let frames: &[&str] = if style.unicode { &UNICODE } else { &ASCII };
    let index = now.as_millis() / (1000 / u128::from(FRAMES)) % frames.len() as u128;
    usize::try_from(index).ok().and_then(|index| frames.get(index)).copied().unwrap_or(" ")
}

/// A panic elsewhere leaves nothing here that could not be drawn.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cursor movement through [`Out`], so that the live block is redacted like everything else.
#[derive(Debug)]
struct Cursor {
    out: Out,
    style: Style,
}

impl Cursor {
    fn send(&self, text: &str) -> std::io::Result<()> {
        self.out.stderr(text).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }

    fn step(&self, n: usize, direction: char) -> std::io::Result<()> {
        let mut code = String::new();
        if n > 0 {
            let _ = write!(code, "\u{1b}[{n}{direction}");
        }
        self.send(&code)
    }
}

impl TermLike for Cursor {
    fn width(&self) -> u16 {
        u16::try_from(self.style.current_width()).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        console::Term::stderr().size_checked().map_or(24, |(rows, _)| rows)
    }

    fn move_cursor_up(&self, n: usize) -> std::io::Result<()> {
        self.step(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> std::io::Result<()> {
        self.step(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> std::io::Result<()> {
        self.step(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> std::io::Result<()> {
        self.step(n, 'D')
    }

    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.send(text)?;
        self.send("\n")
    }

    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.send(text)
    }

    fn clear_line(&self) -> std::io::Result<()> {
        self.send("\r\u{1b}[2K")
    }

    fn flush(&self) -> std::io::Result<()> {
        self.out.flush_stderr();
        Ok(())
    }
}
