//! What a tool's function may answer: a structure, or a structure and a text that tells it.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Code, Error};

/// An answer in both of MCP's forms: `structuredContent` for programs, which the tool's output schema describes, and `content` for
/// the model. Without it, the text of an answer is its structure in JSON.
///
/// A client shows its model one of the two, and which one is not ours to choose: each has to say all that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<R> {
    /// For the model, in place of the JSON.
    pub text: String,
    /// The structure.
    pub answer: R,
}

impl<R> Told<R> {
    /// An answer whose text has a line for each of these notes before it: a client that cuts a long text cuts its end.
    pub fn noted(notes: &[String], text: &str, answer: R) -> Self {
        let mut lines = notes.to_vec();
        if !text.is_empty() {
            lines.push(text.to_owned());
        }
        Self { text: lines.join("\n"), answer }
    }
}

/// What a tool's function returns: anything that has a schema and can be written, and [`Told`] of that. Nobody else implements it.
pub trait Answer {
    /// What the output schema is of.
    #[doc(hidden)]
    type Structure: Serialize + JsonSchema;

    /// The text, if it has one of its own, and the structure.
    #[doc(hidden)]
    fn forms(&self) -> (Option<&str>, &Self::Structure);
}

impl<R: Serialize + JsonSchema> Answer for R {
    type Structure = R;

    fn forms(&self) -> (Option<&str>, &R) {
        (None, self)
    }
}

impl<R: Serialize + JsonSchema> Answer for Told<R> {
    type Structure = R;

    fn forms(&self) -> (Option<&str>, &R) {
        (Some(&self.text), &self.answer)
    }
}

/// The result of a `tools/call` in JSON, of a structure in JSON.
pub(crate) fn result(text: Option<&str>, structure: &str) -> serde_json::Result<String> {
    let Some(text) = text else { return Ok(format!("{{\"structuredContent\":{structure}}}")) };
    let text = serde_json::to_string(text)?;
    Ok(format!("{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"structuredContent\":{structure}}}"))
}

/// The arguments of a tool or prompt, of JSON.
pub(crate) fn arguments_of<A: DeserializeOwned>(name: &str, arguments: &str) -> Result<A, Error> {
    serde_json::from_str(arguments).map_err(|error| Error::invalid(format!("the arguments of {name} are wrong: {error}")))
}

/// An answer in JSON.
pub(crate) fn written(answer: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(answer).map_err(not_json)
}

pub(crate) fn not_json(error: serde_json::Error) -> Error {
    Error::new(Code::Other, format!("the answer is not JSON: {error}"))
}
