//! [`lookup`]: a named group of settings in libpq's service files.

use std::path::{Path, PathBuf};

use super::connect_error::ConnectError;
use super::dsn::{Pairs, known};
use crate::model::ProcessEnvironment;

/// Where distributions keep the file that libpq finds in its compiled-in directory.
const SYSTEM_DIRECTORIES: &[&str] = &["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc"];
const FILE_NAME: &str = "pg_service.conf";

/// Finds `service`: in the named file (else the user's), then in the system's.
pub(super) fn lookup(
    service: &str,
    file: Option<&str>,
    environment: &ProcessEnvironment,
) -> Result<Pairs, ConnectError> {
    let mut searched = Vec::new();
    for (path, required) in candidates(file, environment) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if required => {
                return Err(ConnectError::File {
                    what: "service file",
                    path: path.display().to_string(),
                    problem: error.to_string(),
                    help: "Name an existing file in `PGSERVICEFILE`, or unset it.".to_owned(),
                });
            }
            Err(_) => continue,
        };
        if let Some(pairs) = find_group(&text, service, &path)? {
            return Ok(pairs);
        }
        searched.push(path.display().to_string());
    }
    Err(ConnectError::ServiceNotFound { service: service.to_owned(), searched })
}

fn candidates(file: Option<&str>, environment: &ProcessEnvironment) -> Vec<(PathBuf, bool)> {
    let mut paths = Vec::new();
    match file {
        Some(file) => paths.push((environment.directory.join(file), true)),
        None => paths.extend(environment.home.iter().map(|home| (home.join(".pg_service.conf"), false))),
    }
    match environment.get("PGSYSCONFDIR") {
        Some(directory) => paths.push((Path::new(directory).join(FILE_NAME), false)),
        None => paths.extend(SYSTEM_DIRECTORIES.iter().map(|d| (Path::new(d).join(FILE_NAME), false))),
    }
    paths
}

/// The settings of a group; the first of two equal names wins, as in libpq.
fn find_group(text: &str, service: &str, path: &Path) -> Result<Option<Pairs>, ConnectError> {
    let mut found: Option<Pairs> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.strip_suffix(']') == Some(service) {
                found = Some(Pairs::new());
            }
        } else if let Some(pairs) = &mut found {
            let place = format!("line {} of `{}`", index + 1, path.display());
            let (name, value) = setting(line, &place)?;
            if pairs.iter().all(|(other, _)| *other != name) {
                pairs.push((name, value));
            }
        }
    }
    Ok(found)
}

fn setting(line: &str, place: &str) -> Result<(&'static str, String), ConnectError> {
    let help = "Write one `name=value` a line, with libpq's names.".to_owned();
    if line.starts_with("ldap") {
        return Err(ConnectError::Unsupported {
            what: format!("the LDAP lookup on {place}"),
            help: "Write the settings into the service file itself.".to_owned(),
        });
    }
    let Some((name, value)) = line.split_once('=') else {
        return Err(ConnectError::Malformed { message: format!("{place} has no `=`"), help });
    };
    if name == "service" || name == "servicefile" {
        return Err(ConnectError::Malformed { message: format!("{place} nests another service"), help });
    }
    Ok((known(name, place)?.name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# comment\n[other]\nhost=o\n\n[wms]\nhost=db1 \n port=5433\nhost=db2\npassword=a=b\n[wms]\nuser=x\n";

    fn find(text: &str, service: &str) -> Result<Option<Pairs>, String> {
        find_group(text, service, Path::new("f")).map_err(|error| error.to_string())
    }

    #[test]
    fn groups() {
        let expected =
            vec![("host", "db1".to_owned()), ("port", "5433".to_owned()), ("password", "a=b".to_owned())];
        assert_eq!(find(FILE, "wms"), Ok(Some(expected)));
        assert_eq!(find(FILE, "none"), Ok(None));
        assert_eq!(find("[a]", "a"), Ok(Some(Pairs::new())));
    }

    #[test]
    fn mistakes() {
        assert_eq!(find("[a]\nhost", "a"), Err("line 2 of `f` has no `=`".to_owned()));
        assert_eq!(find("[a]\nhots=1", "a"), Err("unknown setting `hots` in line 2 of `f`".to_owned()));
        assert_eq!(find("[a]\nservice=b", "a"), Err("line 2 of `f` nests another service".to_owned()));
        assert_eq!(find("[a]\nhost", "b"), Ok(None));
    }
}
