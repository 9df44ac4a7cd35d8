//! What MCP's objects are made of, so that everything that is served can be listed, and what is wrong is said with its place.

use serde_json::{Map, Value};

/// What a value of a definition is in MCP.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    Bool,
    Bytes,
    Priority,
    Texts,
    Theme,
    Roles,
    Object,
    ToolAnnotations,
    Annotations,
    Arguments,
    Icons,
}

/// Keys, each with the shape of its value.
type Keys = [(&'static str, Shape)];

/// What a tool's definition may have beside its name and its schemas. Other keys mean nothing to MCP, and are not passed on.
pub(super) const TOOL: &Keys = &[
    ("title", Shape::Text),
    ("description", Shape::Text),
    ("annotations", Shape::ToolAnnotations),
    ("icons", Shape::Icons),
    ("_meta", Shape::Object),
];
/// The same of a prompt, beside its name.
pub(super) const PROMPT: &Keys = &[
    ("title", Shape::Text),
    ("description", Shape::Text),
    ("arguments", Shape::Arguments),
    ("icons", Shape::Icons),
    ("_meta", Shape::Object),
];
/// The same of a resource or a template, beside its URI. Of a template's size there is nothing to say.
pub(super) const RESOURCE: &Keys = &[
    ("name", Shape::Text),
    ("title", Shape::Text),
    ("description", Shape::Text),
    ("mimeType", Shape::Text),
    ("size", Shape::Bytes),
    ("annotations", Shape::Annotations),
    ("icons", Shape::Icons),
    ("_meta", Shape::Object),
];
const ARGUMENT: &Keys = &[("name", Shape::Text), ("title", Shape::Text), ("description", Shape::Text), ("required", Shape::Bool)];
const ANNOTATIONS: &Keys = &[("audience", Shape::Roles), ("priority", Shape::Priority), ("lastModified", Shape::Text)];
const TOOL_ANNOTATIONS: &Keys = &[
    ("title", Shape::Text),
    ("readOnlyHint", Shape::Bool),
    ("destructiveHint", Shape::Bool),
    ("idempotentHint", Shape::Bool),
    ("openWorldHint", Shape::Bool),
];
const ICON: &Keys = &[("src", Shape::Text), ("mimeType", Shape::Text), ("sizes", Shape::Texts), ("theme", Shape::Theme)];

impl Shape {
    /// What the value at `place` has to be, where it is not.
    fn check(self, place: &str, value: &mut Value) -> Result<(), String> {
        let fits = match (self, &mut *value) {
            (Self::ToolAnnotations, Value::Object(annotations)) => return check_keys(place, annotations, TOOL_ANNOTATIONS),
            (Self::Annotations, Value::Object(annotations)) => return check_keys(place, annotations, ANNOTATIONS),
            (Self::Icons, Value::Array(icons)) => return check_each(place, icons, ICON, "src"),
            (Self::Arguments, Value::Array(arguments)) => return check_each(place, arguments, ARGUMENT, "name"),
            (Self::Bytes, Value::Number(bytes)) => bytes.is_u64(),
            (Self::Priority, Value::Number(priority)) => {
                priority.as_f64().is_some_and(|priority| (0.0..=1.0).contains(&priority))
            }
            (Self::Roles, Value::Array(roles)) => roles.iter().all(|role| role == "user" || role == "assistant"),
            (Self::Texts, Value::Array(texts)) => texts.iter().all(Value::is_string),
            (Self::Theme, Value::String(theme)) => matches!(theme.as_str(), "light" | "dark"),
            (Self::Text, Value::String(_)) | (Self::Bool, Value::Bool(_)) | (Self::Object, Value::Object(_)) => true,
            _ => false,
        };
        let wanted = match self {
            Self::Text => "a string",
            Self::Bool => "true or false",
            Self::Texts => "a list of strings",
            Self::Theme => "\"light\" or \"dark\"",
            Self::Bytes => "a number of bytes",
            Self::Priority => "a number from 0 to 1",
            Self::Roles => "a list of \"user\" and \"assistant\"",
            Self::Object | Self::ToolAnnotations | Self::Annotations => "an object",
            Self::Arguments => "a list of arguments",
            Self::Icons => "a list of icons",
        };
        if fits { Ok(()) } else { Err(format!("`{place}` is not {wanted}")) }
    }
}

/// Holds a definition to MCP's type. A null stands for nothing, as some serialisers have it, and goes.
pub(super) fn check(definition: &mut Map<String, Value>, keys: &Keys) -> Result<(), String> {
    check_keys("", definition, keys)
}

fn check_keys(place: &str, object: &mut Map<String, Value>, keys: &Keys) -> Result<(), String> {
    object.retain(|key, value| !value.is_null() || keys.iter().all(|(known, _)| known != key));
    let separator = if place.is_empty() { "" } else { "." };
    keys.iter().try_for_each(|(key, shape)| {
        object.get_mut(*key).map_or(Ok(()), |value| shape.check(&format!("{place}{separator}{key}"), value))
    })
}

/// Holds each of a list to MCP's type, and to having the key that it needs.
fn check_each(place: &str, items: &mut [Value], keys: &Keys, needed: &str) -> Result<(), String> {
    items.iter_mut().enumerate().try_for_each(|(index, item)| {
        let Value::Object(item) = item else { return Err(format!("`{place}[{index}]` is not an object")) };
        check_keys(&format!("{place}[{index}]"), item, keys)?;
        if item.contains_key(needed) { Ok(()) } else { Err(format!("`{place}[{index}].{needed}` is missing")) }
    })
}
