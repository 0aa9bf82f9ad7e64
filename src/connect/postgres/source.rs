//! [`Address`]: what a person said about a connection, before anything is looked up.

use std::collections::BTreeMap;

use crate::model::Secret;

/// Where the address of a server comes from.
#[derive(Debug, Clone, Default)]
pub struct Address {
    /// A URI (`postgresql://…`), a `key=value` string, or a bare database name.
    pub dsn: Option<String>,
    /// Single settings by libpq's names (`host`, `port`, `user`, `dbname`, `sslmode` …); they beat the dsn.
    pub fields: BTreeMap<String, String>,
    /// The password; it beats every other source.
    pub password: Option<Secret>,
    /// Whether libpq's environment, default files and defaults may fill gaps. An explicit `service` or `passfile`
    /// and the files it names are honoured either way.
    pub ambient: bool,
}
