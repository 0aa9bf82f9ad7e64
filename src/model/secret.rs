//! [`Secret`]: a text that is never printed, and [`Redactor`], which every writer passes.

use std::fmt;
use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// A text that never shows itself: its `Debug` form is `«secret»`, it has no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Redactor::MASK)
    }
}

/// Replaces every known secret, in each form it may take, by a mask.
///
/// Clones share their secrets, so a secret learned in the middle of a run is masked by every writer at once.
#[derive(Clone, Default)]
pub struct Redactor {
    forms: Arc<RwLock<Vec<String>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// What stands in place of a secret.
    pub const MASK: &'static str = "«secret»";

    /// A redactor that knows no secrets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a secret and the forms in which it may appear: as it is, base64, URL, JSON and SQL.
    pub fn learn(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let json = serde_json::Value::from(secret).to_string();
        let mut found = vec![
            secret.to_owned(),
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            percent_encode(secret),
            json[1..json.len() - 1].to_owned(),
            secret.replace('\'', "''"),
            secret.replace('\\', "\\\\").replace('\'', "''"),
        ];
        if let Ok(mut forms) = self.forms.write() {
            forms.append(&mut found);
            // Longest first, so that a form that contains another is replaced whole.
            forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            forms.dedup();
        }
    }

    /// The text with every secret masked.
    pub fn redact(&self, text: &str) -> String {
        let Ok(forms) = self.forms.read() else { return Self::MASK.to_owned() };
        let mut clean = text.to_owned();
        for form in forms.iter().filter(|form| text.contains(form.as_str())) {
            clean = clean.replace(form.as_str(), Self::MASK);
        }
        clean
    }

    /// Whether the text holds a secret.
    pub fn finds(&self, text: &str) -> bool {
        self.forms.read().is_ok_and(|forms| forms.iter().any(|form| text.contains(form.as_str())))
    }

    /// How many bytes of the text can be redacted and written now without cutting a secret in two: what follows
    /// them may be the beginning of a secret whose end is still to come.
    pub fn safe_prefix(&self, text: &str) -> usize {
        let Ok(forms) = self.forms.read() else { return text.len() };
        let mut cut = text.len();
        for form in forms.iter() {
            // An inner border of a character is no place to cut, and an empty rest begins nothing.
            let earliest = text.len().saturating_sub(form.len().saturating_sub(1));
            let begins = |&at: &usize| text.is_char_boundary(at) && form.starts_with(&text[at..]);
            cut = (earliest..text.len()).find(begins).unwrap_or(cut).min(cut);
        }
        // A cut inside a complete secret moves to its beginning, which may lie inside another one.
        while let Some(start) = forms.iter().find_map(|form| straddling(text, form, cut)) {
            cut = start;
        }
        cut
    }

    /// The length in bytes of the longest form: how much a streaming writer must hold back at a chunk's end.
    pub fn longest(&self) -> usize {
        self.forms.read().map_or(0, |forms| forms.first().map_or(0, String::len))
    }
}

/// Where the form stands in the text such that `cut` would divide it.
fn straddling(text: &str, form: &str, cut: usize) -> Option<usize> {
    text.match_indices(form).map(|(start, _)| start).find(|&start| start < cut && cut < start + form.len())
}

fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let redactor = Redactor::new();
        redactor.learn("p'a\"ss wörd");
        for form in
            ["p'a\"ss wörd", "cCdhInNzIHfDtnJk", "p%27a%22ss%20w%C3%B6rd", "p'a\\\"ss wörd", "p''a\"ss wörd"]
        {
            assert_eq!(redactor.redact(&format!("<{form}>")), "<«secret»>");
        }
        assert_eq!(format!("{:?}", Secret::new("x")), "«secret»");
    }

    #[test]
    fn a_safe_prefix_never_cuts_a_secret_in_two() {
        let redactor = Redactor::new();
        assert_eq!(redactor.safe_prefix("anything"), 8);
        redactor.learn("hunter2");
        redactor.learn("r2d2");
        for (text, safe) in [
            ("a hun", 2),
            ("a hunter2", 2),
            ("a hunter2d", 2),
            ("a hunter2d.", 11),
            ("a hunter2 b", 11),
            ("é", 2),
            ("", 0),
        ] {
            assert_eq!(redactor.safe_prefix(text), safe, "{text}");
        }
    }
}
