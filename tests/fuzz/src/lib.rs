//! Fuzzing of everything in Sandbar that parses what others wrote: messages of clients and what they choose, components, manifests, arguments,
//! results, what an API server answers, logs, certificates, snapshots, tokens of issuers and their keys, what registries
//! send, signatures, sandbar.yaml, and the words that tools read.
//!
//! A [`Target`] takes any bytes and panics where a promise is broken, not only where code crashes: each says what has to hold.
//! `make test` runs a fixed number of seeded executions of each (`tests/seeded.rs`); `make fuzz` runs them for as long as you like
//! under libFuzzer (`src/main.rs`), which finds its way by the branches that an input takes.
#![allow(clippy::unwrap_used, reason = "a panic is a finding")]

mod api;
mod mutation;
mod targets;

pub use mutation::Mutator;
pub use targets::TARGETS;

/// Something that parses what others wrote.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Takes an input. It panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to start from: ours, small, and each on another way through the code.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Executions in `make test`; fewer where one takes longer.
    pub executions: u32,
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// The first line of an input, and the rest: how to read it, and what.
fn head_and_body(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// Whether a client may see this text as it is.
fn is_clean(text: &str) -> bool {
    sandbar_text::clean(text) == text
}

/// Whether a client may see all keys and strings of a value.
fn is_clean_value(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => is_clean(text),
        Value::Array(items) => items.iter().all(is_clean_value),
        Value::Object(object) => object.iter().all(|(key, value)| is_clean(key) && is_clean_value(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
