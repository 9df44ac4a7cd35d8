//! What the rules of one component come to, each right by itself: a verb on a resource of a group, and of a name where there are some.

use std::collections::{BTreeMap, BTreeSet};

use sandbar_text::steps::steps;

use super::rule::{NAMED_ONLY, PolicyRule, Verb};

/// The most rights that all rules of one component come to. Four lists that fit a short text multiply: two of a thousand are a million
/// pairs. Kubernetes' own role `view` has some 150 rights, and a component that names all resources of a cluster with a hundred
/// operators some 1,000.
pub const MOST_RIGHTS: u64 = 4096;

/// The rules of one component come to more rights than anybody can review.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rules come to {0} rights, and to {MOST_RIGHTS} at most: in a rule, each of `apiGroups` counts with each of `resources`, \
    `resourceNames` and `verbs`; write a rule for each group, with the resources that it has, or a `*`"
)]
pub struct TooManyRights(u64);

/// Fails where the rules of one component come to more than [`MOST_RIGHTS`]. What is made of them multiplies their lists.
pub fn check_rights<'a>(rules: impl IntoIterator<Item = &'a PolicyRule>) -> Result<(), TooManyRights> {
    let rights = rules.into_iter().map(PolicyRule::rights).fold(0, u64::saturating_add);
    if rights > MOST_RIGHTS { Err(TooManyRights(rights)) } else { Ok(()) }
}

/// The rights of some rules, to look single ones up.
pub struct Rights<'a>(BTreeMap<(&'a str, &'a str, Verb), Objects<'a>>);

/// Which objects a right is about.
#[derive(Default)]
struct Objects<'a> {
    all: bool,
    named: BTreeSet<&'a str>,
}

impl<'a> Rights<'a> {
    /// The rights of these rules.
    pub fn of(rules: &'a [PolicyRule]) -> Self {
        let mut rights: BTreeMap<_, Objects<'_>> = BTreeMap::new();
        for rule in rules {
            for (group, resource) in rule.pairs() {
                for verb in &rule.verbs {
                    steps(1 + rule.resource_names.len());
                    let objects = rights.entry((group, resource, *verb)).or_default();
                    objects.all |= rule.resource_names.is_empty();
                    objects.named.extend(rule.resource_names.iter().map(String::as_str));
                }
            }
        }
        Self(rights)
    }

    /// Whether they hold all that a rule with this group and resource asks for. Only `*` covers a `*`, no enumeration does; and what `*`
    /// does not cover has to be named, in any group.
    pub fn cover(&self, verb: Verb, group: &str, resource: &str, name: Option<&str>) -> bool {
        let needs_name =
            resource.contains('/') || NAMED_ONLY.iter().any(|&(of, named)| named == resource && (of == group || group == "*"));
        let groups = [Some(group), (group != "*").then_some("*")];
        let resources = [Some(resource), (resource != "*" && !needs_name).then_some("*")];
        let mut pairs =
            groups.iter().flatten().flat_map(|group| resources.iter().flatten().map(move |resource| (*group, *resource)));
        pairs.any(|(group, resource)| {
            steps(1);
            let objects = self.0.get(&(group, resource, verb));
            objects.is_some_and(|objects| objects.all || name.is_some_and(|name| objects.named.contains(name)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_that_was_asked_for_needs_a_star() {
        let rules = |groups: &[&str], resources: &[&str]| {
            let api_groups = groups.iter().map(|&group| group.to_owned()).collect();
            [PolicyRule { api_groups, ..PolicyRule::new("", resources, &[Verb::Get]) }]
        };
        let star = rules(&["*"], &["*"]);
        let covers = |group, resource| Rights::of(&star).cover(Verb::Get, group, resource, None);
        assert!(covers("", "pods") && covers("*", "*") && covers("apps", "*") && covers("apps", "secrets"));
        assert!(!covers("", "secrets") && !covers("*", "secrets") && !covers("*", "pods/log"));
        let narrow = rules(&["", "apps"], &["pods", "secrets"]);
        let covers = |group, resource| Rights::of(&narrow).cover(Verb::Get, group, resource, None);
        assert!(covers("", "pods") && covers("", "secrets") && covers("apps", "pods"));
        assert!(!covers("", "*") && !covers("*", "pods") && !covers("*", "secrets"));
        let named = rules(&["*"], &["secrets", "pods/log"]);
        let covers = |group, resource| Rights::of(&named).cover(Verb::Get, group, resource, None);
        assert!(covers("", "secrets") && covers("*", "secrets") && covers("", "pods/log") && !covers("", "pods"));
    }

    #[test]
    fn rights_are_counted_before_they_are_multiplied() {
        let rule = |groups: usize, resources: usize, names: usize| PolicyRule {
            api_groups: (0..groups).map(|number| format!("g{number}")).collect(),
            resources: (0..resources).map(|number| format!("r{number}")).collect(),
            resource_names: (0..names).map(|number| format!("n{number}")).collect(),
            verbs: vec![Verb::Get],
        };
        assert_eq!(check_rights(&[]), Ok(()));
        assert_eq!(check_rights(&[rule(64, 64, 0)]), Ok(()));
        assert_eq!(check_rights(&[rule(64, 32, 2)]), Ok(()));
        assert_eq!(check_rights(&[rule(64, 32, 0), rule(1, 1, 2049)]), Err(TooManyRights(4097)));
        assert_eq!(check_rights(&[rule(100_000, 100_000, 100_000)]), Err(TooManyRights(1_000_000_000_000_000)));
        let words = check_rights(&[rule(1000, 1000, 0)]).expect_err("a million").to_string();
        assert!(
            words.contains("come to 1000000 rights") && words.contains("4096 at most") && words.contains("a rule for each group")
        );
    }
}
