//! JSON Schemas of a tool's arguments and answer, as MCP clients like them: inlined, small, an optional value is an absent one.

use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// How the formats begin that say how wide a number is.
const WIDTHS: [&str; 4] = ["int", "uint", "float", "double"];

/// The schema of `T` as arguments. Unknown arguments are refused, unless the type itself takes them.
pub(crate) fn of_arguments<T: JsonSchema>() -> Value {
    let mut schema = generate(Contract::Deserialize, SchemaGenerator::into_root_schema_for::<T>);
    if let Some(object) = schema.as_object_mut() {
        // Some clients want the keyword even where there is nothing to say.
        object.entry("properties").or_insert_with(|| Map::new().into());
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    schema
}

/// The schema of `T` as an answer. It stays open: a later version may answer more.
pub(crate) fn of_answer<T: JsonSchema>() -> Value {
    generate(Contract::Serialize, SchemaGenerator::into_root_schema_for::<T>)
}

fn generate(contract: Contract, root: fn(SchemaGenerator) -> schemars::Schema) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = contract;
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = root(settings.into_generator()).to_value();
    if let Some(object) = schema.as_object_mut() {
        // What the type is for is said by the tool's own description.
        object.remove("description");
    }
    tidy(&mut schema);
    schema
}

/// Takes out what costs a model tokens and tells it nothing: type names, integer widths, `null` where a value may be left out.
fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("title");
    if object.get("format").and_then(Value::as_str).is_some_and(|format| WIDTHS.iter().any(|width| format.starts_with(width))) {
        object.remove("format");
    }
    match object.get_mut("description") {
        // How an author keeps a doc comment from the model: `#[schemars(description = "")]`.
        Some(Value::String(text)) if text.is_empty() => drop(object.remove("description")),
        Some(Value::String(text)) => *text = unwrapped(text),
        _ => {}
    }

    let required = object.get("required").cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, property) in properties.iter_mut() {
            let optional = !required.as_array().is_some_and(|names| names.iter().any(|required| required == name));
            if let (true, Value::Object(property)) = (optional, &mut *property) {
                drop_null(property);
            }
            tidy(property);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(schema) = object.get_mut(keyword) {
            tidy(schema);
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(schemas)) = object.get_mut(keyword) {
            schemas.iter_mut().for_each(tidy);
        }
    }
}

/// `T or null` becomes `T`. A default of null goes too.
fn drop_null(schema: &mut Map<String, Value>) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &mut kinds[..] {
            let kind = kind.take();
            schema.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [choice] = &mut choices[..] {
            let choice = choice.take();
            schema.remove("anyOf");
            if let Value::Object(choice) = choice {
                // The property's own description is the closer one.
                for (keyword, value) in choice {
                    schema.entry(keyword).or_insert(value);
                }
            }
        }
    }
}

/// Line breaks of a source file are not a reader's: paragraphs stay, lines are joined.
fn unwrapped(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::{of_answer, of_arguments};
    use crate::Integer;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Inner {
        /// A word,
        /// on two lines.
        word: Option<String>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Kind {
        Warning,
        Normal,
    }

    /// Goes.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Outer {
        /// Not for the model.
        #[schemars(description = "")]
        name: String,
        title: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<Integer>,
        /// The closer one.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<Kind>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inner: Vec<Inner>,
    }

    #[test]
    fn an_optional_argument_is_one_that_may_be_absent() {
        assert_eq!(
            of_arguments::<Outer>(),
            json!({
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "title": { "type": "integer" },
                    "limit": { "type": "integer" },
                    "kind": { "description": "The closer one.", "type": "string", "enum": ["Warning", "Normal"] },
                    "inner": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": { "word": { "description": "A word, on two lines.", "type": "string" } },
                        },
                    },
                },
                "required": ["name"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        #[derive(Deserialize, JsonSchema)]
        struct Nothing {}

        let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        assert_eq!(of_arguments::<Nothing>(), schema);
    }

    #[test]
    fn an_answer_that_always_has_a_field_may_have_null_in_it() {
        let schema = of_answer::<Outer>();
        assert_eq!(schema["required"], json!(["name", "title"]));
        assert_eq!(schema["properties"]["title"], json!({ "type": ["integer", "null"] }));
        assert_eq!(schema.get("additionalProperties"), None);
    }
}
