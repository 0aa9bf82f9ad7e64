//! [`ExecSpec`]: the body as written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::step::program::{Parse, only_zero};
use crate::step::templated::Text;

/// A program and its arguments, given as a list and never passed to a shell.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step) struct ExecSpec {
    /// The host to run on: a connection of kind `host`; the machine this runs on by default.
    pub(super) on: Option<String>,
    /// The program and its arguments. In a pod they are seen in audit logs.
    pub(super) command: Vec<Text>,
    /// What the program reads from its standard input.
    pub(super) stdin: Option<Text>,
    /// A file that the program reads as its standard input, relative to `--files`.
    pub(super) stdin_file: Option<Text>,
    /// A file that takes the program's standard output, relative to `--files`.
    pub(super) stdout_file: Option<Text>,
    /// Another program, perhaps on another host, that reads the program's standard output.
    pub(super) stdout_to: Option<ReaderSpec>,
    /// Whether `stdout_file` may replace an existing file.
    #[serde(default)]
    pub(super) overwrite: bool,
    /// A postgres connection whose address and password the program gets, as libpq expects them.
    pub(super) postgres: Option<String>,
    /// More environment variables.
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
    /// How standard output becomes data.
    #[serde(default)]
    pub(super) parse: Parse,
    /// The exit codes that mean success.
    #[serde(default = "only_zero")]
    pub(super) exit_codes: Vec<i32>,
}

/// A program that reads what another one writes. It sees the end only once that one has succeeded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step) struct ReaderSpec {
    /// The host to run on: a connection of kind `host`; the machine this runs on by default.
    pub(super) on: Option<String>,
    /// The program and its arguments.
    pub(super) command: Vec<Text>,
    /// A postgres connection whose address and password the program gets, as libpq expects them.
    pub(super) postgres: Option<String>,
    /// More environment variables.
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
    /// The exit codes that mean success.
    #[serde(default = "only_zero")]
    pub(super) exit_codes: Vec<i32>,
}

/// What either says about its program.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) on: Option<&'a str>,
    pub(super) command: &'a [Text],
    pub(super) postgres: Option<&'a str>,
    pub(super) env: &'a IndexMap<String, Text>,
    pub(super) exit_codes: &'a [i32],
}

impl ExecSpec {
    /// Its own program.
    pub(super) fn program(&self) -> Written<'_> {
        let Self { on, command, postgres, env, exit_codes, .. } = self;
        Written { on: on.as_deref(), command, postgres: postgres.as_deref(), env, exit_codes }
    }

    /// The program, and the one that reads what it writes.
    pub(super) fn programs(&self) -> impl Iterator<Item = Written<'_>> {
        std::iter::once(self.program()).chain(self.stdout_to.iter().map(ReaderSpec::program))
    }
}

impl ReaderSpec {
    /// Its program.
    pub(super) fn program(&self) -> Written<'_> {
        let Self { on, command, postgres, env, exit_codes } = self;
        Written { on: on.as_deref(), command, postgres: postgres.as_deref(), env, exit_codes }
    }
}
