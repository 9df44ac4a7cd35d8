//! What a real API server has as OpenAPI, as the schemas that kubeconform reads: one file for each kind, and no property that it does not
//! name.

use std::collections::BTreeSet;
use std::path::Path;

use sandbar_tests::control_plane::ControlPlane;
use serde_json::{Map, Value, json};

const DEFINITIONS: &str = "#/definitions/";

/// How kubeconform finds them in a folder.
pub(super) fn location(folder: &Path) -> String {
    format!("{}/{{{{.ResourceKind}}}}_{{{{.Group}}}}_{{{{.ResourceAPIVersion}}}}.json", folder.display())
}

/// Writes them into a folder.
pub(super) fn write(control_plane: &ControlPlane, folder: &Path) {
    let api: Value = serde_json::from_str(&control_plane.kubectl(&["get", "--raw", "/openapi/v2"])).unwrap();
    let mut definitions = api["definitions"].as_object().unwrap().clone();
    definitions.values_mut().for_each(close);
    for (name, definition) in &definitions {
        // What is of several kinds is a part of requests, and none of an object.
        let Some([kind]) = definition["x-kubernetes-group-version-kind"].as_array().map(Vec::as_slice) else { continue };
        let of = |key: &str| kind[key].as_str().unwrap();
        // kubeconform takes the version for the group, where there is none.
        let group = if of("group").is_empty() { of("version") } else { of("group") };
        let file = format!("{}_{group}_{}.json", of("kind").to_lowercase(), of("version"));
        let schema = json!({ "$ref": format!("{DEFINITIONS}{name}"), "definitions": all_of(name, &definitions) });
        std::fs::write(folder.join(file), schema.to_string()).unwrap();
    }
}

/// A definition, and all that it consists of.
fn all_of(name: &str, definitions: &Map<String, Value>) -> Map<String, Value> {
    let (mut found, mut open) = (Map::new(), vec![name.to_owned()]);
    while let Some(name) = open.pop() {
        let definition = &definitions[&name];
        let mut names = BTreeSet::new();
        references(definition, &mut names);
        open.extend(names.into_iter().filter(|other| !found.contains_key(other) && *other != name));
        found.insert(name, definition.clone());
    }
    found
}

fn references(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            names.extend(
                fields.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(DEFINITIONS)).map(str::to_owned),
            );
            fields.values().for_each(|field| references(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

/// Allows no property without a name, as the API server does with strict validation, and numbers where OpenAPI 2 has but texts.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(close);
    }
    for child in ["items", "additionalProperties"] {
        schema.get_mut(child).into_iter().for_each(close);
    }
    let is_open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if schema.contains_key("properties") && !schema.contains_key("additionalProperties") && !is_open {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if schema.get("format").is_some_and(|format| format == "int-or-string") {
        schema.remove("format");
        schema.insert("type".to_owned(), json!(["integer", "string"]));
    }
}
