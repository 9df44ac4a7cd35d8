//! Fields that may hold anything: what does not fit is left out, and fails nothing.
//!
//! ```
//! use sandbar_tool::kubernetes::{Time, lenient};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Status {
//!     #[serde(default, deserialize_with = "lenient::or_default")]
//!     phase: String,
//!     #[serde(default, deserialize_with = "lenient::or_default")]
//!     start_time: Option<Time>,
//!     #[serde(default, deserialize_with = "lenient::each")]
//!     addresses: Vec<String>,
//! }
//!
//! let json = r#"{ "phase": 7, "startTime": "soon", "addresses": ["10.0.0.1", null] }"#;
//! let status: Status = serde_json::from_str(json).unwrap();
//! assert_eq!((status.phase.as_str(), status.start_time), ("", None));
//! assert_eq!(status.addresses, ["10.0.0.1"]);
//! ```

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

/// The value, or the default where it does not fit. Not for what is inside `#[serde(flatten)]`.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    if is_trace(&deserializer) {
        return T::deserialize(deserializer);
    }
    let json = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(json.get()).unwrap_or_default())
}

/// Of a list, the entries that fit; none where it is no list. Not for what is inside `#[serde(flatten)]`.
pub fn each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    if is_trace(&deserializer) {
        return Vec::deserialize(deserializer);
    }
    let entries: Vec<Box<RawValue>> = or_default(deserializer)?;
    Ok(entries.iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect())
}

/// Whether it is asked only which fields there are: [`crate::fields`] has no values, in any form.
pub(super) fn is_trace<'de>(deserializer: &impl Deserializer<'de>) -> bool {
    !deserializer.is_human_readable()
}

/// Text for an answer: this many bytes of it at most, and `…` in place of the rest.
pub fn shortened(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Status {
        #[serde(default, deserialize_with = "or_default")]
        phase: Option<String>,
        #[serde(default, deserialize_with = "or_default")]
        inner: Inner,
        #[serde(default, deserialize_with = "each")]
        list: Vec<Inner>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Inner {
        #[serde(default, deserialize_with = "or_default")]
        count: i64,
        name: Option<String>,
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let read = |json: Value| {
            let from_text: Status = serde_json::from_str(&json.to_string()).expect("nothing fails");
            assert_eq!(from_text, serde_json::from_value(json).expect("nothing fails"));
            from_text
        };
        for nothing in [json!({}), json!({ "phase": null, "inner": [1], "list": {} }), json!({ "phase": {}, "list": [7, null] })]
        {
            assert_eq!(read(nothing), Status::default());
        }
        let status =
            read(json!({ "phase": "Up", "inner": { "count": "2", "name": "a" }, "list": [{ "count": 3 }, { "name": 4 }, {}] }));
        assert_eq!(status.phase.as_deref(), Some("Up"));
        assert_eq!(status.inner, Inner { count: 0, name: Some("a".to_owned()) });
        assert_eq!(status.list, [Inner { count: 3, name: None }, Inner::default()]);
    }

    #[test]
    fn the_fields_are_those_of_the_type() {
        let paths = crate::fields::of::<Status>().expect("paths");
        assert_eq!(paths, ["phase", "inner.count", "inner.name", "list.count", "list.name"]);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let cut = |bytes| shortened("aäöü".to_owned(), bytes);
        assert_eq!((&*cut(7), &*cut(6), &*cut(5), &*cut(0)), ("aäöü", "aä…", "a…", "…"));
    }
}
