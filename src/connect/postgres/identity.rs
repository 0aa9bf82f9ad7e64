//! [`Identity`]: which server, database and role a session really reached, and what the role may do.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::query_error::QueryError;
use super::session::Session;
use super::statement::ResultLimits;

/// Which server, database and role a session reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster's number, the same on its standbys; nothing when the role may not read it.
    pub system_identifier: Option<String>,
    /// The database.
    pub database: String,
    /// The role that logged in.
    pub user: String,
    /// The role in effect, after SET ROLE.
    pub current_user: String,
    /// The server's address as it sees itself; nothing over a Unix socket.
    pub host: Option<String>,
    /// Whether the server is in recovery.
    pub standby: bool,
    /// Such as `150018`.
    pub version_num: i32,
    /// Such as `15.18`.
    pub version: String,
    /// Whether the role in effect is a superuser.
    pub superuser: bool,
    /// Whether the role in effect sees the sessions of others.
    pub sees_all_sessions: bool,
    /// The predefined roles whose rights the role in effect has.
    pub predefined_roles: Vec<String>,
}

/// The number is read only where that is permitted: the CASE keeps the function from being called otherwise.
const QUERY: &str = "SELECT json_build_object(\
    'system_identifier', CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') \
        THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) END, \
    'database', current_database(), 'user', session_user, 'current_user', current_user, \
    'host', host(inet_server_addr()), 'standby', pg_is_in_recovery(), \
    'version_num', current_setting('server_version_num')::int, \
    'version', current_setting('server_version'), \
    'superuser', coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false), \
    'sees_all_sessions', NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity \
        WHERE backend_type IS NULL AND pid <> pg_backend_pid()), \
    'predefined_roles', coalesce((SELECT json_agg(rolname ORDER BY rolname) FROM pg_catalog.pg_roles \
        WHERE oid < 16384 AND rolname LIKE 'pg\\_%' AND pg_has_role(oid, 'USAGE')), '[]'))";

/// Asks who and where the session is, in one query.
pub async fn identity(session: &mut Session) -> Result<Identity, QueryError> {
    let result = session.run(QUERY, &ResultLimits::default()).await?;
    let value = result.rows.into_iter().flatten().next().unwrap_or(Value::Null);
    serde_json::from_value(value)
        .map_err(|error| QueryError::protocol(format!("the server's description of itself is odd: {error}")))
}

/// Those of `roles` whose rights the role in effect does not have; roles that do not exist count as missing.
pub async fn missing_roles(session: &mut Session, roles: &[String]) -> Result<Vec<String>, QueryError> {
    // Membership is tested through pg_roles: asking about an unknown role directly is an error on older versions.
    let query = "SELECT w.name FROM unnest($1::text[]) WITH ORDINALITY AS w(name, place) \
                 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r \
                 WHERE r.rolname = w.name AND pg_has_role(r.oid, 'USAGE')) ORDER BY w.place";
    let result = session.run_with(query, &[json!(roles)], &ResultLimits::default()).await?;
    Ok(result.rows.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect())
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schema its objects are in.
    pub schema: String,
}

/// The extensions of the database.
pub async fn extensions(session: &mut Session) -> Result<Vec<Extension>, QueryError> {
    let query = "SELECT e.extname::text, e.extversion, n.nspname::text FROM pg_catalog.pg_extension e \
                 JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1";
    let result = session.run(query, &ResultLimits::default()).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = result.rows.iter().filter_map(|row| match &row[..] {
        [name, version, schema] => {
            Some(Extension { name: text(name), version: text(version), schema: text(schema) })
        }
        _ => None,
    });
    Ok(rows.collect())
}
