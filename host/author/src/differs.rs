//! Where one JSON value is another than the other.

use sandbar_text::identifier;
use serde_json::Value;

/// Differences that are named. What differs more is another answer altogether.
const MOST: usize = 20;

/// Bytes of a value in a difference.
const VALUE_BYTES: usize = 200;

/// A place at which two values differ, and what is there: nothing in one of the two where it has no such place.
pub(crate) struct Difference<'v> {
    pub(crate) place: String,
    pub(crate) first: Option<&'v Value>,
    pub(crate) second: Option<&'v Value>,
}

/// A line for each difference from what was expected, with its place: `$.items[0].name: "a" was expected, and it is "b"`.
pub(crate) fn faults(expected: &Value, is: &Value) -> Vec<String> {
    let line = |Difference { place, first, second }: &Difference| match (first, second) {
        (Some(first), Some(second)) => format!("{place}: {} was expected, and it is {}", written(first), written(second)),
        (Some(first), None) => format!("{place}: {} was expected, and it is missing", written(first)),
        (None, second) => format!("{place}: nothing was expected, and it is {}", second.map(written).unwrap_or_default()),
    };
    let found = differences(expected, is);
    let more = (found.len() > MOST).then(|| "… and more".to_owned());
    found.iter().take(MOST).map(line).chain(more).collect()
}

/// The places at which two values differ, in their order; one more than [`MOST`] of them at most.
pub(crate) fn differences<'v>(first: &'v Value, second: &'v Value) -> Vec<Difference<'v>> {
    let mut found = Vec::new();
    compare("$", Some(first), Some(second), &mut found);
    found
}

fn compare<'v>(place: &str, first: Option<&'v Value>, second: Option<&'v Value>, found: &mut Vec<Difference<'v>>) {
    // One more than is told says that there are more.
    if found.len() > MOST {
        return;
    }
    match (first, second) {
        (Some(Value::Object(first)), Some(Value::Object(second))) => {
            for (key, value) in first {
                compare(&below(place, key), Some(value), second.get(key), found);
            }
            for (key, value) in second.iter().filter(|(key, _)| !first.contains_key(*key)) {
                compare(&below(place, key), None, Some(value), found);
            }
        }
        (Some(Value::Array(first)), Some(Value::Array(second))) => {
            for at in 0..first.len().max(second.len()) {
                compare(&format!("{place}[{at}]"), first.get(at), second.get(at), found);
            }
        }
        // 1 and 1.0 are one number, as for JSON Schema.
        (Some(Value::Number(first)), Some(Value::Number(second))) if first.as_f64() == second.as_f64() => {}
        _ if first == second => {}
        _ => found.push(Difference { place: place.to_owned(), first, second }),
    }
}

/// The place of a key, on one line whatever the key is.
fn below(place: &str, key: &str) -> String {
    format!("{place}.{}", identifier(key, None))
}

/// A value as JSON, cut where it is long.
pub(crate) fn written(value: &Value) -> String {
    let text = value.to_string();
    match text.len() {
        ..=VALUE_BYTES => text,
        _ => format!("{}…", &text[..text.floor_char_boundary(VALUE_BYTES)]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_its_place() {
        let expected = json!({ "items": [{ "name": "a", "n": 1 }, { "name": "b" }], "gone": true });
        let is = json!({ "items": [{ "name": "x", "n": 1.0 }], "more": null });
        assert_eq!(
            faults(&expected, &is),
            [
                r#"$.items[0].name: "a" was expected, and it is "x""#,
                r#"$.items[1]: {"name":"b"} was expected, and it is missing"#,
                "$.gone: true was expected, and it is missing",
                "$.more: nothing was expected, and it is null",
            ]
        );
        assert_eq!(faults(&expected, &expected), Vec::<String>::new());
    }

    #[test]
    fn a_key_makes_no_line_of_its_own() {
        let found = faults(&json!({}), &json!({ "a\n+ rules.secrets": 1 }));
        assert_eq!(found, ["$.a\\u{a}+ rules.secrets: nothing was expected, and it is 1"]);
    }

    #[test]
    fn what_differs_altogether_is_told_shortly() {
        let (expected, is) = (json!(vec!["a"; 10_000]), json!(vec!["b".repeat(10_000); 10_000]));
        let found = faults(&expected, &is);
        assert_eq!((found.len(), found.last().map(String::as_str)), (MOST + 1, Some("… and more")));
        assert!(found.iter().all(|line| line.len() < 2 * VALUE_BYTES), "{found:?}");
    }
}
