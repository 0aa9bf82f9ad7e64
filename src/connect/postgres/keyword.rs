//! [`KEYWORDS`]: every setting a libpq connection string may hold, and what becomes of it here.
//!
//! The only list of the names: parsers, the environment and error messages all read it.

use crate::diagnostic::nearest;

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It has its effect.
    Honoured,
    /// It has no effect here and no safety depends on it.
    Ignored,
    /// Ignoring it would be unsafe or surprising, so a value other than the listed harmless ones is an error.
    Refused { unless: &'static [&'static str] },
}

/// One setting.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    /// The environment variable that sets it, or nothing.
    pub(super) variable: &'static str,
    pub(super) treatment: Treatment,
}

const fn honoured(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable, treatment: Treatment::Honoured }
}

const fn ignored(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable, treatment: Treatment::Ignored }
}

const fn refused(name: &'static str, variable: &'static str, unless: &'static [&'static str]) -> Keyword {
    Keyword { name, variable, treatment: Treatment::Refused { unless } }
}

/// Every setting libpq knows, up to version 18.
pub(super) static KEYWORDS: &[Keyword] = &[
    honoured("application_name", "PGAPPNAME"),
    honoured("channel_binding", "PGCHANNELBINDING"),
    ignored("client_encoding", "PGCLIENTENCODING"),
    honoured("connect_timeout", "PGCONNECT_TIMEOUT"),
    honoured("dbname", "PGDATABASE"),
    honoured("fallback_application_name", ""),
    ignored("gssdelegation", "PGGSSDELEGATION"),
    refused("gssencmode", "PGGSSENCMODE", &["disable", "prefer"]),
    ignored("gsslib", "PGGSSLIB"),
    honoured("host", "PGHOST"),
    honoured("hostaddr", "PGHOSTADDR"),
    honoured("keepalives", ""),
    honoured("keepalives_count", ""),
    honoured("keepalives_idle", ""),
    honoured("keepalives_interval", ""),
    ignored("krbsrvname", "PGKRBSRVNAME"),
    honoured("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ignored("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    refused("min_protocol_version", "PGMINPROTOCOLVERSION", &["3.0"]),
    ignored("oauth_client_id", ""),
    ignored("oauth_client_secret", ""),
    ignored("oauth_issuer", ""),
    ignored("oauth_scope", ""),
    honoured("options", "PGOPTIONS"),
    honoured("passfile", "PGPASSFILE"),
    honoured("password", "PGPASSWORD"),
    honoured("port", "PGPORT"),
    refused("replication", "", &["false", "off", "no", "0"]),
    honoured("require_auth", "PGREQUIREAUTH"),
    refused("requirepeer", "PGREQUIREPEER", &[]),
    refused("requiressl", "PGREQUIRESSL", &["0"]),
    refused("scram_client_key", "", &[]),
    refused("scram_server_key", "", &[]),
    honoured("service", "PGSERVICE"),
    honoured("servicefile", "PGSERVICEFILE"),
    honoured("sslcert", "PGSSLCERT"),
    honoured("sslcertmode", "PGSSLCERTMODE"),
    ignored("sslcompression", "PGSSLCOMPRESSION"),
    honoured("sslcrl", "PGSSLCRL"),
    refused("sslcrldir", "PGSSLCRLDIR", &[]),
    honoured("sslkey", "PGSSLKEY"),
    ignored("sslkeylogfile", ""),
    refused("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", &["TLSv1.3"]),
    honoured("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    honoured("sslmode", "PGSSLMODE"),
    honoured("sslnegotiation", "PGSSLNEGOTIATION"),
    refused("sslpassword", "", &[]),
    honoured("sslrootcert", "PGSSLROOTCERT"),
    honoured("sslsni", "PGSSLSNI"),
    honoured("target_session_attrs", "PGTARGETSESSIONATTRS"),
    honoured("tcp_user_timeout", ""),
    honoured("user", "PGUSER"),
];

/// The setting of that name.
pub(super) fn keyword(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// The name nearest to a misspelt one.
pub(super) fn nearest_keyword(name: &str) -> Option<&'static str> {
    match name {
        // Names from other drivers that mean one of ours but are not spelt alike.
        "database" | "db" => Some("dbname"),
        "username" => Some("user"),
        "pass" | "pwd" => Some("password"),
        "keepalives_retries" => Some("keepalives_count"),
        "ssl" => Some("sslmode"),
        _ => nearest(name, KEYWORDS.iter().map(|keyword| keyword.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        for (written, meant) in
            [("sslmod", "sslmode"), ("username", "user"), ("hst", "host"), ("db", "dbname")]
        {
            assert_eq!(nearest_keyword(written), Some(meant), "{written}");
        }
        assert_eq!(nearest_keyword("completely_different"), None);
    }

    #[test]
    fn names_are_unique() {
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            assert!(KEYWORDS[..index].iter().all(|other| other.name != keyword.name), "{}", keyword.name);
        }
    }
}
