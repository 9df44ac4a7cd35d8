//! One object, as a snapshot keeps it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::kinds;

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
    /// When it was created.
    created: Option<Timestamp>,
    /// The latest time where a component of Kubernetes writes one, if the kind is one of its own.
    told: Option<Timestamp>,
    /// The whole object as JSON.
    pub(super) json: Box<str>,
}

/// Bytes of an `apiVersion`, a kind or a namespace: a server accepts a group of 253 and a version of 63.
pub(super) const NAME_BYTES: usize = 320;

/// Times of a condition, of a container's state, of a status, and of an event, by its API of before or after. Each is of something that
/// has happened. Others can be in the future: a certificate's end, the deletion that comes after a grace period.
const CONDITION_TIMES: [&str; 3] = ["lastHeartbeatTime", "lastTransitionTime", "lastUpdateTime"];
const STATE_TIMES: [&str; 2] = ["finishedAt", "startedAt"];
const STATUS_TIMES: [&str; 2] = ["completionTime", "startTime"];
const EVENT_TIMES: [&str; 5] =
    ["deprecatedFirstTimestamp", "deprecatedLastTimestamp", "eventTime", "firstTimestamp", "lastTimestamp"];

/// The statuses of a pod's containers.
const CONTAINERS: [&str; 3] = ["containerStatuses", "ephemeralContainerStatuses", "initContainerStatuses"];

/// Namespaces in which Leases are those of nodes and of the control plane. Elsewhere whoever runs a program renews them.
const SYSTEM_LEASES: [&str; 2] = ["kube-node-lease", "kube-system"];

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
            created: time(&metadata["creationTimestamp"]),
            told: told(&value),
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

    /// The latest of its times that the API server, a node or a controller of Kubernetes has written. What somebody put into an object of
    /// their own is not among them: a snapshot's "now" is not up to them.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let is_told = match self.kind.as_str() {
            "Lease" => self.namespace.as_deref().is_some_and(|namespace| SYSTEM_LEASES.contains(&namespace)),
            kind => kinds::namespaced(kinds::group_and_version(&self.api_version).0, kind).is_some(),
        };
        self.created.max(self.told.filter(|_| is_told))
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

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The latest time that a component of Kubernetes may have written.
fn told(object: &Value) -> Option<Timestamp> {
    let status = &object["status"];
    let latest = |of: &Value, keys: &[&str]| keys.iter().filter_map(|key| time(&of[*key])).max();
    let conditions = list(&status["conditions"]).iter().filter_map(|condition| latest(condition, &CONDITION_TIMES));
    let states = CONTAINERS.iter().flat_map(|containers| list(&status[*containers]));
    let states = states.flat_map(|container| [&container["state"], &container["lastState"]]);
    let states = states.flat_map(|state| [&state["running"], &state["terminated"]]).filter_map(|run| latest(run, &STATE_TIMES));
    let others = [
        latest(object, &EVENT_TIMES),
        latest(status, &STATUS_TIMES),
        time(&object["series"]["lastObservedTime"]),
        time(&object["spec"]["renewTime"]),
    ];
    conditions.chain(states).chain(others.into_iter().flatten()).max()
}
