//! A bound on the work of checking a value against a schema.
//!
//! A schema of some hundred bytes can double the work with each of its levels, and the check runs in the host, where no limit of the
//! sandbox ends it. So every part of a schema gets one more keyword, which is ours: it counts how often the part is applied, and
//! what that costs. jsonschema has no way to give up in the middle, so the keyword unwinds out of it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// The keyword. A schema that has it already loses it.
pub(super) const KEYWORD: &str = "sandbar:toll";

/// Steps of one check. A result of 4 MiB has a few hundred thousand values, each of which two or three parts of its schema look at.
const STEPS: u64 = 2_000_000;

/// Bytes of a string, items of an array, or values of an `enum` and the like, that count as one more step.
const BULK: usize = 16;

/// Keywords whose object holds schemas by name, and is none itself.
const BY_NAME: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

/// Keywords that hold values, and no schemas.
const VALUES: [&str; 5] = ["enum", "const", "default", "examples", "required"];

thread_local! {
    /// What is left of the running check's steps.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// The check would have taken more steps than it may.
#[derive(Debug)]
pub(super) struct TooMuch;

/// The same schema, with a toll at each of its parts. Fails where a reference leads to what is no part of a schema, and so would be
/// free.
pub(super) fn with_tolls(schema: &Value) -> Result<Value, String> {
    let mut schema = schema.clone();
    add(&mut schema)?;
    Ok(schema)
}

/// Runs one check, or gives it up.
pub(super) fn bounded<T>(check: impl FnOnce() -> T) -> Result<T, TooMuch> {
    LEFT.set(STEPS);
    // What is unwound is a check that only reads, and it is not used again.
    catch_unwind(AssertUnwindSafe(check)).or_else(|cause| if cause.is::<TooMuch>() { Err(TooMuch) } else { resume_unwind(cause) })
}

/// The keyword, for one part of a schema.
pub(super) struct Toll(u64);

impl Toll {
    pub(super) fn of(value: &Value) -> Self {
        Self(value.as_u64().unwrap_or(1))
    }

    fn pay(&self, instance: &Value) {
        let bulk = match instance {
            Value::String(text) => text.len(),
            Value::Array(items) => items.len(),
            Value::Object(object) => object.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        };
        match LEFT.get().checked_sub(self.0 + (bulk / BULK) as u64) {
            Some(left) => LEFT.set(left),
            // Not a panic: nothing is wrong, and nothing is to be printed.
            None => resume_unwind(Box::new(TooMuch)),
        }
    }
}

impl<'i> Keyword<'i> for Toll {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        self.pay(instance);
        Ok(())
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.pay(instance);
        true
    }
}

fn add(schema: &mut Value) -> Result<(), String> {
    match schema {
        Value::Object(object) => {
            let price = 1 + VALUES.iter().filter_map(|key| object.get(*key)).map(size).sum::<usize>() / BULK;
            for (key, value) in object.iter_mut().filter(|(key, _)| !VALUES.contains(&key.as_str())) {
                match (key.as_str(), value) {
                    ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => check_reference(reference)?,
                    (key, Value::Object(schemas)) if BY_NAME.contains(&key) => schemas.values_mut().try_for_each(add)?,
                    (_, value) => add(value)?,
                }
            }
            object.insert(KEYWORD.to_owned(), Value::from(price));
            Ok(())
        }
        Value::Array(schemas) => schemas.iter_mut().try_for_each(add),
        _ => Ok(()),
    }
}

/// A JSON Pointer in a reference must not lead into plain values.
fn check_reference(reference: &str) -> Result<(), String> {
    let mut is_name = false;
    for token in reference.split_once("#/").map_or("", |(_, pointer)| pointer).split('/') {
        if !is_name && VALUES.contains(&token) {
            return Err(format!("the reference {reference:?} leads into `{token}`, which holds no schema"));
        }
        is_name = !is_name && BY_NAME.contains(&token);
    }
    Ok(())
}

/// How many values a value holds, itself included, a long string counted as several.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => 1 + Map::values(object).map(size).sum::<usize>(),
        Value::String(text) => 1 + text.len() / BULK,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}
