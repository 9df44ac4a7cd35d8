//! The regular expressions of a schema, and a bound on what they take.
//!
//! A pattern of ten characters can be megabytes once it is compiled, and a search takes its size for each byte of text.

use std::collections::BTreeMap;

use jsonschema::PatternOptions;
use serde_json::{Value, json};

use super::parts;
use crate::policy::clean_line;

/// Bytes of a pattern as it is written. The longest in use, for URLs and for versions, have some hundred; a class of Unicode takes
/// kilobytes before anything is compiled.
const WRITTEN_BYTES: usize = 2 * 1024;

/// Bytes of one compiled pattern. One for the names of Kubernetes takes 2 KiB, a list of a dozen words 7 KiB, `\p{L}` 45 KiB.
const PATTERN_BYTES: usize = 64 * 1024;

/// Bytes that the smallest pattern counts as: what surrounds it takes as much.
const LEAST_BYTES: usize = 1024;

/// Bytes of the cache that a search may fill, for each direction, and for each thread that searches.
const CACHE_BYTES: usize = 64 * 1024;

/// Bytes of all compiled patterns of a manifest. What is kept of them can be 16 times as much.
const TOTAL_BYTES: usize = 1024 * 1024;

/// Patterns of a manifest. With their caches, 16 MiB for each thread.
const COUNT: usize = 128;

/// Bytes of a pattern in a message.
const QUOTE_BYTES: usize = 80;

/// What is left for the patterns of a manifest. The same pattern counts once in each of its schemas.
pub(in crate::catalog) struct Patterns {
    bytes: usize,
    count: usize,
}

impl Default for Patterns {
    fn default() -> Self {
        Self { bytes: TOTAL_BYTES, count: COUNT }
    }
}

/// The patterns of one schema, and how large they are once compiled.
#[derive(Default)]
pub(super) struct Weights(BTreeMap<String, u64>);

impl Weights {
    /// Finds and weighs the patterns of a schema, or says which cannot be used.
    pub(super) fn weigh(schema: &Value, left: &mut Patterns) -> Result<Self, String> {
        let mut weights = Self::default();
        parts::each(schema, &mut |part| {
            let pattern = part.get("pattern").and_then(Value::as_str);
            let of_keys = part.get("patternProperties").and_then(Value::as_object);
            let of_keys = of_keys.into_iter().flat_map(serde_json::Map::keys).map(String::as_str);
            pattern.into_iter().chain(of_keys).try_for_each(|pattern| weights.add(pattern, left))
        })?;
        Ok(weights)
    }

    fn add(&mut self, pattern: &str, left: &mut Patterns) -> Result<(), String> {
        if self.0.contains_key(pattern) {
            return Ok(());
        }
        left.count =
            left.count.checked_sub(1).ok_or_else(|| format!("it has more patterns than the {COUNT} that a manifest may have"))?;
        if pattern.len() > WRITTEN_BYTES {
            return Err(format!("the pattern {} is over {WRITTEN_BYTES} bytes", quoted(pattern)));
        }
        let bytes = weight(pattern)?;
        left.bytes = left.bytes.checked_sub(bytes).ok_or_else(|| {
            format!(
                "with the pattern {}, the manifest's patterns are over {} KiB once compiled; repeat less in them",
                quoted(pattern),
                TOTAL_BYTES / 1024
            )
        })?;
        self.0.insert(pattern.to_owned(), bytes as u64);
        Ok(())
    }

    /// Bytes of a pattern.
    pub(super) fn of(&self, pattern: &str) -> u64 {
        self.0.get(pattern).copied().unwrap_or_default()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Bytes of all of them.
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// How patterns are compiled: for an engine without look-around and back references, which take exponential time.
pub(super) fn options(bytes: usize) -> PatternOptions<jsonschema::Regex> {
    PatternOptions::regex().size_limit(bytes).dfa_size_limit(CACHE_BYTES)
}

/// The same, for patterns that have been weighed.
pub(super) fn weighed() -> PatternOptions<jsonschema::Regex> {
    options(PATTERN_BYTES)
}

/// Bytes of a compiled pattern, up to the next power of two. No engine says it; what says it is which limit lets it pass.
fn weight(pattern: &str) -> Result<usize, String> {
    let alone = json!({ "pattern": pattern });
    let fits = |bytes: usize| jsonschema::options().with_pattern_options(options(bytes)).build(&alone).is_ok();
    std::iter::successors(Some(LEAST_BYTES), |bytes| Some(bytes * 2))
        .take_while(|&bytes| bytes <= PATTERN_BYTES)
        .find(|&bytes| fits(bytes))
        .ok_or_else(|| {
            let (pattern, most) = (quoted(pattern), PATTERN_BYTES / 1024);
            format!("the pattern {pattern} cannot be used: look-around and back references do not exist here, and once compiled it may have {most} KiB; repeat less, and use [a-z] rather than \\p{{L}}")
        })
}

fn quoted(pattern: &str) -> String {
    format!("{:?}", clean_line(pattern, QUOTE_BYTES))
}
