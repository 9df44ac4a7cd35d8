//! A proxy in front that has found out who calls, and says so in headers, as the API server's aggregation layer does.
//!
//! Only the proxy's certificate makes these headers more than a client's word. A request that has one of them without the certificate
//! claims to be somebody, and is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use sandbar_policy::{ANONYMOUS, AUTHENTICATED, User};
use sandbar_secrets::quotable;
use sandbar_tls::{Authorities, ClientCertificate};
use tokio::sync::watch;

use super::Unidentified;

const USER: &str = "x-remote-user";
const GROUP: &str = "x-remote-group";
const UID: &str = "x-remote-uid";
const EXTRA: &str = "x-remote-extra-";

/// Not one of Kubernetes', and what a proxy of another kind may mean by it.
const GROUPS: &str = "x-remote-groups";

/// Bytes of the name of a certificate or a header in a message.
const NAME_BYTES: usize = 128;

/// A proxy that is believed. Which certificates are its own can change while the server runs, and is looked up for each request: a
/// connection can be older than the end of a certificate, or of the trust in its authority.
pub struct FrontProxy(watch::Receiver<Option<Believed>>);

/// Which certificates are a proxy's.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Who has signed them.
    pub authorities: Authorities,
    /// Their common names; none: whatever these authorities have signed is the proxy's.
    pub allowed_names: Option<Vec<String>>,
    /// Whether the proxy says the user's uid. One that does not hands on what its client says in that header.
    pub says_uid: bool,
}

impl FrontProxy {
    /// A proxy with these certificates. As long as there are none, nothing is from it.
    pub fn new(believed: watch::Receiver<Option<Believed>>) -> Self {
        Self(believed)
    }

    /// Whether the proxy with this certificate says the user's uid; none where it is not the proxy's.
    fn says_uid(&self, certificate: &ClientCertificate) -> Option<bool> {
        let believed = self.0.borrow();
        let Believed { authorities, allowed_names, says_uid } = believed.as_ref()?;
        let is_allowed = |name| allowed_names.as_ref().is_none_or(|names| names.iter().any(|allowed| allowed == name));
        let is_it = is_allowed(certificate.common_name().unwrap_or_default()) && authorities.have_signed(certificate);
        is_it.then_some(*says_uid)
    }
}

/// The user that a proxy names; none where the request claims nothing. Without a proxy to believe, whoever claims something is refused.
pub(super) fn user_of(
    proxy: Option<&FrontProxy>,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
) -> Result<Option<Arc<User>>, Unidentified> {
    let Some(claim) = headers.keys().find(|name| is_claim(name)) else { return Ok(None) };
    let Some(says_uid) = proxy.zip(certificate).and_then(|(proxy, certificate)| proxy.says_uid(certificate)) else {
        let name = certificate.map(|certificate| quotable(certificate.common_name().unwrap_or_default(), NAME_BYTES));
        let header = quotable(claim, NAME_BYTES);
        tracing::warn!(header, certificate = name, "a request claims to be from a front proxy, and is not");
        return Err(Unidentified::Claimed(header));
    };
    read(headers, says_uid).map(|user| Some(Arc::new(user)))
}

/// Tells the operator of a claim where nobody is asked who they are: a proxy that makes it expects it to count.
pub(super) fn warn_of_claims(headers: &HeaderMap) {
    if let Some(header) = headers.keys().find(|name| is_claim(name)) {
        let header = quotable(header, NAME_BYTES);
        tracing::warn!(
            header,
            "a request says who makes it, and nobody is asked here: `authentication.frontProxy` would have it count"
        );
    }
}

/// Whether a header says who somebody is, in the spelling of some reader: many take `_` for `-`.
fn is_claim(name: &HeaderName) -> bool {
    // Each of them begins so, and few others do: of these alone it is worth a copy.
    if !name.as_str().starts_with('x') {
        return false;
    }
    let name = name.as_str().replace('_', "-");
    [USER, GROUP, GROUPS, UID].contains(&name.as_str()) || name.starts_with(EXTRA)
}

/// The user of a proxy's headers. The proxy takes away what its client has sent of them, so another spelling is the client's.
fn read(headers: &HeaderMap, says_uid: bool) -> Result<User, Unidentified> {
    let wrong = |what: &str| Unidentified::OfProxy(what.to_owned());
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut users, mut uids, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in headers.iter().filter(|(name, _)| is_claim(name)) {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| wrong("a value is no UTF-8 text"))?.to_owned();
        match name.as_str() {
            USER => users.push(value),
            GROUP => groups.push(value),
            UID if says_uid => uids.push(value),
            UID => {}
            name => {
                let key = name.strip_prefix(EXTRA).ok_or_else(|| wrong("one of them has an unknown name"))?;
                // Keys can hold what no header's name can, such as the `/` of `authentication.kubernetes.io/pod-name`.
                let key = percent_decode_str(key).decode_utf8().map_err(|_| wrong("a name is no UTF-8 text"))?;
                extra.entry(key.to_ascii_lowercase()).or_default().push(value);
            }
        }
    }
    let [name] = <[String; 1]>::try_from(users).map_err(|_| wrong("X-Remote-User stands there more than once, or not at all"))?;
    if uids.len() > 1 {
        return Err(wrong("X-Remote-Uid stands there more than once"));
    }
    // As an API server adds it.
    if name != ANONYMOUS && !groups.iter().any(|group| group == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    let uid = uids.pop().filter(|uid| !uid.is_empty());
    let user = User { name: name.into(), uid, groups, extra };
    user.checked().map_err(|error| Unidentified::OfProxy(error.to_string()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use sandbar_tls::TestAuthority;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn proxy(authority: &TestAuthority, names: Option<&[&str]>) -> FrontProxy {
        let allowed_names = names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        FrontProxy::new(
            watch::Sender::new(Some(Believed { authorities: authority.authorities(), allowed_names, says_uid: true }))
                .subscribe(),
        )
    }

    fn known(pairs: &[(&'static str, &'static str)]) -> Result<Option<Arc<User>>, Unidentified> {
        let authority = TestAuthority::new();
        let proxy = proxy(&authority, Some(&["other", "front-proxy"]));
        user_of(Some(&proxy), &headers(pairs), Some(&authority.sign("front-proxy")))
    }

    #[test]
    fn a_proxys_headers_are_a_user() {
        let user = known(&[
            ("x-remote-user", "ann"),
            ("x-remote-group", "a"),
            ("x-remote-group", "b,c"),
            ("x-remote-uid", "7"),
            ("x-remote-extra-authentication.kubernetes.io%2fpod-name", "web"),
            ("x-remote-extra-scopes", "one"),
            ("x-remote-extra-scopes", "two"),
        ]);
        let user = user.expect("the proxy's").expect("a user");
        assert_eq!(
            (&*user.name, user.uid.as_deref(), user.groups.as_slice()),
            ("ann", Some("7"), &["a".to_owned(), "b,c".to_owned(), AUTHENTICATED.to_owned()][..])
        );
        assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["web"]);
        assert_eq!(user.extra["scopes"], ["one", "two"]);
        assert_eq!(known(&[("accept", "x")]), Ok(None), "the certificate alone is nobody");
    }

    #[test]
    fn a_uid_of_a_proxy_that_says_none_is_its_clients() {
        let authority = TestAuthority::new();
        let believed = Believed { authorities: authority.authorities(), allowed_names: None, says_uid: false };
        let proxy = FrontProxy::new(watch::Sender::new(Some(believed)).subscribe());
        let headers = headers(&[("x-remote-user", "ann"), ("x-remote-uid", "1"), ("x-remote-uid", "2")]);
        let user = user_of(Some(&proxy), &headers, Some(&authority.sign("any"))).expect("the proxy's").expect("a user");
        assert_eq!((&*user.name, &user.uid), ("ann", &None));
    }

    #[test]
    fn what_a_proxy_would_not_send_is_refused() {
        for pairs in [
            &[("x-remote-user", "ann"), ("x-remote-user", "bob")][..],
            &[("x-remote-user", "")],
            &[("x-remote-group", "system:masters")],
            &[("x-remote-user", "ann"), ("x-remote-uid", "1"), ("x-remote-uid", "2")],
            &[("x-remote-user", "ann"), ("x_remote_group", "system:masters")],
            &[("x-remote-user", "ann"), ("x-remote_group", "system:masters")],
            &[("x-remote-user", "ann"), ("x-remote-groups", "system:masters")],
        ] {
            assert!(matches!(known(pairs), Err(Unidentified::OfProxy(_))), "{pairs:?}");
        }
    }

    #[test]
    fn without_the_certificate_the_headers_are_a_forgery() {
        let authority = TestAuthority::new();
        let named = proxy(&authority, Some(&["front-proxy"]));
        let of_another = proxy(&TestAuthority::new(), None);
        let unknown = FrontProxy::new(watch::Sender::new(None).subscribe());
        let certificates = ["front-proxy", "ann", "Front-Proxy"].map(|name| authority.sign(name));
        let [good, ann, shouted] = &certificates;
        let anybody = proxy(&authority, None);
        assert!(
            named.says_uid(good).is_some()
                && [good, ann, shouted].into_iter().all(|certificate| anybody.says_uid(certificate).is_some())
        );
        for pair in [
            ("x-remote-user", "admin"),
            ("x_remote_user", "admin"),
            ("x-remote_user", "admin"),
            ("x-remote-group", "system:masters"),
            ("x-remote-extra-scopes", "all"),
            ("x-remote-groups", ""),
        ] {
            let headers = headers(&[pair]);
            for (proxy, certificate) in [
                (Some(&named), None),
                (Some(&named), Some(ann)),
                (Some(&named), Some(shouted)),
                (Some(&of_another), Some(good)),
                (Some(&unknown), Some(good)),
                (None, Some(good)),
                (None, None),
            ] {
                let forged = user_of(proxy, &headers, certificate);
                assert!(matches!(forged, Err(Unidentified::Claimed(_))), "{pair:?} {forged:?}");
            }
        }
        let name = HeaderName::try_from(format!("x-remote-extra-{}", "x".repeat(30_000))).expect("a name");
        let long = user_of(Some(&named), &HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]), None);
        assert!(long.expect_err("a forgery").to_string().len() < 512);
        assert_eq!(
            user_of(Some(&named), &headers(&[("x-remote", "x"), ("remote-user", "x"), ("x-remote-addr", "10.0.0.7")]), None),
            Ok(None)
        );
    }
}
