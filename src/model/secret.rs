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

    /// The length in bytes of the longest form: how much a streaming writer must hold back at a chunk's end.
    pub fn longest(&self) -> usize {
        self.forms.read().map_or(0, |forms| forms.first().map_or(0, String::len))
    }
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
}
