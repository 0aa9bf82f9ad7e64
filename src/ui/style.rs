//! [`Style`]: the few colours and symbols, and what the terminal can show.
//!
//! A colour never stands alone: where it means something, a symbol or a word says the same.

use std::str::FromStr;

use crate::model::{Effect, ProcessEnvironment, RunOutcome, StepState};

/// The width assumed where none is known.
const DEFAULT_WIDTH: usize = 80;

/// What the other end of stderr can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Whether escape codes for colours are written.
    pub color: bool,
    /// Whether symbols outside of ASCII are written.
    pub unicode: bool,
    /// The columns of the terminal when it was last asked; 80 when it cannot be known.
    pub width: usize,
    /// Whether the cursor may be moved: a progress display rather than plain lines.
    pub interactive: bool,
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// Colours where the environment and the terminal want them.
    #[default]
    Auto,
    /// Colours in any case.
    Always,
    /// No colours.
    Never,
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            other => Err(format!("`{other}` is none of `auto`, `always`, `never`")),
        }
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Wants attention.
    Warning,
    /// Went wrong.
    Bad,
    /// Names something.
    Strong,
    /// In the background.
    Quiet,
    /// Going on now.
    Active,
}

/// What a line is about; drawn as a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A step begins.
    Started,
    /// A step or a run stands like this.
    State(StepState),
    /// Another attempt follows.
    Retry,
    /// Something that wants attention.
    Warning,
    /// A question.
    Question,
    /// A remark.
    Remark,
}

impl Style {
    /// Finds out what stderr can show.
    ///
    /// `NO_COLOR` and `TERM=dumb` take colours away, `CLICOLOR_FORCE` gives them without a terminal.
    pub fn detect(environment: &ProcessEnvironment, stderr_is_terminal: bool) -> Self {
        let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
        let interactive = stderr_is_terminal && !dumb;
        let set = |name| environment.get(name).is_some_and(|value| value != "0");
        let wanted = interactive && environment.get("CLICOLOR") != Some("0");
        Self {
            color: (wanted || set("CLICOLOR_FORCE")) && environment.get("NO_COLOR").is_none(),
            unicode: speaks_utf8(environment),
            width: if stderr_is_terminal { terminal_width() } else { None }.unwrap_or(DEFAULT_WIDTH),
            interactive,
        }
    }

    /// Lets `--color` have the last word.
    #[must_use]
    pub fn with_color(mut self, choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => {}
            ColorChoice::Always => self.color = true,
            ColorChoice::Never => self.color = false,
        }
        self
    }

    /// Eighty columns, no colours, no cursor movement: what a log file gets.
    pub fn plain() -> Self {
        Self { color: false, unicode: true, width: DEFAULT_WIDTH, interactive: false }
    }

    /// The columns now: a window may have been resized since the start.
    pub fn current_width(&self) -> usize {
        if self.interactive { terminal_width().unwrap_or(self.width) } else { self.width }
    }

    /// The text in the colour of its tone, if there are colours.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let style = console::Style::new().force_styling(true);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Warning => style.yellow(),
            Tone::Bad => style.red().bold(),
            Tone::Strong => style.bold(),
            Tone::Quiet => style.dim(),
            Tone::Active => style.cyan(),
        };
        style.apply_to(text).to_string()
    }

    /// The symbol of a line, painted, always of the same width in one run.
    pub fn mark(&self, mark: Mark) -> String {
        let (unicode, ascii) = symbols(mark);
        self.paint(mark.tone(), if self.unicode { unicode } else { ascii })
    }

    /// What separates short phrases on one line.
    pub fn dot(&self) -> &'static str {
        if self.unicode { " · " } else { ", " }
    }

    /// What stands for text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}

impl Mark {
    /// The mark of a run that ended like this.
    pub fn outcome(outcome: RunOutcome) -> Self {
        Self::State(match outcome {
            RunOutcome::Succeeded => StepState::Succeeded,
            RunOutcome::Failed | RunOutcome::Drifted | RunOutcome::Excluded => StepState::Failed,
            RunOutcome::Declined | RunOutcome::Interrupted => StepState::Cancelled,
            RunOutcome::RolledBack => StepState::RolledBack,
            RunOutcome::Stuck | RunOutcome::PartlyRolledBack => StepState::Stuck,
        })
    }

    /// The tone of the symbol and of the word that stands for the same.
    pub fn tone(self) -> Tone {
        match self {
            Self::Started | Self::Question => Tone::Active,
            Self::Remark => Tone::Quiet,
            Self::Retry | Self::Warning => Tone::Warning,
            Self::State(state) => match state {
                StepState::Succeeded => Tone::Good,
                StepState::Pending | StepState::Skipped | StepState::Cancelled => Tone::Quiet,
                StepState::Running => Tone::Active,
                StepState::RolledBack => Tone::Warning,
                StepState::Failed | StepState::Uncertain | StepState::Stuck => Tone::Bad,
            },
        }
    }
}

impl From<Effect> for Tone {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Read => Self::Quiet,
            Effect::Change => Self::Active,
            Effect::Disrupt => Self::Warning,
            Effect::Destroy => Self::Bad,
        }
    }
}

fn symbols(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Started => ("▸", "> "),
        Mark::Retry => ("↻", "~ "),
        Mark::Warning => ("!", "! "),
        Mark::Question => ("?", "? "),
        Mark::Remark => ("·", "* "),
        Mark::State(state) => match state {
            StepState::Pending => ("·", ". "),
            StepState::Running => ("▸", "> "),
            StepState::Succeeded => ("✓", "ok"),
            StepState::Skipped => ("–", "--"),
            StepState::Failed => ("✗", "XX"),
            StepState::Uncertain => ("?", "??"),
            StepState::Cancelled => ("⊘", "//"),
            StepState::RolledBack => ("↶", "<-"),
            StepState::Stuck => ("‼", "!!"),
        },
    }
}

/// The first locale variable that is set decides, as in the C library; none of them means plain ASCII.
fn speaks_utf8(environment: &ProcessEnvironment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.get(name));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn terminal_width() -> Option<usize> {
    let (_, columns) = console::Term::stderr().size_checked()?;
    (columns > 0).then_some(usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(variables: &[(&str, &str)], terminal: bool) -> Style {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Style::detect(&ProcessEnvironment { variables, ..ProcessEnvironment::default() }, terminal)
    }

    #[test]
    fn the_environment_decides_about_colours() {
        let check = |variables: &[(&str, &str)], terminal, color, interactive| {
            let style = detect(variables, terminal);
            assert_eq!((style.color, style.interactive), (color, interactive), "{variables:?} {terminal}");
        };
        check(&[("TERM", "xterm")], true, true, true);
        check(&[("TERM", "xterm")], false, false, false);
        check(&[("TERM", "dumb")], true, false, false);
        check(&[], true, false, false);
        check(&[("TERM", "xterm"), ("NO_COLOR", "1")], true, false, true);
        check(&[("TERM", "xterm"), ("NO_COLOR", "")], true, true, true);
        check(&[("TERM", "xterm"), ("CLICOLOR", "0")], true, false, true);
        check(&[("CLICOLOR_FORCE", "1")], false, true, false);
        check(&[("CLICOLOR_FORCE", "0")], false, false, false);
        check(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false, false);
    }

    #[test]
    fn the_flag_has_the_last_word() {
        assert!(!detect(&[("TERM", "xterm")], true).with_color(ColorChoice::Never).color);
        assert!(detect(&[("NO_COLOR", "1")], false).with_color(ColorChoice::Always).color);
        assert!("sometimes".parse::<ColorChoice>().is_err());
    }

    #[test]
    fn symbols_follow_the_locale() {
        let check =
            |variables: &[(&str, &str)], unicode| assert_eq!(detect(variables, false).unicode, unicode);
        check(&[("LANG", "de_CH.UTF-8")], true);
        check(&[("LANG", "C.utf8")], true);
        check(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false);
        check(&[], false);
    }

    #[test]
    fn without_colours_no_escape_code_is_written() {
        assert_eq!(Style::plain().paint(Tone::Bad, "failed"), "failed");
        let colorful = Style::plain().with_color(ColorChoice::Always);
        assert_eq!(colorful.paint(Tone::Good, "fine"), "\u{1b}[32mfine\u{1b}[0m");
    }
}
