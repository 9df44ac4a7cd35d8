//! What has changed of what a component says of itself: what a model reads, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::differs::{Difference, differences, written};

/// The lists whose entries are told apart by a key of theirs, and not by where they stand.
const NAMED: [(&str, &str); 4] =
    [("tools", "name"), ("prompts", "name"), ("resources", "uri"), ("resourceTemplates", "uriTemplate")];

/// The lists of rules, each of which is several rights, in whatever order.
const RULES: [&str; 2] = ["rules", "clusterRules"];

/// A line for each change between two of them: `~ tools.list_pods.description: "a" → "b"`, with `+` for what is new and `-` for what is gone.
/// Nothing where both say the same.
pub fn changes(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (by_right(by_name(before)), by_right(by_name(after)));
    let line = |Difference { place, first, second }: &Difference| {
        let place = place.trim_start_matches("$.");
        match (first, second) {
            (Some(first), Some(second)) => format!("~ {place}: {} → {}", written(first), written(second)),
            (Some(first), None) => format!("- {place}: {}", written(first)),
            (None, second) => format!("+ {place}: {}", second.map(written).unwrap_or_default()),
        }
    };
    differences(&before, &after).iter().map(line).collect()
}

/// The same with the lists by name.
fn by_name(of: &Value) -> Value {
    let mut of = of.clone();
    for (list, key) in NAMED {
        if let Some(Value::Array(entries)) = of.get_mut(list).map(Value::take) {
            let named = entries.into_iter().map(|entry| (entry[key].as_str().unwrap_or_default().to_owned(), entry));
            of[list] = Value::Object(named.collect::<Map<_, _>>());
        }
    }
    of
}

/// The same with rules as what may be done with each kind: `jobs.batch`: `list`. A manifest has no more of these than can be granted.
fn by_right(mut of: Value) -> Value {
    for list in RULES {
        let Some(Value::Array(rules)) = of.get_mut(list).map(Value::take) else { continue };
        let mut rights: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for rule in &rules {
            let names = words(rule, "resourceNames").collect::<Vec<_>>().join(", ");
            for (resource, group) in
                words(rule, "resources").flat_map(|resource| words(rule, "apiGroups").map(move |group| (resource, group)))
            {
                let dot = if group.is_empty() { "" } else { "." };
                let named = if names.is_empty() { String::new() } else { format!(" named {names}") };
                rights
                    .entry(format!("{resource}{dot}{group}{named}"))
                    .or_default()
                    .extend(words(rule, "verbs").map(str::to_owned));
            }
        }
        let verbs = |verbs: BTreeSet<String>| Value::String(verbs.into_iter().collect::<Vec<_>>().join(", "));
        of[list] = rights.into_iter().map(|(kind, all)| (kind, verbs(all))).collect::<Map<_, _>>().into();
    }
    of
}

/// The texts of a list in a rule.
fn words<'v>(rule: &'v Value, key: &str) -> impl Iterator<Item = &'v str> {
    rule[key].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_is_a_line_with_its_place() {
        let before = json!({ "tools": [{ "name": "a", "description": "old" }, { "name": "gone" }] });
        let after = json!({ "tools": [{ "name": "b" }, { "name": "a", "description": "new" }] });
        assert_eq!(
            changes(&before, &after),
            [r#"~ tools.a.description: "old" → "new""#, r#"- tools.gone: {"name":"gone"}"#, r#"+ tools.b: {"name":"b"}"#]
        );
        assert_eq!(changes(&before, &before), Vec::<String>::new());
    }

    #[test]
    fn rules_are_the_rights_that_they_are_wherever_they_stand() {
        let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({ "apiGroups": groups, "resources": resources, "verbs": verbs });
        let before = json!({ "rules": [rule(&[""], &["pods"], &["list"]), rule(&["apps"], &["deployments"], &["get"])], "clusterRules": [] });
        let split = json!({
            "rules": [rule(&["apps"], &["deployments"], &["get"]), rule(&[""], &["pods"], &["list"]), rule(&[""], &["pods"], &["list"])],
            "clusterRules": [],
        });
        assert_eq!(changes(&before, &split), Vec::<String>::new());
        let named = json!({ "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a", "b"], "verbs": ["get"] });
        let after = json!({ "rules": [rule(&["batch"], &["jobs"], &["list"]), rule(&[""], &["pods"], &["list", "get"]), named], "clusterRules": [] });
        assert_eq!(
            changes(&before, &after),
            [
                r#"- rules.deployments.apps: "get""#,
                r#"~ rules.pods: "list" → "get, list""#,
                r#"+ rules.configmaps named a, b: "get""#,
                r#"+ rules.jobs.batch: "list""#,
            ]
        );
    }
}
