//! A component of everything that a tool should not do. Each tool does one thing, and a test says what the host makes of it.
#![allow(clippy::infinite_loop, clippy::empty_loop, reason = "that is what it is for")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbar_tool::{Component, Error, Page, Resource, Rule, Scope, Tool, Tools, Verb, context, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Text {
    text: String,
}

fn answer(text: impl Into<String>) -> Result<Text, Error> {
    Ok(Text { text: text.into() })
}

fn panics(_: Nothing) -> Result<Text, Error> {
    panic!("a test made it panic");
}

fn spins(_: Nothing) -> Result<Text, Error> {
    loop {
        black_box(());
    }
}

fn allocates(_: Nothing) -> Result<Text, Error> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

fn recurses(_: Nothing) -> Result<Text, Error> {
    #[allow(unconditional_recursion, reason = "that is what it is for")]
    fn deeper(depth: u64) -> u64 {
        black_box(deeper(black_box(depth + 1))) + 1
    }
    answer(deeper(0).to_string())
}

fn floods(_: Nothing) -> Result<Text, Error> {
    answer("x".repeat(8 << 20))
}

fn chatters(_: Nothing) -> Result<Text, Error> {
    for line in 0..1000 {
        log::info(format!("chatter {line}\nforged: line \u{1b}[31m {}", "y".repeat(100)));
    }
    answer("done")
}

/// A fresh instance each time has nothing to remember.
fn remembers(_: Nothing) -> Result<Text, Error> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    answer((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
}

fn hides(_: Nothing) -> Result<Text, Error> {
    answer("\u{1b}[31mred\u{1b}[0m a\u{202e}b\u{e0041}c\u{7}d")
}

#[derive(Deserialize, JsonSchema)]
struct Target {
    group: String,
    version: String,
    plural: String,
    /// Absent: a resource of the cluster.
    namespace: Option<String>,
    name: String,
}

/// Asks for any object, whatever it was granted.
fn reaches(target: Target) -> Result<Text, Error> {
    // A resource is known when a tool is written, as a rule.
    let leak = |text: String| -> &'static str { text.leak() };
    let resource = Resource::new(leak(target.group), leak(target.version), leak(target.plural));
    let scope = target.namespace.map_or(Scope::Cluster, Scope::Namespace);
    let object: Value = resource.get(scope, &target.name)?;
    answer(object.to_string())
}

#[derive(Deserialize, JsonSchema)]
struct Place {
    namespace: String,
}

const PODS: Resource = Resource::new("", "v1", "pods");

/// Reads on and on, one object a page.
fn pages(place: Place) -> Result<Page<Value>, Error> {
    let mut all = Page { items: Vec::new(), continue_: None, remaining: None, warnings: Vec::new() };
    for page in PODS.list::<Value>().within(&*place.namespace).limit(Some(1)).pages() {
        all.items.extend(page?.items);
    }
    Ok(all)
}

/// Says how far it is, and then reads.
fn reports(place: Place) -> Result<Text, Error> {
    context::progress(1.0, Some(3.0), Some("first"));
    let _: Page<Value> = PODS.list().within(&*place.namespace).page()?;
    context::progress(2.0, Some(3.0), Some("sec\u{202e}ond"));
    let _: Page<Value> = PODS.list().within(&*place.namespace).page()?;
    answer("done")
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// What the tool `tells` tells.
    #[allow(dead_code, reason = "the schema is what counts")]
    threshold: Option<u32>,
}

fn tells(_: Nothing) -> Result<Text, Error> {
    answer(format!("{:?}", context::setting::<u32>("threshold")?))
}

fn component() -> Component<impl Tools> {
    Component::new()
        .settings::<Settings>()
        .rule(Rule::new("", &["pods"], &[Verb::Get, Verb::List]))
        .tool(Tool::new("panics", "Panics.", panics))
        .tool(Tool::new("spins", "Computes without end.", spins))
        .tool(Tool::new("allocates", "Takes memory without end.", allocates))
        .tool(Tool::new("recurses", "Calls itself without end.", recurses))
        .tool(Tool::new("floods", "Answers with 8 MiB.", floods))
        .tool(Tool::new("chatters", "Fills the log.", chatters))
        .tool(Tool::new("remembers", "Counts its calls.", remembers))
        .tool(Tool::new("hides", "Hides\u{e0041} something\u{202e}.", hides))
        .tool(Tool::new("reaches", "Asks for any object.", reaches))
        .tool(Tool::new("pages", "Reads without end.", pages))
        .tool(Tool::new("reports", "Says how far it is.", reports))
        .tool(Tool::new("tells", "Tells a setting.", tells))
}

sandbar_tool::export!(component);
