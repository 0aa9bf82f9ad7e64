//! `b64encode`, `b64decode`, `sha256`, `scram_verifier`, `to_json`, `from_json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use postgres_protocol::password::scram_sha_256;
use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use sha2::{Digest as _, Sha256};

use crate::template::error::{Fault, Problem};
use crate::template::value::{from_json, kind_name, to_json};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment
        .add_filter("b64encode", |value: Value| Ok::<_, Error>(STANDARD.encode(text(&value, "b64encode")?)));
    environment.add_filter("b64decode", |value: Value| Ok::<_, Error>(decode(text(&value, "b64decode")?)?));
    environment.add_filter("sha256", |value: Value| Ok::<_, Error>(hexadecimal(text(&value, "sha256")?)));
    environment.add_filter("scram_verifier", |value: Value| {
        Ok::<_, Error>(scram_sha_256(text(&value, "scram_verifier")?.as_bytes()))
    });
    environment.add_filter("to_json", write);
    environment.add_filter("from_json", |value: Value| Ok::<_, Error>(read(text(&value, "from_json")?)?));
}

/// The text a filter needs; the value itself is never shown, since it may be a password.
pub(super) fn text<'v>(value: &'v Value, filter: &str) -> Result<&'v str, Fault> {
    value
        .as_str()
        .ok_or_else(|| Fault::new(Problem::Type, format!("`{filter}` takes text, not {}", kind_name(value))))
}

fn decode(text: &str) -> Result<String, Fault> {
    let compact: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| Fault::new(Problem::Filter, "this is not base64"))?;
    String::from_utf8(bytes).map_err(|_| Fault::new(Problem::Filter, "what is encoded here is not text"))
}

fn hexadecimal(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn write(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let json = to_json(value)?;
    let Some(indent) = indent.filter(|indent| *indent > 0) else { return Ok(json.to_string()) };
    let spaces = " ".repeat(indent.min(16));
    let mut out = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(spaces.as_bytes()));
    let written = json.serialize(&mut serializer).map_err(|error| error.to_string());
    let text = written.and_then(|()| String::from_utf8(out).map_err(|error| error.to_string()));
    text.map_err(|error| Fault::new(Problem::Filter, error).into())
}

fn read(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text)
        .map(|json| from_json(&json))
        .map_err(|error| Fault::new(Problem::Filter, format!("this is not JSON: {error}")))
}
