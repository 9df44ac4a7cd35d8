//! `authorization`: whose rights count, and who may call which tool.

use sandbar_policy::{ToolAccess, ToolRule, is_subdomain};
use schemars::JsonSchema;
use serde::Deserialize;

use super::places::Step;
use super::present;

/// Whose rights count when a tool reads, and who may call which tool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Authorization")]
pub struct AuthorizationConfig {
    /// Whose rights count beside the grant of the tool.
    pub rights: RightsConfig,
    /// Who may call which tool; absent: everybody who is let in calls all.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "ToolAccessConfig")]
    pub tools: Option<ToolAccessConfig>,
}

/// Who may call which tool: whom one of these allows it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "ToolAccess")]
pub struct ToolAccessConfig {
    /// Rules by user and group.
    pub rules: Vec<ToolRuleConfig>,
    /// An API group: whoever may `create` the resource `tools` in it, by the name of the tool, may call that.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub rbac: Option<String>,
}

/// These users, and whoever is in one of these groups, may call these tools.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ToolRule")]
pub struct ToolRuleConfig {
    /// Names of users, as Kubernetes knows them.
    #[serde(default)]
    pub users: Vec<String>,
    /// Names of groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Names of tools; `*` is all of them.
    #[schemars(length(min = 1))]
    pub tools: Vec<String>,
}

impl ToolAccessConfig {
    /// The same for the catalog.
    pub(super) fn access(&self) -> ToolAccess {
        let rule = |ToolRuleConfig { users, groups, tools }: &ToolRuleConfig| ToolRule {
            users: users.clone(),
            groups: groups.clone(),
            tools: tools.clone(),
        };
        ToolAccess { rules: self.rules.iter().map(rule).collect(), rbac: self.rbac.clone() }
    }

    /// What is wrong, and where.
    pub(super) fn faults(&self) -> Vec<(Vec<Step>, String)> {
        let mut faults = Vec::new();
        if self.rules.is_empty() && self.rbac.is_none() {
            let what = "this lets nobody call anything: give `rules` or `rbac`, or leave `tools` out to let everybody call all";
            faults.push((Vec::new(), what.to_owned()));
        }
        if let Some(group) = self.rbac.as_ref().filter(|group| !is_subdomain(group)) {
            let what = format!("{group:?} is no API group: write a DNS name, mcp.sandbar.dev for example");
            faults.push((vec![Step::Key("rbac")], what));
        }
        for (index, ToolRuleConfig { users, groups, tools }) in self.rules.iter().enumerate() {
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
}
