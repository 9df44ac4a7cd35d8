//! From files to objects and logs. Every broken file is a warning that names it, so that one of them does not hide the rest.

use std::collections::BTreeSet;

use bytes::Bytes;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

use super::files::Tree;
use super::log::{self, Log};

/// Where kubectl puts a namespaced object that names no namespace.
pub(super) const DEFAULT_NAMESPACE: &str = "default";

/// What the files of a snapshot hold.
#[derive(Default)]
pub(super) struct Contents {
    /// All objects, in the order of their files.
    pub(super) objects: Vec<Object>,
    /// `apiVersion` and kind of the items of every typed list, empty lists included: the cluster served them.
    pub(super) listed: Vec<(String, String)>,
    /// All container logs.
    pub(super) logs: Vec<Log>,
    /// What the API server said of its version, as `kubectl version -o json` writes it.
    pub(super) version: Option<Value>,
    /// What could not be read, and why. Each one names its file.
    pub(super) warnings: Vec<String>,
}

/// One object. It is kept as text, a fraction of what the parsed form takes.
pub(super) struct Object {
    /// `apps/v1` for example.
    pub(super) api_version: String,
    /// `Deployment` for example.
    pub(super) kind: String,
    /// Its namespace, if it names one.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// Its labels.
    pub(super) labels: Vec<(String, String)>,
    /// Its `resourceVersion`, where that is a number; else 0.
    pub(super) revision: u64,
    /// The latest thing that it says has happened.
    pub(super) newest: Option<Timestamp>,
    /// The whole object as JSON.
    pub(super) json: Box<str>,
}

/// Fields that say when something happened. Others can lie in the future: a certificate's end, a workspace's next stop.
const PAST_TIMES: [&str; 12] = [
    "creationTimestamp",
    "eventTime",
    "finishedAt",
    "firstTimestamp",
    "lastHeartbeatTime",
    "lastObservedTime",
    "lastTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "renewTime",
    "startTime",
    "startedAt",
];

impl Object {
    /// An object from its parsed form.
    ///
    /// # Errors
    /// Says what it lacks.
    pub(super) fn new(value: &Value) -> Result<Self, String> {
        let text = |value: &Value, key: &str| value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let metadata = &value["metadata"];
        let labels = metadata["labels"].as_object().into_iter().flatten();
        Ok(Self {
            api_version: text(value, "apiVersion").ok_or("an object without apiVersion")?,
            kind: text(value, "kind").ok_or("an object without kind")?,
            namespace: text(metadata, "namespace"),
            name: text(metadata, "name").ok_or("an object without metadata.name")?,
            labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            revision: metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default(),
            newest: newest(value),
            json: value.to_string().into_boxed_str(),
        })
    }

    /// The parsed form.
    pub(super) fn value(&self) -> Value {
        // The text is what `new` made of a parsed form, or `store` after it: it always parses.
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

fn newest(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(fields) => fields.iter().filter_map(|(key, value)| newest_in_field(key, value)).max(),
        Value::Array(items) => items.iter().filter_map(newest).max(),
        _ => None,
    }
}

fn newest_in_field(key: &str, value: &Value) -> Option<Timestamp> {
    match value.as_str() {
        Some(text) if PAST_TIMES.contains(&key) => text.parse().ok(),
        Some(_) => None,
        None => newest(value),
    }
}

impl Contents {
    /// Reads every file of `tree` that can belong to a snapshot.
    ///
    /// # Errors
    /// If the tree itself cannot be walked.
    pub(super) fn read(tree: &Tree) -> std::io::Result<Self> {
        let mut contents = Self::default();
        for path in tree.paths()? {
            let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
            let log = log::Place::of(&path);
            if log.is_none() && !["json", "yaml", "yml"].contains(&extension) {
                continue;
            }
            let read = tree.read(&path).map_err(|error| error.to_string());
            let result = match (read, log) {
                (Ok(text), Some(place)) => {
                    contents.logs.extend(place.logs(&text));
                    Ok(())
                }
                (Ok(text), None) => parse(extension, &text).map(|documents| contents.take(&path, documents)),
                (Err(error), _) => Err(error),
            };
            if let Err(error) = result {
                contents.warnings.push(format!("{path}: {error}"));
            }
        }
        contents.drop_stray_logs();
        Ok(contents)
    }

    /// Other files than container logs can lie at such a path, and a log without its pod could not be asked for.
    fn drop_stray_logs(&mut self) {
        let is_pod = |object: &&Object| object.kind == "Pod" && object.api_version == "v1";
        let pods: BTreeSet<(&str, &str)> = self
            .objects
            .iter()
            .filter(is_pod)
            .map(|pod| (pod.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE), pod.name.as_str()))
            .collect();
        let is_known = |log: &Log| pods.contains(&(log.namespace.as_str(), log.pod.as_str()));
        let (known, stray): (Vec<_>, Vec<_>) = std::mem::take(&mut self.logs).into_iter().partition(is_known);
        self.logs = known;
        let places: BTreeSet<String> = stray.iter().map(|log| format!("{}/{}", log.namespace, log.pod)).collect();
        self.warnings.extend(places.iter().map(|place| format!("{place}: logs of a pod that no file describes; left out")));
    }

    fn take(&mut self, path: &str, documents: Vec<Value>) {
        for mut document in documents {
            let Some(fields) = document.as_object_mut() else {
                self.warnings.push(format!("{path}: no Kubernetes object, but a list or a plain value"));
                continue;
            };
            match item_kind(fields) {
                Some(kind) => self.take_list(path, kind, fields),
                None if fields.get("serverVersion").is_some_and(Value::is_object) => {
                    self.version = fields.remove("serverVersion")
                }
                None => self.take_object(path, &document),
            }
        }
    }

    /// The items of a typed list (`PodList`) leave out what the list says already; those of a plain `List` do not.
    fn take_list(&mut self, path: &str, kind: String, list: &mut Map<String, Value>) {
        let api_version = list.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Value::Array(items)) = list.remove("items") else { return self.note(api_version, kind) };
        for mut item in items {
            if let (Some(fields), false) = (item.as_object_mut(), kind.is_empty()) {
                for (key, value) in [("kind", &kind), ("apiVersion", &api_version)] {
                    if !fields.contains_key(key) {
                        fields.shift_insert(0, key.to_owned(), value.as_str().into());
                    }
                }
            }
            self.take_object(path, &item);
        }
        self.note(api_version, kind);
    }

    fn note(&mut self, api_version: String, kind: String) {
        if !kind.is_empty() {
            self.listed.push((api_version, kind));
        }
    }

    fn take_object(&mut self, path: &str, value: &Value) {
        match Object::new(value) {
            Ok(object) => self.objects.push(object),
            Err(error) => self.warnings.push(format!("{path}: {error}")),
        }
    }
}

/// The kind of a list's items, `""` for a plain `List`; none if this is no list.
fn item_kind(fields: &Map<String, Value>) -> Option<String> {
    let kind = fields.get("kind")?.as_str()?.strip_suffix("List")?;
    // `null` is how a server in Go writes an empty list.
    fields.get("items").filter(|items| items.is_array() || items.is_null())?;
    Some(kind.to_owned())
}

/// The documents of one file.
fn parse(extension: &str, text: &Bytes) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = text[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: not UTF-8; write the file again as UTF-8 text")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if extension == "json" {
        let documents = serde_json::Deserializer::from_str(text).into_iter();
        return documents.collect::<Result<_, _>>().map_err(|error| format!("line {}: not JSON: {error}", error.line()));
    }
    serde_saphyr::from_multiple_with_options(text, yaml_options()).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        format!("line {line}: not YAML: {}", error.without_snippet())
    })
}

/// YAML as kubectl writes it. What a file may cost is bounded by its length; only aliases could make it cost more, and for them
/// the parser's own limits hold.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // `yes`, `on` and the like are text, as in YAML 1.2.
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_documents: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_total_comment_bytes: usize::MAX,
        },
    }
}
