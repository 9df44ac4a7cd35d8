//! What a component asks for against what it is granted.

use crate::capability::Interface;
use crate::policy::{Grant, PolicyRule};

use super::manifest::Manifest;

/// The interfaces that a grant opens. Whoever may read nothing has no function to read with.
pub(super) fn interfaces(grant: &Grant) -> Vec<Interface> {
    let names_logs = |rule: &PolicyRule| rule.resources.iter().any(|resource| resource == "pods/log");
    let names_objects = |rule: &PolicyRule| rule.resources.iter().any(|resource| resource != "pods/log");
    // The facts of the call, the log and the health of the API server need no rule.
    let mut interfaces = vec![Interface::Context, Interface::Logging, Interface::Types, Interface::Health];
    if grant.rules.iter().chain(&grant.cluster_rules).any(names_objects) {
        interfaces.push(Interface::Read);
    }
    if grant.rules.iter().any(names_logs) {
        interfaces.push(Interface::Logs);
    }
    interfaces
}

/// What a manifest asks for and a grant lacks, as rules that could be granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Rules for namespaced resources.
    pub rules: Vec<PolicyRule>,
    /// Rules for cluster-scoped resources.
    pub cluster_rules: Vec<PolicyRule>,
}

impl Missing {
    /// Compares a manifest with a grant.
    pub(super) fn of(manifest: &Manifest, grant: &Grant) -> Self {
        Self {
            rules: uncovered(&manifest.rules, &grant.rules),
            cluster_rules: uncovered(&manifest.cluster_rules, &grant.cluster_rules),
        }
    }

    /// Whether the grant holds everything.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.cluster_rules.is_empty()
    }
}

impl std::fmt::Display for Missing {
    /// As YAML that can be pasted under the component's entry in sandbar.yaml.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (key, rules) in [("rules", &self.rules), ("clusterRules", &self.cluster_rules)] {
            if rules.is_empty() {
                continue;
            }
            write!(f, "\n    {key}:")?;
            for rule in rules {
                // JSON is YAML; one rule a line reads well.
                write!(f, "\n      - {}", serde_json::to_string(rule).map_err(|_| std::fmt::Error)?)?;
            }
        }
        Ok(())
    }
}

/// The asked rules that the granted ones do not hold in every combination.
fn uncovered(asked: &[PolicyRule], granted: &[PolicyRule]) -> Vec<PolicyRule> {
    asked.iter().filter(|rule| !is_covered(rule, granted)).cloned().collect()
}

fn is_covered(asked: &PolicyRule, granted: &[PolicyRule]) -> bool {
    let covers = |verb, group: &str, resource: &str, name: Option<&str>| {
        granted.iter().any(|rule| match (group, resource) {
            // A star that was asked for needs a star that was granted: no enumeration is as much.
            ("*", _) if !rule.api_groups.iter().any(|entry| entry == "*") => false,
            (_, "*") if !rule.resources.iter().any(|entry| entry == "*") => false,
            _ => rule.allows(verb, group, resource, name),
        })
    };
    asked.verbs.iter().all(|&verb| {
        asked.api_groups.iter().all(|group| {
            asked.resources.iter().all(|resource| {
                if asked.resource_names.is_empty() {
                    covers(verb, group, resource, None)
                } else {
                    asked.resource_names.iter().all(|name| covers(verb, group, resource, Some(name)))
                }
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Verb::{Get, List};

    #[test]
    fn a_rule_is_covered_in_every_combination_or_not_at_all() {
        let granted = [PolicyRule::new("", &["pods"], &[Get, List]), PolicyRule::new("apps", &["deployments"], &[Get])];
        assert!(is_covered(&PolicyRule::new("", &["pods"], &[Get]), &granted));
        assert!(!is_covered(&PolicyRule::new("", &["pods", "services"], &[Get]), &granted));
        assert!(!is_covered(&PolicyRule::new("apps", &["deployments"], &[Get, List]), &granted));
        assert!(!is_covered(&PolicyRule::new("", &["*"], &[Get]), &granted));
        assert!(is_covered(&PolicyRule::new("", &["*"], &[Get]), &[PolicyRule::new("*", &["*"], &[Get])]));
        assert!(!is_covered(&PolicyRule::new("", &["pods/log"], &[Get]), &[PolicyRule::new("*", &["*"], &[Get])]));
    }

    #[test]
    fn logs_need_their_own_rule() {
        let grant = Grant { rules: vec![PolicyRule::new("", &["*"], &[Get])], ..Grant::default() };
        assert!(interfaces(&grant).contains(&Interface::Read));
        assert!(!interfaces(&grant).contains(&Interface::Logs));
        assert!(!interfaces(&Grant::default()).contains(&Interface::Read));
    }

    #[test]
    fn what_is_missing_can_be_pasted() {
        let missing = Missing { rules: vec![PolicyRule::new("", &["pods"], &[List])], cluster_rules: Vec::new() };
        assert_eq!(
            missing.to_string(),
            "\n    rules:\n      - {\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]}"
        );
    }
}
