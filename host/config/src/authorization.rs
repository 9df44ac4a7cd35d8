//! `authorization`: whose rights count, and who may call which tool.

use std::sync::Arc;

use sandbar_kubernetes::{ExtraKeys, WhoseRights};
use sandbar_policy::{ToolAccess, ToolRule, is_subdomain};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::places::Step;
use super::present;

/// Whose rights count when a tool reads, and who may call which tool.
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
    /// Who may call which tool; absent: everybody who is let in calls all.
    #[serde(deserialize_with = "tool_access")]
    #[schemars(with = "ToolAccessConfig", skip_serializing_if = "Option::is_none")]
    pub tools: Option<Arc<ToolAccess>>,
}

/// What becomes of the keys of a caller's `extra`, which authenticators add to a user. Whoever has another key is not impersonated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Extra")]
pub struct ExtraConfig {
    /// Keys that are impersonated, beside `authentication.kubernetes.io/credential-id`.
    pub impersonated: Vec<String>,
    /// Keys that are left out, since nothing in the cluster takes rights away by them.
    pub dropped: Vec<String>,
}

/// Who may call which tool: whom one of these allows it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "ToolAccess")]
struct ToolAccessConfig {
    /// Rules by user and group.
    rules: Vec<ToolRuleConfig>,
    /// An API group: whoever may `create` the resource `tools` in it, by the name of the tool, may call that.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    rbac: Option<String>,
}

/// These users, and whoever is in one of these groups, may call these tools.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ToolRule")]
struct ToolRuleConfig {
    /// Names of users, as Kubernetes knows them.
    #[serde(default)]
    users: Vec<String>,
    /// Names of groups.
    #[serde(default)]
    groups: Vec<String>,
    /// Names of tools; `*` is all of them.
    #[schemars(length(min = 1))]
    tools: Vec<String>,
}

impl From<ToolAccessConfig> for ToolAccess {
    fn from(ToolAccessConfig { rules, rbac }: ToolAccessConfig) -> Self {
        let rule = |ToolRuleConfig { users, groups, tools }| ToolRule { users, groups, tools };
        Self { rules: rules.into_iter().map(rule).collect(), rbac }
    }
}

/// All components have these rules, and share them.
fn tool_access<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<ToolAccess>>, D::Error> {
    ToolAccessConfig::deserialize(deserializer).map(|tools| Some(Arc::new(tools.into())))
}

/// What is wrong with who may call which tool, and where.
pub(super) fn faults_of_tools(tools: &ToolAccess) -> Vec<(Vec<Step>, String)> {
    let mut faults = Vec::new();
    if tools.rules.is_empty() && tools.rbac.is_none() {
        let what = "this lets nobody call anything: give `rules` or `rbac`, or leave `tools` out to let everybody call all";
        faults.push((Vec::new(), what.to_owned()));
    }
    if let Some(group) = tools.rbac.as_ref().filter(|group| !is_subdomain(group)) {
        let what = format!("{group:?} is no API group: write a DNS name, mcp.sandbar.dev for example");
        faults.push((vec![Step::Key("rbac")], what));
    }
    for (index, ToolRule { users, groups, tools }) in tools.rules.iter().enumerate() {
        let what = match (users.is_empty() && groups.is_empty(), tools.is_empty()) {
            (true, _) => {
                "this rule is for nobody: it needs `users` or `groups`; `system:authenticated` is the group of all who are known"
            }
            (_, true) => "this rule allows nothing: `tools` needs a name, or `*` for all",
            _ if users.iter().chain(groups).any(|name| name == "*") => {
                "a `*` is no user and no group: `system:authenticated` is the group of all who are known"
            }
            _ => continue,
        };
        faults.push((vec![Step::Key("rules"), Step::Entry(index)], what.to_owned()));
    }
    faults
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

    /// Converts the configured mode to the one that readers use.
    pub(super) fn whose(&self, rights: RightsConfig) -> WhoseRights {
        match rights {
            RightsConfig::Server => WhoseRights::Server,
            RightsConfig::Caller => WhoseRights::Caller,
            RightsConfig::Impersonation => WhoseRights::Impersonation(Arc::new(self.extra_keys())),
        }
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
