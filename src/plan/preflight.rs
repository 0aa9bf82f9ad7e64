//! Before the first step: every target is reached, proven to be the expected one, and has what the runbook demands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::connect::kubernetes::{Access, Lacking};
use crate::connect::postgres::{self, Identity, ResultLimits, Session};
use crate::connect::{Connections, Purpose, SessionKey};
use crate::model::Failure;
use crate::runbook::{ConnectionKind, PostgresNeeds, Runbook, StepBody, parse_version};

/// What is known of a target.
#[derive(Debug, Clone)]
pub struct TargetFacts {
    /// The connection's name in the runbook.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Where it leads, for people.
    pub target: String,
    /// What templates read as `connections.<name>`, and what the run is pinned to.
    pub facts: Value,
}

/// What the preflight found.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    /// The targets, in the order the runbook declares them.
    pub targets: Vec<TargetFacts>,
    /// What stands in the way.
    pub problems: Vec<Failure>,
}

impl Preflight {
    /// Facts by the environment's name of each connection.
    pub fn by_connection(&self, names: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
        let facts = |target: &TargetFacts| Some((names.get(&target.name)?.clone(), target.facts.clone()));
        self.targets.iter().filter_map(facts).collect()
    }
}

/// Reaches every target of a runbook. `names` has the environment's name of each connection that is present.
pub async fn preflight(
    runbook: &Runbook,
    names: &BTreeMap<String, String>,
    connections: &Connections,
    purpose: Purpose,
) -> Preflight {
    let mut preflight = Preflight::default();
    for (name, need) in &runbook.connections {
        let Some(outer) = names.get(name) else {
            if !need.optional {
                preflight.problems.push(
                    Failure::new(format!("the environment has no connection `{name}`"))
                        .help("Add it to the environment's `connections:`."),
                );
            }
            continue;
        };
        let reached = match &need.kind {
            ConnectionKind::Postgres(demands) => {
                let lacking = lacking_on_the_way(name, outer, connections).await;
                if !lacking.is_empty() {
                    preflight.problems.extend(lacking);
                    continue;
                }
                let demands = demands_of(runbook, name, demands);
                reach(name, outer, &demands, connections, purpose).await
            }
            ConnectionKind::Kubernetes => {
                Box::pin(cluster(name, outer, connections)).await.map(|facts| (facts, Vec::new()))
            }
            ConnectionKind::Host => {
                Box::pin(host(name, outer, connections)).await.map(|facts| (facts, Vec::new()))
            }
        };
        match reached {
            Ok((facts, problems)) => {
                preflight.targets.push(facts);
                preflight.problems.extend(problems);
            }
            Err(failure) => preflight.problems.push(failure),
        }
    }
    preflight
}

async fn host(name: &str, outer: &str, connections: &Connections) -> Result<TargetFacts, Failure> {
    let target = connections.describe_host(outer).await?;
    Ok(TargetFacts { name: name.to_owned(), kind: "host", target, facts: Value::Null })
}

async fn cluster(name: &str, outer: &str, connections: &Connections) -> Result<TargetFacts, Failure> {
    let cluster = connections.cluster(outer, Access::Read).await?;
    let identity = cluster.identity().await.map_err(|error| error.failure("reach the cluster"))?;
    Ok(TargetFacts {
        name: name.to_owned(),
        kind: "kubernetes",
        target: format!("{}, Kubernetes {}", cluster.describe(), identity.version),
        facts: json!({
            "context": cluster.context(),
            "server": cluster.server(),
            "namespace": cluster.namespace(),
            "version": identity.version,
            "uid": identity.uid,
        }),
    })
}

/// What the runbook demands of a connection, and what the runbooks it includes demand.
fn demands_of<'a>(runbook: &'a Runbook, name: &str, own: &'a PostgresNeeds) -> Vec<&'a PostgresNeeds> {
    let mut demands = vec![own];
    for step in &runbook.steps {
        let StepBody::Include(include) = &step.body else { continue };
        for (inner, need) in &include.runbook.connections {
            let outer = include.connections.get(inner).unwrap_or(inner);
            if outer == name
                && let ConnectionKind::Postgres(needs) = &need.kind
            {
                demands.extend(demands_of(&include.runbook, inner, needs));
            }
        }
    }
    demands
}

/// The rights that a connection through a pod needs and the account has not. What cannot be asked is left to the
/// connection itself.
async fn lacking_on_the_way(name: &str, outer: &str, connections: &Connections) -> Vec<Failure> {
    let Ok(Some(tunnel)) = connections.tunnel(outer).await else { return Vec::new() };
    let lacking = tunnel.lacking().await;
    let failure = |lacking: &Lacking| {
        let missing = lacking.describe(&[lacking.verb]);
        Failure::new(format!("`{name}`, which is reached through a pod: {missing}"))
    };
    lacking.iter().map(failure).collect()
}

async fn reach(
    name: &str,
    outer: &str,
    demands: &[&PostgresNeeds],
    connections: &Connections,
    purpose: Purpose,
) -> Result<(TargetFacts, Vec<Failure>), Failure> {
    let target = connections.reachable_target(outer).await?;
    let application_name = "runbook:preflight";
    let mut lent = connections.lend(&SessionKey::of(outer, purpose), None, application_name).await?;
    let lost = |error: postgres::QueryError| Failure::new(error.to_string());
    let identity = postgres::identity(&mut lent.session).await.map_err(lost)?;
    let mut problems = Vec::new();
    for demands in demands {
        problems.extend(unmet(name, demands, &identity, &mut lent.session).await.map_err(lost)?);
    }
    connections.give_back(lent);
    let facts = TargetFacts {
        name: name.to_owned(),
        kind: "postgres",
        target: describe(&target.describe(), &identity),
        facts: facts(&identity, target.hosts.first().map(ToString::to_string)),
    };
    Ok((facts, problems))
}

fn describe(target: &str, identity: &Identity) -> String {
    let kind = if identity.standby { ", a standby" } else { "" };
    format!("{target}, PostgreSQL {}{kind}", identity.version)
}

fn facts(identity: &Identity, host: Option<String>) -> Value {
    json!({
        "database": identity.database,
        "user": identity.user,
        "host": identity.host.clone().or(host),
        "version_num": identity.version_num,
        "standby": identity.standby,
        "system_identifier": identity.system_identifier,
    })
}

async fn unmet(
    name: &str,
    demands: &PostgresNeeds,
    identity: &Identity,
    session: &mut Session,
) -> Result<Vec<Failure>, postgres::QueryError> {
    let mut problems = Vec::new();
    let mut problem = |message: String, help: String| problems.push(Failure::new(message).help(help));
    if let Some(text) = &demands.version
        && let Ok(bounds) = parse_version(text)
        && !bounds.iter().all(|bound| bound.holds(identity.version_num))
    {
        let message = format!("`{name}` is PostgreSQL {}, and the runbook needs {text}", identity.version);
        problem(message, "Use a runbook for this version, or another server.".to_owned());
    }
    if let Some(primary) = demands.primary
        && primary == identity.standby
    {
        let (is, needs) = if primary { ("a standby", "a primary") } else { ("a primary", "a standby") };
        problem(
            format!("`{name}` is {is}, and the runbook needs {needs}"),
            "Connect to another server.".to_owned(),
        );
    }
    if !identity.superuser {
        let missing = postgres::missing_roles(session, &demands.roles).await?;
        for role in missing {
            let help = format!("GRANT {role} TO {};", identity.user);
            problem(format!("`{}` is not a member of `{role}`", identity.user), help);
        }
        let none = postgres::missing_roles(session, &demands.any_role).await?;
        if !demands.any_role.is_empty() && none.len() == demands.any_role.len() {
            let roles = demands.any_role.join("`, `");
            let help = format!("GRANT {} TO {};", demands.any_role[0], identity.user);
            problem(format!("`{}` is a member of none of `{roles}`", identity.user), help);
        }
    }
    let mut rights = Vec::new();
    for right in &demands.rights {
        rights.extend(missing_right(right, identity, session).await?);
    }
    if !demands.extensions.is_empty() {
        let installed = postgres::extensions(session).await?;
        for extension in
            demands.extensions.iter().filter(|name| !installed.iter().any(|known| known.name == **name))
        {
            let message = format!("the extension `{extension}` is not installed in `{}`", identity.database);
            problem(message, format!("CREATE EXTENSION {extension};"));
        }
    }
    problems.extend(rights);
    Ok(problems)
}

/// Asks for one right, written `PRIVILEGE ON object`; `FUNCTION`, `SCHEMA` or `DATABASE` may stand before the object.
async fn missing_right(
    right: &str,
    identity: &Identity,
    session: &mut Session,
) -> Result<Option<Failure>, postgres::QueryError> {
    let Some((privilege, object)) = right.split_once(" ON ") else {
        let failure = Failure::new(format!("`{right}` is not a right"));
        return Ok(Some(failure.help("Write `PRIVILEGE ON object`, such as `SELECT ON public.orders`.")));
    };
    let (asks, object) = match object.trim().split_once(' ') {
        Some(("FUNCTION", name)) => ("has_function_privilege", name),
        Some(("SCHEMA", name)) => ("has_schema_privilege", name),
        Some(("DATABASE", name)) => ("has_database_privilege", name),
        Some(("TABLE", name)) => ("has_table_privilege", name),
        _ => ("has_table_privilege", object),
    };
    let statement = format!("SELECT pg_catalog.{asks}($1::text, $2::text)");
    let arguments = [Value::from(object.trim()), Value::from(privilege.trim())];
    let held = match session.run_with(&statement, &arguments, &ResultLimits::default()).await {
        Ok(result) => result.rows.first().and_then(|row| row.first()) == Some(&Value::Bool(true)),
        Err(error) => {
            let Some(server) = error.server() else { return Err(error) };
            return Ok(Some(Failure::new(format!(
                "the right `{right}` cannot be asked for: {}",
                server.message
            ))));
        }
    };
    let missing = || Failure::new(format!("`{}` has not the right `{right}`", identity.user));
    Ok((!held).then(|| missing().help(format!("GRANT {right} TO {};", identity.user))))
}
