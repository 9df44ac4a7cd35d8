//! Who is told how the server is.

use std::net::IpAddr;

use http::{HeaderMap, Uri};

use crate::allowlist::is_to_loopback;

/// What somebody between a client and the server leaves in a request.
const FORWARDED: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Who is told how the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Somebody on this machine, or who has come in through a port-forward: an operator.
    Operator,
    /// Anybody else. They hear which check fails, and nothing of the cluster or of what is served.
    Stranger,
}

impl Audience {
    /// Who has sent a request from there.
    pub(crate) fn of(from: IpAddr, uri: &Uri, headers: &HeaderMap) -> Self {
        // A sidecar or a proxy on this machine speaks for anybody.
        let is_forwarded =
            headers.keys().any(|name| FORWARDED.contains(&name.as_str()) || name.as_str().starts_with("x-remote-"));
        if from.to_canonical().is_loopback() && is_to_loopback(uri, headers) && !is_forwarded {
            Self::Operator
        } else {
            Self::Stranger
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_operator_is_on_this_machine_and_says_so() {
        let audience = |from: &str, host: &'static str, other: Option<&'static str>| {
            let mut headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static(host))]);
            if let Some(name) = other {
                headers.insert(name, HeaderValue::from_static("x"));
            }
            Audience::of(from.parse().expect("an address"), &Uri::from_static("/readyz?verbose"), &headers)
        };
        for (from, host) in [
            ("127.0.0.1", "localhost:8090"),
            ("::1", "[::1]:8090"),
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:127.0.0.1", "LOCALHOST."),
        ] {
            assert_eq!(audience(from, host, None), Audience::Operator, "{from} {host}");
        }
        for (from, host) in [("10.1.2.3", "localhost"), ("127.0.0.6", "coder-k8s"), ("127.0.0.1", "10.1.2.3"), ("127.0.0.1", "")]
        {
            assert_eq!(audience(from, host, None), Audience::Stranger, "{from} {host}");
        }
        for name in FORWARDED.into_iter().chain(["x-remote-user", "x-remote-extra-scopes"]) {
            assert_eq!(audience("127.0.0.1", "localhost", Some(name)), Audience::Stranger, "{name}");
        }
    }
}
