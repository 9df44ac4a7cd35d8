//! Who may connect: the Host and Origin of a request.
//!
//! A web page can make a browser send requests to 127.0.0.1, under a name of the attacker's that resolves there (DNS rebinding).
//! Such a request carries the attacker's name as its Host; names that an attacker can own are refused.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Uri, header};

/// The domain that clusters have unless somebody chose another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Names and origins that may connect.
#[derive(Clone, Debug, Default)]
pub struct Access {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Why a request may not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    /// The request is addressed to a name that could be anybody's.
    #[error("this server does not answer to the name {0:?}; the operator can allow it with `hosts` in sandbar.yaml")]
    Host(String),
    /// The request comes from a web page that is not allowed.
    #[error("web pages of {0:?} may not connect; the operator can allow them with `origins` in sandbar.yaml")]
    Origin(String),
}

impl Access {
    /// Allows names and origins beside those that are always right.
    pub fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { hosts, origins }
    }

    /// The origins that a browser may connect from, for the CORS answer.
    pub(super) fn origins(&self) -> Vec<HeaderValue> {
        self.origins.iter().filter_map(|origin| origin.parse().ok()).collect()
    }

    /// Checks both headers. HTTP/1.1 requires Host; a request without one is refused, too.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Forbidden> {
        let host = uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| text(headers, header::HOST));
        let host = host.unwrap_or_default();
        if !self.allows_host(&host) {
            return Err(Forbidden::Host(host));
        }
        match text(headers, header::ORIGIN) {
            Some(origin) if !self.allows_origin(&origin, &host) => Err(Forbidden::Origin(origin)),
            _ => Ok(()),
        }
    }

    fn allows_host(&self, authority: &str) -> bool {
        let Some(name) = host_name(authority) else { return false };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok()
            || is_local_name(&name)
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(&name) || host.eq_ignore_ascii_case(authority))
    }

    /// A page that this very server was asked for by name is its own; others have to be configured.
    fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let same = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        same || self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

/// Names that nobody outside can own: those without a dot, and Services of the cluster.
fn is_local_name(name: &str) -> bool {
    let valid =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let service = name.strip_suffix(CLUSTER_DOMAIN).and_then(|rest| rest.strip_suffix('.')).unwrap_or(name);
    name.split('.').all(valid) && (!name.contains('.') || service.ends_with(".svc") || name.ends_with(".localhost"))
}

/// The host of an authority, without its port and brackets.
fn host_name(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return (port.is_empty() || port.starts_with(':')).then_some(address);
    }
    let name = authority.split_once(':').map_or(authority, |(name, _)| name);
    (!name.is_empty()).then_some(name)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(access: &Access, host: &'static str, origin: Option<&'static str>) -> Result<(), Forbidden> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        access.check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn names_that_nobody_can_own_are_allowed() {
        let access = Access::default();
        for host in [
            "127.0.0.1:8090",
            "localhost:8090",
            "[::1]:8090",
            "10.1.2.3",
            "coder-k8s:8090",
            "coder-k8s.coder-system.svc:8090",
            "coder-k8s.coder-system.svc.cluster.local",
        ] {
            assert_eq!(check(&access, host, None), Ok(()), "{host}");
        }
    }

    #[test]
    fn names_of_others_are_refused() {
        let access = Access::default();
        for host in ["evil.example.com", "evil.svc.example.com", "127.0.0.1.evil.com", "", "[::1]evil.com", "evil.com."] {
            assert!(check(&access, host, None).is_err(), "{host}");
        }
        let access = Access::new(vec!["sandbar.example.com".to_owned()], Vec::new());
        assert_eq!(check(&access, "sandbar.example.com:443", None), Ok(()));
    }

    #[test]
    fn origins_have_to_be_the_servers_own_or_configured() {
        let access = Access::new(Vec::new(), vec!["http://localhost:6274".to_owned()]);
        assert_eq!(check(&access, "127.0.0.1:8090", Some("http://localhost:6274")), Ok(()));
        assert_eq!(check(&access, "127.0.0.1:8090", Some("http://127.0.0.1:8090")), Ok(()));
        for origin in ["http://evil.example.com", "null", "http://localhost:1", "https://localhost:6274.evil.com"] {
            assert_eq!(check(&access, "127.0.0.1:8090", Some(origin)), Err(Forbidden::Origin(origin.to_owned())));
        }
    }
}
