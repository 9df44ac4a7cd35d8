//! Who may connect: the Host and Origin of a request.
//!
//! A web page can make a browser send requests to 127.0.0.1, under a name of the attacker's that resolves there (DNS rebinding). Such a
//! request carries the attacker's name as its Host. So names are refused that somebody else can own, and on the network of a laptop
//! that is nearly every name: mDNS answers `.local`, a DHCP server gives the search domain behind a name without a dot, and LLMNR
//! answers any such name.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use sandbar_text::clean_line;

use super::headers::{Twice, only};

/// The domain that clusters have unless somebody chose another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Bytes of a name or an origin that a refusal repeats. A name of DNS has 253 at most.
const REPEATED_BYTES: usize = 300;

/// Where the server runs, as far as its names are concerned. It is decided once, at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// On a machine whose network may be anybody's.
    Elsewhere,
    /// On a port that only this machine reaches: no other address leads there.
    Loopback,
    /// In a pod of the cluster that it serves, whose DNS gives names to Services alone.
    Cluster {
        /// The pod's namespace, and so that of every Service in front of it; none where that is not known.
        namespace: Option<String>,
        /// The domains of the cluster.
        domains: Vec<String>,
    },
}

/// Names and origins that may connect.
#[derive(Clone, Debug)]
pub struct Allowlist {
    hosts: Vec<String>,
    origins: Vec<String>,
    surroundings: Surroundings,
}

/// Why a request may not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    /// The request is addressed to a name that could be anybody's.
    #[error(
        "this server does not answer to the name {0:?}: use `localhost` or an IP address, or have its operator allow the name with \
         --allow-host or `hosts` in sandbar.yaml"
    )]
    Host(String),
    /// The request names nobody.
    #[error("the request has no Host header, or one that is no name")]
    NoHost,
    /// The request comes from a web page that is not allowed.
    #[error("web pages of {0:?} may not connect; the operator can allow them with --allow-origin or `origins` in sandbar.yaml")]
    Origin(String),
    /// A port for this machine alone is asked under another name.
    #[error("this port answers to this machine alone, as `localhost` or a loopback address such as 127.0.0.1, and not to {0:?}")]
    NotLoopback(String),
    /// A web page asks a port for this machine alone.
    #[error("web pages may not connect to this port, those of {0:?} no more than others: give its address to an MCP client")]
    Page(String),
    /// The request comes from a web page that says nothing of where it is from.
    #[error(
        "a web page may not connect that has no origin (`null`), and none can be allowed, because every such page has the same: open \
         it from a server instead of a file or a sandboxed frame"
    )]
    NoOrigin,
    /// A header that may be there once: whoever is in front may have looked at the other one.
    #[error("the header {0} stands there more than once")]
    Twice(HeaderName),
}

impl Surroundings {
    /// Those of a pod. `resolv_conf` is the file that the kubelet has written; outside of a cluster it is the local network's word, and not
    /// to be trusted with this.
    pub fn pod(namespace: Option<&str>, resolv_conf: &str) -> Self {
        let search = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("search")).flat_map(str::split_whitespace);
        let domains = search.filter_map(|domain| domain.strip_prefix("svc.")).map(|domain| domain.trim_end_matches('.'));
        let domains = domains.filter(|domain| !domain.is_empty()).map(str::to_ascii_lowercase);
        let namespace = namespace.map(str::trim).filter(|namespace| !namespace.is_empty()).map(str::to_owned);
        Self::Cluster { namespace, domains: std::iter::once(CLUSTER_DOMAIN.to_owned()).chain(domains).collect() }
    }

    /// Whether nobody can own a name, or an address, but the server itself.
    fn own(&self, name: &str) -> bool {
        if name == "localhost" {
            return true;
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return *self != Self::Loopback || address.is_loopback();
        }
        let Self::Cluster { namespace, domains } = self else { return false };
        let under = |domain: &String| name.strip_suffix(domain.as_str())?.strip_suffix(".svc.");
        let service = domains.iter().find_map(under).or_else(|| name.strip_suffix(".svc"));
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let labels: Vec<&str> = service.unwrap_or(name).split('.').collect();
        labels.iter().all(|label| is_label(label))
            && match (labels.as_slice(), service) {
                // As its neighbours call it. To a browser a number is an address.
                ([name], None) => !name.bytes().all(|byte| byte.is_ascii_digit()),
                ([_, its], None) => namespace.as_deref() == Some(*its),
                // A Service, or a pod behind one that has names for its pods.
                ([_, its] | [_, _, its], Some(_)) => namespace.as_deref().is_none_or(|namespace| namespace == *its),
                _ => false,
            }
    }
}

impl Allowlist {
    /// Allows names and origins beside those that are always right.
    pub fn new(hosts: Vec<String>, origins: Vec<String>, surroundings: Surroundings) -> Self {
        Self { hosts, origins, surroundings }
    }

    /// Whether web pages of an origin may connect because somebody has said so.
    pub(super) fn is_configured_origin(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
    }

    /// Checks both headers. HTTP/1.1 requires Host; a request without one is refused, too.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Forbidden> {
        let single = |name: HeaderName| only(headers, &name).map_err(|Twice| Forbidden::Twice(name));
        let host = single(header::HOST)?.map(|host| String::from_utf8_lossy(host.as_bytes()));
        // The authority of an absolute URI counts more than Host, and neither may be somebody else's.
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let asked = authority.or(host.as_deref()).ok_or(Forbidden::NoHost)?;
        for name in authority.into_iter().chain(host.as_deref()) {
            self.check_host(name)?;
        }
        match single(header::ORIGIN)? {
            Some(origin) if is_same(origin, asked) || self.is_configured_origin(origin) => Ok(()),
            Some(origin) => Err(self.refused_page(origin)),
            None => Ok(()),
        }
    }

    fn check_host(&self, authority: &str) -> Result<(), Forbidden> {
        let name = host_name(authority).ok_or(Forbidden::NoHost)?;
        let plain = name.strip_suffix('.').unwrap_or(name);
        let is_allowed = self.surroundings.own(&plain.to_ascii_lowercase())
            || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(plain) || host.eq_ignore_ascii_case(authority));
        if is_allowed {
            return Ok(());
        }
        let name = clean_line(name, REPEATED_BYTES);
        Err(if self.surroundings == Surroundings::Loopback { Forbidden::NotLoopback(name) } else { Forbidden::Host(name) })
    }

    /// What to say to a web page of this origin.
    fn refused_page(&self, origin: &HeaderValue) -> Forbidden {
        let called = clean_line(String::from_utf8_lossy(origin.as_bytes()), REPEATED_BYTES);
        match self.surroundings {
            Surroundings::Loopback => Forbidden::Page(called),
            _ if origin == "null" => Forbidden::NoOrigin,
            _ => Forbidden::Origin(called),
        }
    }
}

/// Whether a page is from the very server that it asks, under the name that it asks.
fn is_same(origin: &HeaderValue, asked: &str) -> bool {
    let authority =
        origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(asked))
}

/// Whether a request is addressed to this machine.
pub(super) fn is_to_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let asked = uri.authority().map(http::uri::Authority::as_str).or(host).and_then(host_name);
    asked.is_some_and(|name| {
        let name = name.strip_suffix('.').unwrap_or(name);
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere() -> Allowlist {
        Allowlist::new(Vec::new(), Vec::new(), Surroundings::Elsewhere)
    }

    fn pod(resolv_conf: &str) -> Allowlist {
        Allowlist::new(Vec::new(), Vec::new(), Surroundings::pod(Some("team-a\n"), resolv_conf))
    }

    fn check(allowlist: &Allowlist, host: &'static str, origin: Option<&'static str>) -> Result<(), Forbidden> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        allowlist.check(&Uri::from_static("/mcp"), &headers)
    }

    const NOBODYS: [&str; 8] = [
        "127.0.0.1:8090",
        "localhost:8090",
        "LocalHost",
        "localhost.:8090",
        "[::1]:8090",
        "10.1.2.3",
        "[fd00::1]",
        "127.0.0.1.:1",
    ];

    /// Names that somebody on the way can answer for, in every place, and what is no name.
    const SOMEBODYS: [&str; 23] = [
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
        "printer.local",
        "evil.localhost",
        "localhost.localdomain",
        "0x7f.1",
        "127.1",
        "2130706433",
        "x.y.z.team-a.svc.cluster.local",
        ".team-a.svc",
    ];

    /// Names that only a cluster's DNS answers for, there.
    const CLUSTERS: [&str; 9] = [
        "coder-k8s:8090",
        "printer",
        "wpad",
        "coder-k8s.team-a",
        "coder-k8s.team-a.svc:8090",
        "coder-k8s.team-a.svc.",
        "coder-k8s.team-a.svc.cluster.local",
        "CODER-K8S.team-a.svc.cluster.local.:8090",
        "coder-k8s-0.coder-k8s.team-a.svc.cluster.local",
    ];

    #[test]
    fn outside_of_a_cluster_only_this_machine_and_addresses_are_ours() {
        for host in NOBODYS {
            assert_eq!(check(&elsewhere(), host, None), Ok(()), "{host}");
        }
        for host in SOMEBODYS.into_iter().chain(CLUSTERS) {
            assert!(check(&elsewhere(), host, None).is_err(), "{host}");
        }
        let configured = Allowlist::new(vec!["sandbar.example.com".to_owned()], Vec::new(), Surroundings::Elsewhere);
        assert_eq!(check(&configured, "sandbar.example.com:443", None), Ok(()));
    }

    #[test]
    fn a_port_for_this_machine_alone_answers_to_no_other_address_and_says_what_helps() {
        let own = Allowlist::new(Vec::new(), Vec::new(), Surroundings::Loopback);
        for host in ["127.0.0.1:8090", "127.9.9.9", "localhost:8090", "LocalHost.", "[::1]:8090"] {
            assert_eq!(check(&own, host, None), Ok(()), "{host}");
        }
        assert_eq!(check(&own, "127.0.0.1:8090", Some("http://127.0.0.1:8090")), Ok(()));
        let others = ["10.1.2.3:8090", "0.0.0.0:8090", "[::]:8090", "[fd00::1]", "[::ffff:127.0.0.1]", "169.254.169.254"];
        for host in others.into_iter().chain(SOMEBODYS).chain(CLUSTERS) {
            let forbidden = check(&own, host, None).expect_err(host);
            assert!(!forbidden.to_string().contains("--allow"), "there is no such flag: {forbidden}");
        }
        let forbidden = check(&own, "10.1.2.3:8090", Some("http://10.1.2.3:8090")).expect_err("another address");
        assert!(forbidden.to_string().contains("`localhost`"), "{forbidden}");
        for origin in ["null", "http://evil.example.com", "http://localhost:1"] {
            let forbidden = check(&own, "localhost:8090", Some(origin)).expect_err(origin).to_string();
            assert!(forbidden.contains(origin) && !forbidden.contains("--allow"), "{forbidden}");
        }
    }

    #[test]
    fn inside_of_a_cluster_the_names_of_its_own_services_are() {
        let allowlist = pod("");
        for host in NOBODYS.into_iter().chain(CLUSTERS) {
            assert_eq!(check(&allowlist, host, None), Ok(()), "{host}");
        }
        for host in SOMEBODYS {
            assert!(check(&allowlist, host, None).is_err(), "{host}");
        }
        for host in ["evil.svc", "evil.com", "coder-k8s.team-b.svc", "coder-k8s.team-b.svc.cluster.local", "coder-k8s.team-b"] {
            assert!(check(&allowlist, host, None).is_err(), "{host}");
        }
        let unknown = Allowlist::new(Vec::new(), Vec::new(), Surroundings::pod(None, ""));
        assert_eq!(check(&unknown, "coder-k8s.team-b.svc", None), Ok(()), "it may be this one");
        assert!(check(&unknown, "coder-k8s.team-b", None).is_err());
    }

    #[test]
    fn the_clusters_own_domain_is_read_where_the_kubelet_has_written_it() {
        let allowlist =
            pod("search team-a.svc.k8s.corp. svc.k8s.corp k8s.corp corp.example.com\nnameserver 10.96.0.10\noptions ndots:5\n");
        for host in ["sandbar.team-a.svc.k8s.corp:8090", "sandbar.team-a.svc.cluster.local"] {
            assert_eq!(check(&allowlist, host, None), Ok(()), "{host}");
        }
        for host in ["sandbar.k8s.corp", "www.corp.example.com", "k8s.corp"] {
            assert!(check(&allowlist, host, None).is_err(), "{host}");
        }
    }

    #[test]
    fn origins_have_to_be_the_servers_own_or_configured() {
        let apps = ["http://localhost:6274", "tauri://localhost", "app://obsidian.md", "vscode-webview://1a2b3c"];
        let allowlist = Allowlist::new(Vec::new(), apps.map(str::to_owned).to_vec(), Surroundings::Elsewhere);
        for origin in apps.into_iter().chain(["http://127.0.0.1:8090", "TAURI://localhost"]) {
            assert_eq!(check(&allowlist, "127.0.0.1:8090", Some(origin)), Ok(()), "{origin}");
        }
        for origin in [
            "http://evil.example.com",
            "http://localhost:1",
            "https://localhost:6274.evil.com",
            "tauri://evil",
            "app://127.0.0.1:8090",
        ] {
            let refused = Err(Forbidden::Origin(origin.to_owned()));
            assert_eq!(check(&allowlist, "127.0.0.1:8090", Some(origin)), refused);
        }
        assert_eq!(check(&allowlist, "127.0.0.1:8090", Some("null")), Err(Forbidden::NoOrigin));
    }

    #[test]
    fn there_is_one_host_and_one_origin() {
        for name in [header::HOST, header::ORIGIN] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost"));
            headers.append(name.clone(), HeaderValue::from_static("localhost"));
            headers.append(name.clone(), HeaderValue::from_static("localhost"));
            assert_eq!(elsewhere().check(&Uri::from_static("/mcp"), &headers), Err(Forbidden::Twice(name)));
        }
    }

    #[test]
    fn an_absolute_uri_and_a_host_both_have_to_be_right() {
        let check = |uri: &'static str, host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            elsewhere().check(&Uri::from_static(uri), &headers)
        };
        assert_eq!(check("http://localhost:8090/mcp", "localhost:8090"), Ok(()));
        assert_eq!(check("http://evil.com/mcp", "localhost"), Err(Forbidden::Host("evil.com".to_owned())));
        assert_eq!(check("http://localhost/mcp", "evil.com"), Err(Forbidden::Host("evil.com".to_owned())));
    }

    #[test]
    fn a_refusal_repeats_no_more_than_a_name_can_have() {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(&"x.".repeat(10_000)).expect("a value"))]);
        let forbidden = elsewhere().check(&Uri::from_static("/mcp"), &headers).expect_err("refused");
        assert!(forbidden.to_string().len() < 600);
    }
}
