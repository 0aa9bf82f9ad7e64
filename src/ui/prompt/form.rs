//! [`Form`]: an answer under way. Pure: keys in, lines and at last a value out.

use serde_json::Value;

use super::keyboard::Key;
use crate::connect::AnswerKind;
use crate::ui::style::{Style, Tone};
use crate::ui::text::{fit, one_line};

/// The choices on the screen at once; the others scroll.
const MOST_CHOICES: usize = 10;

/// An answer under way.
#[derive(Debug)]
pub(super) enum Form {
    /// Something typed.
    Line { kind: LineKind, text: String, complaint: Option<&'static str> },
    /// Something chosen.
    List {
        choices: Vec<(String, Value)>,
        chosen: Vec<bool>,
        many: bool,
        at: usize,
        complaint: Option<&'static str>,
    },
}

/// What a typed line means.
#[derive(Debug)]
pub(super) enum LineKind {
    YesNo { default: bool },
    Typed { expected: String },
    Text { secret: bool },
}

/// What a key led to.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// The answer is not complete.
    More,
    /// The answer, and how the screen repeats it.
    Answered(Value, String),
    /// Ctrl-C, or Ctrl-D on an empty line.
    Interrupted,
}

impl Form {
    pub(super) fn new(answer: &AnswerKind) -> Self {
        let line = |kind| Self::Line { kind, text: String::new(), complaint: None };
        match answer {
            AnswerKind::YesNo { default } => line(LineKind::YesNo { default: *default }),
            AnswerKind::Typed { text } => line(LineKind::Typed { expected: text.clone() }),
            AnswerKind::Text { secret } => line(LineKind::Text { secret: *secret }),
            AnswerKind::Choice { choices, many } => Self::List {
                choices: choices.clone(),
                chosen: vec![false; choices.len()],
                many: *many,
                at: 0,
                complaint: None,
            },
        }
    }

    /// Takes one key.
    pub(super) fn press(&mut self, key: Key) -> Progress {
        match (self, key) {
            (_, Key::Interrupt) => Progress::Interrupted,
            (Self::Line { kind, text, complaint }, key) => press_line(kind, text, complaint, key),
            (Self::List { choices, chosen, many, at, complaint }, key) => {
                *complaint = None;
                press_list(choices, chosen, *many, at, complaint, key)
            }
        }
    }

    /// The lines of the form; the cursor belongs behind the last one.
    pub(super) fn lines(&self, style: &Style, width: usize) -> Vec<String> {
        let lines = match self {
            Self::Line { kind, text, complaint } => line_lines(kind, text, *complaint, style, width),
            Self::List { choices, chosen, many, at, complaint } => {
                list_lines(choices, chosen, *many, *at, *complaint, style)
            }
        };
        lines.into_iter().map(|line| fit(&line, width.saturating_sub(1), style.ellipsis())).collect()
    }
}

fn press_line(
    kind: &LineKind,
    text: &mut String,
    complaint: &mut Option<&'static str>,
    key: Key,
) -> Progress {
    *complaint = None;
    match key {
        Key::EndOfInput if text.is_empty() => return Progress::Interrupted,
        Key::Char(c) => text.push(c),
        Key::Backspace => drop(text.pop()),
        Key::Clear => text.clear(),
        Key::Enter => match enter(kind, text) {
            Ok((value, words)) => return Progress::Answered(value, words),
            Err(why) => {
                *complaint = Some(why);
                text.clear();
            }
        },
        _ => {}
    }
    Progress::More
}

fn enter(kind: &LineKind, text: &str) -> Result<(Value, String), &'static str> {
    let yes_or_no = |yes: bool| (Value::Bool(yes), if yes { "yes" } else { "no" }.to_owned());
    match kind {
        LineKind::YesNo { default } => match text.trim().to_lowercase().as_str() {
            "" => Ok(yes_or_no(*default)),
            "y" | "yes" => Ok(yes_or_no(true)),
            "n" | "no" => Ok(yes_or_no(false)),
            _ => Err("please answer yes or no"),
        },
        LineKind::Typed { expected } if text.trim() == expected => Ok((Value::Bool(true), expected.clone())),
        LineKind::Typed { .. } => Ok((Value::Bool(false), "no: that is not the text".to_owned())),
        LineKind::Text { secret: true } => Ok((text.into(), "(not shown)".to_owned())),
        LineKind::Text { secret: false } => Ok((text.into(), one_line(text))),
    }
}

fn line_lines(
    kind: &LineKind,
    text: &str,
    complaint: Option<&'static str>,
    style: &Style,
    width: usize,
) -> Vec<String> {
    let hint = match kind {
        LineKind::YesNo { default: true } => "[Y/n]".to_owned(),
        LineKind::YesNo { default: false } => "[y/N]".to_owned(),
        LineKind::Typed { expected } => format!("type `{}` to go on:", one_line(expected)),
        LineKind::Text { secret: true } => "(not shown)".to_owned(),
        LineKind::Text { secret: false } => ">".to_owned(),
    };
    let hidden = matches!(kind, LineKind::Text { secret: true });
    let room = width.saturating_sub(console::measure_text_width(&hint) + 5);
    let typed = if hidden { String::new() } else { tail(text, room) };
    let mut lines: Vec<String> = complain(complaint, style).into_iter().collect();
    lines.push(format!("  {} {typed}", style.paint(Tone::Quiet, &hint)));
    lines
}

/// The end of a text: what is being typed stays in sight.
fn tail(text: &str, width: usize) -> String {
    let mut rest = text;
    while console::measure_text_width(rest) > width {
        let mut chars = rest.chars();
        chars.next();
        rest = chars.as_str();
    }
    rest.to_owned()
}

fn press_list(
    choices: &[(String, Value)],
    chosen: &mut [bool],
    many: bool,
    at: &mut usize,
    complaint: &mut Option<&'static str>,
    key: Key,
) -> Progress {
    let last = choices.len().saturating_sub(1);
    match key {
        Key::EndOfInput => return Progress::Interrupted,
        Key::Up | Key::Char('k') => *at = at.checked_sub(1).unwrap_or(last),
        Key::Down | Key::Char('j') => *at = if *at == last { 0 } else { *at + 1 },
        Key::Char(' ') if many => {
            if let Some(mark) = chosen.get_mut(*at) {
                *mark = !*mark;
            }
        }
        Key::Char('a') if many => {
            let all = chosen.iter().all(|mark| *mark);
            chosen.fill(!all);
        }
        Key::Enter if many => {
            let picked =
                || choices.iter().zip(chosen.iter()).filter(|(_, mark)| **mark).map(|(choice, _)| choice);
            let labels: Vec<String> = picked().map(|(label, _)| one_line(label)).collect();
            let words = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
            return Progress::Answered(picked().map(|(_, value)| value.clone()).collect(), words);
        }
        Key::Enter => match choices.get(*at) {
            Some((label, value)) => return Progress::Answered(value.clone(), one_line(label)),
            None => *complaint = Some("there is nothing to choose"),
        },
        _ => {}
    }
    Progress::More
}

fn list_lines(
    choices: &[(String, Value)],
    chosen: &[bool],
    many: bool,
    at: usize,
    complaint: Option<&'static str>,
    style: &Style,
) -> Vec<String> {
    let mut lines: Vec<String> = complain(complaint, style).into_iter().collect();
    let first = at.saturating_sub(MOST_CHOICES - 1);
    for (index, (label, _)) in choices.iter().enumerate().skip(first).take(MOST_CHOICES) {
        let here = index == at;
        let pointer = if here { ">" } else { " " };
        let tick = match (many, chosen.get(index)) {
            (true, Some(true)) => "[x] ",
            (true, _) => "[ ] ",
            (false, _) => "",
        };
        let text = format!("{pointer} {tick}{}", one_line(label));
        lines.push(format!("  {}", if here { style.paint(Tone::Active, &text) } else { text }));
    }
    let keys = if many { "space marks, a marks all, enter takes the marked ones" } else { "enter takes it" };
    let more = choices.len().saturating_sub(MOST_CHOICES);
    let more = if more > 0 { format!("; {} of {}", at + 1, choices.len()) } else { String::new() };
    lines.push(format!("  {} ", style.paint(Tone::Quiet, &format!("arrows move, {keys}{more}"))));
    lines
}

fn complain(complaint: Option<&'static str>, style: &Style) -> Option<String> {
    complaint.map(|text| format!("  {}", style.paint(Tone::Warning, text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Types a text; `\n` is Enter, `\u{7f}` Backspace, `\u{3}` Ctrl-C, `\u{4}` Ctrl-D.
    fn fill(answer: &AnswerKind, typed: &str) -> Progress {
        let mut form = Form::new(answer);
        let mut decoder = super::super::keyboard::Decoder::default();
        for key in decoder.feed(typed.as_bytes()) {
            match form.press(key) {
                Progress::More => {}
                end => return end,
            }
        }
        Progress::More
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better at each call")]
    fn check(answer: &AnswerKind, typed: &str, expected: Value) {
        match fill(answer, typed) {
            Progress::Answered(value, _) => assert_eq!(value, expected, "{typed:?}"),
            other => panic!("{typed:?}: {other:?}"),
        }
    }

    #[test]
    fn yes_and_no() {
        let no = AnswerKind::YesNo { default: false };
        check(&no, "\n", json!(false));
        check(&AnswerKind::YesNo { default: true }, "\n", json!(true));
        check(&no, "y\n", json!(true));
        check(&no, "YES\r", json!(true));
        check(&no, "maybe\ny\n", json!(true));
        check(&no, "n\u{7f}y\n", json!(true));
        assert_eq!(fill(&no, "y"), Progress::More, "a single key never answers");
        assert_eq!(fill(&no, "\u{3}"), Progress::Interrupted);
        assert_eq!(fill(&no, "\u{4}"), Progress::Interrupted);
    }

    #[test]
    fn the_wrong_text_is_a_no() {
        let typed = AnswerKind::Typed { text: "wms_db".to_owned() };
        check(&typed, "wms_db\n", json!(true));
        check(&typed, "wms_dv\u{7f}b\n", json!(true));
        check(&typed, "WMS_DB\n", json!(false));
        check(&typed, "\n", json!(false));
    }

    #[test]
    fn choices() {
        let choices = ["a", "b", "c"].map(|name| (name.to_owned(), json!({ "name": name }))).to_vec();
        let one = AnswerKind::Choice { choices: choices.clone(), many: false };
        check(&one, "\n", json!({ "name": "a" }));
        check(&one, "\u{1b}[B\n", json!({ "name": "b" }));
        check(&one, "\u{1b}[A\n", json!({ "name": "c" }));
        check(&one, "jjj\n", json!({ "name": "a" }));
        let many = AnswerKind::Choice { choices, many: true };
        check(&many, "\n", json!([]));
        check(&many, " j j\n", json!([{ "name": "a" }, { "name": "b" }]));
        check(&many, "a \n", json!([{ "name": "b" }, { "name": "c" }]));
        let nothing = AnswerKind::Choice { choices: vec![], many: false };
        assert_eq!(fill(&nothing, "\u{1b}[B\n"), Progress::More);
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = AnswerKind::Text { secret: true };
        check(&secret, "hünter2\u{7f}3\n", json!("hünter3"));
        let mut form = Form::new(&secret);
        form.press(Key::Char('x'));
        assert!(!form.lines(&Style::plain(), 80).join("").contains('x'));
        assert_eq!(form.press(Key::Enter), Progress::Answered(json!("x"), "(not shown)".to_owned()));
    }

    #[test]
    fn forms_look_like_this() {
        let mut form = Form::new(&AnswerKind::YesNo { default: false });
        "what".chars().map(Key::Char).for_each(|key| drop(form.press(key)));
        form.press(Key::Enter);
        form.press(Key::Char('y'));
        let mut text = form.lines(&Style::plain(), 80).join("\n");
        let choices = ["orders", "stock"].map(|name| (name.to_owned(), Value::Null)).to_vec();
        let mut form = Form::new(&AnswerKind::Choice { choices, many: true });
        form.press(Key::Down);
        form.press(Key::Char(' '));
        text += "\n\n";
        text += &form.lines(&Style::plain(), 80).join("\n");
        insta::assert_snapshot!(text, @"
        [y/N] y

          [ ] orders
        > [x] stock
        arrows move, space marks, a marks all, enter takes the marked ones
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let choices = vec![("long ".repeat(40), Value::Null); 30];
        for answer in [AnswerKind::Choice { choices, many: true }, AnswerKind::Text { secret: false }] {
            let mut form = Form::new(&answer);
            "kjjk typing a long text ".chars().for_each(|c| drop(form.press(Key::Char(c))));
            for width in [10, 40] {
                let lines = form.lines(&Style::plain(), width);
                assert!(lines.iter().all(|line| console::measure_text_width(line) < width), "{lines:?}");
            }
        }
    }
}
