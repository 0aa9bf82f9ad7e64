//! The body of a `sql` step: as written, checked, and bound.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{SqlInput, Wrapping};
use crate::connect::LoginProof;
use crate::connect::postgres::authentication_methods;
use crate::diagnostic::{Code, Severity};
use crate::model::{Class, Secret};
use crate::sql::{CopyDirection, Statement, Transaction, quote_ident, quote_literal};
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::kind::{Anchor, CheckContext};
use crate::step::templated::{Problem, Seconds, SqlText, Templated, Text};

/// How many rows of a result are kept when `max_rows` does not say.
const MAX_ROWS: usize = 10_000;

/// SQL statements and how to run them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlSpec {
    /// The statements. `{{ x }}` becomes one literal, `{{ x | ident }}` an identifier, `{{ x | relation }}` a table.
    pub query: Option<SqlText>,
    /// A file beside the runbook that holds the statements.
    pub file: Option<String>,
    /// The values of `$1`, `$2` and so on.
    #[serde(default)]
    pub args: Vec<Templated>,
    /// The connection; `defaults.connection`, or the only one, when absent.
    pub connection: Option<String>,
    /// Another database on the same server.
    pub database: Option<Text>,
    /// Run as this role, by `SET ROLE`.
    pub role: Option<Text>,
    /// Run in a fresh session that logs in as somebody else.
    pub login: Option<Login>,
    /// Whether the statements run in one transaction: `auto`, `always` or `never`.
    #[serde(default)]
    pub transaction: TransactionMode,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Seconds>,
    /// How long a statement may take.
    pub statement_timeout: Option<Seconds>,
    /// The schemas in which unqualified names are looked up.
    pub search_path: Option<SearchPath>,
    /// Other settings of the session while the step runs.
    #[serde(default)]
    pub settings: IndexMap<String, Templated>,
    /// How many rows are kept; the rest is counted.
    pub max_rows: Option<usize>,
    /// The SQLSTATE that means success.
    pub expect_error: Option<String>,
    /// The file that `COPY … FROM STDIN` reads, relative to `--files`.
    pub stdin_file: Option<Text>,
    /// The file that `COPY … TO STDOUT` writes, relative to `--files`.
    pub stdout_file: Option<Text>,
    /// Whether `stdout_file` may replace an existing file.
    #[serde(default)]
    pub overwrite: bool,
    /// `skip`: a plan does not look at the server for this step.
    pub preview: Option<PreviewMode>,
}

/// Somebody else to log in as.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The role.
    pub user: Text,
    /// Its password.
    pub password: Text,
    /// The authentication method that the server must have used.
    pub require_auth: Option<String>,
}

/// Whether statements are wrapped in a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransactionMode {
    /// One transaction around a step that changes something, where its statements allow one.
    #[default]
    Auto,
    /// One transaction, also around reads.
    Always,
    /// None: each statement has its own intent and result.
    Never,
}

/// What a plan does with the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreviewMode {
    /// The plan does not look at the server for this step.
    Skip,
}

/// One schema or several.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum SearchPath {
    /// A comma-separated list.
    Text(String),
    /// A list.
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for SearchPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self::Text(text)),
            list @ serde_json::Value::Array(_) => {
                serde_json::from_value(list).map(Self::List).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("expected a schema or a list of schemas")),
        }
    }
}

impl SearchPath {
    fn to_sql(&self, source: &str) -> Result<String, BindError> {
        let names: Vec<&str> = match self {
            Self::Text(text) => text.split(',').map(str::trim).collect(),
            Self::List(list) => list.iter().map(String::as_str).collect(),
        };
        let quoted = names.into_iter().map(|name| ident(name, source)).collect::<Result<Vec<_>, _>>()?;
        Ok(quoted.join(", "))
    }
}

fn ident(name: &str, source: &str) -> Result<String, BindError> {
    quote_ident(name).map_err(|error| BindError {
        message: error.message,
        source: source.to_owned(),
        help: error.help,
    })
}

impl SqlSpec {
    /// The checked statements.
    pub fn statements(&self) -> &[Statement] {
        self.query.as_ref().map_or(&[], |query| &query.script.statements)
    }

    /// What the step does, judged from the file.
    pub fn class(&self) -> Class {
        self.query.as_ref().map_or_else(Class::default, |query| query.script.class())
    }

    /// The statement as written, or the verbs of several.
    pub fn summary(&self) -> String {
        const LONGEST: usize = 60;
        if let ([_], Some(query)) = (self.statements(), &self.query) {
            let line = query.source().split_whitespace().collect::<Vec<_>>().join(" ");
            return match line.char_indices().nth(LONGEST) {
                None => line,
                Some((end, _)) => format!("{}…", line[..end].trim_end()),
            };
        }
        let verbs: Vec<&str> = self.statements().iter().map(|statement| statement.verb.as_str()).collect();
        verbs.join("; ")
    }

    /// Reads `file`, and finds what the types alone cannot rule out.
    pub fn check(&mut self, cx: &mut CheckContext<'_>) {
        self.attach_file(cx);
        if self.query.is_none() {
            return;
        }
        self.check_transaction(cx);
        self.check_copy(cx);
        self.check_args(cx);
        if let Some(state) = &self.expect_error
            && !(state.len() == 5 && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()))
        {
            push(
                cx,
                "expect_error",
                Code::SQL_SQLSTATE,
                format!("`{state}` is not a SQLSTATE"),
                "A SQLSTATE is five digits or capital letters, such as `42P07`; quote it.",
            );
        }
    }

    fn attach_file(&mut self, cx: &mut CheckContext<'_>) {
        match (&self.query, &self.file) {
            (Some(_), Some(_)) => {
                push(
                    cx,
                    "file",
                    Code::SQL_SOURCE,
                    "`query` and `file` exclude each other".to_owned(),
                    "Keep one of the two.",
                );
            }
            (None, None) => cx.problems.push((
                Anchor::Body,
                problem(Code::SQL_SOURCE, "there is no SQL here".to_owned(), "Add `query:` or `file:`."),
            )),
            (Some(_), None) => {}
            (None, Some(file)) => match (cx.read_file)(file) {
                Ok(text) => self.query = Some(SqlText::parse(&text)),
                Err(failure) => {
                    let help = failure.help.unwrap_or_default();
                    push(cx, "file", Code::SQL_FILE, failure.message, &help);
                }
            },
        }
    }

    fn check_transaction(&self, cx: &mut CheckContext<'_>) {
        let forbidden = |statement: &&Statement| matches!(statement.transaction, Transaction::Forbidden(_));
        let Some(first) = self.statements().iter().find(forbidden) else { return };
        let mixed = self.statements().len() > 1;
        let help = "Split the step, or say `transaction: never`: then each statement stands alone.";
        match self.transaction {
            TransactionMode::Always => push(
                cx,
                "transaction",
                Code::SQL_MIXED_TRANSACTION,
                format!("`{}` cannot run inside a transaction", first.verb),
                "Remove `transaction: always`.",
            ),
            TransactionMode::Auto if mixed => {
                let mut found = problem(
                    Code::SQL_MIXED_TRANSACTION,
                    format!(
                        "`{}` cannot run inside a transaction, and other statements stand beside it",
                        first.verb
                    ),
                    help,
                );
                found.range = Some(first.range.clone());
                cx.problems.push((Anchor::Scalar(self.query_source()), found));
            }
            _ => {}
        }
    }

    fn check_copy(&self, cx: &mut CheckContext<'_>) {
        let direction = |wanted| self.statements().iter().any(|statement| statement.copy == Some(wanted));
        let (reads, writes) = (direction(CopyDirection::FromStdin), direction(CopyDirection::ToStdout));
        let mut complain = |message: &str, help: &str| {
            cx.problems.push((Anchor::Body, problem(Code::SQL_COPY, message.to_owned(), help)));
        };
        if (reads || writes) && self.statements().len() > 1 {
            complain("COPY from or to the client stands alone in its step", "Give it a step of its own.");
        }
        match (reads, self.stdin_file.is_some()) {
            (true, false) => complain("COPY … FROM STDIN has nothing to read", "Add `stdin_file:`."),
            (false, true) => complain("no statement reads `stdin_file`", "Use it with `COPY … FROM STDIN`."),
            _ => {}
        }
        match (writes, self.stdout_file.is_some()) {
            (true, false) => complain("COPY … TO STDOUT has nowhere to go", "Add `stdout_file:`."),
            (false, true) => complain("no statement writes `stdout_file`", "Use it with `COPY … TO STDOUT`."),
            _ => {}
        }
    }

    fn check_args(&self, cx: &mut CheckContext<'_>) {
        let used = self.statements().iter().map(|statement| statement.parameters).max().unwrap_or(0);
        let given = self.args.len();
        if used == given && (used == 0 || self.statements().iter().all(|statement| statement.prepared)) {
            return;
        }
        let (message, help) = if used == given {
            let verb = self.statements().iter().find(|statement| !statement.prepared).map_or("", |s| &s.verb);
            (
                format!("`{verb}` takes no parameters"),
                "Use a `{{ … }}` hole with `ident`, `relation` or as a literal.",
            )
        } else {
            (
                format!("the SQL uses {used} parameters and `args` gives {given}"),
                "Give one value for each `$n`.",
            )
        };
        let anchor = if given == 0 { Anchor::Body } else { Anchor::Key("args") };
        cx.problems.push((anchor, problem(Code::SQL_ARGS, message, help)));
    }

    fn query_source(&self) -> String {
        self.query.as_ref().map(|query| query.source().to_owned()).unwrap_or_default()
    }

    /// Renders the body.
    pub fn bind(&self, binder: &Binder<'_>) -> Result<SqlInput, BindError> {
        let statements = match &self.query {
            Some(query) => binder.sql(query)?,
            None => Vec::new(),
        };
        let wrapping = self.wrapping(&statements);
        Ok(SqlInput {
            connection: binder.connection(self.connection.as_deref())?,
            statements,
            args: self.args.iter().map(|value| binder.json(value)).collect::<Result<_, _>>()?,
            database: binder.maybe_text(self.database.as_ref())?,
            role: binder.maybe_text(self.role.as_ref())?,
            login: self.login.as_ref().map(|login| login.bind(binder)).transpose()?,
            transaction: wrapping,
            settings: self.bind_settings(binder)?,
            statement_timeout: binder
                .maybe_seconds(self.statement_timeout.as_ref().or(binder.statement_timeout))?
                .map(|s| s * 1000.0),
            max_rows: self.max_rows.unwrap_or(MAX_ROWS),
            expect_error: self.expect_error.clone(),
            stdin_file: binder.maybe_text(self.stdin_file.as_ref())?,
            stdout_file: binder.maybe_text(self.stdout_file.as_ref())?,
            overwrite: self.overwrite,
            skip_preview: self.preview == Some(PreviewMode::Skip),
        })
    }

    fn wrapping(&self, statements: &[Statement]) -> Wrapping {
        let allowed = statements.iter().all(|statement| statement.transaction == Transaction::Allowed);
        let changes = statements.iter().any(|statement| statement.class.effect > crate::model::Effect::Read);
        match self.transaction {
            TransactionMode::Always => Wrapping::One,
            TransactionMode::Auto if allowed && changes => Wrapping::One,
            _ => Wrapping::Each,
        }
    }

    fn bind_settings(&self, binder: &Binder<'_>) -> Result<BTreeMap<String, String>, BindError> {
        let mut settings = BTreeMap::new();
        for (name, value) in &self.settings {
            let value = match binder.json(value)? {
                serde_json::Value::String(text) => quote_literal(&text),
                number @ serde_json::Value::Number(_) => number.to_string(),
                serde_json::Value::Bool(true) => "on".to_owned(),
                serde_json::Value::Bool(false) => "off".to_owned(),
                other => {
                    return Err(BindError {
                        message: format!("setting `{name}` cannot be `{other}`"),
                        source: name.clone(),
                        help: Some("A setting is a text, a number or a boolean.".to_owned()),
                    });
                }
            };
            settings.insert(name.clone(), value);
        }
        if let Some(seconds) = binder.maybe_seconds(self.lock_timeout.as_ref().or(binder.lock_timeout))? {
            settings.insert("lock_timeout".to_owned(), milliseconds(seconds));
        }
        if let Some(path) = &self.search_path {
            settings.insert("search_path".to_owned(), path.to_sql("search_path")?);
        }
        Ok(settings)
    }
}

impl Login {
    /// Without `require_auth` any method will do that proves something: a server that trusts proves nothing.
    fn bind(&self, binder: &Binder<'_>) -> Result<(String, LoginProof), BindError> {
        let password = binder.text(&self.password)?;
        binder.redactor.learn(&password);
        let wanted = self.require_auth.as_deref().unwrap_or("!none");
        let methods = authentication_methods(wanted).map_err(|message| BindError {
            message: format!("`require_auth` cannot be `{wanted}`"),
            source: wanted.to_owned(),
            help: Some(message),
        })?;
        Ok((binder.text(&self.user)?, LoginProof { password: Secret::new(password), methods }))
    }
}

/// A duration as PostgreSQL's settings take it; below a millisecond it would mean "no limit", so it is one.
pub(super) fn milliseconds(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round();
    let at_least_one = if seconds > 0.0 { milliseconds.max(1.0) } else { 0.0 };
    format!("{at_least_one}")
}

fn problem(code: &'static Code, message: String, help: &str) -> Problem {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Problem { code, severity: Severity::Error, message, range: None, help }
}

fn push(cx: &mut CheckContext<'_>, key: &'static str, code: &'static Code, message: String, help: &str) {
    cx.problems.push((Anchor::Key(key), problem(code, message, help)));
}
