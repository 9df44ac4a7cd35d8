//! The host functions of `sandbar:kubernetes`, with whatever the caller puts into them.

use sandbar_tool::bindings::sandbar::kubernetes::types::{ApiResource, Error, Scope};
use sandbar_tool::bindings::sandbar::kubernetes::{health, logs, read};
use serde::Deserialize;
use serde_json::{Value, json};

/// One call of a host function. What is absent is absent there, too.
#[derive(Deserialize)]
#[serde(tag = "function", rename_all = "kebab-case")]
pub(crate) enum Request {
    GetObject {
        of: Of,
        within: Within,
        name: String,
        fields: Option<Vec<String>>,
        more: Option<String>,
    },
    #[serde(rename_all = "camelCase")]
    ListObjects {
        of: Of,
        within: Within,
        label_selector: Option<String>,
        field_selector: Option<String>,
        fields: Option<Vec<String>>,
        limit: Option<u32>,
        r#continue: Option<String>,
        more: Option<String>,
    },
    #[serde(rename_all = "camelCase")]
    Tail {
        namespace: String,
        pod: String,
        container: Option<String>,
        tail_lines: Option<u32>,
        matching: Option<String>,
        more: Option<String>,
    },
    ApiServer,
}

#[derive(Deserialize)]
pub(crate) struct Of {
    #[serde(default)]
    group: String,
    #[serde(default = "v1")]
    version: String,
    plural: String,
}

fn v1() -> String {
    "v1".to_owned()
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Within {
    Cluster,
    EveryNamespace,
    Namespace(String),
}

impl Request {
    /// What the host said, as structured content: `answer`, or `code` and `message`.
    pub(crate) fn answer(self) -> Result<String, String> {
        let said = self.ask().unwrap_or_else(|error| json!({ "code": error.code, "message": error.message }));
        Ok(json!({ "structuredContent": said }).to_string())
    }

    fn ask(self) -> Result<Value, Error> {
        match self {
            Request::GetObject { of, within, name, fields, more } => {
                let object = read::get_object(&of.into(), &within.into(), &name, fields.as_deref(), more.as_deref())?;
                Ok(json!({ "answer": object }))
            }
            Request::ListObjects { of, within, label_selector, field_selector, fields, limit, r#continue, more } => {
                let (of, within) = (of.into(), within.into());
                let query =
                    read::Query { of, within, label_selector, field_selector, fields, limit, continue_: r#continue, more };
                let page = read::list_objects(&query)?;
                Ok(json!({ "answer": page.items, "continue": page.continue_ }))
            }
            Request::Tail { namespace, pod, container, tail_lines, matching, more } => {
                let excerpt = logs::tail(&logs::Source {
                    namespace,
                    pod,
                    container,
                    previous: None,
                    tail_lines,
                    since_seconds: None,
                    timestamps: None,
                    matching,
                    limit_bytes: None,
                    more,
                })?;
                Ok(json!({ "answer": excerpt.text }))
            }
            Request::ApiServer => Ok(json!({ "answer": health::api_server()? })),
        }
    }
}

impl From<Of> for ApiResource {
    fn from(Of { group, version, plural }: Of) -> Self {
        Self { group, version, plural }
    }
}

impl From<Within> for Scope {
    fn from(within: Within) -> Self {
        match within {
            Within::Cluster => Scope::Cluster,
            Within::EveryNamespace => Scope::EveryNamespace,
            Within::Namespace(name) => Scope::Namespace(name),
        }
    }
}
