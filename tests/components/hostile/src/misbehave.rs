//! Faults of the code itself, and floods of what the host takes.

use std::hint::black_box;

use sandbar_tool::bindings::sandbar::kubernetes::types::{ApiResource, Scope};
use sandbar_tool::bindings::sandbar::kubernetes::{logs, read};
use sandbar_tool::bindings::sandbar::tool::{context, logging};
use serde::Deserialize;

/// What to do.
#[derive(Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// Executes `unreachable`.
    Trap,
    /// Panics with these words.
    Panic { words: String },
    /// Calls itself until the stack is full.
    Recurse,
    /// Computes for ever.
    Spin,
    /// Asks the host for facts for ever, which computes, too.
    Ask,
    /// Allocates until it gets no more.
    Grow,
    /// Lists pods for ever, whatever comes back.
    Wait,
    /// Sends a log line so many times, and a progress report with it.
    Flood { times: u32, line: String },
    /// Hands the host a string of so many bytes as a field path.
    Push { bytes: usize },
    /// Answers with this text, whether it is JSON or not.
    Return { text: String },
    /// Answers with a text of so many bytes.
    Fill { bytes: usize },
    /// Fails with this text.
    Fail { text: String },
    /// Fails with a text of so many bytes.
    FailLong { bytes: usize },
    /// Answers with what the operator has set for an option.
    Tell { option: String },
    /// Leaves a mark in memory that outlives a call, and answers with how many marks there were.
    Remember,
}

impl Fault {
    pub(crate) fn commit(self) -> Result<String, String> {
        match self {
            Fault::Trap => core::arch::wasm32::unreachable(),
            Fault::Panic { words } => panic!("{words}"),
            Fault::Recurse => Ok(recurse(0).to_string()),
            Fault::Spin => spin(),
            Fault::Ask => loop {
                black_box(context::now_ms());
            },
            Fault::Grow => grow(),
            Fault::Wait => wait(),
            Fault::Flood { times, line } => flood(times, &line),
            Fault::Push { bytes } => push(bytes),
            Fault::Return { text } => Ok(text),
            Fault::Fill { bytes } => Ok(structured(&"x".repeat(bytes))),
            Fault::Fail { text } => Err(text),
            Fault::FailLong { bytes } => Err("x".repeat(bytes)),
            Fault::Tell { option } => Ok(match context::setting(&option) {
                Some(json) => format!(r#"{{"structuredContent":{{"set":{json}}}}}"#),
                None => r#"{"structuredContent":{}}"#.to_owned(),
            }),
            Fault::Remember => remember(),
        }
    }
}

fn structured(text: &str) -> String {
    format!(r#"{{"structuredContent":{{"text":"{text}"}}}}"#)
}

#[expect(unconditional_recursion, reason = "that is the fault")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1))) + 1
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn grow() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

fn wait() -> ! {
    loop {
        let _ = read::list_objects(&read::Query {
            of: ApiResource { group: String::new(), version: "v1".to_owned(), plural: "pods".to_owned() },
            within: Scope::Namespace("team-a".to_owned()),
            label_selector: None,
            field_selector: None,
            fields: None,
            limit: None,
            continue_: None,
            more: None,
        });
    }
}

fn flood(times: u32, line: &str) -> Result<String, String> {
    for number in 0..times {
        logging::log(logging::Level::Info, line);
        context::progress(number.into(), Some(f64::NAN), Some(line));
    }
    Ok(structured("done"))
}

fn push(bytes: usize) -> Result<String, String> {
    let source = logs::Source {
        namespace: "x".repeat(bytes),
        pod: "web".to_owned(),
        container: None,
        previous: None,
        tail_lines: None,
        since_seconds: None,
        timestamps: None,
        matching: None,
        limit_bytes: None,
        more: None,
    };
    logs::tail(&source).map(|excerpt| structured(&excerpt.text)).map_err(|error| error.message)
}

fn remember() -> Result<String, String> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MARKS: AtomicU32 = AtomicU32::new(0);
    let marks = MARKS.fetch_add(1, Ordering::Relaxed);
    Ok(format!(r#"{{"structuredContent":{{"n":{marks}}}}}"#))
}
