//! What `tests/fuzz` calls of this module's inside. Not for anybody else.

use serde_json::Value;

use super::answer::{Answer, Trust};
use super::answered::Answered;
use super::arguments::IgnoredArguments;
use super::manifest::{Definition, Manifest, ManifestError};

/// Reads a manifest.
pub fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text).map(|(manifest, _unknown)| manifest)
}

/// Reads arguments by a tool's input schema.
pub fn read(definition: &Definition, arguments: &Value) -> Result<Value, String> {
    definition.read(arguments.clone(), &IgnoredArguments::default())
}

/// Reads what a component of somebody else's returned.
pub fn answer(returned: &str, definition: &Definition) -> Answer {
    Answer::parse(returned, definition, Trust::Extra)
}

/// The same of one that reads the cluster.
pub fn marked_answer(returned: &str, definition: &Definition) -> Answer {
    Answer::parse(returned, definition, Trust::Reader)
}

/// Reads what a component of somebody else's returned for a prompt.
pub fn prompt(returned: &str) -> Answered {
    Answered::prompt("p", returned, Trust::Reader)
}

/// The same for a resource.
pub fn resource(uri: &str, returned: &str) -> Answered {
    Answered::resource(uri, returned, Trust::Reader)
}
