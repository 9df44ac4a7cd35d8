//! Prompts, as components declare them.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::model::{Prompt, PromptArgument};
use serde_json::{Map, Value, json};

use super::arguments::IgnoredArguments;
use super::manifest::{ManifestError, name_of, object_in};
use super::offer::Offer;
use super::schema::{Patterns, Schema};
use super::shape;

/// Arguments of one prompt. A person fills them in.
const ARGUMENTS: usize = 32;

/// Bytes of an argument's name.
const ARGUMENT_BYTES: usize = 128;

/// A prompt, as MCP's `prompts/list` shows it.
#[derive(Clone, Debug)]
pub struct PromptDefinition {
    pub(super) object: Prompt,
    /// What its arguments say, as a schema: so they are read and checked as those of tools.
    arguments: Arc<Schema>,
}

impl PromptDefinition {
    /// The prompt's name.
    pub fn name(&self) -> &str {
        &self.object.name
    }

    /// The MCP Prompt.
    pub fn object(&self) -> &Prompt {
        &self.object
    }

    /// Whether arguments of so many bytes are read in about a millisecond.
    pub(super) fn reads_briefly(&self, bytes: usize) -> bool {
        self.arguments.is_brief(bytes)
    }

    /// The arguments as they were meant; else which of them is wrong, and why.
    pub(super) fn read(&self, arguments: Value, ignored: &IgnoredArguments) -> Result<Value, String> {
        self.arguments.fitting(arguments, ignored)
    }

    pub(super) fn parse(prompt: Value) -> Result<Self, ManifestError> {
        let mut object = object_in("prompts", prompt)?;
        let name = name_of(Offer::Prompt, &object)?;
        let problem = |reason: &str| ManifestError::malformed(Offer::Prompt, &name, reason);
        shape::check(&mut object, shape::PROMPT).map_err(|reason| problem(&reason))?;
        let object: Prompt = serde_json::from_value(Value::Object(object)).map_err(|error| problem(&error.to_string()))?;
        let arguments = schema_of(object.arguments.as_deref().unwrap_or_default()).map_err(|reason| problem(&reason))?;
        Ok(Self { object, arguments: Arc::new(arguments) })
    }
}

/// A schema of an object with these strings.
fn schema_of(arguments: &[PromptArgument]) -> Result<Schema, String> {
    if arguments.len() > ARGUMENTS {
        return Err(format!("it has {} arguments; {ARGUMENTS} is the most", arguments.len()));
    }
    let mut names = BTreeSet::new();
    for PromptArgument { name, .. } in arguments {
        if name.is_empty() || name.len() > ARGUMENT_BYTES {
            return Err(format!("the argument name {name:?} is not 1 to {ARGUMENT_BYTES} bytes"));
        }
        if !names.insert(name) {
            return Err(format!("it has two arguments named {name:?}"));
        }
    }
    let properties: Map<_, _> = arguments.iter().map(|argument| (argument.name.clone(), json!({ "type": "string" }))).collect();
    let required: Vec<_> =
        arguments.iter().filter(|argument| argument.required == Some(true)).map(|argument| &argument.name).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    Schema::compile_within(&schema, &mut Patterns::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(prompt: Value) -> Result<PromptDefinition, String> {
        PromptDefinition::parse(prompt).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_strings_that_the_prompt_names() {
        let prompt =
            parse(json!({ "name": "p", "arguments": [{ "name": "a", "required": true }, { "name": "b" }] })).expect("MCP's");
        let read = |arguments: Value| prompt.read(arguments, &IgnoredArguments::default());
        assert_eq!(read(json!({ "a": "x" })), Ok(json!({ "a": "x" })));
        assert_eq!(read(json!({ "a": 7, "b": null })), Ok(json!({ "a": "7" })), "as they were meant");
        for (arguments, said) in [(json!({}), "a"), (json!({ "a": "x", "c": "y" }), "c"), (json!({ "a": ["x", "y"] }), "a")] {
            let words = read(arguments).expect_err("refused");
            assert!(words.contains(said), "{words}");
        }
    }

    #[test]
    fn what_is_no_prompt_of_mcp_is_refused() {
        for (prompt, said) in [
            (json!("p"), "`prompts` in the manifest is not a list of objects"),
            (json!({ "name": "a b" }), "the prompt name \"a b\" is not 1 to 128 characters of [A-Za-z0-9_.-]"),
            (json!({ "name": "p", "title": 1 }), "the prompt \"p\" of the manifest: `title` is not a string"),
            (json!({ "name": "p", "arguments": {} }), "the prompt \"p\" of the manifest: `arguments` is not a list of arguments"),
            (json!({ "name": "p", "arguments": [{}] }), "the prompt \"p\" of the manifest: `arguments[0].name` is missing"),
            (
                json!({ "name": "p", "arguments": [{ "name": "a", "required": "yes" }] }),
                "the prompt \"p\" of the manifest: `arguments[0].required` is not true or false",
            ),
            (
                json!({ "name": "p", "arguments": [{ "name": "a" }, { "name": "a" }] }),
                "the prompt \"p\" of the manifest: it has two arguments named \"a\"",
            ),
        ] {
            assert_eq!(parse(prompt).expect_err(said), said);
        }
        let many: Value = (0..=ARGUMENTS).map(|n| json!({ "name": n.to_string() })).collect();
        assert!(parse(json!({ "name": "p", "arguments": many })).is_err_and(|words| words.contains("32 is the most")));
    }

    #[test]
    fn a_prompt_carries_nothing_hidden() {
        let prompt = parse(json!({ "name": "p", "title": null, "description": "what\u{200b} is\u{202e}" })).expect("MCP's");
        assert_eq!(prompt.object().description.as_deref(), Some("what is"));
    }
}
