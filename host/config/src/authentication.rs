//! `authentication`: how it is found out who calls.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::oidc::{OidcConfig, ResourceConfig};
use super::present;

/// Audiences that API servers have for themselves unless somebody has chosen another: tokens for them are in every pod.
const OF_API_SERVERS: [&str; 5] = [
    "https://kubernetes.default.svc.cluster.local",
    "https://kubernetes.default.svc",
    "https://kubernetes.default",
    "kubernetes.default.svc",
    "api",
];

/// Whether it is what an API server calls itself, unless somebody has chosen something else.
pub(super) fn is_of_api_servers(name: &str) -> bool {
    OF_API_SERVERS.contains(&name.trim_end_matches('/'))
}

/// How it is found out who calls. Without any of it nobody is asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Authentication")]
pub struct AuthenticationConfig {
    /// A proxy in front that says who calls, and proves with a client certificate of `tls.clientCertificateAuthority` that it is the proxy.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "FrontProxyConfig")]
    pub front_proxy: Option<FrontProxyConfig>,
    /// Issuers whose tokens count, in the shape of the `jwt` entries of Kubernetes' AuthenticationConfiguration.
    #[schemars(length(min = 1))]
    pub oidc: Vec<OidcConfig>,
    /// What clients are told of how to get a token of an issuer.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "ResourceConfig")]
    pub resource: Option<ResourceConfig>,
    /// Tokens of ServiceAccounts, which the API server reviews.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "TokenReviewConfig")]
    pub token_review: Option<TokenReviewConfig>,
}

/// The key, if it is there. An empty one must not mean that nobody is asked.
pub(super) fn configured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AuthenticationConfig, D::Error> {
    let config = AuthenticationConfig::deserialize(deserializer)?;
    let AuthenticationConfig { front_proxy, oidc, resource: _, token_review } = &config;
    if front_proxy.is_none() && oidc.is_empty() && token_review.is_none() {
        let what = "`authentication` names no way to know who calls: give `tokenReview`, `oidc` or `frontProxy`, or leave the key out to ask nobody";
        return Err(de::Error::custom(what));
    }
    Ok(config)
}

/// Which proxies are believed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FrontProxy")]
pub struct FrontProxyConfig {
    /// The common names of their certificates.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub allowed_names: Vec<String>,
}

/// Which tokens of ServiceAccounts count.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "TokenReview")]
pub struct TokenReviewConfig {
    /// The audiences of this server: a token has to be for one of them. Never the API server's own.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub audiences: Vec<String>,
}

impl TokenReviewConfig {
    /// What is wrong with the audiences, and with which.
    pub(super) fn faults(&self) -> Vec<(Option<usize>, String)> {
        if self.audiences.is_empty() {
            let what = "an audience is required, `sandbar` for example: without one, the token of any pod would count";
            return vec![(None, what.to_owned())];
        }
        let faulty = |audience: &str| match audience {
            "" => Some("an audience cannot be empty".to_owned()),
            _ if is_of_api_servers(audience) => {
                Some(format!("{audience:?} is the API server's own audience, for which every pod has a token: choose another"))
            }
            _ => None,
        };
        let audiences = self.audiences.iter().enumerate();
        audiences.filter_map(|(index, audience)| Some((Some(index), faulty(audience)?))).collect()
    }
}
