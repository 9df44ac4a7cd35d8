//! `authorization`: whose rights count.

use sandbar_kubernetes::ExtraKeys;
use sandbar_policy::is_subdomain;
use schemars::JsonSchema;
use serde::Deserialize;

use super::places::Step;
use super::present;

/// Whose rights count when a tool reads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Authorization")]
pub struct AuthorizationConfig {
    /// Whose rights count beside the grant of the tool.
    pub rights: RightsConfig,
    /// What becomes of the callers' `extra` with `rights: impersonation`.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "ExtraConfig")]
    pub extra: Option<ExtraConfig>,
}

/// What becomes of the keys of a caller's `extra`, which authenticators add to a user. Whoever has another key is not impersonated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Extra")]
pub struct ExtraConfig {
    /// Keys that are impersonated, beside `authentication.kubernetes.io/credential-id`.
    pub impersonated: Vec<String>,
    /// Keys that are left out, since nothing in the cluster decides by them.
    pub dropped: Vec<String>,
}

/// Whose rights count beside the grant of the tool.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Rights")]
pub enum RightsConfig {
    /// The server's alone: whoever may call reads what the server may read.
    #[default]
    Server,
    /// The caller's as well: a SubjectAccessReview for each read.
    Caller,
    /// The caller's: each read is sent in the caller's name, by constrained impersonation. The server has no right to read of its own.
    Impersonation,
}

impl AuthorizationConfig {
    /// What becomes of the keys of a caller's `extra`.
    pub fn extra_keys(&self) -> ExtraKeys {
        let ExtraConfig { impersonated, dropped } = self.extra.clone().unwrap_or_default();
        ExtraKeys::new(&impersonated, &dropped)
    }

    /// What is wrong with it, and where.
    pub(super) fn faults(&self) -> Vec<(Vec<Step>, String)> {
        let place = |more: &[Step]| [&[Step::Key("extra")], more].concat();
        let Some(ExtraConfig { impersonated, dropped }) = &self.extra else { return Vec::new() };
        if self.rights != RightsConfig::Impersonation {
            return vec![(place(&[]), "a caller's `extra` counts with `rights: impersonation` alone".to_owned())];
        }
        let lists = [("impersonated", impersonated), ("dropped", dropped)];
        let keys = lists.into_iter().flat_map(|(list, keys)| keys.iter().enumerate().map(move |(at, key)| (list, at, key)));
        let faulty = |list: &str, key: &str| match key {
            _ if key.is_empty() || key != key.to_ascii_lowercase() => {
                Some(format!("{key:?} is no key: it has to be in lower case, as the API server takes it from a header"))
            }
            _ if list == "dropped" && impersonated.iter().any(|other| other == key) => {
                Some(format!("{key:?} cannot be both dropped and impersonated"))
            }
            _ if list == "impersonated" && !is_path_in_domain(key) => Some(format!(
                "{key:?} cannot be impersonated: the API server takes keys like example.com/team alone. It can only be `dropped`"
            )),
            _ => None,
        };
        let faults = keys.filter_map(|(list, at, key)| Some((place(&[Step::Key(list), Step::Entry(at)]), faulty(list, key)?)));
        faults.collect()
    }
}

/// What Kubernetes calls a domain-prefixed path.
fn is_path_in_domain(key: &str) -> bool {
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    key.split_once('/').is_some_and(|(domain, path)| is_subdomain(domain) && !path.is_empty() && path.bytes().all(in_path))
}
