//! [`parse`]: a connection string, as a URI or as `key=value` pairs, to settings.
//!
//! Follows libpq's own parser rule by rule; it looks nothing up and fills in nothing.

use super::connect_error::ConnectError;
use super::keyword::{Keyword, keyword, nearest_keyword};

/// Settings in the order written, under their canonical names; a later one replaces an earlier one.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// Reads a connection string. A text without `=` that is not a URI is a database name, as for psql.
pub(super) fn parse(dsn: &str) -> Result<Pairs, ConnectError> {
    let text = dsn.trim();
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => parse_uri(rest),
        None if text.contains('=') => parse_pairs(text),
        None if text.is_empty() => Ok(Pairs::new()),
        None => Ok(vec![("dbname", text.to_owned())]),
    }
}

/// Finds the setting a name means, or says which one it resembles.
pub(super) fn known(name: &str, place: &str) -> Result<&'static Keyword, ConnectError> {
    keyword(name).ok_or_else(|| ConnectError::UnknownSetting {
        name: name.to_owned(),
        place: place.to_owned(),
        nearest: nearest_keyword(name),
    })
}

fn malformed(message: impl Into<String>) -> ConnectError {
    ConnectError::Malformed {
        message: message.into(),
        help: "Write the address as `postgresql://user@host:port/database` or as `host=… dbname=… user=…`."
            .to_owned(),
    }
}

fn parse_pairs(text: &str) -> Result<Pairs, ConnectError> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Err(malformed(format!("missing `=` after `{name}` in the connection string")));
        };
        let name = known(name, "the connection string")?.name;
        let (value, after) = pair_value(after.trim_start(), name)?;
        pairs.push((name, value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// Reads one value, quoted or bare; a backslash takes the next character as it is in both.
fn pair_value<'a>(text: &'a str, name: &str) -> Result<(String, &'a str), ConnectError> {
    let quoted = text.starts_with('\'');
    let body = if quoted { &text[1..] } else { text };
    let mut value = String::new();
    let mut characters = body.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[index + 1..])),
            c if !quoted && c.is_ascii_whitespace() => return Ok((value, &body[index..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(malformed(format!("the quoted value of `{name}` in the connection string has no end")));
    }
    Ok((value, ""))
}

fn parse_uri(text: &str) -> Result<Pairs, ConnectError> {
    let mut pairs = Pairs::new();
    let mut push = |name: &'static str, value: &str| -> Result<(), ConnectError> {
        if !value.is_empty() {
            pairs.push((name, percent_decode(value)?));
        }
        Ok(())
    };
    let (login, rest) = split_login(text);
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        push("user", user)?;
        push("password", password)?;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (hosts, ports) = split_hosts(&rest[..end])?;
    push("host", &hosts)?;
    push("port", &ports)?;
    let rest = &rest[end..];
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    push("dbname", path.strip_prefix('/').unwrap_or(""))?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        pairs.push(uri_parameter(parameter)?);
    }
    Ok(pairs)
}

/// The part before `@`, which libpq looks for before the first slash only.
fn split_login(text: &str) -> (Option<&str>, &str) {
    match text.find(['@', '/']) {
        Some(at) if text.as_bytes()[at] == b'@' => (Some(&text[..at]), &text[at + 1..]),
        _ => (None, text),
    }
}

/// Splits `host:port,[ipv6]:port` into the two lists libpq keeps; a list of nothing but commas counts as empty.
fn split_hosts(text: &str) -> Result<(String, String), ConnectError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        let (host, after) = if let Some(bracketed) = item.strip_prefix('[') {
            let (host, after) = bracketed
                .split_once(']')
                .ok_or_else(|| malformed("an IPv6 address in the URI has no closing bracket"))?;
            if host.is_empty() {
                return Err(malformed("an IPv6 address in the URI is empty"));
            }
            (host, after)
        } else {
            item.split_at(item.find(':').unwrap_or(item.len()))
        };
        let port = match after.strip_prefix(':') {
            Some(port) => port,
            None if after.is_empty() => "",
            None => return Err(malformed(format!("unexpected `{after}` after a host in the URI"))),
        };
        hosts.push(host);
        ports.push(port);
    }
    let joined = |items: Vec<&str>| {
        if items.iter().all(|item| item.is_empty()) && items.len() == 1 {
            String::new()
        } else {
            items.join(",")
        }
    };
    Ok((joined(hosts), joined(ports)))
}

fn uri_parameter(parameter: &str) -> Result<(&'static str, String), ConnectError> {
    let Some((name, value)) = parameter.split_once('=') else {
        return Err(malformed(format!("the parameter `{parameter}` in the URI has no `=`")));
    };
    if value.contains('=') {
        return Err(malformed(format!("the parameter `{name}` in the URI has more than one `=`")));
    }
    let (name, value) = (percent_decode(name)?, percent_decode(value)?);
    // JDBC's spelling, which libpq takes too.
    if name == "ssl" && value == "true" {
        return Ok(("sslmode", "require".to_owned()));
    }
    Ok((known(&name, "the URI")?.name, value))
}

fn percent_decode(text: &str) -> Result<String, ConnectError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        if byte != b'%' {
            decoded.push(byte);
            index += 1;
            continue;
        }
        let code = bytes.get(index + 1..index + 3).and_then(hex_byte);
        match code {
            Some(0) => return Err(malformed("`%00` is not allowed in the URI")),
            Some(code) => decoded.push(code),
            None => return Err(malformed("a `%` in the URI is not followed by two hexadecimal digits")),
        }
        index += 3;
    }
    String::from_utf8(decoded).map_err(|_| malformed("the URI does not decode to UTF-8"))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dsn: &str, expected: &[(&str, &str)]) {
        let pairs = parse(dsn).unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(pairs, expected, "{dsn}");
    }

    fn refuse(dsn: &str, message: &str) {
        assert_eq!(parse(dsn).unwrap_err().to_string(), message, "{dsn}");
    }

    #[test]
    fn uris() {
        check("postgresql://", &[]);
        check("postgres:///mydb", &[("dbname", "mydb")]);
        check("postgresql://localhost", &[("host", "localhost")]);
        check("postgresql://u@h/d", &[("user", "u"), ("host", "h"), ("dbname", "d")]);
        check(
            "postgresql://u:p%40ss@h:1/d",
            &[("user", "u"), ("password", "p@ss"), ("host", "h"), ("port", "1"), ("dbname", "d")],
        );
        check("postgresql://a:1,b,c:3/d", &[("host", "a,b,c"), ("port", "1,,3"), ("dbname", "d")]);
        check(
            "postgresql://[2001:db8::1]:5433/d",
            &[("host", "2001:db8::1"), ("port", "5433"), ("dbname", "d")],
        );
        check("postgresql://%2Fvar%2Frun/d", &[("host", "/var/run"), ("dbname", "d")]);
        check("postgresql:///d?host=/tmp&port=5433", &[("dbname", "d"), ("host", "/tmp"), ("port", "5433")]);
        check("postgresql://h?ssl=true", &[("host", "h"), ("sslmode", "require")]);
        check(
            "postgresql://h/d?application_name=a%20b&",
            &[("host", "h"), ("dbname", "d"), ("application_name", "a b")],
        );
        check("postgresql://:@h", &[("host", "h")]);
    }

    #[test]
    fn pairs() {
        check("host=h dbname=d", &[("host", "h"), ("dbname", "d")]);
        check("host = h\tdbname\n=\n'a b'", &[("host", "h"), ("dbname", "a b")]);
        check(r"password='it\'s \\ x' user=a\ b", &[("password", r"it's \ x"), ("user", "a b")]);
        check("host='' port=", &[("host", ""), ("port", "")]);
        check("wms_db", &[("dbname", "wms_db")]);
        check("", &[]);
    }

    #[test]
    fn mistakes() {
        refuse("host=h dbname", "missing `=` after `dbname` in the connection string");
        refuse("host='h", "the quoted value of `host` in the connection string has no end");
        refuse("hosst=h", "unknown setting `hosst` in the connection string");
        refuse("postgresql://h?foo=1", "unknown setting `foo` in the URI");
        refuse("postgresql://h?host", "the parameter `host` in the URI has no `=`");
        refuse("postgresql://h%0", "a `%` in the URI is not followed by two hexadecimal digits");
        refuse("postgresql://h%+1", "a `%` in the URI is not followed by two hexadecimal digits");
        refuse("postgresql://[::1", "an IPv6 address in the URI has no closing bracket");
        refuse("postgresql://[::1]x", "unexpected `x` after a host in the URI");
    }
}
