//! What requests are sent with, from one login to the next.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::credential::Credentials;
use super::plugin;
use crate::client::{Connections, Headers};
use crate::fault::Fault;
use crate::target::{Method, Target};
use crate::tls;

/// How long before it expires a login is renewed: enough for a slow plugin.
const LEAD: Duration = Duration::from_secs(60);

/// Least time between two runs of a plugin whose logins are valid for less than [`LEAD`], which would otherwise run for each
/// request.
const LEAST_PERIOD: Duration = Duration::from_secs(3);

/// A login is used at least for so long: that it has expired is only what this machine's clock says, and kubectl uses it, too.
const LEAST_VALID: Duration = Duration::from_secs(10);

/// How often a token file is read again, as in client-go: half of the time between the kubelet's renewal of a token and its
/// expiry.
const TOKEN_FILE_PERIOD: Duration = Duration::from_secs(60);

/// What requests are sent with, between two logins.
pub(crate) struct ClusterSession {
    client: kube::Client,
    pub(super) target: Arc<Target>,
    pub(super) connections: Arc<Connections>,
    pub(super) credentials: Credentials,
    pub(super) generation: u64,
    valid_until: Option<SystemTime>,
    renew_at: Option<SystemTime>,
}

impl ClusterSession {
    pub(super) fn new(
        target: Arc<Target>,
        credentials: Credentials,
        before: Option<&Self>,
        generation: u64,
    ) -> Result<Self, Fault> {
        let of_user = |fault: Fault| Fault::new(format!("{} {fault}", target.user.called));
        let identity = credentials.identity.as_ref().or(target.user.certificate.as_ref());
        let connections = Connections::to(&target, identity, before.map(|before| &before.connections))?;
        let headers = Headers::new(credentials.authorization.as_ref(), &target.user.impersonate).map_err(of_user)?;
        let client = connections.client(headers, target.takes_gzip);
        let now = SystemTime::now();
        let valid = credentials.valid_until.map(|until| until.duration_since(now).unwrap_or_default().max(LEAST_VALID));
        let renewed_after = match (&target.user.method, valid) {
            (Method::TokenFile(..), _) => Some(TOKEN_FILE_PERIOD),
            (_, valid) => {
                let is_same = before.is_some_and(|before| before.credentials.valid_until == credentials.valid_until);
                valid.map(|valid| renewed_after(valid, is_same))
            }
        };
        let at = |after: Option<Duration>| after.and_then(|after| now.checked_add(after));
        let (valid_until, renew_at) = (at(valid), at(renewed_after));
        Ok(Self { client, target, connections, credentials, generation, valid_until, renew_at })
    }

    /// The same with connections of its own.
    pub(super) fn reconnected(&self) -> Result<Self, Fault> {
        let (target, credentials) = (self.target.clone(), self.credentials.clone());
        let again = Self::new(target, credentials, None, self.generation)?;
        Ok(Self { valid_until: self.valid_until, renew_at: self.renew_at, ..again })
    }

    pub(crate) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> Option<(&str, u16)> {
        self.target.server.host_and_port()
    }

    /// Whether its kubeconfig asks in somebody else's name (`as`).
    pub(crate) fn impersonates(&self) -> bool {
        !self.target.user.impersonate.is_empty()
    }

    /// The token that requests are sent with, if there is one.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.credentials.authorization.as_ref()?.expose().strip_prefix("Bearer ")
    }

    /// Whether a server could not tell it from the one before.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        self.credentials.authorization == before.credentials.authorization && Arc::ptr_eq(&self.connections, &before.connections)
    }

    /// What the server refused, and what to do about it.
    pub(crate) fn refusal(&self) -> String {
        let user = &self.target.user;
        let is_over = |end: Option<SystemTime>| end.is_some_and(|end| end <= SystemTime::now());
        let what = match (&user.method, &user.certificate) {
            (_, Some(_)) if is_over(self.certificate_end()) => "its client certificate has run out: get a new one".to_owned(),
            (Method::Token(_), _) => "get another token: it is read again as soon as the kubeconfig has it".to_owned(),
            (Method::TokenFile(path, _), _) => format!("{} has no other token", path.display()),
            (Method::Basic { .. }, _) => "is its password right?".to_owned(),
            (Method::Plugin(plugin), _) if is_over(self.credentials.valid_until) => {
                format!(
                    "what the credential plugin `{}` gives has run out already; is the clock of this machine right? Else log in anew with its program",
                    plugin::name(plugin)
                )
            }
            (Method::Plugin(plugin), _) => {
                format!(
                    "the credential plugin `{}` has run again and gives nothing better; log in anew with its program",
                    plugin::name(plugin)
                )
            }
            (Method::None, Some(_)) => "is its client certificate one of this cluster?".to_owned(),
            (Method::None, None) if !self.target.server.is_https() => {
                "over plain HTTP no credentials are sent to another machine, as kubectl sends none; has the server an https address?".to_owned()
            }
            (Method::None, None) => "it has no credentials".to_owned(),
        };
        format!("{}: {what}", user.called)
    }

    fn certificate_end(&self) -> Option<SystemTime> {
        let identity = self.target.user.certificate.as_ref()?;
        tls::certificate(&identity.certificate, &identity.key.0).ok()?.valid_until
    }

    pub(super) fn is_valid(&self) -> bool {
        self.valid_until.is_none_or(|until| SystemTime::now() < until)
    }

    pub(super) fn wants_renewal(&self) -> bool {
        self.renew_at.is_some_and(|at| SystemTime::now() >= at)
    }
}

/// After how much of its validity a login is renewed. A plugin that caches may return a login that expires when the previous one
/// does: then it runs again after half of the remaining time.
fn renewed_after(valid: Duration, is_same: bool) -> Duration {
    let half = if is_same { valid / 2 } else { Duration::ZERO };
    valid.saturating_sub(LEAD).max(half).max(LEAST_PERIOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_renewed_a_minute_before_its_end_and_a_short_one_after_a_moment() {
        for (valid, renewed, renewed_if_same) in [
            (10, 3, 5),
            (30, 3, 15),
            (60, 3, 30),
            (62, 3, 31),
            (63, 3, 31),
            (64, 4, 32),
            (90, 30, 45),
            (119, 59, 59),
            (120, 60, 60),
            (121, 61, 61),
            (900, 840, 840),
            (3_600, 3_540, 3_540),
        ] {
            let seconds = |is_same| renewed_after(Duration::from_secs(valid), is_same).as_secs();
            assert_eq!([seconds(false), seconds(true)], [renewed, renewed_if_same], "{valid} s");
        }
        for is_same in [false, true] {
            // A login that is valid for longer is never renewed sooner.
            let periods: Vec<Duration> =
                (0..10_000).map(|seconds| renewed_after(Duration::from_secs(seconds), is_same)).collect();
            assert!(periods.is_sorted());
            assert!(periods.iter().all(|period| *period >= LEAST_PERIOD));
        }
    }

    #[test]
    fn a_plugin_that_gives_the_same_login_until_its_end_does_not_run_without_end() {
        for seconds in [1, 10, 61, 62, 63, 3_600, 30 * 24 * 3_600] {
            let (mut left, mut runs) = (Duration::from_secs(seconds), 0);
            while !left.is_zero() {
                left = left.saturating_sub(renewed_after(left.max(LEAST_VALID), runs > 0));
                runs += 1;
            }
            assert!(runs <= 8, "{runs} runs in {seconds} s");
        }
    }
}
