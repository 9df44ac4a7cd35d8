//! The proxy to a server, if any.
//!
//! A kubeconfig's `proxy-url` always counts, as it does for kubectl. HTTPS_PROXY counts unless NO_PROXY names the server or the
//! server is this machine; kube itself matches NO_PROXY against the proxy's own address.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// The port of a SOCKS proxy that names none. The connector has no default.
const SOCKS_PORT: u16 = 1080;

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// Without a proxy.
    Direct,
    /// Through an HTTP proxy, with CONNECT.
    Http(Uri),
    /// Likewise, with TLS to the proxy.
    Https(Uri),
    /// Through a SOCKS 5 proxy, which also resolves the name.
    Socks5(Uri),
}

/// A proxy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy `{url}` (from {origin}) cannot be used: {reason}; use an `http://`, `https://` or `socks5://` address")]
pub(super) struct ProxyError {
    /// Its address, without a password.
    url: String,
    /// Where it is configured.
    origin: &'static str,
    /// Why it cannot be used.
    reason: &'static str,
}

/// The proxy variables of the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    https_proxy: Option<String>,
    no_proxy: Option<String>,
}

impl Variables {
    pub(super) fn read() -> Self {
        let variable = |upper: &str, lower: &str| {
            [upper, lower].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        Self { https_proxy: variable("HTTPS_PROXY", "https_proxy"), no_proxy: variable("NO_PROXY", "no_proxy") }
    }

    /// Whether a server is reached without the environment's proxy.
    fn exempt(&self, server: &Uri) -> bool {
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let port = server.port_u16().unwrap_or(443);
        let rules = self.no_proxy.as_deref().unwrap_or_default();
        rules.split([',', ' ']).map(str::trim).filter(|rule| !rule.is_empty()).any(|rule| exempts(rule, &host, address, port))
    }
}

impl Proxy {
    /// The proxy to a server; `declared` is the `proxy-url` of its cluster.
    pub(super) fn towards(server: &Uri, declared: Option<&str>, variables: &Variables) -> Result<Self, ProxyError> {
        if let Some(url) = declared {
            return Self::parse(url, "the kubeconfig");
        }
        match variables.https_proxy.as_deref() {
            Some(url) if server.scheme_str() == Some("https") && !variables.exempt(server) => Self::parse(url, "HTTPS_PROXY"),
            _ => Ok(Proxy::Direct),
        }
    }

    fn parse(url: &str, origin: &'static str) -> Result<Self, ProxyError> {
        // The variables often have no scheme.
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let error = |reason| ProxyError { url: without_password(url), origin, reason };
        let uri: Uri = full.parse().map_err(|_| error("it is not a URL"))?;
        match uri.scheme_str() {
            _ if uri.host().is_none_or(str::is_empty) => Err(error("it names no host")),
            Some("http") => Ok(Proxy::Http(uri)),
            Some("https") => Ok(Proxy::Https(uri)),
            Some("socks5" | "socks5h") => Ok(Proxy::Socks5(with_port(uri, SOCKS_PORT).ok_or(error("it is not a URL"))?)),
            _ => Err(error("its scheme is not supported")),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proxy::Direct => Ok(()),
            Proxy::Http(uri) | Proxy::Https(uri) | Proxy::Socks5(uri) => {
                write!(f, " through {}", without_password(&uri.to_string()))
            }
        }
    }
}

/// An address with its own port, or else this one.
fn with_port(uri: Uri, port: u16) -> Option<Uri> {
    if uri.port().is_some() {
        return Some(uri);
    }
    let mut parts = uri.into_parts();
    parts.authority = Some(format!("{}:{port}", parts.authority?).parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A URL without its password, for messages.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://{}", &url[..scheme], &url[at + 1..]),
        (None, Some(at)) => url[at + 1..].to_owned(),
        _ => url.to_owned(),
    }
}

/// Matches one entry of NO_PROXY: `*`, an address, a CIDR block, a name, `.suffix` or `*.suffix`; names also cover what is below
/// them, and all but blocks may end in a port.
fn exempts(rule: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    let rule = rule.to_ascii_lowercase();
    if rule == "*" {
        return true;
    }
    if let Some((network, bits)) = rule.split_once('/') {
        return in_block(address, network, bits);
    }
    let (name, rule_port) = split_port(&rule);
    if rule_port.is_some_and(|rule_port| rule_port != port) {
        return false;
    }
    if let (Some(address), Ok(named)) = (address, name.trim_matches(['[', ']']).parse::<IpAddr>()) {
        return address == named;
    }
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(suffix) => below(host, suffix),
        None => host == name || below(host, name),
    }
}

/// Whether a host is below a domain.
fn below(host: &str, domain: &str) -> bool {
    !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

fn split_port(rule: &str) -> (&str, Option<u16>) {
    match rule.rsplit_once(':') {
        // Several colons without brackets are an IPv6 address.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (rule, None),
        },
        _ => (rule, None),
    }
}

fn in_block(address: Option<IpAddr>, network: &str, bits: &str) -> bool {
    let (Some(address), Ok(network), Ok(bits)) = (address, network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let differ = u32::from(address) ^ u32::from(network);
            differ.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let differ = u128::from(address) ^ u128::from(network);
            differ.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(server: &str, https_proxy: Option<&str>, no_proxy: &str) -> Proxy {
        let variables = Variables { https_proxy: https_proxy.map(str::to_owned), no_proxy: Some(no_proxy.to_owned()) };
        Proxy::towards(&server.parse().expect("a URL"), None, &variables).expect("a usable proxy")
    }

    fn is_exempt(server: &str, no_proxy: &str) -> bool {
        towards(server, Some("http://proxy.example:3128"), no_proxy) == Proxy::Direct
    }

    #[test]
    fn no_proxy_names_servers_in_every_usual_way() {
        for (server, rule) in [
            ("https://api.example.com:6443", "*"),
            ("https://api.example.com:6443", "api.example.com"),
            ("https://API.example.com:6443", "example.com"),
            ("https://api.example.com:6443", ".example.com"),
            ("https://api.example.com:6443", "other, *.example.com"),
            ("https://api.example.com:6443", "api.example.com:6443"),
            ("https://10.1.2.3:6443", "10.1.2.3"),
            ("https://10.1.2.3:6443", "10.1.0.0/16"),
            ("https://10.1.2.3", "0.0.0.0/0"),
            ("https://[fd00::1]:6443", "fd00::1"),
            ("https://[fd00::1]:6443", "fd00::/8"),
            ("https://127.0.0.1:6443", ""),
            ("https://[::1]:6443", ""),
            ("https://localhost:6443", ""),
        ] {
            assert!(is_exempt(server, rule), "{server} {rule}");
        }
        for (server, rule) in [
            ("https://api.example.com:6443", ""),
            ("https://api.example.com:6443", "ple.com"),
            ("https://api.example.com:6443", "api.example.com:443"),
            ("https://example.com", ".example.com"),
            ("https://10.2.2.3:6443", "10.1.0.0/16"),
            ("https://10.1.2.3:6443", "fd00::/8"),
            ("https://10.1.2.3:6443", "10.1.2.30,proxy.example"),
        ] {
            assert!(!is_exempt(server, rule), "{server} {rule}");
        }
    }

    #[test]
    fn the_kubeconfig_has_the_first_word() {
        let variables = Variables { https_proxy: Some("http://other:1".into()), no_proxy: Some("*".into()) };
        let server = "https://api.example.com".parse().expect("a URL");
        let proxy = Proxy::towards(&server, Some("socks5://127.0.0.1:1080"), &variables);
        assert_eq!(proxy, Ok(Proxy::Socks5("socks5://127.0.0.1:1080".parse().expect("a URL"))));
    }

    #[test]
    fn https_proxy_is_for_https() {
        assert_eq!(towards("http://10.0.0.1:8001", Some("http://proxy:1"), ""), Proxy::Direct);
        assert_eq!(towards("https://10.0.0.1", Some("proxy:3128"), ""), Proxy::Http("http://proxy:3128".parse().expect("a URL")));
        assert_eq!(towards("https://10.0.0.1", None, ""), Proxy::Direct);
    }

    #[test]
    fn a_password_is_not_shown() {
        let error = Proxy::parse("ftp://me:secret@proxy.example", "HTTPS_PROXY").expect_err("another scheme");
        assert_eq!(
            error.to_string(),
            "the proxy `ftp://proxy.example` (from HTTPS_PROXY) cannot be used: its scheme is not supported; use an `http://`, `https://` or `socks5://` address"
        );
        let proxy = Proxy::parse("socks5://me:secret@proxy.example", "HTTPS_PROXY").expect("usable");
        assert_eq!(proxy.to_string(), " through socks5://proxy.example:1080/");
        let proxy = Proxy::parse("http://me:secret@proxy.example:1", "HTTPS_PROXY").expect("usable");
        assert_eq!(proxy.to_string(), " through http://proxy.example:1/");
    }
}
