//! The Kubernetes roles that a set of grants needs: computed, never written by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::policy::{Grant, Namespaces, PolicyRule, Verb};

/// Who gets the roles, and what they are called.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name of the roles and bindings.
    pub name: String,
    /// The ServiceAccount.
    pub service_account: String,
    /// Its namespace.
    pub namespace: String,
}

/// A rule with a wildcard. Kubernetes' `*` covers Secrets, logs and every subresource, which Sandbar's does not, and RBAC has no
/// "all but".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rule {0} has a wildcard, which means more to Kubernetes than to Sandbar: name the groups and resources in sandbar.yaml"
)]
pub struct Wildcard(String);

/// The Roles and RoleBindings, or the ClusterRole and ClusterRoleBinding, that the grants need.
pub fn objects(grants: &[Grant], namespaces: &Namespaces, account: &Account) -> Result<Vec<Value>, Wildcard> {
    let cluster_rules = merge(grants.iter().flat_map(|grant| &grant.cluster_rules))?;
    let mut objects = Vec::new();
    match namespaces {
        Namespaces::All => {
            let rules = merge(grants.iter().flat_map(|grant| grant.rules.iter().chain(&grant.cluster_rules)))?;
            push_role(&mut objects, account, None, &rules);
        }
        Namespaces::Only(names) => {
            push_role(&mut objects, account, None, &cluster_rules);
            for name in names {
                let here = grants.iter().filter(|grant| grant.namespaces.contains(name));
                let rules = merge(here.flat_map(|grant| &grant.rules))?;
                push_role(&mut objects, account, Some(name), &rules);
            }
        }
    }
    Ok(objects)
}

/// One rule for each group and set of verbs and names, with everything in order, so that equal grants print equally.
fn merge<'a>(rules: impl Iterator<Item = &'a PolicyRule>) -> Result<Vec<PolicyRule>, Wildcard> {
    let mut verbs: BTreeMap<(String, Vec<String>, String), BTreeSet<Verb>> = BTreeMap::new();
    for rule in rules {
        if rule.api_groups.iter().chain(&rule.resources).any(|entry| entry == "*") {
            return Err(Wildcard(serde_json::to_string(rule).unwrap_or_default()));
        }
        for group in &rule.api_groups {
            for resource in &rule.resources {
                // A log is only ever got; RBAC has nothing to list there.
                let meaningful = rule.verbs.iter().copied().filter(|&verb| verb == Verb::Get || !resource.contains('/'));
                let key = (group.clone(), rule.resource_names.clone(), resource.clone());
                verbs.entry(key).or_default().extend(meaningful);
            }
        }
    }
    let mut merged: BTreeMap<(String, Vec<String>, Vec<Verb>), Vec<String>> = BTreeMap::new();
    for ((group, names, resource), verbs) in verbs {
        merged.entry((group, names, verbs.into_iter().collect())).or_default().push(resource);
    }
    Ok(merged
        .into_iter()
        .map(|((group, resource_names, verbs), resources)| PolicyRule {
            api_groups: vec![group],
            resources,
            resource_names,
            verbs,
        })
        .collect())
}

/// A role and its binding: for one namespace, or for the whole cluster.
fn push_role(objects: &mut Vec<Value>, account: &Account, namespace: Option<&str>, rules: &[PolicyRule]) {
    if rules.is_empty() {
        return;
    }
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let mut metadata = json!({ "name": account.name });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    objects.push(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules }));
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": format!("{kind}Binding"),
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": account.name },
        "subjects": [{ "kind": "ServiceAccount", "name": account.service_account, "namespace": account.namespace }],
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Verb::{Get, List};

    fn account() -> Account {
        Account { name: "mcp".to_owned(), service_account: "mcp".to_owned(), namespace: "coder-system".to_owned() }
    }

    fn grant(rules: &[PolicyRule]) -> Grant {
        Grant { rules: rules.to_vec(), ..Grant::default() }
    }

    #[test]
    fn equal_verbs_of_a_group_become_one_rule() {
        let grants = [grant(&[PolicyRule::new("", &["pods"], &[List])]), grant(&[PolicyRule::new("", &["events"], &[List])])];
        let objects = objects(&grants, &Namespaces::All, &account()).expect("no wildcards");
        assert_eq!(objects[0]["kind"], "ClusterRole");
        assert_eq!(objects[0]["rules"], json!([{ "apiGroups": [""], "resources": ["events", "pods"], "verbs": ["list"] }]));
        assert_eq!(objects[1]["roleRef"]["kind"], "ClusterRole");
    }

    #[test]
    fn an_allowlist_makes_roles_and_no_cluster_role() {
        let grants = [grant(&[PolicyRule::new("", &["pods/log"], &[Get])])];
        let namespaces = ["a".to_owned(), "b".to_owned()].into_iter().collect();
        let objects = objects(&grants, &namespaces, &account()).expect("no wildcards");
        let places: Vec<_> =
            objects.iter().map(|object| (object["kind"].as_str(), object["metadata"]["namespace"].as_str())).collect();
        assert_eq!(
            places,
            [
                (Some("Role"), Some("a")),
                (Some("RoleBinding"), Some("a")),
                (Some("Role"), Some("b")),
                (Some("RoleBinding"), Some("b")),
            ]
        );
    }

    #[test]
    fn a_wildcard_is_refused() {
        let grants = [grant(&[PolicyRule::new("*", &["pods"], &[Get])])];
        assert!(objects(&grants, &Namespaces::All, &account()).is_err());
    }
}
