//! Which labels a selector wants, for pods that are read already.

use super::View;

/// Whether labels have all that a Service's `spec.selector` wants. A selector that wants nothing selects nothing.
pub fn selects(selector: View<'_>, labels: View<'_>) -> bool {
    let mut wanted = members(selector).peekable();
    let has = |key: &str, value: &str| labels.key(key).has_itself() && labels.key(key).words() == value;
    wanted.peek().is_some() && wanted.all(|(key, value)| has(key, &value))
}

/// Labels as they are written in a selector: `app=web,tier=db`.
pub fn written(labels: View<'_>) -> String {
    let labels: Vec<String> = members(labels).map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(",")
}

/// A workload's `spec.selector` as a list wants it: `app=web,tier in (a,b)`. None where it selects everything, or has something that cannot be
/// written so: less of it would be other pods. A condition without a key would be no condition.
pub fn label_selector(selector: View<'_>) -> Option<String> {
    let is_plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let is_key = |word: &str| !word.is_empty() && is_plain(word);
    let mut conditions = Vec::new();
    for (key, value) in selector.members("matchLabels") {
        let value = value.words();
        conditions.push((is_key(key) && is_plain(&value)).then(|| format!("{key}={value}"))?);
    }
    for expression in selector.list("matchExpressions") {
        let key = expression.text("key");
        let values: Vec<String> = expression.list("values").map(View::words).collect();
        if !is_key(key) || !values.iter().all(|value| is_plain(value)) {
            return None;
        }
        conditions.push(match expression.text("operator") {
            "In" | "NotIn" if values.is_empty() => return None,
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!conditions.is_empty()).then(|| conditions.join(","))
}

fn members(labels: View<'_>) -> impl Iterator<Item = (&str, String)> {
    // A view of the labels themselves.
    labels.own_members().map(|(key, value)| (key, value.words()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_held_against_a_selector() {
        let (selector, labels) = (json!({ "app": "web", "tier": "front" }), json!({ "app": "web", "tier": "back", "x": "y" }));
        let [selector, labels, nothing] = [View::of(&selector), View::of(&labels), View::of(&serde_json::Value::Null)];
        assert!(!selects(selector, labels) && selects(selector, selector) && !selects(nothing, labels));
        assert_eq!(written(selector), "app=web,tier=front");
        let empty = json!({ "canary": "" });
        assert!(
            !selects(View::of(&empty), labels) && selects(View::of(&empty), View::of(&empty)),
            "what is empty has to be there"
        );
    }

    #[test]
    fn a_workloads_selector_is_written_for_a_list() {
        let selector = json!({
            "matchLabels": { "app": "web" },
            "matchExpressions": [{ "key": "a", "operator": "In", "values": ["b", "c"] }, { "key": "d", "operator": "DoesNotExist" }],
        });
        assert_eq!(label_selector(View::of(&selector)).as_deref(), Some("app=web,a in (b,c),!d"));
        for nothing in [
            json!({}),
            json!({ "matchLabels": { "app": "web,tier=db" } }),
            json!({ "matchLabels": { "": "web" } }),
            json!({ "matchExpressions": [{ "key": "a" }] }),
            json!({ "matchExpressions": [{ "operator": "Exists" }] }),
            json!({ "matchExpressions": [{ "key": "a", "operator": "NotIn", "values": [] }] }),
        ] {
            assert_eq!(label_selector(View::of(&nothing)), None, "{nothing}");
        }
    }
}
