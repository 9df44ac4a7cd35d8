//! Prompts: texts that a user chooses in their client and sends to the model.
//!
//! ```
//! use sandbar_tool::prompt::{Message, Prompt};
//! use sandbar_tool::{Component, Error, Tools, testing::Host};
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Arguments {
//!     /// The Deployment to look at.
//!     name: String,
//!     /// Its namespace; `default` if absent.
//!     namespace: Option<String>,
//! }
//!
//! fn review(Arguments { name, namespace }: Arguments) -> Result<Vec<Message>, Error> {
//!     let namespace = namespace.unwrap_or_else(|| "default".to_owned());
//!     Ok(vec![Message::user(format!("Is the Deployment {name} in {namespace} set up well? Read it first."))])
//! }
//!
//! fn component() -> Component<impl Tools> {
//!     Component::new().prompt(Prompt::new("review_deployment", "Whether a Deployment is set up well.", review).title("Review"))
//! }
//!
//! let messages = Host::new().prompt(&component(), "review_deployment", &json!({ "name": "web" })).unwrap();
//! assert_eq!(messages, [("user".to_owned(), "Is the Deployment web in default set up well? Read it first.".to_owned())]);
//! ```

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, answer};

/// A prompt: a name, words for the user, and a function that writes it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Prompt<F, A> {
    pub(crate) name: &'static str,
    pub(crate) title: Option<&'static str>,
    pub(crate) description: &'static str,
    function: F,
    arguments: PhantomData<fn(A)>,
}

/// A message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    role: Role,
    content: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "text")]
struct Text {
    text: String,
}

/// A prompt that has no arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct NoArguments {}

impl Message {
    /// What the user says.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: Text { text: text.into() } }
    }

    /// What the model has said, by way of example.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: Text { text: text.into() } }
    }
}

impl<F, A> Prompt<F, A>
where
    F: Fn(A) -> Result<Vec<Message>, Error>,
    A: DeserializeOwned + JsonSchema,
{
    /// A prompt that `function` writes. The fields of its argument's type are strings, or optional ones: MCP has no other arguments of
    /// prompts. A doc comment on a field is what the user reads about it. One without arguments takes [`NoArguments`].
    ///
    /// `name` is 1 to 128 characters of `[A-Za-z0-9_.-]`. `description` is what a user chooses by.
    pub const fn new(name: &'static str, description: &'static str, function: F) -> Self {
        Self { name, title: None, description, function, arguments: PhantomData }
    }

    /// A short name for people.
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// The result of an MCP `prompts/get`, in JSON.
    pub(crate) fn get(&self, arguments: &str) -> Result<String, Error> {
        let messages = (self.function)(answer::arguments_of(self.name, arguments)?)?;
        answer::written(&Filled { messages })
    }
}

#[derive(Serialize)]
struct Filled {
    messages: Vec<Message>,
}
