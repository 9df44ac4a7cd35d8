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
    for pointer in [
        "/properties/namespaces",
        "/properties/tls",
        "/properties/limits",
        "/definitions/Tool/properties/namespaces",
        "/definitions/Tool/properties/clusters",
    ] {
        if let Some(Value::Object(property)) = schema.pointer_mut(pointer) {
            property.remove("default");
        }
    }
    for (key, default) in written_limits(&Limits::default()) {
        // A number stays a number.
        let default = default.parse::<u64>().map_or_else(|_| json!(default), Value::from);
        schema["properties"]["limits"]["properties"][key]["default"] = default;
    }
    schema
}
