//! Field paths, in the syntax of the contract's `fields`, and the tree that they form.
//!
//! A path is a chain of keys: plain ones (`[A-Za-z0-9_-]+`) with dots between them, others as a JSON string in brackets, as in
//! `metadata.annotations["example.com/owner"]`. Arrays have no index: a path continues in each element.

use std::collections::BTreeMap;

use super::error::{Code, Error};
use super::name::quote;
use super::request::Form;

/// Paths in one request. The largest bundled tool has a dozen.
const PATHS_MAX: usize = 256;

/// Bytes of one path: room for a few annotation keys of 317 bytes, the longest that Kubernetes allows.
const PATH_MAX: usize = 1024;

/// The selected parts of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All of it.
    Whole,
    /// These keys, with the selection below each.
    Keys(BTreeMap<String, Keep>),
}

/// The beginning of every mask.
const MASK: &str = "[masked: ";

impl Keep {
    /// Parses the paths of a request; none select everything.
    pub(super) fn parse(fields: Option<&[String]>) -> Result<Self, Error> {
        let Some(fields) = fields else { return Ok(Keep::Whole) };
        if fields.len() > PATHS_MAX {
            return Err(Error::new(Code::Invalid, format!("{} field paths are too many: {PATHS_MAX} at most", fields.len())));
        }
        let mut root = Keep::Keys(BTreeMap::new());
        for path in fields {
            let keys = parse_path(path).map_err(|reason| refused(path, reason))?;
            if keys.len() > 1 && keys[0] == "metadata" && keys[1] == "managedFields" {
                return Err(refused(path, "managedFields are never handed out"));
            }
            root.add(keys);
        }
        Ok(root)
    }

    /// The selection below a key; none: nothing.
    pub(super) fn of(&self, key: &str) -> Option<&Keep> {
        match self {
            Keep::Whole => Some(&Keep::Whole),
            Keep::Keys(children) => children.get(key),
        }
    }

    /// What has to be sent for it. What a client has not asked for costs the API server, the network and this process nothing.
    pub(super) fn form(&self) -> Form {
        match self {
            Keep::Keys(children) if children.keys().eq(["metadata"]) => Form::Metadata,
            Keep::Whole | Keep::Keys(_) => Form::Whole,
        }
    }

    /// Whether one of the keys may be a mask in place of another key.
    pub(super) fn asks_for_a_mask(&self) -> bool {
        match self {
            Keep::Whole => true,
            Keep::Keys(children) => children.keys().any(|key| key.contains(MASK)),
        }
    }

    /// Adds a path. If one path is the beginning of another, the shorter one counts.
    fn add(&mut self, keys: Vec<String>) {
        let mut node = self;
        for key in keys {
            match node {
                Keep::Whole => return,
                Keep::Keys(children) => node = children.entry(key).or_insert_with(|| Keep::Keys(BTreeMap::new())),
            }
        }
        *node = Keep::Whole;
    }
}

fn refused(path: &str, reason: &str) -> Error {
    let rule = "paths look like `status.phase` or `metadata.annotations[\"example.com/owner\"]`";
    Error::new(Code::Invalid, format!("{} is not a field path: {reason}; {rule}", quote(path)))
}

fn parse_path(path: &str) -> Result<Vec<String>, &'static str> {
    if path.len() > PATH_MAX {
        return Err("it is over 1 KiB");
    }
    let mut keys = Vec::new();
    let mut rest = path;
    loop {
        let (key, after) = if let Some(bracket) = rest.strip_prefix('[') { quoted_key(bracket)? } else { plain_key(rest)? };
        keys.push(key);
        rest = match after.as_bytes().first() {
            None => return Ok(keys),
            Some(b'.') => &after[1..],
            Some(b'[') => after,
            Some(_) => return Err("a key with other characters than letters, digits, `_` and `-` is written `[\"...\"]`"),
        };
        if rest.starts_with('[') && after.starts_with('.') {
            return Err("there is a dot before a bracket");
        }
    }
}

fn plain_key(text: &str) -> Result<(String, &str), &'static str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    match end {
        0 if text.is_empty() => Err("a key is missing at its end"),
        0 if text.starts_with('.') => Err("a key is missing between two dots or before the first"),
        0 => Err("a key with other characters than letters, digits, `_` and `-` is written `[\"...\"]`"),
        _ => Ok((text[..end].to_owned(), &text[end..])),
    }
}

/// The key after `[`: a JSON string and a closing bracket.
fn quoted_key(text: &str) -> Result<(String, &str), &'static str> {
    const UNENDED: &str = "a bracket has to hold one JSON string and be closed, as in `[\"example.com/owner\"]`";
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let key = strings.next().and_then(Result::ok).ok_or(UNENDED)?;
    let after = text[strings.byte_offset()..].strip_prefix(']').ok_or(UNENDED)?;
    Ok((key, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(paths: &[&str]) -> Result<Keep, Error> {
        let owned: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        Keep::parse(Some(&owned))
    }

    fn keys<const N: usize>(entries: [(&str, Keep); N]) -> Keep {
        Keep::Keys(entries.into_iter().map(|(key, keep)| (key.to_owned(), keep)).collect())
    }

    #[test]
    fn paths_make_a_tree() {
        assert_eq!(
            parse(&["metadata.name", "status.conditions.type", "metadata.annotations[\"example.com/owner\"]"]).expect("valid"),
            keys([
                ("metadata", keys([("annotations", keys([("example.com/owner", Keep::Whole)])), ("name", Keep::Whole)])),
                ("status", keys([("conditions", keys([("type", Keep::Whole)]))])),
            ])
        );
        assert_eq!(Keep::parse(None).expect("none"), Keep::Whole);
        assert_eq!(parse(&[]).expect("no path"), keys([]));
    }

    #[test]
    fn a_key_in_brackets_may_hold_anything() {
        let odd = parse(&[r#"["a.b"]["c\"]\\d"].e["ü"]"#]).expect("valid");
        assert_eq!(odd, keys([("a.b", keys([("c\"]\\d", keys([("e", keys([("ü", Keep::Whole)]))]))]))]));
    }

    #[test]
    fn the_shorter_of_two_paths_keeps_both() {
        assert_eq!(parse(&["spec.replicas", "spec"]).expect("valid"), keys([("spec", Keep::Whole)]));
        assert_eq!(parse(&["spec", "spec.replicas"]).expect("valid"), keys([("spec", Keep::Whole)]));
    }

    #[test]
    fn anything_else_is_invalid_and_named() {
        let long = "a".repeat(PATH_MAX + 1);
        for path in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a/b",
            "a[0]",
            "a[*]",
            "a[",
            "a[\"b\"",
            "a[\"b]",
            "a[\"b\"]c",
            "a.[\"b\"]",
            "$.a",
            "{.a}",
            "metadata.managedFields",
            "metadata.managedFields.manager",
            "a[\"b\" ]",
            &long,
        ] {
            let error = parse(&[path]).expect_err(path);
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.starts_with(&quote(path)), "{}", error.message);
        }
        assert!(parse(&vec!["a"; PATHS_MAX + 1]).is_err());
    }
}
