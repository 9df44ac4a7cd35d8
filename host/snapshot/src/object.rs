//! One object, as a snapshot keeps it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// One object, kept as text, which takes a fraction of its parsed form.
pub(super) struct Object {
    /// `apps/v1` for example.
    pub(super) api_version: String,
    /// `Deployment` for example.
    pub(super) kind: String,
    /// Its namespace, if it names one.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// Its labels as JSON; empty if it has none. Parsed they would take eight times as much memory.
    labels: Box<str>,
    /// Its `resourceVersion` if that is a number, else 0.
    pub(super) revision: u64,
    /// The latest of its times in the past.
    pub(super) newest: Option<Timestamp>,
    /// The whole object as JSON.
    pub(super) json: Box<str>,
}

/// Bytes of an `apiVersion`, a kind or a namespace: a server accepts a group of 253 and a version of 63.
pub(super) const NAME_BYTES: usize = 320;

/// Fields with times in the past. Others can be in the future: a certificate's end, a workspace's next stop.
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
    /// Converts an object from its parsed form. The items of a typed list have no kind and version; [`complete`](Self::complete)
    /// adds them.
    ///
    /// # Errors
    /// If a field is missing, or if it is too long.
    pub(super) fn new(mut value: Value) -> Result<Self, String> {
        let Some(fields) = value.as_object_mut() else {
            return Err("no Kubernetes object, but a list or a plain value".to_owned());
        };
        // An empty value would contradict the one that `complete` adds.
        for key in ["kind", "apiVersion"] {
            if fields.get(key).is_some_and(|said| said.as_str().is_none_or(str::is_empty)) {
                fields.shift_remove(key);
            }
        }
        let text = |value: &Value, key: &str| value[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let metadata = &value["metadata"];
        let labels = metadata["labels"].as_object().filter(|labels| !labels.is_empty());
        let json = value.to_string();
        let short = |value: &Value, key: &str| {
            let text = text(value, key).unwrap_or_default();
            if text.len() > NAME_BYTES { Err(format!("an object whose {key} has {} bytes", text.len())) } else { Ok(text) }
        };
        Ok(Self {
            api_version: short(&value, "apiVersion")?,
            kind: short(&value, "kind")?,
            namespace: Some(short(metadata, "namespace")?).filter(|namespace| !namespace.is_empty()),
            name: text(metadata, "name").ok_or("an object without metadata.name")?,
            labels: labels.map(|_| metadata["labels"].to_string()).unwrap_or_default().into_boxed_str(),
            revision: metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default(),
            newest: newest(&value),
            json: json.into_boxed_str(),
        })
    }

    /// Adds kind and version, unless the object has them.
    ///
    /// # Errors
    /// If it has neither.
    pub(super) fn complete(mut self, api_version: &str, kind: &str) -> Result<Self, String> {
        let mut added = String::from("{");
        for (key, own, given) in [("kind", &mut self.kind, kind), ("apiVersion", &mut self.api_version, api_version)] {
            if !own.is_empty() {
                continue;
            }
            match given.len() {
                0 => return Err(format!("an object without {key}")),
                1..=NAME_BYTES => {}
                bytes => return Err(format!("a list whose {key} has {bytes} bytes")),
            }
            given.clone_into(own);
            added.push_str(&format!("\"{key}\":{},", Value::from(given)));
        }
        if added.len() > 1 {
            // It has a name at least, so something follows the comma; and it does not have these keys.
            added.push_str(&self.json[1..]);
            self.json = added.into_boxed_str();
        }
        Ok(self)
    }

    /// Bytes that are kept of it beside its JSON: its names and its key.
    pub(super) fn beside(&self) -> usize {
        let names = 2 * (self.name.len() + self.namespace.as_ref().map_or(0, String::len));
        self.api_version.len() + self.kind.len() + names + self.labels.len()
    }

    /// Its labels by key.
    pub(super) fn labels(&self) -> BTreeMap<String, Value> {
        // Empty is not JSON; any other text was serialised in `new`.
        serde_json::from_str(&self.labels).unwrap_or_default()
    }

    /// Bytes of its labels as JSON.
    pub(super) fn label_bytes(&self) -> usize {
        self.labels.len()
    }

    /// The object, parsed.
    pub(super) fn value(&self) -> Value {
        // The text was serialised in `new` or completed after it: it always parses.
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
