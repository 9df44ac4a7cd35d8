//! What components offer, and what a caller asks of them.

use std::fmt;

use serde_json::Value;

use super::arguments::Arguments;
use super::uri::space;

/// What a component can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// A tool, which a model calls.
    Tool,
    /// A prompt, which a user chooses.
    Prompt,
    /// A resource, which a client reads.
    Resource,
}

/// What a caller asks for. It runs as one call, whatever it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// To run a tool.
    Tool {
        /// The tool's name.
        name: String,
        /// Its arguments.
        arguments: Arguments,
    },
    /// To fill in a prompt.
    Prompt {
        /// The prompt's name.
        name: String,
        /// Its arguments.
        arguments: Arguments,
    },
    /// To read a resource.
    Resource {
        /// Which one.
        uri: String,
    },
}

impl Offer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Prompt, Self::Resource];

    /// MCP's method that asks for one.
    pub fn method(self) -> &'static str {
        match self {
            Self::Tool => "tools/call",
            Self::Prompt => "prompts/get",
            Self::Resource => "resources/read",
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
        })
    }
}

impl Asked {
    /// Whether a tool, a prompt or a resource is requested.
    pub fn offer(&self) -> Offer {
        match self {
            Self::Tool { .. } => Offer::Tool,
            Self::Prompt { .. } => Offer::Prompt,
            Self::Resource { .. } => Offer::Resource,
        }
    }

    /// The name, or the URI.
    pub fn name(&self) -> &str {
        match self {
            Self::Tool { name, .. } | Self::Prompt { name, .. } => name,
            Self::Resource { uri } => uri,
        }
    }

    /// One of the arguments.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Tool { arguments, .. } | Self::Prompt { arguments, .. } => arguments.get(name),
            Self::Resource { .. } => None,
        }
    }

    /// The name without anything that may stand for an argument: of a URI, where it begins.
    pub(super) fn bare_name(&self) -> &str {
        match self {
            Self::Tool { name, .. } | Self::Prompt { name, .. } => name,
            Self::Resource { uri } => space(uri).unwrap_or_default(),
        }
    }

    /// The length of the arguments as JSON, in bytes; of a URI its own.
    pub(super) fn argument_bytes(&self) -> usize {
        match self {
            Self::Tool { arguments, .. } | Self::Prompt { arguments, .. } => arguments.bytes(),
            Self::Resource { uri } => uri.len(),
        }
    }
}
