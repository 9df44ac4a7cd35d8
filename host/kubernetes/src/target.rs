//! A cluster as its configuration describes it: where it is, what its certificate is checked against, and who asks.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::fault::Fault;
use super::proxy::Proxy;
use super::watched::Watched;

/// Text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A token without the white space around it; none where nothing else is there. An error goes on from what the token is called.
    pub(super) fn token(text: &str) -> Result<Option<Self>, Fault> {
        let token = text.trim();
        if token.contains(|letter: char| letter.is_control() || letter.is_whitespace()) {
            return Err(Fault::new("has spaces or line breaks inside, which no token has"));
        }
        Ok(Some(token).filter(|token| !token.is_empty()).map(Self::new))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where a configuration leads.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The cluster's name in messages: `kubeconfig context dev` for example.
    pub(super) called: String,
    pub(super) server: ServerAddress,
    pub(super) trust: Trust,
    /// The name that the server's certificate has to have, where it is not that of the address.
    pub(super) server_name: Option<String>,
    pub(super) proxy: Proxy,
    pub(super) user: User,
    /// The files that all of this was read from.
    pub(super) watched: Watched,
    /// What a credential plugin is told of the cluster, if it asks.
    pub(super) cluster_info: Value,
    /// Whether the API server is told that its answers may come compressed: worth its time where the way to it is long.
    pub(super) takes_gzip: bool,
}

impl Target {
    /// What a credential goes through on its way to the server.
    pub(super) fn way(&self) -> Way {
        match (&self.proxy, self.server.is_https()) {
            (_, true) => Way::Encrypted,
            (Proxy::Direct, false) if self.server.is_loopback() => Way::Local,
            _ => Way::Open,
        }
    }
}

/// Who could read a credential on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nobody but the server.
    Encrypted,
    /// Nobody on a network: it does not leave this machine.
    Local,
    /// Anybody in between.
    Open,
}

/// What the API server's certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The certificate authorities of this machine.
    System,
    /// Those of a PEM text, and what it was given as.
    Authorities(Arc<[u8]>, &'static str),
    /// Nothing: `insecure-skip-tls-verify`.
    Anything,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// The name in messages: `user "me" of /home/me/.kube/config` for example.
    pub(super) called: String,
    /// A certificate and its key, as PEM.
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) method: Method,
    pub(super) impersonate: Vec<(String, String)>,
}

/// A client certificate and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientCertificate {
    pub(super) certificate: Arc<[u8]>,
    pub(super) key: SecretBytes,
}

/// Bytes that are not shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SecretBytes(pub(super) Arc<[u8]>);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes")
    }
}

/// How a user says who it is, beside a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    None,
    Token(Secret),
    /// A file with a token; what counts until it can be read.
    TokenFile(PathBuf, Option<Secret>),
    Basic {
        user: String,
        password: Secret,
    },
    Plugin(Arc<Plugin>),
}

/// A program that gives credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plugin {
    /// As it stands in the kubeconfig; a relative path is resolved.
    pub(super) command: String,
    pub(super) arguments: Vec<Secret>,
    pub(super) environment: Vec<(String, Secret)>,
    /// `client.authentication.k8s.io/v1` or `/v1beta1`.
    pub(super) api_version: String,
    pub(super) install_hint: Option<String>,
    pub(super) interactive: Interactive,
    pub(super) wants_cluster: bool,
}

/// Whether a plugin may talk to somebody at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interactive {
    Never,
    IfAvailable,
    Always,
}

impl User {
    /// Somebody without credentials.
    pub(super) fn nobody() -> Self {
        Self { called: "nobody".to_owned(), certificate: None, method: Method::None, impersonate: Vec::new() }
    }
}

/// The address of an API server, and perhaps a path before all of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAddress {
    base: Uri,
    /// User and password of an address that holds them.
    pub(super) user_info: Option<(String, Secret)>,
}

impl ServerAddress {
    /// Reads an address as client-go does: without a scheme it is plain HTTP, its query and fragment do not count. An error goes on from
    /// "`server` of cluster x".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((user_info, host)) => (Some(user_info), host),
            None => (None, authority),
        };
        let scheme = match scheme.as_deref() {
            Some("https") => Scheme::HTTPS,
            Some("http") => Scheme::HTTP,
            // As for kubectl. With a path it could as well be something else that was forgotten.
            None if path.is_empty() => Scheme::HTTP,
            None => return Err(format!("has a path and no scheme: write https://{host}{path} or http://{host}{path}")),
            Some(_) => return Err("has a scheme other than https and http".to_owned()),
        };
        let shown = format!("{scheme}://{host}{path}");
        let host = host.strip_suffix(':').unwrap_or(host);
        let authority: Authority = host.parse().map_err(|_| format!("is not the address of a server: {shown:?}"))?;
        if authority.host().is_empty() || authority.port().is_none() && authority.as_str() != authority.host() {
            return Err(format!("is not the address of a server: {shown:?}"));
        }
        let path: PathAndQuery =
            if path.is_empty() { "/" } else { path }.parse().map_err(|_| format!("has a path that is none: {shown:?}"))?;
        let base = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
        let base = base.map_err(|_| format!("is not the address of a server: {shown:?}"))?;
        Ok(Self { base, user_info: user_info.map(split_user_info) })
    }

    /// The address, with a path that is `/` or has no slash at its end.
    pub(super) fn base(&self) -> &Uri {
        &self.base
    }

    pub(super) fn is_https(&self) -> bool {
        self.base.scheme() == Some(&Scheme::HTTPS)
    }

    /// Host and port. An IPv6 address has no brackets.
    pub(super) fn host_and_port(&self) -> Option<(&str, u16)> {
        let port = self.base.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 });
        Some((self.base.host()?.trim_matches(['[', ']']), port))
    }

    /// Whether it is this machine, so that nothing that is sent there crosses a network.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.base.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// A path of the API server as a whole address.
    pub(super) fn join(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        let mut parts = self.base.clone().into_parts();
        let before = self.base.path().trim_end_matches('/');
        parts.path_and_query = Some(format!("{before}{path_and_query}").parse()?);
        Ok(Uri::from_parts(parts)?)
    }
}

/// Without user and password.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.to_string().trim_end_matches('/'))
    }
}

/// User and password of an address.
fn split_user_info(user_info: &str) -> (String, Secret) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    (decode(user), Secret::new(decode(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kubectl_reads_them() {
        for (text, joined) in [
            ("https://10.0.0.1:6443", "https://10.0.0.1:6443/api"),
            ("https://10.0.0.1:6443/", "https://10.0.0.1:6443/api"),
            ("https://10.0.0.1:6443///", "https://10.0.0.1:6443/api"),
            (" https://10.0.0.1:6443\r\n", "https://10.0.0.1:6443/api"),
            ("HTTPS://API.example.com", "https://API.example.com/api"),
            ("https://api.example.com:", "https://api.example.com/api"),
            ("https://rancher.example/k8s/clusters/c-1", "https://rancher.example/k8s/clusters/c-1/api"),
            ("https://rancher.example/k8s/clusters/c-1/?a=b#c", "https://rancher.example/k8s/clusters/c-1/api"),
            ("https://api.example.com?a=b", "https://api.example.com/api"),
            ("https://[::1]:6443", "https://[::1]:6443/api"),
            ("https://[fd00::1]", "https://[fd00::1]/api"),
            ("https://my_host.example:6443", "https://my_host.example:6443/api"),
            ("http://localhost:8080", "http://localhost:8080/api"),
            ("localhost:8080", "http://localhost:8080/api"),
            ("127.0.0.1:8080/", "http://127.0.0.1:8080/api"),
            ("api.example.com", "http://api.example.com/api"),
            ("[::1]:8080", "http://[::1]:8080/api"),
        ] {
            let address = ServerAddress::parse(text).expect(text);
            assert_eq!(address.join("/api").expect("a URL").to_string(), joined, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_at_once() {
        for text in [
            "",
            " ",
            "https://",
            "https:///path",
            "ftp://api.example.com",
            "unix:///var/run/x.sock",
            "api.example.com/path",
            "https://api example.com",
            "https://api.example.com:https",
            "https://api.example.com:99999",
            "https://[::1",
            "https://::1:6443",
            "https://%zz",
            "/var/run/x.sock",
            ":6443",
        ] {
            assert!(ServerAddress::parse(text).is_err(), "{text:?}: {:?}", ServerAddress::parse(text));
        }
        let words = ServerAddress::parse("https://me:hunter2@api example.com").expect_err("a space");
        assert!(!words.contains("hunter2"), "{words}");
    }

    #[test]
    fn a_password_in_an_address_is_used_and_not_shown() {
        let address = ServerAddress::parse("https://me:p%40ss@api.example.com:6443").expect("an address");
        assert_eq!(address.user_info, Some(("me".to_owned(), Secret::new("p@ss"))));
        assert_eq!(address.to_string(), "https://api.example.com:6443");
        assert!(!format!("{address:?}").contains("p@ss"));
    }
}
