//! What a `sql` step produces.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::connect::KeptFile;
use crate::connect::postgres::{Notice, StatementResult};

/// The fields of the output, as `steps.<id>.<field>`; `row` and `value` are derived from `rows`.
pub(super) const FIELDS: &[&str] = &[
    "rows",
    "row",
    "value",
    "columns",
    "row_count",
    "affected",
    "statements",
    "warnings",
    "notices",
    "truncated",
    "file",
];

/// What the statements produced.
#[derive(Debug, Default, Serialize)]
pub struct SqlOutput {
    /// The names of the columns of the last result.
    pub columns: Vec<String>,
    /// The rows of the last result.
    pub rows: Vec<Map<String, Value>>,
    /// How many rows there were, kept or not.
    pub row_count: u64,
    /// How many rows the last changing statement affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// One entry a statement.
    pub statements: Vec<StatementOutput>,
    /// Warnings of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Other messages of the server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// Whether rows were counted but not kept.
    pub truncated: bool,
    /// The file that COPY wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileOutput>,
}

/// What one statement did.
#[derive(Debug, Serialize)]
pub struct StatementOutput {
    /// Its verb.
    pub verb: String,
    /// How many rows it returned.
    pub row_count: u64,
    /// How many rows it affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

/// A file that COPY wrote.
#[derive(Debug, Serialize)]
pub struct FileOutput {
    path: String,
    bytes: u64,
    sha256: String,
}

impl From<KeptFile> for FileOutput {
    fn from(kept: KeptFile) -> Self {
        Self { path: kept.path.display().to_string(), bytes: kept.bytes, sha256: kept.sha256 }
    }
}

impl SqlOutput {
    /// Adds the result of a statement.
    pub(super) fn add(&mut self, verb: &str, result: StatementResult, seconds: f64) {
        let StatementResult { columns, rows, row_count, affected, truncated, notices, .. } = result;
        self.statements.push(StatementOutput { verb: verb.to_owned(), row_count, affected, seconds });
        self.affected = affected.or(self.affected);
        self.take_notices(notices);
        if !columns.is_empty() {
            self.columns = distinct(columns.into_iter().map(|column| column.name));
            self.rows = rows.into_iter().map(|row| self.columns.iter().cloned().zip(row).collect()).collect();
            self.row_count = row_count;
            self.truncated = truncated;
        }
    }

    /// Sorts messages into warnings and notices.
    pub(super) fn take_notices(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            if notice.severity == "WARNING" { &mut self.warnings } else { &mut self.notices }
                .push(notice.message);
        }
    }
}

/// A row is a map, so a column name that repeats gets a number.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        let mut unique = name.clone();
        let mut number = 2;
        while seen.contains(&unique) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        seen.push(unique);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_column_names_keep_every_value() {
        let names = ["count", "count", "x", "count"].map(str::to_owned);
        assert_eq!(distinct(names.into_iter()), ["count", "count_2", "x", "count_3"]);
    }
}
