//! Durations, symbols, and text from elsewhere made safe to print.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::StepState;

/// A duration as people say it: `0.4s`, `12.0s`, `1m 05s`, `2h 03m`, `3d 04h`.
pub fn duration(seconds: f64) -> String {
    // Rounded before it is split, so that 59.97 is a minute and not `60.0s`.
    let tenths = (seconds.max(0.0) * 10.0).round();
    if tenths < 600.0 {
        return format!("{:.1}s", tenths / 10.0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is not negative"
    )]
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => format!("{}m {:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {:02}m", whole / 3_600, whole / 60 % 60),
        _ => format!("{}d {:02}h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// The symbol that stands before a state's word, never without it.
pub fn symbol(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "·",
        StepState::Running => "▸",
        StepState::Succeeded => "✓",
        StepState::Skipped => "–",
        StepState::Failed => "✗",
        StepState::Uncertain => "?",
        StepState::Cancelled => "⊘",
        StepState::RolledBack => "↩",
        StepState::Stuck => "‼",
    }
}

/// One line that cannot steer a terminal: line breaks and tabs become spaces, other controls are spelt out.
pub fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\t' => line.push(' '),
            '\r' => {}
            // Besides the controls, the marks that turn the direction of writing and so hide what is written.
            _ if character.is_control()
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                write!(line, "{}", character.escape_unicode()).ok();
            }
            _ => line.push(character),
        }
    }
    line
}

/// The line cut to a width, with `…` where something is missing.
pub(super) fn clip(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let mut used = 1;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= width
    };
    let mut cut: String = line.chars().take_while(fits).collect();
    // Some characters are wider together than one by one.
    while cut.width() >= width.max(1) && cut.pop().is_some() {}
    cut.push('…');
    cut
}

/// The text as lines of a width, each after `indent`, broken at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let room = width.saturating_sub(indent.width()).max(20);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in plain(paragraph).split(' ').flat_map(|word| pieces(word, room)) {
            if !line.is_empty() && line.width() + 1 + word.width() > room {
                lines.push(format!("{indent}{}", std::mem::take(&mut line)));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(format!("{indent}{line}"));
    }
    lines
}

/// A word in pieces that fit.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for character in word.chars() {
        let width = character.width().unwrap_or(0);
        if used + width > room {
            pieces.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    pieces
}

/// `1 row`, `2 rows`.
pub fn number(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [(0.0, "0.0s"), (0.44, "0.4s"), (59.94, "59.9s"), (59.97, "1m 00s"), (65.2, "1m 05s")];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected);
        }
        for (seconds, expected) in
            [(3_599.9, "1h 00m"), (7_400.0, "2h 03m"), (273_700.0, "3d 04h"), (-1.0, "0.0s")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn no_text_steers_a_terminal() {
        let cases = [
            ("a\nb\tc\r\n", "a b c"),
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("ü😀", "ü😀"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn lines_fit_their_width() {
        assert_eq!(clip("wörter", 6), "wörter");
        assert_eq!(clip("wörterbuch", 6), "wörte…");
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(wrap("one two three four five", 24, "    "), ["    one two three four", "    five"]);
        assert_eq!(wrap(&"x".repeat(25), 20, ""), ["x".repeat(20), "x".repeat(5)]);
        assert_eq!(wrap("a\n\nb", 80, "  "), ["  a", "  ", "  b"]);
    }
}
