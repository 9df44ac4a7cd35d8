//! `sandbar:kubernetes/types`: the records that the other interfaces share.

use std::collections::BTreeMap;

use sandbar_kubernetes::{Code, Error, Resource, Scope};
use serde::de::IgnoredAny;

use super::bindings::sandbar::kubernetes::types;
use super::host::Host;

impl types::Host for Host {}

impl From<types::ApiResource> for Resource {
    fn from(of: types::ApiResource) -> Self {
        Self { group: of.group, version: of.version, plural: of.plural }
    }
}

impl From<types::Scope> for Scope {
    fn from(within: types::Scope) -> Self {
        match within {
            types::Scope::Cluster => Scope::Cluster,
            types::Scope::EveryNamespace => Scope::EveryNamespace,
            types::Scope::Namespace(name) => Scope::Namespace(name),
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.as_str().to_owned(),
            message: error.message,
            retry_after_ms: error.retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
        }
    }
}

/// What comes of each of several reads that is handed over.
pub(super) fn each<T, U>(
    answers: Vec<Result<T, Error>>,
    hand_over: impl Fn(T) -> Result<U, Error>,
) -> Vec<Result<U, types::Error>> {
    answers.into_iter().map(|answer| answer.and_then(&hand_over).map_err(Into::into)).collect()
}

/// Bytes of a `more`: some dozens of keys, each with a short value.
const MORE_BYTES: usize = 4096;

/// Refuses a `more` with keys that this version does not know. It knows none yet.
pub(super) fn refuse_more(more: Option<&str>) -> Result<(), Error> {
    let Some(more) = more else { return Ok(()) };
    if more.len() > MORE_BYTES {
        let words =
            format!("`more` has {} bytes; {MORE_BYTES} is the most, and this version of the host knows no key of it", more.len());
        return Err(Error::new(Code::Invalid, words));
    }
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_str(more)
        .map_err(|error| Error::new(Code::Invalid, format!("`more` has to be a JSON object: {error}")))?;
    match keys.keys().next() {
        None => Ok(()),
        Some(key) => Err(Error::new(
            Code::Invalid,
            format!("`more` has the key {key:?}, which this version of the host does not know; leave it out"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_in_more_is_refused_by_name() {
        assert_eq!(refuse_more(None), Ok(()));
        assert_eq!(refuse_more(Some("{}")), Ok(()));
        let error = refuse_more(Some(r#"{"as": "admin"}"#)).expect_err("unknown key");
        assert_eq!(error.code, Code::Invalid);
        assert!(error.message.contains(r#""as""#), "{}", error.message);
        assert_eq!(refuse_more(Some("[]")).expect_err("not an object").code, Code::Invalid);
        let long = format!("[{}0]", "0,".repeat(MORE_BYTES));
        assert!(refuse_more(Some(&long)).expect_err("too long").message.contains("8195 bytes"));
    }
}
