//! The JSON Schema of sandbar.yaml, for editors and for checks before a file reaches a server. It follows from the types.

use sandbar_kubernetes::ClusterSource;
use sandbar_policy::Limits;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::quantity::Time;
use super::{Config, written_limits};

/// The JSON Schema of sandbar.yaml (draft 7, which every editor knows), with the defaults of this version.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>().to_value();
    schema["title"] = json!("sandbar.yaml");
    schema["description"] = json!("The configuration of a Sandbar server. Every key has a default.");
    let defaults = Config::default();
    schema["properties"]["listen"]["default"] = json!(defaults.listen);
    schema["properties"]["cluster"]["default"] = json!(ClusterSource::default().to_string());
    schema["properties"]["drain"]["default"] = json!(Time(defaults.drain).to_string());
    // These defaults would show how the program represents an absent value, not how a file writes one.
    if let Some(Value::Object(limits)) = schema.pointer_mut("/properties/limits") {
        limits.remove("default");
    }
    leave_out_null(&mut schema);
    if let Some(Value::Object(definitions)) = schema.get_mut("definitions") {
        definitions.values_mut().for_each(leave_out_null);
    }
    for (key, default) in written_limits(&Limits::default()) {
        // A number stays a number.
        let default = default.parse::<u64>().map_or_else(|_| json!(default), Value::from);
        schema["properties"]["limits"]["properties"][key]["default"] = default;
    }
    schema
}

/// Takes the defaults of an object's properties away that are null.
fn leave_out_null(object: &mut Value) {
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|properties| properties.values_mut()) {
        if let Value::Object(property) = property
            && property.get("default").is_some_and(Value::is_null)
        {
            property.remove("default");
        }
    }
}
