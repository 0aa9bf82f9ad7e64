//! The process environment and the clock, read here and nowhere else, and handed down as values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::model::ProcessEnvironment;

/// Takes the snapshot that everything below works with; called once, at the start.
pub(super) fn read() -> ProcessEnvironment {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let account = account(rustix::process::geteuid().as_raw());
    let home = set("HOME").map(PathBuf::from).or_else(|| Some(account.as_ref()?.home.clone()));
    let user = account.map(|account| account.name).or_else(|| set("USER")).unwrap_or_default();
    // A working directory that was removed under us is found out by whoever opens a file in it.
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    ProcessEnvironment { variables, home, user, directory }
}

/// The time now, for commands that only look. A run has a clock of its own.
#[expect(clippy::disallowed_methods, reason = "a plan's `now()` begins here and is handed down as a value")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

struct Account {
    name: String,
    home: PathBuf,
}

/// The account of a user id, from the local file: the name that libpq takes as its default role.
fn account(uid: u32) -> Option<Account> {
    find_account(&std::fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn find_account(accounts: &str, uid: u32) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields.as_slice() else { return None };
        (id.parse() == Ok(uid)).then(|| Account { name: (*name).to_owned(), home: PathBuf::from(home) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_by_its_number() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\nbroken\ndba:x:1000:1000:,,,:/home/dba:/bin/sh\n";
        let name = |uid| find_account(accounts, uid).map(|account| account.name);
        assert_eq!(name(1000), Some("dba".to_owned()));
        assert_eq!(name(7), None);
        assert_eq!(find_account(accounts, 0).map(|account| account.home), Some(PathBuf::from("/root")));
    }
}
