//! The labels of what is printed for a cluster: those of the objects in `deploy/`, so that one selector finds all of them.

use std::collections::BTreeMap;

const COMMON: [(&str, &str); 3] = [
    ("app.kubernetes.io/component", "mcp-server"),
    ("app.kubernetes.io/name", "sandbar"),
    ("app.kubernetes.io/part-of", "sandbar"),
];

/// Bytes of a label's value.
const VALUE_BYTES: usize = 63;

/// Those of every object.
pub(crate) fn common() -> BTreeMap<String, String> {
    COMMON.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Those of the objects of one server among several, where its name can be a label: that of a role can be longer, and have colons.
pub(crate) fn of_instance(name: &str) -> BTreeMap<String, String> {
    let mut labels = common();
    if is_label_value(name) {
        labels.insert("app.kubernetes.io/instance".to_owned(), name.to_owned());
    }
    labels
}

/// By the rules of Kubernetes.
fn is_label_value(text: &str) -> bool {
    let is_alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= VALUE_BYTES
        && is_alphanumeric(bytes.first())
        && is_alphanumeric(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_a_label_is_left_out() {
        for (name, is_there) in
            [("coder-k8s-mcp", true), ("a", true), ("a.b_c", true), ("team:reader", false), ("-a", false), ("", false)]
        {
            assert_eq!(of_instance(name).contains_key("app.kubernetes.io/instance"), is_there, "{name:?}");
        }
        assert!(is_label_value(&"a".repeat(VALUE_BYTES)) && !is_label_value(&"a".repeat(VALUE_BYTES + 1)));
    }
}
