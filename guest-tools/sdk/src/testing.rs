//! A host made of closures, so that a test runs a whole tool without a component, a host or a cluster.
//!
//! ```
//! use sandbar_tool::{Code, Error, Resource, testing::Host};
//! use serde_json::{Value, json};
//!
//! let host = Host::new().objects(|request| match request.name.as_str() {
//!     "web" => Ok(json!({ "metadata": { "name": "web" } })),
//!     name => Err(Error::new(Code::NotFound, format!("deployments.apps \"{name}\" not found"))),
//! });
//! let deployments = Resource::new("apps", "v1", "deployments");
//! let read = |name| host.run(|| deployments.get::<Value>("team-a", name).read());
//! assert_eq!(read("web").unwrap()["metadata"]["name"], "web");
//! assert_eq!(read("api").unwrap_err().code(), Code::NotFound);
//! ```

mod cluster;
pub mod faults;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::caller::User;
use crate::discovery::Kinds;
use crate::health::ApiServer;
use crate::logs::{Excerpt, Source};
use crate::read::Table;
use crate::{Component, Error, Page, Scope, Tools};

pub use cluster::Cluster;

/// What `get` asks of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The resource, as `codercontrolplanes.coder.com` or `events`.
    pub resource: String,
    /// Where to look.
    pub within: Scope,
    /// The object's name.
    pub name: String,
    /// The paths to keep; none: all.
    pub fields: Option<Vec<String>>,
}

/// What a list asks of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// The resource, as `codercontrolplanes.coder.com` or `events`.
    pub resource: String,
    /// Where to look.
    pub within: Scope,
    /// The label selector.
    pub labels: Option<String>,
    /// The field selector.
    pub selector: Option<String>,
    /// The paths to keep; none: all.
    pub fields: Option<Vec<String>>,
    /// Objects on the page at most.
    pub limit: Option<u32>,
    /// The cursor.
    pub after: Option<String>,
}

type Objects = dyn Fn(&ObjectRequest) -> Result<Value, Error>;
type Lists = dyn Fn(&ListRequest) -> Result<Page<Value>, Error>;
type Tables = dyn Fn(&ListRequest) -> Result<Table, Error>;
type Logs = dyn Fn(&Source) -> Result<Excerpt, Error>;
type Health = dyn Fn() -> Result<ApiServer, Error>;

/// A host that answers as a test says. Like the real one it hands over only the fields that were asked for. What a test has not
/// said how to answer panics.
#[derive(Clone, Default)]
#[must_use]
pub struct Host {
    objects: Option<Rc<Objects>>,
    lists: Option<Rc<Lists>>,
    tables: Option<Rc<Tables>>,
    kinds: Kinds,
    logs: Option<Rc<Logs>>,
    health: Option<Rc<Health>>,
    settings: BTreeMap<String, Value>,
    caller: Option<User>,
    now: Duration,
    said: Rc<RefCell<Vec<String>>>,
}

thread_local! {
    static RUNNING: RefCell<Option<Host>> = const { RefCell::new(None) };
}

impl Host {
    /// A host that answers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How to answer a request for one object.
    pub fn objects(mut self, answer: impl Fn(&ObjectRequest) -> Result<Value, Error> + 'static) -> Self {
        self.objects = Some(Rc::new(answer));
        self
    }

    /// How to answer a request for a list.
    pub fn lists(mut self, answer: impl Fn(&ListRequest) -> Result<Page<Value>, Error> + 'static) -> Self {
        self.lists = Some(Rc::new(answer));
        self
    }

    /// How to answer a request for a table.
    pub fn tables(mut self, answer: impl Fn(&ListRequest) -> Result<Table, Error> + 'static) -> Self {
        self.tables = Some(Rc::new(answer));
        self
    }

    /// What the cluster serves; nothing if a test does not say so.
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// How to answer a request for a log.
    pub fn logs(mut self, answer: impl Fn(&Source) -> Result<Excerpt, Error> + 'static) -> Self {
        self.logs = Some(Rc::new(answer));
        self
    }

    /// How the API server is.
    pub fn health(mut self, answer: impl Fn() -> Result<ApiServer, Error> + 'static) -> Self {
        self.health = Some(Rc::new(answer));
        self
    }

    /// An option that the operator has set.
    pub fn setting(mut self, key: &str, value: Value) -> Self {
        self.settings.insert(key.to_owned(), value);
        self
    }

    /// Who calls; nobody that is known if a test does not say so.
    pub fn caller(mut self, name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        self.caller = Some(User { name: name.to_owned(), groups });
        self
    }

    /// The time since 1970.
    pub fn at(mut self, now: Duration) -> Self {
        self.now = now;
        self
    }

    /// Runs code that calls host functions, on this thread.
    pub fn run<R>(&self, code: impl FnOnce() -> R) -> R {
        struct Restore(Option<Host>);
        impl Drop for Restore {
            fn drop(&mut self) {
                RUNNING.set(self.0.take());
            }
        }
        let _restore = Restore(RUNNING.replace(Some(self.clone())));
        code()
    }

    /// What a tool answers to these arguments here: its structured content, or the words of its failure.
    pub fn answer(&self, component: &Component<impl Tools>, tool: &str, arguments: &Value) -> Result<Value, String> {
        Ok(self.result(component, tool, arguments)?["structuredContent"].take())
    }

    /// The same answer as text: the tool's own, or its structure in JSON.
    pub fn text(&self, component: &Component<impl Tools>, tool: &str, arguments: &Value) -> Result<String, String> {
        let result = self.result(component, tool, arguments)?;
        let own = result["content"][0]["text"].as_str();
        Ok(own.map_or_else(|| result["structuredContent"].to_string(), str::to_owned))
    }

    fn result(&self, component: &Component<impl Tools>, tool: &str, arguments: &Value) -> Result<Value, String> {
        let result = self.run(|| component.call(tool, &arguments.to_string())).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&result).expect("JSON"))
    }

    /// The messages of a prompt with these arguments, each with its role, or the words of the failure.
    pub fn prompt(
        &self,
        component: &Component<impl Tools>,
        prompt: &str,
        arguments: &Value,
    ) -> Result<Vec<(String, String)>, String> {
        let result = self.run(|| component.get(prompt, &arguments.to_string())).map_err(|error| error.to_string())?;
        let result: Value = serde_json::from_str(&result).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = result["messages"].as_array().expect("a list");
        Ok(messages.iter().map(|message| (text(&message["role"]), text(&message["content"]["text"]))).collect())
    }

    /// The text of a resource; none where there is no such resource. Else the words of the failure.
    pub fn resource(&self, component: &Component<impl Tools>, uri: &str) -> Result<Option<String>, String> {
        let result = self.run(|| component.read(uri)).map_err(|error| error.to_string())?;
        let result: Value = serde_json::from_str(&result).expect("JSON");
        Ok(result["contents"][0]["text"].as_str().map(str::to_owned))
    }

    /// The lines that were logged and the progress that was told so far.
    pub fn said(&self) -> Vec<String> {
        self.said.borrow().clone()
    }
}

/// Fails unless `file` holds the manifest of `component`. With `UPDATE_MANIFEST=1` in the environment it writes the file instead.
/// [`export!`](crate::export) makes a test of it.
pub fn assert_manifest(component: &Component<impl Tools>, file: &Path) {
    let manifest = serde_json::to_string_pretty(&component.manifest()).expect("a manifest is JSON") + "\n";
    if std::env::var_os("UPDATE_MANIFEST").is_some() {
        std::fs::write(file, &manifest).unwrap_or_else(|error| panic!("{} cannot be written: {error}", file.display()));
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == manifest,
        "{} is out of date; write it with `UPDATE_MANIFEST=1 cargo test -p {}`. It should read:\n{manifest}",
        file.display(),
        file.parent().and_then(Path::file_name).unwrap_or_default().display(),
    );
}

/// A page to which no other comes, and without words.
pub fn page(items: impl IntoIterator<Item = Value>) -> Page<Value> {
    Page { items: items.into_iter().collect(), continue_: None, remaining: None, warnings: Vec::new(), hint: None }
}

/// What stands in for the imports of a component.
pub(crate) mod imports {
    use serde_json::{Value, json};

    use super::{Host, ListRequest, ObjectRequest, RUNNING};
    use crate::Scope;
    use crate::bindings::sandbar::kubernetes::{discovery, logs, read, read_many, table, types};
    use crate::bindings::sandbar::tool::caller;
    use crate::bindings::sandbar::tool::logging::Level;
    use crate::caller::User;
    use crate::discovery::Kinds;
    use crate::logs::Source;
    use crate::read::{Column, Row, Table};

    fn host() -> Host {
        RUNNING.with_borrow(|host| host.clone().expect("host functions run inside `testing::Host::run`"))
    }

    pub(crate) fn get_object(
        of: &types::ApiResource,
        within: &types::Scope,
        name: &str,
        fields: Option<&[String]>,
        _more: Option<&str>,
    ) -> Result<String, types::Error> {
        let answer = host().objects.expect("the test says how to answer with `Host::objects`");
        let request = ObjectRequest {
            resource: resource(of),
            within: scope(within),
            name: name.to_owned(),
            fields: fields.map(<[String]>::to_vec),
        };
        let object = answer(&request)?;
        Ok(super::pruned(&object, fields).to_string())
    }

    pub(crate) fn list_objects(query: &read::Query) -> Result<read::Page, types::Error> {
        let answer = host().lists.expect("the test says how to answer with `Host::lists`");
        let page = answer(&request(query))?;
        let items = page.items.iter().map(|item| super::pruned(item, query.fields.as_deref())).collect();
        Ok(read::Page {
            items: Value::Array(items).to_string(),
            continue_: page.continue_,
            remaining: page.remaining,
            warnings: page.warnings,
            more: None,
        })
    }

    pub(crate) fn list_many(queries: &[read::Query]) -> Result<Vec<Result<read::Page, types::Error>>, types::Error> {
        Ok(queries.iter().map(list_objects).collect())
    }

    pub(crate) fn get_many(objects: &[read_many::Object]) -> Result<Vec<Result<String, types::Error>>, types::Error> {
        let get =
            |object: &read_many::Object| get_object(&object.of, &object.within, &object.name, object.fields.as_deref(), None);
        Ok(objects.iter().map(get).collect())
    }

    pub(crate) fn tail_many(sources: &[logs::Source]) -> Result<Vec<Result<logs::Excerpt, types::Error>>, types::Error> {
        Ok(sources.iter().map(tail).collect())
    }

    pub(crate) fn list_table(query: &read::Query) -> Result<table::TablePage, types::Error> {
        let answer = host().tables.expect("the test says how to answer with `Host::tables`");
        let Table { columns, page } = answer(&request(query))?;
        let metadata = |row: &Row| json!({ "namespace": row.metadata.namespace, "name": row.metadata.name });
        let rows: Value = page.items.iter().map(|row| json!({ "metadata": metadata(row), "cells": row.cells })).collect();
        Ok(table::TablePage {
            columns: columns.into_iter().map(|Column { name, wide }| table::Column { name, priority: wide.into() }).collect(),
            rows: rows.to_string(),
            continue_: page.continue_,
            remaining: page.remaining,
            warnings: page.warnings,
            more: None,
        })
    }

    pub(crate) fn served_kinds() -> Result<discovery::Kinds, types::Error> {
        let Kinds { kinds, warnings } = host().kinds;
        Ok(discovery::Kinds { kinds: kinds.into_iter().map(Into::into).collect(), warnings, more: None })
    }

    pub(crate) fn tail(source: &logs::Source) -> Result<logs::Excerpt, types::Error> {
        let answer = host().logs.expect("the test says how to answer with `Host::logs`");
        let excerpt = answer(&Source {
            namespace: source.namespace.clone(),
            pod: source.pod.clone(),
            container: source.container.clone(),
            previous: source.previous.unwrap_or_default(),
            tail_lines: source.tail_lines,
            since_seconds: source.since_seconds,
            timestamps: source.timestamps.unwrap_or_default(),
            matching: source.matching.clone(),
            limit_bytes: source.limit_bytes,
        })?;
        Ok(logs::Excerpt {
            text: excerpt.text,
            truncated: excerpt.truncated,
            dropped_bytes: excerpt.dropped_bytes,
            older: excerpt.older,
            warnings: excerpt.warnings,
            more: None,
        })
    }

    pub(crate) fn api_server() -> Result<String, types::Error> {
        let answer = host().health.expect("the test says how to answer with `Host::health`");
        Ok(serde_json::to_string(&answer()?).expect("strings and a boolean"))
    }

    pub(crate) fn remaining_ms() -> u32 {
        u32::MAX
    }

    pub(crate) fn now_ms() -> f64 {
        host().now.as_millis() as f64
    }

    pub(crate) fn setting(key: &str) -> Option<String> {
        host().settings.get(key).map(Value::to_string)
    }

    pub(crate) fn who_calls() -> Option<caller::User> {
        host().caller.map(|User { name, groups }| caller::User { name, groups, more: None })
    }

    pub(crate) fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
        let total = total.map(|total| format!("/{total}")).unwrap_or_default();
        host().said.borrow_mut().push(format!("progress: {done}{total} {}", message.unwrap_or_default()).trim_end().to_owned());
    }

    pub(crate) fn log(level: Level, message: &str) {
        host()
            .said
            .borrow_mut()
            .push(format!("{}: {message}", format!("{level:?}").trim_start_matches("Level::").to_lowercase()));
    }

    fn request(query: &read::Query) -> ListRequest {
        ListRequest {
            resource: resource(&query.of),
            within: scope(&query.within),
            labels: query.label_selector.clone(),
            selector: query.field_selector.clone(),
            fields: query.fields.clone(),
            limit: query.limit,
            after: query.continue_.clone(),
        }
    }

    fn resource(of: &types::ApiResource) -> String {
        if of.group.is_empty() { of.plural.clone() } else { format!("{}.{}", of.plural, of.group) }
    }

    fn scope(within: &types::Scope) -> Scope {
        match within {
            types::Scope::Cluster => Scope::Cluster,
            types::Scope::EveryNamespace => Scope::EveryNamespace,
            types::Scope::Namespace(name) => Scope::Namespace(name.clone()),
        }
    }
}

/// What is left of an object once only these paths are kept.
fn pruned(object: &Value, fields: Option<&[String]>) -> Value {
    let Some(fields) = fields else { return object.clone() };
    let paths: Vec<Vec<String>> = fields.iter().map(|path| steps(path)).collect();
    let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
    kept(object, &paths)
}

fn kept(value: &Value, paths: &[&[String]]) -> Value {
    match value {
        _ if paths.iter().any(|path| path.is_empty()) => value.clone(),
        Value::Array(entries) => entries.iter().map(|entry| kept(entry, paths)).collect(),
        Value::Object(members) => members
            .iter()
            .filter_map(|(key, member)| {
                let below: Vec<&[String]> = paths.iter().filter(|path| path[0] == *key).map(|path| &path[1..]).collect();
                (!below.is_empty()).then(|| (key.clone(), kept(member, &below)))
            })
            .collect(),
        _ => Value::Null,
    }
}

/// The keys of a path: `metadata.annotations["example.com/owner"]` has three.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for (index, part) in path.split("[\"").enumerate() {
        let rest = match part.split_once("\"]") {
            Some((key, rest)) if index > 0 => {
                steps.push(key.replace("\\\"", "\"").replace("\\\\", "\\"));
                rest
            }
            _ => part,
        };
        steps.extend(rest.split('.').filter(|key| !key.is_empty()).map(str::to_owned));
    }
    steps
}
