//! Text that comes from elsewhere, made fit for a terminal: without control characters, cut or wrapped to a width.

use console::measure_text_width;

/// The text without control characters: line feeds stay, tabs become spaces, escape sequences lose their teeth.
pub fn clean(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| *c == '\n' || !is_unsafe(*c)).collect()
}

/// The text on one line, runs of white space made one space.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text if it is not wider than `width` columns, else its beginning and an ellipsis.
pub fn fit(text: &str, width: usize, ellipsis: &str) -> String {
    console::truncate_str(text, width, ellipsis).into_owned()
}

/// The lines of a text, broken between words so that none is wider than `width`; a longer word stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    clean(text).trim_end().lines().flat_map(|line| wrap_line(line, width)).collect()
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    // The first word keeps the indentation of its line: it may be a query.
    let indent = line.len() - line.trim_start().len();
    let mut lines = vec![line[..indent].to_owned()];
    let mut empty = true;
    for word in line.split_whitespace() {
        let last = lines.last_mut().expect("starts with one line");
        if empty {
            last.push_str(word);
        } else if measure_text_width(last) + 1 + measure_text_width(word) <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        empty = false;
    }
    lines
}

/// Control characters, and the marks that reorder the text around them.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\r\n\tc\u{7}\u{202e}d"), "ab cd");
        assert_eq!(clean("one\ttwo\nthree\u{1b}"), "one two\nthree");
    }

    #[test]
    fn wrapping_keeps_words_and_indentation() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  SELECT 1\nunbreakable!", 6), ["  SELECT", "1", "unbreakable!"]);
        assert_eq!(wrap("", 10), Vec::<String>::new());
        assert_eq!(wrap("a\n\nb", 10), ["a", "", "b"]);
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(fit("abcdef", 4, "…"), "abc…");
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("abc", 3, "…"), "abc");
    }
}
