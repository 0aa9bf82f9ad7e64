//! [`headroom`]: how many more sessions a server takes.

use super::query_error::QueryError;
use super::session::Session;
use super::statement::ResultLimits;

/// What roles without rights may see is enough: whose session it is, though not of which kind.
const QUERY: &str = "SELECT pg_catalog.current_setting('max_connections')::pg_catalog.int8 \
    - pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int8 \
    - coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int8, 0) \
    - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL \
       AND coalesce(backend_type, 'client backend') = 'client backend')";

/// How many more sessions of ordinary roles the server takes; below zero where the reserved ones are in use.
pub async fn headroom(session: &mut Session) -> Result<i64, QueryError> {
    let result = session.run(QUERY, &ResultLimits::default()).await?;
    let number = result.rows.first().and_then(|row| row.first()?.as_i64());
    number.ok_or_else(|| QueryError::protocol("the server does not say how many sessions it takes"))
}
