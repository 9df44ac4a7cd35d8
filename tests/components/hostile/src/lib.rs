//! A component that breaks every rule that a component in Rust can break. Which one, its caller says in the arguments.
//!
//! It stands on the SDK's bindings and not on the SDK itself, whose types would keep it honest.
#![cfg(target_arch = "wasm32")]

mod misbehave;
mod read;

use sandbar_tool::bindings::exports::sandbar::tool::tools::Guest;
use serde::de::DeserializeOwned;

struct Hostile;

impl Guest for Hostile {
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

fn parse<T: DeserializeOwned>(arguments: &str) -> Result<T, String> {
    serde_json::from_str(arguments).map_err(|error| format!("the test's arguments are wrong: {error}"))
}

sandbar_tool::bindings::export_bindings!(Hostile with_types_in sandbar_tool::bindings);
