//! What a component asks for against what it is granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sandbar_capability::CALLER;
use sandbar_policy::{Grant, PolicyRule, Rights, Verb};
use sandbar_sandbox::Imports;
use serde::Serialize;

use super::manifest::Manifest;

/// What can be done with one resource, or with some named objects of it: asked for, granted or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Whether the rules for cluster-scoped resources are meant.
    pub of_cluster: bool,
    /// The API group; `""` is the core group, `*` is every group.
    pub group: String,
    /// The plural name, `pods/log`, or `*`.
    pub resource: String,
    /// The names of the objects; empty: all of them.
    pub names: Vec<String>,
    /// What the component asks for.
    pub asked: BTreeSet<Verb>,
    /// What it is granted, by whichever rule.
    pub granted: BTreeSet<Verb>,
}

impl Right {
    /// What it asks for and is not granted.
    pub fn missing(&self) -> BTreeSet<Verb> {
        &self.asked - &self.granted
    }
}

/// What is asked for and what is granted, side by side: one entry for each resource that either names.
pub fn rights(manifest: &Manifest, grant: &Grant) -> Vec<Right> {
    let mut rights = compare(false, &manifest.rules, &grant.rules);
    rights.extend(compare(true, &manifest.cluster_rules, &grant.cluster_rules));
    rights
}

fn compare(of_cluster: bool, asked: &[PolicyRule], granted: &[PolicyRule]) -> Vec<Right> {
    let mut rights: BTreeMap<(String, String, Vec<String>), Right> = BTreeMap::new();
    let held = Rights::of(granted);
    let sides = [(PolicyRule::merged(asked), true), (PolicyRule::merged(granted), false)];
    for (rule, is_asked) in sides.iter().flat_map(|(rules, is_asked)| rules.iter().map(move |rule| (rule, *is_asked))) {
        for (group, resource) in rule.pairs() {
            let names = rule.resource_names.clone();
            let right = rights.entry((group.to_owned(), resource.to_owned(), names.clone())).or_insert_with(|| Right {
                of_cluster,
                group: group.to_owned(),
                resource: resource.to_owned(),
                granted: covered(group, resource, &names, &held),
                names,
                asked: BTreeSet::new(),
            });
            if is_asked {
                right.asked.extend(&rule.verbs);
            }
        }
    }
    rights.into_values().collect()
}

/// The verbs that are held for a resource, and for each of the names where there are any.
fn covered(group: &str, resource: &str, names: &[String], held: &Rights<'_>) -> BTreeSet<Verb> {
    let holds = |verb, name| held.cover(verb, group, resource, name);
    let is_covered = |verb| match names {
        // Logs have no list.
        [] => holds(verb, None) && (verb == Verb::Get || !resource.contains('/')),
        // A list does not stop at a name.
        names => verb == Verb::Get && names.iter().all(|name| holds(verb, Some(name.as_str()))),
    };
    [Verb::Get, Verb::List].into_iter().filter(|&verb| is_covered(verb)).collect()
}

/// Whether a component asks to be told who calls. It does by what it imports.
pub fn asks_for_caller(imports: &Imports) -> bool {
    imports.interfaces.contains_key(CALLER)
}

/// What a component asks for and a grant lacks, as it could be granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Rules for namespaced resources.
    pub rules: Vec<PolicyRule>,
    /// Rules for cluster-scoped resources.
    pub cluster_rules: Vec<PolicyRule>,
    /// To be told who calls.
    pub caller: bool,
    /// The cluster that it lacks the rules in, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Arc<str>>,
}

impl Missing {
    /// The most severe of these, if any is non-empty: missing access to the caller's identity outranks missing rules, since a component
    /// cannot be linked without it.
    pub fn gravest(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let some = all.into_iter().filter(|missing| !missing.is_empty());
        some.reduce(|first, next| if next.caller && !first.caller { next } else { first })
    }

    /// Compares what a component says and imports with a grant.
    pub fn of(manifest: &Manifest, imports: &Imports, grant: &Grant) -> Self {
        let rights = rights(manifest, grant);
        let lacking = |of_cluster| {
            let rules: Vec<_> = rights.iter().filter(|right| right.of_cluster == of_cluster).filter_map(as_rule).collect();
            PolicyRule::merged(&rules)
        };
        Self {
            rules: lacking(false),
            cluster_rules: lacking(true),
            caller: asks_for_caller(imports) && !grant.caller,
            cluster: None,
        }
    }

    /// Whether the grant holds everything.
    pub fn is_empty(&self) -> bool {
        let Self { rules, cluster_rules, caller, cluster: _ } = self;
        rules.is_empty() && cluster_rules.is_empty() && !caller
    }
}

/// What a right lacks, as a rule.
fn as_rule(right: &Right) -> Option<PolicyRule> {
    let verbs: Vec<Verb> = right.missing().into_iter().collect();
    let rule = || PolicyRule {
        api_groups: vec![right.group.clone()],
        resources: vec![right.resource.clone()],
        resource_names: right.names.clone(),
        verbs: verbs.clone(),
    };
    (!verbs.is_empty()).then(rule)
}

#[cfg(test)]
mod tests {
    use sandbar_policy::Verb::{Get, List};
    use sandbar_text::steps::counted;

    use super::*;

    /// A resource, and what of it is asked for, granted and missing.
    type Line = (String, Vec<Verb>, Vec<Verb>, Vec<Verb>);

    fn side_by_side(asked: &[PolicyRule], granted: &[PolicyRule]) -> Vec<Line> {
        let list = |verbs: &BTreeSet<Verb>| verbs.iter().copied().collect();
        let line = |right: Right| (right.resource.clone(), list(&right.asked), list(&right.granted), list(&right.missing()));
        compare(false, asked, granted).into_iter().map(line).collect()
    }

    #[test]
    fn asked_and_granted_are_compared_for_each_resource() {
        let asked = [PolicyRule::new("", &["pods", "services"], &[Get, List]), PolicyRule::new("", &["pods/log"], &[Get])];
        let granted = [PolicyRule::new("", &["pods"], &[Get, List]), PolicyRule::new("", &["services", "nodes"], &[List])];
        let lines = [
            ("nodes".to_owned(), vec![], vec![List], vec![]),
            ("pods".to_owned(), vec![Get, List], vec![Get, List], vec![]),
            ("pods/log".to_owned(), vec![Get], vec![], vec![Get]),
            ("services".to_owned(), vec![Get, List], vec![List], vec![Get]),
        ];
        assert_eq!(side_by_side(&asked, &granted), lines);
    }

    #[test]
    fn a_star_grants_what_it_covers() {
        let all = [PolicyRule::new("*", &["*"], &[Get])];
        let asked = [PolicyRule::new("", &["pods", "secrets"], &[Get])];
        let lines = side_by_side(&asked, &all);
        assert!(lines.contains(&("pods".to_owned(), vec![Get], vec![Get], vec![])), "{lines:?}");
        assert!(lines.contains(&("secrets".to_owned(), vec![Get], vec![], vec![Get])), "{lines:?}");
        let lines = side_by_side(&[PolicyRule::new("", &["*"], &[Get])], &[PolicyRule::new("", &["pods"], &[Get])]);
        assert!(lines.contains(&("*".to_owned(), vec![Get], vec![], vec![Get])), "{lines:?}");
    }

    #[test]
    fn named_objects_are_covered_by_name_or_by_all() {
        let named = |names: &[&str]| PolicyRule {
            resource_names: names.iter().map(|&name| name.to_owned()).collect(),
            ..PolicyRule::new("", &["secrets"], &[Get])
        };
        let missing = |asked: PolicyRule, granted: PolicyRule| {
            compare(false, &[asked], &[granted]).iter().filter_map(as_rule).collect::<Vec<_>>()
        };
        assert_eq!(missing(named(&["a"]), named(&["a", "b"])), []);
        assert_eq!(missing(named(&["a"]), named(&[])), []);
        assert_eq!(missing(named(&["a", "c"]), named(&["a", "b"])), [named(&["a", "c"])]);
        assert_eq!(missing(named(&[]), named(&["a"])), [named(&[])]);
    }

    #[test]
    fn comparing_takes_as_long_as_there_are_rights() {
        let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect::<Vec<_>>();
        let get = |groups: Vec<String>, resources: Vec<String>, resource_names: Vec<String>| PolicyRule {
            api_groups: groups,
            resources,
            resource_names,
            verbs: vec![Get],
        };
        let each = |count| names(count).into_iter().map(|name| get(vec![name], names(1), Vec::new())).collect::<Vec<_>>();
        let steps = |asked: &[PolicyRule], granted: &[PolicyRule]| counted(|| drop(compare(false, asked, granted)));
        for (asked, granted) in [
            (vec![get(names(64), names(64), Vec::new())], each(4096)),
            (vec![get(names(1), names(64), names(64))], each(4096)),
            (each(4096), vec![get(names(1), names(1), names(4096))]),
        ] {
            let taken = steps(&asked, &granted);
            assert!((4096..10 * 2 * 4096).contains(&taken), "{taken} steps");
        }
    }
}
