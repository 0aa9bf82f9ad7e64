//! [`Account`]: who runs the server when we are root, since PostgreSQL refuses to.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use super::DemoError;

/// An account that is not root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to switch to, or none where we are an ordinary user already.
    pub(super) fn needed() -> Result<Option<Self>, DemoError> {
        if !is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::choose(&accounts).map(Some).ok_or(DemoError::NoAccount)
    }

    fn choose(accounts: &str) -> Option<Self> {
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| accounts.lines().find_map(|line| Self::parse(line, name)))
    }

    fn parse(line: &str, wanted: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| *name == wanted)?;
        let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), uid, gid })
    }

    /// Makes the program run as this account.
    pub(super) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(&self, path: &Path) -> Result<(), DemoError> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(DemoError::file("change owner of", path))
    }
}

/// Whether this process runs as root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_and_root_is_never_chosen() {
        let check = |accounts: &str, expected: Option<(&str, u32, u32)>| {
            let expected = expected.map(|(name, uid, gid)| Account { name: name.to_owned(), uid, gid });
            assert_eq!(Account::choose(accounts), expected, "{accounts}");
        };
        let nobody = "nobody:x:65534:65533:nobody:/:/bin/false";
        check("", None);
        check("root:x:0:0::/root:/bin/sh", None);
        check(nobody, Some(("nobody", 65534, 65533)));
        check(&format!("{nobody}\npostgres:x:101:104::/:/bin/sh"), Some(("postgres", 101, 104)));
        check(&format!("postgres:x:0:0::/:/bin/sh\n{nobody}"), Some(("nobody", 65534, 65533)));
        check("nobody:*:-2:-2::/:/bin/false", None);
    }
}
