//! Resources and templates of them, as components declare them.

use rmcp::model::{Resource, ResourceTemplate};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::manifest::{ManifestError, object_in};
use super::offer::Offer;
use super::shape;
use super::uri::{self, Template};

/// A resource, as MCP's `resources/list` shows it.
#[derive(Clone, Debug)]
pub struct ResourceDefinition {
    pub(super) object: Resource,
}

/// A template of resources, as MCP's `resources/templates/list` shows it.
#[derive(Clone, Debug)]
pub struct TemplateDefinition {
    pub(super) object: ResourceTemplate,
    template: Template,
}

impl ResourceDefinition {
    /// The MCP Resource.
    pub fn object(&self) -> &Resource {
        &self.object
    }

    /// Where its URI begins.
    pub(super) fn space(&self) -> &str {
        uri::space(&self.object.uri).unwrap_or_default()
    }

    pub(super) fn parse(resource: Value) -> Result<Self, ManifestError> {
        let (uri, object) = read("resources", "uri", resource)?;
        uri::check(&uri).map_err(|reason| ManifestError::malformed(Offer::Resource, &uri, &reason))?;
        Ok(Self { object: typed(&uri, object)? })
    }
}

impl TemplateDefinition {
    /// The MCP ResourceTemplate.
    pub fn object(&self) -> &ResourceTemplate {
        &self.object
    }

    /// Where its URIs begin.
    pub(super) fn space(&self) -> &str {
        uri::space(&self.object.uri_template).unwrap_or_default()
    }

    /// Whether it stands for this URI.
    pub(super) fn fits(&self, uri: &str) -> bool {
        self.template.fits(uri)
    }

    pub(super) fn parse(template: Value) -> Result<Self, ManifestError> {
        let (uri, object) = read("resourceTemplates", "uriTemplate", template)?;
        let template = Template::parse(&uri).map_err(|reason| ManifestError::malformed(Offer::Resource, &uri, &reason))?;
        Ok(Self { object: typed(&uri, object)?, template })
    }
}

/// A definition in the list under `key`, and the URI that it has under `uri`.
fn read(key: &'static str, uri: &str, definition: Value) -> Result<(String, Map<String, Value>), ManifestError> {
    let mut object = object_in(key, definition)?;
    let name = match object.get(uri) {
        Some(Value::String(uri)) => uri.clone(),
        _ => return Err(ManifestError::malformed(Offer::Resource, "", &format!("`{uri}` is missing, or not a string"))),
    };
    let problem = |reason: &str| ManifestError::malformed(Offer::Resource, &name, reason);
    shape::check(&mut object, shape::RESOURCE).map_err(|reason| problem(&reason))?;
    if !object.contains_key("name") {
        return Err(problem("`name` is missing"));
    }
    Ok((name, object))
}

fn typed<T: DeserializeOwned>(uri: &str, object: Map<String, Value>) -> Result<T, ManifestError> {
    let typed = serde_json::from_value(Value::Object(object));
    typed.map_err(|error| ManifestError::malformed(Offer::Resource, uri, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_resource_of_mcp_is_refused() {
        let with = |key: &str, value: Value| {
            let mut resource = json!({ "uri": "test://a", "name": "a" });
            resource[key] = value;
            ResourceDefinition::parse(resource).map_err(|error| error.to_string())
        };
        for (key, value, said) in [
            ("name", Value::Null, "`name` is missing"),
            ("title", json!(1), "`title` is not a string"),
            ("mimeType", json!({}), "`mimeType` is not a string"),
            ("size", json!(-1), "`size` is not a number of bytes"),
            ("annotations", json!([]), "`annotations` is not an object"),
            (
                "annotations",
                json!({ "audience": ["model"] }),
                "`annotations.audience` is not a list of \"user\" and \"assistant\"",
            ),
            ("annotations", json!({ "priority": 2 }), "`annotations.priority` is not a number from 0 to 1"),
        ] {
            assert_eq!(with(key, value).expect_err(said), format!("the resource \"test://a\" of the manifest: {said}"));
        }
        assert!(with("uri", json!("a")).is_err_and(|words| words.contains("scheme://authority/path")));
        assert!(with("uri", json!(1)).is_err_and(|words| words.contains("`uri` is missing")));
        for (key, value) in [
            ("size", json!(7)),
            ("annotations", json!({ "audience": ["user"], "priority": 0.5, "lastModified": "2026-01-01T00:00:00Z" })),
        ] {
            assert_eq!(serde_json::to_value(with(key, value.clone()).expect("MCP's").object).expect("JSON")[key], value);
        }
    }

    #[test]
    fn a_template_is_one_of_uris() {
        let parse = |uri: &str| TemplateDefinition::parse(json!({ "uriTemplate": uri, "name": "a" }));
        let template = parse("test://t/{id}/data").expect("MCP's");
        assert!(template.fits("test://t/7/data") && template.space() == "test://t");
        assert!(parse("test://t/{+id}").is_err_and(|error| error.to_string().contains("only {name} is known")));
    }
}
