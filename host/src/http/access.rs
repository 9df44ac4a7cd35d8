//! Who may connect: the Host and Origin of a request.
//!
//! A web page can make a browser send requests to 127.0.0.1, under a name of the attacker's that resolves there (DNS rebinding).
//! Such a request carries the attacker's name as its Host; names that an attacker can own are refused.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

/// The domain that clusters have unless somebody chose another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Bytes of a name or an origin that a refusal repeats. A name of DNS has 253 at most.
const REPEATED_BYTES: usize = 300;

/// Names and origins that may connect.
#[derive(Clone, Debug)]
pub struct Access {
    hosts: Vec<String>,
    origins: Vec<String>,
    cluster_domains: Vec<String>,
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
    /// A header that may be there once: whoever is in front may have looked at the other one.
    #[error("the header {0} stands there more than once")]
    Twice(HeaderName),
}

impl Access {
    /// Allows names and origins beside those that are always right.
    pub fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { hosts, origins, cluster_domains: vec![CLUSTER_DOMAIN.to_owned()] }
    }

    /// Allows Service names under the domain that the cluster really has: `resolv_conf` is the file that the kubelet has written.
    /// Outside a cluster the file is the local network's word, and not to be trusted with this.
    #[must_use]
    pub fn in_cluster(mut self, resolv_conf: &str) -> Self {
        let search = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("search")).flat_map(str::split_whitespace);
        let domains = search.filter_map(|domain| domain.strip_prefix("svc.")).filter(|domain| !domain.is_empty());
        self.cluster_domains.extend(domains.map(|domain| domain.trim_end_matches('.').to_ascii_lowercase()));
        self
    }

    /// The origins that a browser may connect from, for the CORS answer.
    pub(super) fn origins(&self) -> Vec<HeaderValue> {
        self.origins.iter().filter_map(|origin| origin.parse().ok()).collect()
    }

    /// Checks both headers. HTTP/1.1 requires Host; a request without one is refused, too.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Forbidden> {
        let host = only(headers, header::HOST)?;
        // The authority of an absolute URI counts more than Host, and neither may be somebody else's.
        let asked = uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| host.clone()).unwrap_or_default();
        if let Some(other) = [Some(&asked), host.as_ref()].into_iter().flatten().find(|host| !self.allows_host(host)) {
            return Err(Forbidden::Host(shortened(other)));
        }
        match only(headers, header::ORIGIN)? {
            Some(origin) if !self.allows_origin(&origin, &asked) => Err(Forbidden::Origin(shortened(&origin))),
            _ => Ok(()),
        }
    }

    fn allows_host(&self, authority: &str) -> bool {
        let Some(name) = host_name(authority) else { return false };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok()
            || self.is_local_name(&name)
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(&name) || host.eq_ignore_ascii_case(authority))
    }

    /// A page that this very server was asked for by name is its own; others have to be configured.
    fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let same = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        same || self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Names that nobody outside can own: those without a dot, and Services of the cluster.
    fn is_local_name(&self, name: &str) -> bool {
        let valid = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let under = |domain: &String| name.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
        let service = self.cluster_domains.iter().find_map(under).unwrap_or(name);
        name.split('.').all(valid) && (!name.contains('.') || service.ends_with(".svc") || name.ends_with(".localhost"))
    }
}

/// The host of an authority, without its port and brackets.
fn host_name(authority: &str) -> Option<&str> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_one = port.strip_prefix(':').map_or(port.is_empty(), |port| port.bytes().all(|byte| byte.is_ascii_digit()));
    (!name.is_empty() && port_is_one).then_some(name)
}

/// The one value of a header.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Forbidden> {
    let mut values = headers.get_all(&name).iter();
    let first = values.next().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if values.next().is_some() { Err(Forbidden::Twice(name)) } else { Ok(first) }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(REPEATED_BYTES)].to_owned()
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
        let access = Access::new(Vec::new(), Vec::new());
        for host in [
            "127.0.0.1:8090",
            "localhost:8090",
            "[::1]:8090",
            "10.1.2.3",
            "coder-k8s:8090",
            "coder-k8s.coder-system.svc:8090",
            "coder-k8s.coder-system.svc.cluster.local",
            "coder-k8s.coder-system.svc.cluster.local.:8090",
        ] {
            assert_eq!(check(&access, host, None), Ok(()), "{host}");
        }
    }

    #[test]
    fn names_of_others_are_refused() {
        let access = Access::new(Vec::new(), Vec::new());
        for host in [
            "evil.example.com",
            "evil.svc.example.com",
            "127.0.0.1.evil.com",
            "",
            ":8090",
            "[::1]evil.com",
            "[::1",
            "evil.com.",
            "localhost..",
            "127.0.0.1:80@evil.com",
            "evil.com@127.0.0.1",
            "localhost:evil.com",
            "local host",
            "a.svc.cluster.local.evil.com",
            "xcluster.local",
        ] {
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

    #[test]
    fn the_clusters_own_domain_is_read_where_the_kubelet_has_written_it() {
        let resolv_conf =
            "search team-a.svc.k8s.corp. svc.k8s.corp k8s.corp corp.example.com\nnameserver 10.96.0.10\noptions ndots:5\n";
        let outside = Access::new(Vec::new(), Vec::new());
        assert!(check(&outside, "sandbar.team-a.svc.k8s.corp:8090", None).is_err());
        let inside = outside.in_cluster(resolv_conf);
        for host in ["sandbar.team-a.svc.k8s.corp:8090", "sandbar.team-a.svc.cluster.local"] {
            assert_eq!(check(&inside, host, None), Ok(()), "{host}");
        }
        for host in ["sandbar.k8s.corp", "www.corp.example.com", "k8s.corp"] {
            assert!(check(&inside, host, None).is_err(), "{host}");
        }
    }

    #[test]
    fn there_is_one_host_and_one_origin() {
        let access = Access::new(Vec::new(), Vec::new());
        for name in [header::HOST, header::ORIGIN] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost"));
            headers.append(name.clone(), HeaderValue::from_static("localhost"));
            headers.append(name.clone(), HeaderValue::from_static("localhost"));
            assert_eq!(access.check(&Uri::from_static("/mcp"), &headers), Err(Forbidden::Twice(name)));
        }
    }

    #[test]
    fn an_absolute_uri_and_a_host_both_have_to_be_right() {
        let access = Access::new(Vec::new(), Vec::new());
        let check = |uri: &'static str, host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            access.check(&Uri::from_static(uri), &headers)
        };
        assert_eq!(check("http://localhost:8090/mcp", "localhost:8090"), Ok(()));
        assert_eq!(check("http://evil.com/mcp", "localhost"), Err(Forbidden::Host("evil.com".to_owned())));
        assert_eq!(check("http://localhost/mcp", "evil.com"), Err(Forbidden::Host("evil.com".to_owned())));
    }

    #[test]
    fn a_refusal_repeats_no_more_than_a_name_can_have() {
        let access = Access::new(Vec::new(), Vec::new());
        let long = "x.".repeat(10_000);
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(&long).expect("a value"))]);
        let forbidden = access.check(&Uri::from_static("/mcp"), &headers).expect_err("refused");
        assert!(forbidden.to_string().len() < 500);
    }
}
