//! What one component may read: rules and namespaces, checked before a request leaves.

use std::collections::BTreeSet;
use std::fmt;

use sandbar_secrets::Secrets;
use serde::Serialize;

use super::rule::{PolicyRule, Verb};

/// The namespaces that an operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Namespaces {
    /// No restriction by Sandbar; the server's RBAC still applies.
    #[default]
    All,
    /// These and no others.
    Only(BTreeSet<String>),
}

impl Namespaces {
    /// Whether a namespace may be read.
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Namespaces::All => true,
            Namespaces::Only(names) => names.contains(namespace),
        }
    }

    /// What both allow: a component's own list only narrows the operator's.
    pub fn intersection(&self, other: &Namespaces) -> Namespaces {
        match (self, other) {
            (Namespaces::All, narrower) | (narrower, Namespaces::All) => narrower.clone(),
            (Namespaces::Only(left), Namespaces::Only(right)) => Namespaces::Only(left & right),
        }
    }
}

impl FromIterator<String> for Namespaces {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Namespaces::Only(names.into_iter().collect())
    }
}

/// What a component may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Rules for namespaced resources.
    pub rules: Vec<PolicyRule>,
    /// Rules for cluster-scoped resources. A namespace allowlist never grants these.
    pub cluster_rules: Vec<PolicyRule>,
    /// Where the rules for namespaced resources apply.
    pub namespaces: Namespaces,
    /// Whether secrets are masked in what it reads.
    pub secrets: Secrets,
    /// Whether it is told who calls.
    pub caller: bool,
}

/// The scope of an access. It comes from discovery, never from the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A cluster-scoped resource.
    Cluster,
    /// A namespaced resource in one namespace.
    Namespace(&'a str),
    /// A namespaced resource in all namespaces that the grant allows.
    EveryNamespace,
}

/// One read that a component asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// Get or list.
    pub verb: Verb,
    /// The API group; `""` is the core group.
    pub group: &'a str,
    /// The group's version in which it is read. No rule tells versions apart; other authorizers of the API server may.
    pub version: &'a str,
    /// The plural resource name, or `pods/log`.
    pub resource: &'a str,
    /// The scope.
    pub place: Place<'a>,
    /// The object's name; none for a list.
    pub name: Option<&'a str>,
}

/// An access that the grant does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No rule allows it. The message shows the rule that would, for the operator.
    #[error("this tool is not granted to {what}; the operator can grant it with `{rule}`")]
    NoRule {
        /// The access in words.
        what: String,
        /// A PolicyRule in YAML's flow style, with the key that it belongs under.
        rule: String,
    },
    /// The namespace is outside the operator's allowlist.
    #[error("namespace `{namespace}` is not among the namespaces that this tool may look into ({allowed})")]
    Namespace {
        /// The namespace that was asked for.
        namespace: String,
        /// The allowed ones, separated by commas.
        allowed: String,
    },
}

impl Grant {
    /// Whether the grant allows anything. If so, the output of the component may contain data that others wrote (user names included).
    pub fn allows_anything(&self) -> bool {
        self.caller || !(self.rules.is_empty() && self.cluster_rules.is_empty())
    }

    /// What it allows on some object of a resource, somewhere.
    pub fn verbs<'g>(&'g self, group: &'g str, resource: &'g str, is_namespaced: bool) -> impl Iterator<Item = Verb> + 'g {
        let rules = if is_namespaced { &self.rules } else { &self.cluster_rules };
        let allowed = move |verb: &Verb| rules.iter().any(|rule| rule.covers(*verb, group, resource));
        [Verb::Get, Verb::List].into_iter().filter(allowed)
    }

    /// Checks an access.
    ///
    /// The namespace comes first: a caller can mend a wrong namespace, a missing rule only the operator.
    pub fn check(&self, access: &Access<'_>) -> Result<(), Denied> {
        if let (Place::Namespace(namespace), Namespaces::Only(allowed)) = (access.place, &self.namespaces)
            && !allowed.contains(namespace)
        {
            return Err(Denied::Namespace {
                namespace: namespace.to_owned(),
                allowed: if allowed.is_empty() {
                    "none at all".to_owned()
                } else {
                    allowed.iter().cloned().collect::<Vec<_>>().join(", ")
                },
            });
        }
        let rules = match access.place {
            Place::Cluster => &self.cluster_rules,
            Place::Namespace(_) | Place::EveryNamespace => &self.rules,
        };
        if rules.iter().any(|rule| rule.allows(access.verb, access.group, access.resource, access.name)) {
            return Ok(());
        }
        Err(Denied::NoRule { what: access.to_string(), rule: access.as_rule() })
    }
}

impl Access<'_> {
    /// The PolicyRule that would allow this access, in YAML's flow style.
    fn as_rule(&self) -> String {
        let key = if self.place == Place::Cluster { "clusterRules" } else { "rules" };
        let group = if self.group.is_empty() { "\"\"" } else { self.group };
        format!("{key}: [{{ apiGroups: [{group}], resources: [{}], verbs: [{}] }}]", self.resource, self.verb.as_str())
    }
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = self.name {
            write!(f, " {name:?}")?;
        }
        match self.place {
            Place::Cluster => write!(f, " of the cluster"),
            Place::Namespace(namespace) => write!(f, " in namespace {namespace:?}"),
            Place::EveryNamespace => write!(f, " in every namespace"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(namespaces: Namespaces) -> Grant {
        Grant {
            rules: vec![PolicyRule::new("", &["pods"], &[Verb::Get, Verb::List])],
            cluster_rules: vec![PolicyRule::new("", &["nodes"], &[Verb::List])],
            namespaces,
            ..Grant::default()
        }
    }

    fn list(resource: &'static str, place: Place<'static>) -> Access<'static> {
        Access { verb: Verb::List, group: "", version: "v1", resource, place, name: None }
    }

    #[test]
    fn rules_do_not_reach_into_the_other_scope() {
        let grant = grant(Namespaces::All);
        assert!(grant.check(&list("pods", Place::EveryNamespace)).is_ok());
        assert!(grant.check(&list("nodes", Place::Cluster)).is_ok());
        assert!(grant.check(&list("nodes", Place::EveryNamespace)).is_err());
        assert!(grant.check(&list("pods", Place::Cluster)).is_err());
    }

    #[test]
    fn what_may_be_done_with_a_resource_counts_single_objects_too() {
        let mut grant = grant(Namespaces::All);
        let one = PolicyRule { resource_names: vec!["ca".to_owned()], ..PolicyRule::new("", &["secrets"], &[Verb::Get]) };
        grant.rules.push(one);
        let verbs = |resource, is_namespaced| grant.verbs("", resource, is_namespaced).collect::<Vec<_>>();
        assert_eq!(verbs("pods", true), [Verb::Get, Verb::List]);
        assert_eq!(verbs("secrets", true), [Verb::Get]);
        assert_eq!(verbs("nodes", false), [Verb::List]);
        assert_eq!((verbs("nodes", true), verbs("pods", false)), (vec![], vec![]));
    }

    #[test]
    fn a_namespace_outside_the_allowlist_is_denied_by_name() {
        let grant = grant(["team-a".to_owned(), "team-b".to_owned()].into_iter().collect());
        assert!(grant.check(&list("pods", Place::Namespace("team-a"))).is_ok());
        let denied = grant.check(&list("pods", Place::Namespace("kube-system"))).expect_err("outside");
        assert_eq!(
            denied.to_string(),
            "namespace `kube-system` is not among the namespaces that this tool may look into (team-a, team-b)"
        );
    }

    #[test]
    fn a_missing_rule_is_shown_as_it_could_be_granted() {
        let denied = grant(Namespaces::All).check(&Access {
            verb: Verb::Get,
            group: "apps",
            version: "v1",
            resource: "deployments",
            place: Place::Namespace("team-a"),
            name: Some("web"),
        });
        assert_eq!(
            denied.expect_err("no rule").to_string(),
            "this tool is not granted to get deployments.apps \"web\" in namespace \"team-a\"; the operator can grant it with `rules: [{ apiGroups: [apps], resources: [deployments], verbs: [get] }]`"
        );
    }

    #[test]
    fn a_component_can_only_narrow_the_namespaces() {
        let operator: Namespaces = ["a".to_owned(), "b".to_owned()].into_iter().collect();
        let component: Namespaces = ["b".to_owned(), "c".to_owned()].into_iter().collect();
        assert_eq!(operator.intersection(&component), ["b".to_owned()].into_iter().collect());
        assert_eq!(operator.intersection(&Namespaces::All), operator);
    }
}
