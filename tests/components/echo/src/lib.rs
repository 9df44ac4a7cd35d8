//! Answers with what its caller said, so that an answer shows which call it belongs to: at once, after a while of work, or after a
//! read that may take long.
#![cfg(target_arch = "wasm32")]

use sandbar_tool::bindings::exports::sandbar::tool::{prompts, resources, tools};
use sandbar_tool::bindings::sandbar::kubernetes::read;
use sandbar_tool::bindings::sandbar::kubernetes::types::{ApiResource, Scope};
use sandbar_tool::bindings::sandbar::tool::context;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Arguments {
    word: String,
    #[serde(default)]
    ms: u32,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pod: String,
}

struct Echo;

impl tools::Guest for Echo {
    fn manifest() -> String {
        include_str!("../manifest.json").to_owned()
    }

    fn call(name: String, arguments: String) -> Result<String, String> {
        let arguments: Arguments = serde_json::from_str(&arguments).map_err(|error| error.to_string())?;
        let answer = match name.as_str() {
            "work" => work(&arguments),
            "read" => read(arguments),
            _ => json!({ "word": arguments.word }),
        };
        Ok(json!({ "structuredContent": answer }).to_string())
    }
}

impl prompts::Guest for Echo {
    fn get(name: String, _arguments: String) -> Result<String, String> {
        Err(format!("there is no prompt {name}"))
    }
}

impl resources::Guest for Echo {
    fn read(uri: String) -> Result<String, String> {
        Err(format!("there is no resource {uri}"))
    }
}

/// Counts the milliseconds. A component cannot sleep, so it works.
fn work(arguments: &Arguments) -> Value {
    let at_first = context::remaining_ms();
    loop {
        let spent = (at_first - context::remaining_ms()).min(arguments.ms);
        context::progress(f64::from(spent), Some(f64::from(arguments.ms)), Some(&arguments.word));
        if spent == arguments.ms {
            return json!({ "word": arguments.word });
        }
    }
}

fn read(arguments: Arguments) -> Value {
    let Arguments { word, namespace, pod, .. } = arguments;
    context::progress(1.0, None, Some(&word));
    let pods = ApiResource { group: String::new(), version: "v1".to_owned(), plural: "pods".to_owned() };
    match read::get_object(&pods, &Scope::Namespace(namespace), &pod, Some(&["metadata.name".to_owned()]), None) {
        Ok(_) => json!({ "word": word }),
        Err(error) => json!({ "word": word, "code": error.code, "message": error.message }),
    }
}

sandbar_tool::bindings::export_bindings!(Echo with_types_in sandbar_tool::bindings);
