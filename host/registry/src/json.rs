//! JSON of others: as any two parsers read it, and within bounds, also in the parts that nobody here looks at.

use sandbar_text::json::JsonLimit;
use serde::de::DeserializeOwned;

/// Values in a document. An index with hundreds of entries has some thousands; an object counts as 8.
const VALUES: usize = 20_000;

/// Reads one value.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_value(JsonLimit::new(VALUES).parse(text)?)
}
