//! Passwords written in SQL text: they end in logs, in `pg_stat_statements` and in the journal.

use super::error::{SqlError, SqlProblem};
use super::tree::{Kind, Node, child, compact};

/// Refuses a password that is not a verifier, except where `is_open` says that a value is still to come.
pub(super) fn check(statement: &Node, is_open: impl Fn(usize) -> bool) -> Result<(), SqlError> {
    let options = statement.descendants().filter(|node| {
        matches!(node.kind(), Kind::ROLE_OPTION_PASSWORD | Kind::ROLE_OPTION_ENCRYPTED_PASSWORD)
    });
    for password in options.filter_map(|option| child(&option, Kind::LITERAL)) {
        let range = password.text_range();
        let text = compact(&password);
        let inner = text.trim_start_matches(['e', 'E']).trim_matches('\'');
        if text.contains('\'') && !is_verifier(inner) && !is_open(range.start().into()) {
            let error = SqlError::new(SqlProblem::SecretLiteral, "a password in plain text")
                .at(usize::from(range.start())..usize::from(range.end()));
            return Err(error.help(
                "Make it a secret parameter and write `PASSWORD {{ params.password | scram_verifier }}`.",
            ));
        }
    }
    Ok(())
}

fn is_verifier(text: &str) -> bool {
    let md5 = text
        .strip_prefix("md5")
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    md5 || text.starts_with("SCRAM-SHA-256$")
}
