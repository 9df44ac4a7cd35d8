//! JSON Schemas: what a tool takes and what it answers.
//!
//! A schema is compiled once, from a closed part of the standard whose cost is known then (`compile.rs`, `cost.rs`). After that, a
//! check takes time that is linear in the value (`check.rs`), and arguments can be read as they were meant (`reading.rs`).

mod check;
mod compile;
mod cost;
mod part;
mod pattern;
mod reading;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use sandbar_text::clean_line;
use serde_json::Value;

use super::arguments::IgnoredArguments;

use self::part::Part;
pub(super) use self::pattern::Patterns;

/// Looks of parts at values that nobody has to wait for: about a millisecond.
const BRIEF_LOOKS: u64 = 20_000;

/// A compiled schema. References are resolved within the schema only: neither files nor the network are ever read.
#[derive(Debug)]
pub(super) struct Schema {
    parts: Vec<Part>,
    /// How many parts can look at one value.
    looks: u64,
}

impl Schema {
    /// Compiles a schema, or says what is wrong with it.
    #[cfg(test)]
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        Self::compile_within(schema, &mut Patterns::default())
    }

    /// The same for one schema of several, which share the room for their patterns.
    ///
    /// It is work for the processor: microseconds as a rule, and with all the patterns that a manifest may have, large parts of a
    /// second. An async task that loads what others wrote gives it a thread of its own.
    pub(super) fn compile_within(schema: &Value, patterns: &mut Patterns) -> Result<Self, String> {
        let (parts, looks) = compile::compile(schema, patterns)?;
        Ok(Self { parts, looks })
    }

    /// Whether a check of a value, or its reading, is done in about a millisecond. `bytes` is the length of the value as JSON.
    pub(super) fn is_brief(&self, bytes: usize) -> bool {
        // Where no part looks at anything, the value is still written.
        self.looks.max(1).saturating_mul(bytes as u64) <= BRIEF_LOOKS
    }

    /// Whether a value fits; else the first faults, with the place of each.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        check::check(&self.parts, value)
    }

    /// Arguments as they were meant, less those that clients add by themselves; else which of them does not fit, and why.
    pub(super) fn fitting(&self, mut arguments: Value, ignored: &IgnoredArguments) -> Result<Value, String> {
        self.read(&mut arguments, |name| ignored.have(name));
        self.check(&arguments)?;
        Ok(arguments)
    }

    /// Takes out each null that stands for a property which may be absent: see `reading.rs`.
    pub(super) fn without_nulls(&self, value: &mut Value) {
        reading::without_nulls(&self.parts, value);
    }

    /// Rewrites arguments as they were meant: see `reading.rs`. Whether they fit is for [`Schema::check`] to say.
    pub(super) fn read(&self, arguments: &mut Value, is_ignored: impl Fn(&str) -> bool) {
        reading::read(&self.parts, arguments, is_ignored);
    }
}

/// The beginning of a value, clean and on one line.
fn quoted(value: &impl fmt::Display, most: usize) -> String {
    clean_line(value, most)
}

/// A text in quotes, however long it is: see [`quoted`].
struct Quote<'t>(&'t str);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        f.write_str(self.0)?;
        f.write_str("\"")
    }
}
