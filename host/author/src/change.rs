//! What has changed of what a component says of itself: what a model reads, and what it asks for.

use serde_json::{Map, Value};

use super::differs::{Difference, differences, written};

/// The lists whose entries are told apart by a key of theirs, and not by where they stand.
const NAMED: [(&str, &str); 4] =
    [("tools", "name"), ("prompts", "name"), ("resources", "uri"), ("resourceTemplates", "uriTemplate")];

/// A line for each change between two of them: `~ tools.list_pods.description: "a" → "b"`, with `+` for what is new and `-` for what is gone.
/// Nothing where both say the same.
pub fn changes(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (by_name(before), by_name(after));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_change_is_a_line_with_its_place() {
        let before = json!({ "tools": [{ "name": "a", "description": "old" }, { "name": "gone" }], "rules": [] });
        let after = json!({ "tools": [{ "name": "b" }, { "name": "a", "description": "new" }], "rules": [{ "verbs": ["get"] }] });
        assert_eq!(
            changes(&before, &after),
            [
                r#"~ tools.a.description: "old" → "new""#,
                r#"- tools.gone: {"name":"gone"}"#,
                r#"+ tools.b: {"name":"b"}"#,
                r#"+ rules[0]: {"verbs":["get"]}"#,
            ]
        );
        assert_eq!(changes(&before, &before), Vec::<String>::new());
    }
}
