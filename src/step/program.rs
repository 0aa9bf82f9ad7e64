//! What a program leaves, wherever it runs: its output as text and as data, its exit code, a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::StepError;
use crate::connect::KeptFile;
use crate::model::{Applied, Failure};

/// How much of a program's output is kept in memory; the rest is counted, and `stdout_file` keeps all of it.
const CAPTURE: usize = 1 << 20;

/// The exit codes that mean success where none are written.
pub(super) fn only_zero() -> Vec<i32> {
    vec![0]
}

/// How standard output becomes data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Parse {
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
pub(super) struct ProgramOutput {
    stdout: String,
    stderr: String,
    pub(super) exit_code: i32,
    #[serde(skip_serializing_if = "Value::is_null")]
    rows: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileOutput>,
    truncated: bool,
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
pub(super) fn command_line(command: &[String]) -> String {
    command.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")
}

impl ProgramOutput {
    /// What an ended program left; its output is read as data where it succeeded.
    pub(super) fn new(
        exit_code: i32,
        stdout: Captured,
        stderr: Captured,
        how: Parse,
        file: Option<KeptFile>,
        success: bool,
    ) -> Result<Self, StepError> {
        let rows = if success { parse(how, &stdout.text)? } else { Value::Null };
        Ok(Self {
            stdout: stdout.text,
            stderr: stderr.text,
            exit_code,
            rows,
            file: file.map(FileOutput::from),
            truncated: stdout.truncated || stderr.truncated,
        })
    }

    /// The failure of a program that ended with an exit code that does not mean success.
    pub(super) fn failed_exit(&self, program: &str) -> Failure {
        let tail: Vec<String> = self.stderr.lines().rev().take(10).map(str::to_owned).collect();
        Failure {
            details: tail.into_iter().rev().collect(),
            ..Failure::new(format!("`{program}` ended with exit code {}", self.exit_code))
        }
        .applied(Applied::Unknown)
    }
}

/// The beginning of a stream, and whether there was more.
#[derive(Default)]
pub(super) struct Captured {
    text: String,
    truncated: bool,
}

impl Captured {
    /// Reads a stream to its end, and keeps its beginning.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Self> {
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
