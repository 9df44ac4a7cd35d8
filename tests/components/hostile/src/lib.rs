//! A component that breaks every rule that a component in Rust can break. Which one, its caller says in the arguments.
//!
//! It stands on the SDK's bindings and not on the SDK itself, whose types would keep it honest.
#![cfg(target_arch = "wasm32")]

mod misbehave;
mod read;

use sandbar_tool::bindings::exports::sandbar::tool::{prompts, resources, tools};
use serde::Deserialize;
use serde::de::DeserializeOwned;

struct Hostile;

/// The arguments of the prompt.
#[derive(Deserialize)]
struct Ordered {
    /// A fault, in JSON.
    fault: String,
}

impl tools::Guest for Hostile {
    fn manifest() -> String {
        include_str!("../manifest.json").to_owned()
    }

    fn call(name: String, arguments: String) -> Result<String, String> {
        sandbar_tool::__private::log_panics();
        match name.as_str() {
            "read" => parse::<read::Request>(&arguments)?.answer(),
            _ => parse::<misbehave::Fault>(&arguments)?.commit(),
        }
    }
}

impl prompts::Guest for Hostile {
    fn get(_name: String, arguments: String) -> Result<String, String> {
        sandbar_tool::__private::log_panics();
        parse::<misbehave::Fault>(&parse::<Ordered>(&arguments)?.fault)?.commit()
    }
}

impl resources::Guest for Hostile {
    /// The URI ends with a fault in JSON, in hexadecimal.
    fn read(uri: String) -> Result<String, String> {
        sandbar_tool::__private::log_panics();
        let hex = uri.rsplit('/').next().unwrap_or_default();
        let bytes = hex.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        parse::<misbehave::Fault>(&String::from_utf8_lossy(&bytes.collect::<Vec<_>>()))?.commit()
    }
}

fn parse<T: DeserializeOwned>(arguments: &str) -> Result<T, String> {
    serde_json::from_str(arguments).map_err(|error| format!("the test's arguments are wrong: {error}"))
}

sandbar_tool::bindings::export_bindings!(Hostile with_types_in sandbar_tool::bindings);
