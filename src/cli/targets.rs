//! Where the connections of a runbook lead: what an environment says, or what psql would do.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::error::CliError;
use crate::connect::postgres::Address;
use crate::connect::{ConnectionConfig, Connections, Expect};
use crate::environment::{ConnectionEntry, Environment};
use crate::runbook::{ConnectionKind, ConnectionNeed, Runbook};

/// The connections of a run.
#[derive(Debug)]
pub(super) struct Targets {
    /// The environment's name of each connection that is present, by the runbook's.
    pub(super) names: BTreeMap<String, String>,
    /// The connections themselves; nothing is opened before its first use.
    pub(super) connections: Connections,
}

/// Decides where every connection leads.
pub(super) fn decide(
    runbook: &Runbook,
    environment: Option<(&str, &Environment)>,
    context: &Context,
) -> Result<Targets, CliError> {
    let configs = match environment {
        Some((name, environment)) => from_environment(runbook, name, environment, context)?,
        None => ambient(runbook)?,
    };
    for config in configs.values() {
        if let ConnectionConfig::Postgres { address, .. } = config
            && let Some(password) = &address.password
        {
            context.redactor.learn(password.expose());
        }
    }
    let names = configs.keys().map(|name| (name.clone(), name.clone())).collect();
    Ok(Targets { names, connections: Connections::new(configs, context.process.clone()) })
}

/// The names alone, for a plan that opens nothing.
pub(super) fn names(runbook: &Runbook, environment: Option<&Environment>) -> BTreeMap<String, String> {
    let present = |name: &&String| environment.is_none_or(|has| has.connections.contains_key(*name));
    runbook.connections.keys().filter(present).map(|name| (name.clone(), name.clone())).collect()
}

fn from_environment(
    runbook: &Runbook,
    environment_name: &str,
    environment: &Environment,
    context: &Context,
) -> Result<BTreeMap<String, ConnectionConfig>, CliError> {
    let mut configs = BTreeMap::new();
    let mut problems = Vec::new();
    let mut help = None;
    for (name, need) in &runbook.connections {
        match environment.connections.get(name) {
            None if need.optional => {}
            None => problems.push(format!("`{name}` ({}) is missing", need.kind_name())),
            Some(entry) if !fits(entry, need) => {
                problems.push(format!("`{name}` is not a {} connection", need.kind_name()));
            }
            Some(entry) => match entry.config(name, &environment.connections, &context.process) {
                Ok(config) => drop(configs.insert(name.clone(), config)),
                Err(failure) => {
                    problems.push(failure.message);
                    help = help.or(failure.help);
                }
            },
        }
    }
    if problems.is_empty() {
        return Ok(configs);
    }
    let mut error = CliError::new(format!(
        "the environment `{environment_name}` does not have what `{}` talks to",
        runbook.name
    ));
    error.details = problems;
    Err(error.help(help.unwrap_or_else(|| "Add it under the environment's `connections:`.".to_owned())))
}

fn fits(entry: &ConnectionEntry, need: &ConnectionNeed) -> bool {
    matches!(
        (entry, &need.kind),
        (ConnectionEntry::Postgres(_), ConnectionKind::Postgres(_))
            | (ConnectionEntry::Host(_), ConnectionKind::Host)
            | (ConnectionEntry::Kubernetes(_), ConnectionKind::Kubernetes)
    )
}

/// With one connection libpq's own ways, or kubectl's; with several nobody could say which is which.
fn ambient(runbook: &Runbook) -> Result<BTreeMap<String, ConnectionConfig>, CliError> {
    let remote = runbook.connections.iter().filter(|(_, need)| !matches!(need.kind, ConnectionKind::Host));
    let (names, kinds): (Vec<&str>, BTreeSet<&str>) =
        remote.map(|(name, need)| (name.as_str(), need.kind_name())).unzip();
    if names.len() > 1 {
        let what = match kinds.first() {
            Some(&"postgres") if kinds.len() == 1 => "databases",
            Some(_) if kinds.len() == 1 => "clusters",
            _ => "targets",
        };
        let message =
            format!("`{}` talks to {} {what}, so it needs an environment", runbook.name, names.len());
        return Err(CliError::new(message)
            .detail(format!("its connections: {}", names.join(", ")))
            .help("Describe them in a runbook.yaml, and name the environment with --env."));
    }
    let config = |need: &ConnectionNeed| match need.kind {
        ConnectionKind::Postgres(_) => ConnectionConfig::Postgres {
            address: Box::new(Address { ambient: true, ..Address::default() }),
            expect: Expect::default(),
            via: None,
        },
        ConnectionKind::Host => ConnectionConfig::LocalHost,
        ConnectionKind::Kubernetes => ConnectionConfig::Kubernetes(Box::default()),
    };
    Ok(runbook.connections.iter().map(|(name, need)| (name.clone(), config(need))).collect())
}
