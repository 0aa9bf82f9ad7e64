//! What a program leaves, wherever it runs: its output as text and as data, its exit code, a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::Ended;
use crate::connect::KeptFile;
use crate::model::{Applied, Failure};
use crate::step::error::StepError;

/// How much of a program's output is kept in memory; the rest is counted, and `stdout_file` keeps all of it.
const CAPTURE: usize = 1 << 20;

/// The exit codes that mean success where none are written.
pub(in crate::step) fn only_zero() -> Vec<i32> {
    vec![0]
}

/// How standard output becomes data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::step) enum Parse {
    /// One text, in `stdout`.
    #[default]
    Text,
    /// A list of lines, in `rows`.
    Lines,
    /// One JSON value, in `rows`.
    Json,
    /// Tab-separated values with a header line, in `rows`.
    Tsv,
}

/// What the program left.
#[derive(Debug, Serialize)]
pub(in crate::step) struct ProgramOutput {
    stdout: String,
    stderr: String,
    exit_code: i32,
    #[serde(skip_serializing_if = "Value::is_null")]
    rows: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileOutput>,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<ReaderOutput>,
}

/// What the program left that read another one's output.
#[derive(Debug, Serialize)]
struct ReaderOutput {
    stdout: String,
    stderr: String,
    exit_code: i32,
}

#[derive(Debug, Serialize)]
struct FileOutput {
    path: String,
    bytes: u64,
    sha256: String,
}

impl From<KeptFile> for FileOutput {
    fn from(kept: KeptFile) -> Self {
        Self { path: kept.path.display().to_string(), bytes: kept.bytes, sha256: kept.sha256 }
    }
}

/// A word as a shell would need it quoted: for people, never for a shell.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A command as a shell would need it: for people, never for a shell.
pub(in crate::step) fn command_line(command: &[String]) -> String {
    command.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")
}

impl ProgramOutput {
    /// What a program that succeeded left, its output read as data.
    pub(super) fn new(
        ended: Ended,
        stdout: Captured,
        how: Parse,
        file: Option<KeptFile>,
    ) -> Result<Self, StepError> {
        Ok(Self {
            rows: parse(how, &stdout.text)?,
            stdout: stdout.text,
            stderr: ended.stderr.text,
            exit_code: ended.exit_code,
            file: file.map(FileOutput::from),
            truncated: stdout.truncated || ended.stderr.truncated,
            to: None,
        })
    }

    /// What two programs left of which the second read what the first wrote.
    pub(in crate::step) fn of_two(first: Ended, second: Ended, stdout: Captured) -> Self {
        let truncated = first.stderr.truncated || second.stderr.truncated || stdout.truncated;
        Self {
            stdout: String::new(),
            stderr: first.stderr.text,
            exit_code: first.exit_code,
            rows: Value::Null,
            file: None,
            truncated,
            to: Some(ReaderOutput {
                stdout: stdout.text,
                stderr: second.stderr.text,
                exit_code: second.exit_code,
            }),
        }
    }
}

/// The beginning of a stream, and whether there was more.
#[derive(Debug, Default)]
pub(in crate::step) struct Captured {
    pub(super) text: String,
    truncated: bool,
}

impl Captured {
    /// Reads a stream to its end, and keeps its beginning.
    pub(in crate::step) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Self> {
        let (mut kept, mut truncated) = (Vec::new(), false);
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                break;
            }
            let room = CAPTURE.saturating_sub(kept.len()).min(count);
            truncated |= room < count;
            kept.extend_from_slice(&chunk[..room]);
        }
        Ok(Self { text: String::from_utf8_lossy(&kept).into_owned(), truncated })
    }
}

fn parse(how: Parse, stdout: &str) -> Result<Value, StepError> {
    Ok(match how {
        Parse::Text => Value::Null,
        Parse::Lines => stdout.lines().map(Value::from).collect(),
        Parse::Json => serde_json::from_str(stdout).map_err(|error| {
            StepError::Failed(
                Failure::new(format!("standard output is not JSON: {error}")).applied(Applied::Yes),
            )
        })?,
        Parse::Tsv => tsv(stdout),
    })
}

fn tsv(stdout: &str) -> Value {
    let mut lines = stdout.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .map(|line| {
            let row =
                header.iter().zip(line.split('\t')).map(|(name, cell)| ((*name).to_owned(), json!(cell)));
            Value::Object(row.collect())
        })
        .collect()
}
