//! A JSON Schema, compiled once, and what it says about a value.

mod parts;
mod patterns;
#[cfg(test)]
mod tests;
mod toll;

use std::fmt;

use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

pub(super) use self::patterns::Patterns;
use self::toll::{STEPS, TooMuch};
use crate::policy::clean_line;

/// How many faults a message lists; a model mends a few at a time.
const FAULTS: usize = 5;

/// Bytes of one fault: the value itself is part of it, and can be large.
const FAULT_BYTES: usize = 300;

/// Bytes of the place that a fault is in: keys can be as long as a value.
const PLACE_BYTES: usize = 200;

/// Bytes that may be spent on putting faults together. jsonschema looks for all of them, and each takes some hundred bytes beside the
/// path to its place.
const COLLECTED_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of one of them, its path aside.
const COLLECTED_FAULT: u64 = 512;

/// Steps of a check that nobody has to wait for: about a millisecond.
const BRIEF_STEPS: u64 = 10_000;

/// Said of a value whose check was given up.
const TOO_MUCH: &str = "checking it against the tool's schema takes too long; ask for less, or have the schema simplified";

/// Said of a value that does not fit, where saying why was given up.
const TOO_MANY_FAULTS: &str =
    "it does not fit the tool's schema, with more alternatives and faults than can be listed; ask for less";

/// Said of a value that does not fit, where jsonschema does not say why: of references in a circle it may not.
const NO_WORDS: &str = "it does not fit the tool's schema";

/// A compiled schema. References are resolved within the schema only: neither files nor the network are ever read. Whoever wrote the
/// schema or the value, a check ends: `toll` bounds its steps, and patterns are matched in linear time.
pub(super) struct Schema(Validator);

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").finish_non_exhaustive()
    }
}

impl Schema {
    /// Compiles a schema, or says why it is none.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        Self::compile_within(schema, &mut Patterns::default())
    }

    /// The same for one schema of several, which share the room for their patterns.
    ///
    /// It is work for the processor: microseconds as a rule, and with all the patterns that a manifest may have, large parts of a
    /// second. An async task that loads what others wrote gives it a thread of its own.
    pub(super) fn compile_within(schema: &Value, patterns: &mut Patterns) -> Result<Self, String> {
        jsonschema::meta::validate(schema).map_err(|error| fault(&error))?;
        let weights = patterns::Weights::weigh(schema, patterns)?;
        let schema = parts::Tolling::copy(schema, &weights)?;
        jsonschema::options()
            .with_keyword(toll::KEYWORD, |_, price, _| Ok(Box::new(toll::Toll::of(price))))
            .with_pattern_options(patterns::weighed())
            .build(&schema)
            .map(Self)
            .map_err(|error| fault(&error))
    }

    /// Whether a value fits; else the first faults, with the place of each.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        match toll::bounded(BRIEF_STEPS, 0, || self.0.is_valid(value)) {
            Ok(true) => Ok(()),
            Ok(false) => aside(|| Err(self.faults(value))),
            Err(_) => aside(|| self.check_at_length(value)),
        }
    }

    fn check_at_length(&self, value: &Value) -> Result<(), String> {
        match toll::bounded(STEPS, 0, || self.0.is_valid(value)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.faults(value)),
            Err(_) => Err(TOO_MUCH.to_owned()),
        }
    }

    /// The first faults of a value; one, where there may be too many to put together.
    fn faults(&self, value: &Value) -> String {
        let most = COLLECTED_BYTES / (COLLECTED_FAULT + longest_path(value));
        let several = || self.0.iter_errors(value).take(FAULTS).map(|error| fault(&error)).collect::<Vec<_>>().join("; ");
        // Of alternatives, it still looks for all the faults.
        let first = || self.0.validate(value).err().map(|error| fault(&error)).unwrap_or_default();
        let words = match toll::bounded(STEPS, most, several) {
            Err(TooMuch::Faults) => toll::bounded(STEPS, most, first),
            done => done,
        };
        match words {
            Ok(words) if !words.is_empty() => words,
            Ok(_) => NO_WORDS.to_owned(),
            Err(TooMuch::Faults) => TOO_MANY_FAULTS.to_owned(),
            Err(TooMuch::Steps) => TOO_MUCH.to_owned(),
        }
    }
}

/// Does what takes longer than the tasks beside it should wait: they go over to another thread.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Bytes of the longest path to a place in a value.
fn longest_path(value: &Value) -> u64 {
    /// Bytes of an index, with its separator.
    const INDEX: u64 = 8;
    match value {
        Value::Array(items) => INDEX + items.iter().map(longest_path).max().unwrap_or_default(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| 1 + key.len() as u64 + longest_path(value)).max().unwrap_or_default()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// One fault, after the place that it is in.
fn fault(error: &ValidationError<'_>) -> String {
    let words = cut(error, FAULT_BYTES);
    let place = cut(error.instance_path(), PLACE_BYTES);
    match place.trim_start_matches('/') {
        "" => words,
        place => format!("`{}`: {words}", place.replace('/', ".")),
    }
}

/// The beginning of what something says, on one line and clean.
fn cut(said: &impl fmt::Display, most: usize) -> String {
    clean_line(said, most)
}
