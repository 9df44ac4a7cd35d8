//! The host functions of `sandbar:kubernetes`, with whatever the caller puts into them.

use sandbar_tool::bindings::sandbar::kubernetes::types::{ApiResource, Error, Scope};
use sandbar_tool::bindings::sandbar::kubernetes::{discovery, health, logs, logs_many, read, read_many, table};
use serde::Deserialize;
use serde_json::{Value, json};

/// One call of a host function. What is absent is absent there, too.
#[derive(Deserialize)]
#[serde(tag = "function", rename_all = "kebab-case")]
pub(crate) enum Request {
    GetObject(Object),
    ListObjects(Query),
    ListTable(Query),
    Tail(Source),
    GetMany { objects: Vec<Object> },
    ListMany { queries: Vec<Query> },
    TailMany { sources: Vec<Source> },
    ServedKinds,
    ApiServer,
}

#[derive(Deserialize)]
pub(crate) struct Object {
    of: Of,
    within: Within,
    name: String,
    fields: Option<Vec<String>>,
    more: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Query {
    of: Of,
    within: Within,
    label_selector: Option<String>,
    field_selector: Option<String>,
    fields: Option<Vec<String>>,
    limit: Option<u32>,
    r#continue: Option<String>,
    more: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Source {
    namespace: String,
    pod: String,
    container: Option<String>,
    tail_lines: Option<u32>,
    matching: Option<String>,
    more: Option<String>,
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
        let said = self.ask().unwrap_or_else(refused);
        Ok(json!({ "structuredContent": said }).to_string())
    }

    fn ask(self) -> Result<Value, Error> {
        match self {
            Request::GetObject(Object { of, within, name, fields, more }) => {
                read::get_object(&of.into(), &within.into(), &name, fields.as_deref(), more.as_deref()).map(object)
            }
            Request::ListObjects(query) => read::list_objects(&query.into()).map(page),
            Request::ListTable(query) => {
                let page = table::list_table(&query.into())?;
                let columns: Vec<&String> = page.columns.iter().map(|column| &column.name).collect();
                Ok(json!({ "answer": page.rows, "continue": page.continue_, "columns": columns }))
            }
            Request::Tail(source) => logs::tail(&source.into()).map(excerpt),
            Request::GetMany { objects } => each(read_many::get_many(&all(objects))?, object),
            Request::ListMany { queries } => each(read_many::list_many(&all(queries))?, page),
            Request::TailMany { sources } => each(logs_many::tail_many(&all(sources))?, excerpt),
            Request::ServedKinds => {
                let served = discovery::served_kinds()?;
                let kinds: Vec<Value> = served
                    .kinds
                    .iter()
                    .map(|kind| json!({ "group": kind.of.group, "plural": kind.of.plural, "name": kind.name, "short": kind.short_names, "verbs": kind.verbs }))
                    .collect();
                Ok(json!({ "answer": kinds, "warnings": served.warnings }))
            }
            Request::ApiServer => Ok(json!({ "answer": health::api_server()? })),
        }
    }
}

fn refused(error: Error) -> Value {
    json!({ "code": error.code, "message": error.message })
}

fn object(object: String) -> Value {
    json!({ "answer": object })
}

fn page(page: read::Page) -> Value {
    json!({ "answer": page.items, "continue": page.continue_ })
}

fn excerpt(excerpt: logs::Excerpt) -> Value {
    json!({ "answer": excerpt.text })
}

fn all<T, U: From<T>>(asked: Vec<T>) -> Vec<U> {
    asked.into_iter().map(Into::into).collect()
}

fn each<T>(answers: Vec<Result<T, Error>>, said: impl Fn(T) -> Value) -> Result<Value, Error> {
    let answers: Vec<Value> = answers.into_iter().map(|answer| answer.map(&said).unwrap_or_else(refused)).collect();
    Ok(json!({ "answer": answers }))
}

impl From<Object> for read_many::Object {
    fn from(Object { of, within, name, fields, more }: Object) -> Self {
        Self { of: of.into(), within: within.into(), name, fields, more }
    }
}

impl From<Query> for read::Query {
    fn from(query: Query) -> Self {
        let Query { of, within, label_selector, field_selector, fields, limit, r#continue, more } = query;
        Self { of: of.into(), within: within.into(), label_selector, field_selector, fields, limit, continue_: r#continue, more }
    }
}

impl From<Source> for logs::Source {
    fn from(Source { namespace, pod, container, tail_lines, matching, more }: Source) -> Self {
        let (previous, since_seconds, timestamps, limit_bytes) = (None, None, None, None);
        Self { namespace, pod, container, previous, tail_lines, since_seconds, timestamps, matching, limit_bytes, more }
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
