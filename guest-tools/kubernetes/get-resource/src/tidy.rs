//! Leaves out what says nothing.

use serde_json::Value;

/// What kubectl writes to know later what it has applied: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What the server fills in: what is empty there is nobody's word.
const OF_SERVER: [&str; 2] = ["metadata", "status"];

/// Leaves out nulls, what is empty in `metadata` and `status`, and, of a whole object, what kubectl has applied. Elsewhere something
/// empty can mean something: `emptyDir: {}`, a NetworkPolicy's `podSelector: {}`, the core group in a role's `apiGroups: [""]`.
pub(crate) fn tidy(object: &mut Value, is_whole: bool) {
    if is_whole && let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.shift_remove(LAST_APPLIED);
    }
    let Some(members) = object.as_object_mut() else { return };
    for (key, value) in members.iter_mut() {
        clean(value, OF_SERVER.contains(&&**key));
    }
    members.retain(|key, value| !is_nothing(value, OF_SERVER.contains(&&**key)));
}

fn clean(value: &mut Value, empty_too: bool) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(|entry| clean(entry, empty_too)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| clean(member, empty_too));
            members.retain(|_, member| !is_nothing(member, empty_too));
        }
        _ => {}
    }
}

fn is_nothing(value: &Value, empty_too: bool) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => empty_too && text.is_empty(),
        Value::Array(entries) => empty_too && entries.is_empty(),
        Value::Object(members) => empty_too && members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
