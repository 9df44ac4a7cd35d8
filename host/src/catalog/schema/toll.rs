//! A bound on the work of checking a value against a schema.
//!
//! A schema of some hundred bytes can double the work with each of its levels, and the check runs in the host, where no limit of the
//! sandbox ends it. So every part of a schema is put behind a keyword which is ours: it counts how often the part is applied, and
//! what that costs. jsonschema has no way to give up in the middle, so the keyword unwinds out of it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value, json};

use super::parts::VALUES;
use super::patterns::Weights;

/// The keyword. A schema that has it already loses it.
pub(super) const KEYWORD: &str = "sandbar:toll";

/// Steps of one check, each some 100 ns. A result has 100,000 values at most, each of which two or three parts of its schema look at,
/// and a pattern for 4 MiB of text takes a million.
pub(super) const STEPS: u64 = 2_000_000;

/// Bytes of a string, items of an array, or values of an `enum` and the like, that count as one more step.
const BULK: u64 = 16;

/// Bytes of a compiled pattern times bytes of text that count as one more step: a search takes 0.1 ns for each where it cannot be
/// quick. With that, a pattern for names can look at 100,000 of them.
const SEARCHED: u64 = 4096;

/// Keys that one pattern of `patternProperties` looks at in one step.
const KEYS: u64 = 4;

thread_local! {
    /// What is left of the running check.
    static LEFT: Cell<Left> = const { Cell::new(Left { steps: 0, faults: 0 }) };
}

#[derive(Clone, Copy)]
struct Left {
    steps: u64,
    /// How many faults may still be put together.
    faults: u64,
}

/// The check would have taken more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// Steps.
    Steps,
    /// Faults.
    Faults,
}

/// Runs one check that may take so many steps and put so many faults together, or gives it up.
pub(super) fn bounded<T>(steps: u64, faults: u64, check: impl FnOnce() -> T) -> Result<T, TooMuch> {
    LEFT.set(Left { steps, faults });
    // What is unwound is a check that only reads, and it is not used again.
    catch_unwind(AssertUnwindSafe(check))
        .or_else(|cause| cause.downcast().map_or_else(|cause| resume_unwind(cause), |much| Err(*much)))
}

/// The keyword, for one part of a schema.
#[derive(Clone, Copy, Default)]
pub(super) struct Toll {
    /// Steps that an application takes, whatever the value.
    steps: u64,
    /// Faults that an application may find, the long ones counted as several; beside one for each item or key of the value.
    faults: u64,
    /// Bytes of the compiled pattern that a string is searched with.
    pattern: u64,
    /// How many patterns the keys of an object are searched with.
    key_patterns: u64,
    /// Bytes of these.
    key_pattern: u64,
    /// Whether the value is looked at in all its depth: 1, or 0.
    deep: u64,
}

impl Toll {
    /// What an application of this part takes.
    pub(super) fn price(object: &Map<String, Value>, weights: &Weights) -> Self {
        let values: u64 = VALUES.iter().filter_map(|key| object.get(*key)).map(size).sum();
        let branches: u64 = object.values().map(length).sum();
        let mut toll = Self {
            steps: 1 + (object.len() as u64 + values + branches) / BULK,
            faults: object.len() as u64 + values,
            pattern: object.get("pattern").and_then(Value::as_str).map_or(0, |pattern| weights.of(pattern)),
            deep: u64::from(object.get("uniqueItems") == Some(&Value::Bool(true))),
            ..Self::default()
        };
        if object.contains_key("unevaluatedProperties") {
            // It looks at what other parts say of the keys, wherever they are.
            (toll.key_patterns, toll.key_pattern) = (weights.count(), weights.total());
        } else if let Some(Value::Object(patterns)) = object.get("patternProperties") {
            toll.key_patterns = patterns.len() as u64;
            toll.key_pattern = patterns.keys().map(|pattern| weights.of(pattern)).sum();
        }
        toll
    }

    /// The keyword's value.
    pub(super) fn to_value(self) -> Value {
        // A list, so that no reference can take it for a schema.
        json!([self.steps, self.faults, self.pattern, self.key_patterns, self.key_pattern, self.deep])
    }

    /// The toll of the keyword's value.
    pub(super) fn of(value: &Value) -> Self {
        let number = |index: usize| value.get(index).and_then(Value::as_u64).unwrap_or(1);
        Self {
            steps: number(0),
            faults: number(1),
            pattern: number(2),
            key_patterns: number(3),
            key_pattern: number(4),
            deep: number(5),
        }
    }

    /// The steps of one application.
    fn steps(&self, instance: &Value) -> u64 {
        let searched = |bytes: u64, pattern: u64| bytes.saturating_mul(pattern) / SEARCHED;
        let bulk = if self.deep == 0 { length(instance) } else { size(instance) };
        let patterns = match instance {
            Value::String(text) => searched(text.len() as u64, self.pattern),
            Value::Object(object) if self.key_patterns > 0 => {
                let bytes = object.keys().map(|key| key.len() as u64).sum();
                (object.len() as u64).saturating_mul(self.key_patterns) / KEYS + searched(bytes, self.key_pattern)
            }
            _ => 0,
        };
        self.steps.saturating_add(bulk / BULK).saturating_add(patterns)
    }

    fn pay(&self, instance: &Value, faults: u64) {
        let left = LEFT.get();
        // Not a panic: nothing is wrong, and nothing is to be printed.
        let Some(steps) = left.steps.checked_sub(self.steps(instance)) else { resume_unwind(Box::new(TooMuch::Steps)) };
        let Some(faults) = left.faults.checked_sub(faults) else { resume_unwind(Box::new(TooMuch::Faults)) };
        LEFT.set(Left { steps, faults });
    }
}

impl<'i> Keyword<'i> for Toll {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        self.pay(instance, 0);
        Ok(())
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.pay(instance, 0);
        true
    }

    /// Asked instead of the others where all faults are put together, which takes memory for each.
    fn iter_errors(&self, instance: &'i Value) -> Box<dyn Iterator<Item = ValidationError<'i>> + 'i> {
        let each = match instance {
            Value::Array(_) | Value::Object(_) => length(instance),
            _ => 0,
        };
        self.pay(instance, self.faults.saturating_add(each));
        Box::new(std::iter::empty())
    }
}

/// Bytes of a string, items of an array, keys of an object.
fn length(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.len() as u64,
        Value::Object(object) => object.len() as u64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// How many values a value holds, itself included, a long string counted as several.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(object) => 1 + Map::values(object).map(size).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / BULK,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}
