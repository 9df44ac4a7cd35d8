//! One Kubernetes RBAC PolicyRule, in the part of its grammar that a read-only tool can use.

use std::collections::{BTreeMap, BTreeSet};

use sandbar_text::clean;
use sandbar_text::steps::steps;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dns::{SUBDOMAIN_MAX, is_label, is_subdomain};

/// The subresource of logs, the only one that can be granted.
pub const POD_LOGS: &str = "pods/log";

/// Not covered by `*`: both have to be named.
pub(super) const NAMED_ONLY: [(&str, &str); 2] = [("", "secrets"), ("", POD_LOGS)];

/// What a rule allows to do. Sandbar only reads, so RBAC's other verbs cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Read one object, or a container's log.
    Get,
    /// Read a list of objects.
    List,
}

impl Verb {
    /// The verb as RBAC spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
        }
    }
}

/// An RBAC PolicyRule: every combination of its groups, resources and verbs is allowed.
///
/// The field names and the meaning of `*` are those of `rbac.authorization.k8s.io/v1`; `nonResourceURLs` do not exist here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRule {
    /// API groups; `""` is the core group, `*` is every group.
    #[schemars(length(min = 1))]
    pub api_groups: Vec<String>,
    /// Plural resource names or `pods/log`; `*` is every resource but `secrets` and `pods/log`.
    #[schemars(length(min = 1))]
    pub resources: Vec<String>,
    /// Names of single objects; empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// What may be done.
    #[schemars(length(min = 1))]
    pub verbs: Vec<Verb>,
}

/// A rule that no grant may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// One of the lists that RBAC requires is empty, so the rule allows nothing.
    #[error("a rule needs at least one entry in `{0}`")]
    Empty(&'static str),
    /// A subresource that reaches into a pod or a node, or that no tool can read.
    #[error(
        "`{}` cannot be granted: `pods/log` is the only subresource that tools can read (a GET on proxy, exec, attach or portforward can change things)",
        .0.escape_debug()
    )]
    Subresource(String),
    /// A group or resource that no cluster can have.
    #[error("{value:?} in `{key}` is {problem}")]
    Name {
        /// `apiGroups`, `resources` or `resourceNames`.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it, and what to write.
        problem: &'static str,
    },
    /// Objects are named, but only `list` is allowed, which reads them all.
    #[error("a rule with `resourceNames` needs the verb get: a list of all objects does not stop at a name")]
    NamesWithoutGet,
    /// Logs are read with `get`; RBAC has no list of them.
    #[error("`pods/log` is read with the verb get, not list: put it into a rule of its own or add get")]
    LogVerb,
}

impl PolicyRule {
    /// A rule for some resources of one group.
    pub fn new(group: &str, resources: &[&str], verbs: &[Verb]) -> Self {
        Self {
            api_groups: vec![group.to_owned()],
            resources: resources.iter().map(|&resource| resource.to_owned()).collect(),
            resource_names: Vec::new(),
            verbs: verbs.to_vec(),
        }
    }

    /// Refuses what the type allows: empty lists, forbidden subresources, impossible names, and rules that allow nothing.
    pub fn validate(&self) -> Result<(), RuleError> {
        for (list, key) in [(&self.api_groups, "apiGroups"), (&self.resources, "resources")] {
            if list.is_empty() {
                return Err(RuleError::Empty(key));
            }
        }
        if self.verbs.is_empty() {
            return Err(RuleError::Empty("verbs"));
        }
        if let Some(resource) = self.resources.iter().find(|name| name.contains('/') && *name != POD_LOGS) {
            return Err(RuleError::Subresource(resource.clone()));
        }
        if self.resources.iter().any(|name| name == POD_LOGS) && !self.verbs.contains(&Verb::Get) {
            return Err(RuleError::LogVerb);
        }
        if !self.resource_names.is_empty() && !self.verbs.contains(&Verb::Get) {
            return Err(RuleError::NamesWithoutGet);
        }
        self.validate_names()
    }

    /// The same rights in the fewest rules, one for each group and set of verbs and names, sorted and without duplicates. Rights
    /// that can never apply are left out: `list` with resource names, and `list` of logs.
    pub fn merged<'a>(rules: impl IntoIterator<Item = &'a PolicyRule>) -> Vec<PolicyRule> {
        type Objects<'a> = (&'a str, &'a [String]);
        let mut rights: BTreeMap<(Objects<'_>, &str), BTreeSet<Verb>> = BTreeMap::new();
        for rule in rules {
            let is_listable = |resource: &str| rule.resource_names.is_empty() && !resource.contains('/');
            for (group, resource) in rule.pairs() {
                steps(1);
                let verbs = rule.verbs.iter().copied().filter(|&verb| verb == Verb::Get || is_listable(resource));
                rights.entry(((group, &rule.resource_names), resource)).or_default().extend(verbs);
            }
        }
        let mut merged: BTreeMap<(Objects<'_>, Vec<Verb>), Vec<String>> = BTreeMap::new();
        for (&((group, names), resource), verbs) in &rights {
            let all = rights.get(&((group, &[][..]), resource)).filter(|_| !names.is_empty());
            let verbs: Vec<Verb> = verbs.iter().copied().filter(|verb| !all.is_some_and(|all| all.contains(verb))).collect();
            if !verbs.is_empty() {
                merged.entry(((group, names), verbs)).or_default().push(resource.to_owned());
            }
        }
        let rule = |(((group, names), verbs), resources): ((Objects<'_>, _), _)| PolicyRule {
            api_groups: vec![group.to_owned()],
            resources,
            resource_names: names.to_vec(),
            verbs,
        };
        merged.into_iter().map(rule).collect()
    }

    /// Each of its groups with each of its resources.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.api_groups.iter().flat_map(|group| self.resources.iter().map(move |plural| (group.as_str(), plural.as_str())))
    }

    /// How many rights it comes to: verbs on resources of groups, and of names where there are some.
    pub(super) fn rights(&self) -> u64 {
        let Self { api_groups, resources, resource_names, verbs } = self;
        let lengths = [api_groups.len(), resources.len(), resource_names.len().max(1), verbs.len()];
        lengths.into_iter().fold(1, |product, length| product.saturating_mul(length as u64))
    }

    /// Whether it has a `*` for groups or resources.
    pub fn has_wildcard(&self) -> bool {
        self.api_groups.iter().chain(&self.resources).any(|entry| entry == "*")
    }

    fn validate_names(&self) -> Result<(), RuleError> {
        let groups = self.api_groups.iter().map(|group| ("apiGroups", group, problem_of_group(group)));
        let resources = self.resources.iter().map(|resource| ("resources", resource, problem_of_resource(resource)));
        let names = self.resource_names.iter().map(|name| ("resourceNames", name, problem_of_name(name)));
        match groups.chain(resources).chain(names).find_map(|(key, value, problem)| Some((key, value, problem?))) {
            Some((key, value, problem)) => Err(RuleError::Name { key, value: value.clone(), problem }),
            None => Ok(()),
        }
    }

    /// Whether the rule allows `verb` on `resource` of `group`; `name` is the object's name, none for a list.
    pub fn allows(&self, verb: Verb, group: &str, resource: &str, name: Option<&str>) -> bool {
        self.covers(verb, group, resource)
            && (self.resource_names.is_empty() || name.is_some_and(|name| self.resource_names.iter().any(|entry| entry == name)))
    }

    /// Whether the rule allows `verb` on some object of `resource`.
    pub(super) fn covers(&self, verb: Verb, group: &str, resource: &str) -> bool {
        let named = |list: &[String], value: &str| list.iter().any(|entry| entry == value);
        let starred = |list: &[String]| list.iter().any(|entry| entry == "*");
        let by_name_only = NAMED_ONLY.contains(&(group, resource)) || resource.contains('/');

        self.verbs.contains(&verb)
            && (named(&self.api_groups, group) || starred(&self.api_groups))
            && (named(&self.resources, resource) || (starred(&self.resources) && !by_name_only))
    }
}

fn problem_of_group(group: &str) -> Option<&'static str> {
    match group {
        "" | "*" => None,
        "core" | "v1" => Some("no API group: the core group is written \"\""),
        _ if group.contains('/') => Some("a group with its version: a rule holds for all versions, so write the group alone"),
        _ if !is_subdomain(group) => Some("no API group: write a DNS name such as apps or coder.com"),
        _ => None,
    }
}

fn problem_of_resource(resource: &str) -> Option<&'static str> {
    let fits = resource == "*" || resource == POD_LOGS || is_label(resource);
    (!fits).then_some("no resource: write its plural name in lower case, as in a Role, and its group under `apiGroups`")
}

fn problem_of_name(name: &str) -> Option<&'static str> {
    match name {
        "*" => Some("no name, and no wildcard here: leave `resourceNames` out for all objects"),
        "" => Some("no name"),
        _ if name.len() > SUBDOMAIN_MAX => Some("longer than the 253 bytes that a name can have"),
        _ if name.contains(['/', '%', ' ', '\t']) || name.contains('\n') || clean(name) != name => {
            Some("no name that an object can have")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[Verb]) -> PolicyRule {
        let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect();
        PolicyRule { api_groups: owned(groups), resources: owned(resources), resource_names: owned(names), verbs: verbs.to_vec() }
    }

    #[test]
    fn a_star_covers_neither_secrets_nor_logs() {
        let all = rule(&["*"], &["*"], &[], &[Verb::Get, Verb::List]);
        assert!(all.allows(Verb::List, "apps", "deployments", None));
        assert!(!all.allows(Verb::Get, "", "secrets", Some("token")));
        assert!(!all.allows(Verb::Get, "", "pods/log", Some("web-0")));

        let named = rule(&["*"], &["secrets", "pods/log"], &[], &[Verb::Get]);
        assert!(named.allows(Verb::Get, "", "secrets", Some("token")));
        assert!(named.allows(Verb::Get, "", "pods/log", Some("web-0")));
    }

    #[test]
    fn resource_names_need_the_name() {
        let one = rule(&[""], &["pods"], &["web-0"], &[Verb::Get, Verb::List]);
        assert!(one.allows(Verb::Get, "", "pods", Some("web-0")));
        assert!(!one.allows(Verb::Get, "", "pods", Some("web-1")));
        assert!(!one.allows(Verb::List, "", "pods", None));
    }

    #[test]
    fn subresources_that_reach_into_a_pod_are_refused_by_name() {
        for resource in ["pods/proxy", "pods/exec", "pods/attach", "pods/portforward", "nodes/proxy", "*/log", "pods/*"] {
            let error = rule(&[""], &[resource], &[], &[Verb::Get]).validate().expect_err(resource);
            assert_eq!(error, RuleError::Subresource(resource.to_owned()));
        }
        assert_eq!(rule(&[""], &["pods/log"], &[], &[Verb::List]).validate(), Err(RuleError::LogVerb));
        assert_eq!(rule(&[""], &["pods"], &[], &[]).validate(), Err(RuleError::Empty("verbs")));
    }

    #[test]
    fn merged_rules_have_nothing_twice_and_nothing_idle() {
        let both = [Verb::Get, Verb::List];
        let rules = [
            rule(&[""], &["services", "pods"], &[], &[Verb::List]),
            rule(&["", "apps"], &["pods"], &[], &[Verb::Get]),
            rule(&[""], &["pods/log"], &[], &both),
            rule(&[""], &["pods"], &["web-0"], &[Verb::Get]),
            rule(&[""], &["secrets"], &["token"], &both),
        ];
        let merged = [
            rule(&[""], &["pods/log"], &[], &[Verb::Get]),
            rule(&[""], &["pods"], &[], &both),
            rule(&[""], &["services"], &[], &[Verb::List]),
            rule(&[""], &["secrets"], &["token"], &[Verb::Get]),
            rule(&["apps"], &["pods"], &[], &[Verb::Get]),
        ];
        assert_eq!(PolicyRule::merged(&rules), merged);
    }

    #[test]
    fn a_rule_that_could_never_allow_anything_is_refused() {
        let get = [Verb::Get];
        let problem = |rule: PolicyRule| rule.validate().expect_err("refused").to_string();
        assert!(problem(rule(&["core"], &["pods"], &[], &get)).contains(r#"the core group is written """#));
        assert!(problem(rule(&["v1"], &["pods"], &[], &get)).contains("core group"));
        assert!(problem(rule(&["apps/v1"], &["deployments"], &[], &get)).contains("write the group alone"));
        assert!(problem(rule(&[""], &["Pods"], &[], &get)).contains(r#""Pods" in `resources`"#));
        assert!(problem(rule(&[""], &["deployments.apps"], &[], &get)).contains("`apiGroups`"));
        assert!(problem(rule(&[""], &["pods"], &["*"], &get)).contains("leave `resourceNames` out"));
        assert!(problem(rule(&[""], &["pods"], &[&"x".repeat(254)], &get)).contains("longer than the 253 bytes"));
        for name in ["a/b", "a b", "a\nb", "\u{1b}[2Ja", "a\u{200b}"] {
            let words = problem(rule(&[""], &["pods"], &[name], &get));
            assert!(
                words.contains("no name that an object can have") && !words.contains(['\n', '\u{1b}', '\u{200b}']),
                "{words}"
            );
        }
        assert_eq!(rule(&[""], &["pods"], &["system:node.a_1"], &get).validate(), Ok(()));
        assert_eq!(rule(&[""], &["pods"], &["web-0"], &[Verb::List]).validate(), Err(RuleError::NamesWithoutGet));
        assert_eq!(rule(&["", "*", "rbac.authorization.k8s.io"], &["pods", "*"], &["web-0"], &get).validate(), Ok(()));
    }
}
