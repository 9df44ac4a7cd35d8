//! Paths of fields as people write them, for tools whose caller chooses what is shown.
//!
//! ```
//! use sandbar_tool::path::Path;
//!
//! let path = Path::parse("{.spec.containers[*].image}").unwrap();
//! assert_eq!(path.to_string(), "spec.containers.image");
//! let label = Path::parse("metadata.labels.app.kubernetes.io/name").unwrap();
//! assert_eq!(label.to_string(), r#"metadata.labels["app.kubernetes.io/name"]"#);
//! let pod = serde_json::json!({ "spec": { "containers": [{ "image": "a" }, {}, { "image": "b" }] } });
//! assert_eq!(path.values(&pod), ["a", "b"]);
//! ```

use std::fmt;

use serde_json::Value;

use crate::Error;

/// Bytes of a path.
const PATH_MAX: usize = 1024;

/// What has keys with dots in them: behind it, the rest of a path is one key.
const OPEN: [&str; 4] = ["labels", "annotations", "matchLabels", "nodeSelector"];

/// The same at the top of an object.
const OPEN_AT_TOP: [&str; 2] = ["data", "binaryData"];

/// The keys that lead to a field. Lists are crossed: a path goes on in each entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads a path: the host's notation, or that of kubectl's JSONPath, whose indexes are left out.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > PATH_MAX {
            return Err(Error::invalid(format!("a path of fields has {} bytes: {PATH_MAX} at most", text.len())));
        }
        let refused = || Error::invalid(format!("`{text}` is no path of fields: write it as `metadata.labels[\"app\"]`"));
        let inner = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        let mut rest = inner.strip_prefix('.').unwrap_or(inner);
        let mut keys: Vec<String> = Vec::new();
        while !rest.is_empty() {
            if let Some(bracket) = rest.strip_prefix('[') {
                let (key, behind) = bracketed(bracket).ok_or_else(refused)?;
                keys.extend(key);
                rest = behind;
            } else {
                let is_open = keys.last().is_some_and(|last| OPEN.contains(&&**last))
                    || matches!(&keys[..], [only] if OPEN_AT_TOP.contains(&&**only));
                let (key, behind) = if is_open { (rest.replace('\\', ""), "") } else { plain(rest) };
                keys.push(key);
                rest = behind;
            }
            if let Some(behind) = rest.strip_prefix('.') {
                if behind.is_empty() {
                    return Err(refused());
                }
                rest = behind;
            }
        }
        let is_path = !keys.is_empty() && keys.iter().all(|key| !key.is_empty());
        is_path.then_some(Self(keys)).ok_or_else(refused)
    }

    /// The values in an object that it leads to.
    pub fn values<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        let mut values = vec![object];
        for key in &self.0 {
            values = values.into_iter().flat_map(entries).filter_map(|value| value.get(key)).collect();
        }
        values.into_iter().flat_map(entries).filter(|value| !value.is_null()).collect()
    }
}

/// The entries of a list, also of one in a list; what is no list is one.
fn entries(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(entries).collect(),
        value => vec![value],
    }
}

/// A key up to the next dot or bracket, and what follows. Behind a backslash, a dot is a part of it.
fn plain(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => key.extend(characters.next().map(|(_, character)| character)),
            '.' | '[' => return (key, &text[at..]),
            _ => key.push(character),
        }
    }
    (key, "")
}

/// What stands in a bracket, none where it is an index, and what follows.
fn bracketed(text: &str) -> Option<(Option<String>, &str)> {
    // A string of JSON, as a path is written.
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    if let Some(Ok(key)) = strings.next()
        && let Some(behind) = text[strings.byte_offset()..].strip_prefix(']')
    {
        return Some((Some(key), behind));
    }
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let Some(quote) = quote else {
        let (index, behind) = text.split_once(']')?;
        let is_index = index.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b':' | b'-'));
        return is_index.then_some((None, behind));
    };
    let (key, behind) = text[1..].split_once(&format!("{quote}]"))?;
    Some((Some(key.replace('\\', "")), behind))
}

impl fmt::Display for Path {
    /// In the host's notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_fold("", |dot, key| write_key(f, dot, key).map(|()| ".")).map(|_| ())
    }
}

/// The path of `key` in what is at `parent`, which may be the top: "".
pub fn below(parent: &str, key: &str) -> String {
    let mut path = parent.to_owned();
    // Writing to a text does not fail.
    let _ = write_key(&mut path, if parent.is_empty() { "" } else { "." }, key);
    path
}

fn write_key(out: &mut dyn fmt::Write, dot: &str, key: &str) -> fmt::Result {
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        write!(out, "{dot}{key}")
    } else {
        write!(out, "[{}]", Value::from(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_read_as_people_write_them() {
        for (written, path) in [
            ("spec.replicas", "spec.replicas"),
            (" .status.phase ", "status.phase"),
            ("$.status.phase", "status.phase"),
            ("{.items[*].a[0].b}", "items.a.b"),
            (r"metadata.annotations.example\.com/owner", r#"metadata.annotations["example.com/owner"]"#),
            (r#"metadata.annotations["example.com/owner"]"#, r#"metadata.annotations["example.com/owner"]"#),
            ("metadata.labels['a.b/c']", r#"metadata.labels["a.b/c"]"#),
            (r#"metadata.labels["a\.b"]"#, r#"metadata.labels["a.b"]"#),
            (r#"spec["a\"]b\\c"].d"#, r#"spec["a\"]b\\c"].d"#),
            ("spec.selector.matchLabels.app", "spec.selector.matchLabels.app"),
            ("data.application.yaml", r#"data["application.yaml"]"#),
            ("spec.data.a", "spec.data.a"),
            ("spec.containers[*]", "spec.containers"),
        ] {
            assert_eq!(Path::parse(written).map(|path| path.to_string()).as_deref(), Ok(path), "{written}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a..b", "a.", "a[", "a[?(@.b==1)]", "[0]", "a[\"b]", &"a".repeat(2000)] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_crosses_lists_and_leaves_out_what_is_not_there() {
        let object = json!({ "a": [{ "b": [1, 2] }, { "b": null }, 7, { "b": { "c": 3 } }] });
        let values = |path: &str| Path::parse(path).expect("a path").values(&object).len();
        assert_eq!((values("a.b"), values("a.b.c"), values("a.x"), values("x.y")), (3, 1, 0, 0));
        assert_eq!((below("", "a"), below("a", "b"), below("a", "b.c")), ("a".into(), "a.b".into(), r#"a["b.c"]"#.into()));
    }
}
