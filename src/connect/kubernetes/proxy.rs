//! Which proxy leads to an API server: the kubeconfig's own, else the environment's by the rules of Go's programs,
//! kubectl among them.

use std::net::IpAddr;

use http::Uri;

use crate::model::{Failure, ProcessEnvironment};

/// The proxy of the environment for a server; none where it is to be reached directly.
pub(super) fn of_environment(server: &Uri, process: &ProcessEnvironment) -> Result<Option<Uri>, Failure> {
    let names = if server.scheme_str() == Some("http") {
        ["HTTP_PROXY", "http_proxy"]
    } else {
        ["HTTPS_PROXY", "https_proxy"]
    };
    let Some((name, text)) = first_set(process, names) else { return Ok(None) };
    let direct =
        first_set(process, ["NO_PROXY", "no_proxy"]).is_some_and(|(_, list)| is_listed(&list, server));
    if direct || is_loopback(host(server)) {
        return Ok(None);
    }
    parse(&text, name).map(Some)
}

/// A proxy as it is written somewhere; a bare host is one that speaks HTTP.
pub(super) fn parse(text: &str, from: &str) -> Result<Uri, Failure> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri = full.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
    let uri = uri.ok_or_else(|| {
        // It may hold a password.
        Failure::new(format!("{from} is no address of a proxy")).help("Write it as `http://host:port`.")
    })?;
    match uri.scheme_str() {
        Some("http" | "socks5") => Ok(uri),
        scheme => {
            let message =
                format!("{from} names a proxy for {}, which cannot be used", scheme.unwrap_or_default());
            Err(Failure::new(message)
                .help("Use an `http://` or `socks5://` proxy, or reach the server directly."))
        }
    }
}

fn first_set(process: &ProcessEnvironment, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        let value = process.get(name).filter(|value| !value.is_empty())?;
        Some((name, value.to_owned()))
    })
}

fn host(server: &Uri) -> &str {
    server.host().unwrap_or_default().trim_matches(['[', ']'])
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a list such as `10.0.0.0/8,.example.org,host:6443` has the server.
fn is_listed(list: &str, server: &Uri) -> bool {
    let host = host(server).to_ascii_lowercase();
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    let mut entries =
        list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty());
    entries.any(|entry| matches(&entry, &host, port))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>()
        && let Some((network, length)) = entry.split_once('/')
    {
        let network = network.parse().ok().zip(length.parse().ok());
        return network.is_some_and(|(network, length)| is_within(address, network, length));
    }
    let (name, wanted) = parted(entry);
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    match name.strip_prefix('.') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')),
        None => host == name || host.strip_suffix(name).is_some_and(|before| before.ends_with('.')),
    }
}

/// A name with its port; an address of version 6 has colons of its own.
fn parted(entry: &str) -> (&str, Option<u16>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|entry| entry.split_once(']')) {
        return (address, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let same = |address: u128, network: u128, width: u32| {
        length <= width && (length == 0 || (address ^ network) >> (width - length) == 0)
    };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            same(u128::from(address.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => same(address.to_bits(), network.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_hosts_domains_addresses_and_networks() {
        let check = |list: &str, server: &str, expected: bool| {
            assert_eq!(is_listed(list, &server.parse().unwrap()), expected, "{list} {server}");
        };
        check("", "https://api.example.org", false);
        check("*", "https://api.example.org", true);
        check("example.org", "https://api.example.org", true);
        check("example.org", "https://example.org", true);
        check("example.org", "https://badexample.org", false);
        check(".example.org", "https://example.org", false);
        check("*.example.org,", "https://API.example.org:6443", true);
        check("api.example.org:6443", "https://api.example.org:6443", true);
        check("api.example.org:443", "https://api.example.org:6443", false);
        check("api.example.org:443", "https://api.example.org", true);
        check("localhost, 10.0.0.0/8", "https://10.1.2.3:6443", true);
        check("10.0.0.0/8", "https://11.1.2.3", false);
        check("10.1.2.3", "https://10.1.2.3:6443", true);
        check("fd00::/8", "https://[fd00::1]:6443", true);
        check("[fd00::1]:6443", "https://[fd00::1]:6443", true);
        check("0.0.0.0/0", "https://[fd00::1]", false);
        check("10.0.0.0/99", "https://10.0.0.1", false);
    }

    #[test]
    fn the_environments_proxy_is_taken_for_what_it_does_not_except() {
        let check = |variables: &[(&str, &str)], server: &str, expected: Option<&str>| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let process =
                ProcessEnvironment { variables: variables.collect(), ..ProcessEnvironment::default() };
            let found = of_environment(&server.parse().unwrap(), &process);
            let found =
                found.map_or_else(|failure| Some(failure.message), |uri| uri.map(|uri| uri.to_string()));
            assert_eq!(found.as_deref(), expected, "{server}");
        };
        let both = [("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", "10.0.0.0/8,")];
        check(&both, "https://api.example.org", Some("http://proxy:3128/"));
        check(&both, "https://10.1.2.3:6443", None);
        check(&both, "https://127.0.0.1:6443", None);
        check(&both, "http://api.example.org", None);
        check(&[("https_proxy", "socks5://proxy:1080")], "https://api", Some("socks5://proxy:1080/"));
        check(
            &[("HTTPS_PROXY", "https://proxy")],
            "https://api",
            Some("HTTPS_PROXY names a proxy for https, which cannot be used"),
        );
        check(&[("HTTPS_PROXY", "http://:x@")], "https://api", Some("HTTPS_PROXY is no address of a proxy"));
    }
}
