//! What happened to objects, as events tell it in either form of their API, and the same with what repeats told once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::View;
use super::age::Time;
use super::lenient::{or_default, shortened};
use super::owners;
use crate::Resource;
use crate::discovery::qualified;
use crate::read::List;

/// Events. They can be listed in one namespace only.
pub const EVENTS: Resource = Resource::new("", "v1", "events");

/// An event, short enough for an answer; or several of the same, once [`grouped`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(description = "")]
pub struct Event {
    /// What it happened to.
    #[schemars(description = "")]
    pub object: Object,
    /// `Warning` or `Normal`.
    #[schemars(description = "")]
    pub r#type: String,
    /// The word for what happened.
    #[schemars(description = "")]
    pub reason: String,
    /// The same as a sentence.
    #[schemars(description = "")]
    pub message: String,
    /// How often it happened.
    #[schemars(description = "")]
    pub count: i64,
    /// When it first did, as far as is known.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    /// When it last did.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
}

/// What an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(description = "")]
pub struct Object {
    /// Its API group and version; "" where the event does not say so.
    #[serde(skip)]
    pub api_version: String,
    /// Its kind.
    #[schemars(description = "")]
    pub kind: String,
    /// Its namespace; "" for a cluster-scoped object.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    #[schemars(description = "")]
    pub name: String,
}

impl Object {
    /// Its kind, with its group where that is not Kubernetes' own.
    pub fn qualified_kind(&self) -> String {
        qualified(owners::group(&self.api_version), &self.kind)
    }
}

/// The paths that [`Event::of`] reads of an event in `v1`.
pub const FIELDS: [&str; 13] = [
    "metadata.creationTimestamp",
    "involvedObject.apiVersion",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "type",
    "reason",
    "message",
    "count",
    "series",
    "eventTime",
    "firstTimestamp",
    "lastTimestamp",
];

/// Bytes at most of a word, a name, and a sentence. The API server takes sentences of 1,024 bytes; those of before are there, too.
const WORD_MAX: usize = 128;
const NAME_MAX: usize = 253;
const MESSAGE_MAX: usize = 1024;

/// The object as it is written: the old API has `count` and two times, the new one `eventTime`, and `series` once it has happened
/// again. `events.k8s.io` has other names for some of it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    #[serde(deserialize_with = "or_default")]
    involved_object: Reference,
    #[serde(deserialize_with = "or_default")]
    regarding: Reference,
    #[serde(deserialize_with = "or_default")]
    r#type: String,
    #[serde(deserialize_with = "or_default")]
    reason: String,
    #[serde(deserialize_with = "or_default")]
    message: String,
    #[serde(deserialize_with = "or_default")]
    note: String,
    #[serde(deserialize_with = "or_default")]
    count: i64,
    #[serde(deserialize_with = "or_default")]
    deprecated_count: i64,
    #[serde(deserialize_with = "or_default")]
    series: Series,
    #[serde(deserialize_with = "or_default")]
    event_time: Option<Time>,
    #[serde(deserialize_with = "or_default")]
    first_timestamp: Option<Time>,
    #[serde(deserialize_with = "or_default")]
    last_timestamp: Option<Time>,
    #[serde(deserialize_with = "or_default")]
    deprecated_first_timestamp: Option<Time>,
    #[serde(deserialize_with = "or_default")]
    deprecated_last_timestamp: Option<Time>,
    #[serde(deserialize_with = "or_default")]
    metadata: Created,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reference {
    #[serde(deserialize_with = "or_default")]
    api_version: String,
    #[serde(deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    #[serde(deserialize_with = "or_default")]
    count: i64,
    #[serde(deserialize_with = "or_default")]
    last_observed_time: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Created {
    #[serde(deserialize_with = "or_default")]
    creation_timestamp: Option<Time>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer).map(Self::from)
    }
}

impl From<Written> for Event {
    fn from(written: Written) -> Self {
        let [about, other] = [written.involved_object, written.regarding];
        let Reference { api_version, kind, namespace, name } = if about == Reference::default() { other } else { about };
        let times = [
            written.event_time,
            written.first_timestamp,
            written.last_timestamp,
            written.deprecated_first_timestamp,
            written.deprecated_last_timestamp,
            written.series.last_observed_time,
        ];
        let times = || times.into_iter().flatten();
        let created = written.metadata.creation_timestamp;
        let counts = [written.series.count, written.count, written.deprecated_count];
        Self {
            object: Object {
                api_version: shortened(api_version, NAME_MAX),
                kind: shortened(kind, WORD_MAX),
                namespace: shortened(namespace, NAME_MAX),
                name: shortened(name, NAME_MAX),
            },
            r#type: shortened(written.r#type, WORD_MAX),
            reason: shortened(written.reason, WORD_MAX),
            message: shortened(if written.message.is_empty() { written.note } else { written.message }, MESSAGE_MAX),
            count: counts.into_iter().find(|&count| count > 0).unwrap_or(1),
            first: times().min().or(created),
            last: times().max().or(created),
        }
    }
}

/// Reasons and beginnings of sentences that say that something is tried again, and not why.
const AGAIN: [&str; 2] = ["BackOff", "BackoffLimitExceeded"];
const AGAIN_SAID: [&str; 2] = ["Error: ErrImage", "Error: ImagePullBackOff"];

impl Event {
    /// The event in an object that was read as a whole, or of the paths in [`FIELDS`].
    pub fn of(event: View<'_>) -> Self {
        let reference = |key: &str| {
            let word = |word: &str| event.at(key).text(word).to_owned();
            Reference { api_version: word("apiVersion"), kind: word("kind"), namespace: word("namespace"), name: word("name") }
        };
        let word = |key: &str| event.text(key).to_owned();
        let series = Series { count: event.number("series.count"), last_observed_time: event.time("series.lastObservedTime") };
        Self::from(Written {
            involved_object: reference("involvedObject"),
            regarding: reference("regarding"),
            r#type: word("type"),
            reason: word("reason"),
            message: word("message"),
            note: word("note"),
            count: event.number("count"),
            deprecated_count: event.number("deprecatedCount"),
            series,
            event_time: event.time("eventTime"),
            first_timestamp: event.time("firstTimestamp"),
            last_timestamp: event.time("lastTimestamp"),
            deprecated_first_timestamp: event.time("deprecatedFirstTimestamp"),
            deprecated_last_timestamp: event.time("deprecatedLastTimestamp"),
            metadata: Created { creation_timestamp: event.time("metadata.creationTimestamp") },
        })
    }

    /// Whether it says that something is tried again, and not why that fails.
    pub fn is_symptom(&self) -> bool {
        AGAIN.contains(&self.reason.as_str()) || AGAIN_SAID.iter().any(|said| self.message.starts_with(said))
    }
}

/// The events of one object, as a list that has not been read yet. Those of a cluster-scoped one are in the namespace `default`.
pub fn about(kind: &str, namespace: &str, name: &str) -> List<Event> {
    EVENTS.list().within(namespace).with_field("involvedObject.kind", kind).with_field("involvedObject.name", name)
}

/// Events of the same type, reason and message about the same object as one, and the one that was last first.
pub fn grouped(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    group(&mut events.into_iter())
}

/// Not generic, so that a component has it once.
fn group(events: &mut dyn Iterator<Item = Event>) -> Vec<Event> {
    let mut groups: BTreeMap<(Object, String, String, String), Event> = BTreeMap::new();
    for event in events {
        let key = (event.object.clone(), event.r#type.clone(), event.reason.clone(), event.message.clone());
        match groups.get_mut(&key) {
            Some(group) => group.add(&event),
            None => drop(groups.insert(key, event)),
        }
    }
    let mut groups: Vec<Event> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.last));
    groups
}

impl Event {
    /// Whether something is wrong.
    pub fn is_warning(&self) -> bool {
        self.r#type == "Warning"
    }

    fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Host, page};

    fn event(json: Value) -> Event {
        serde_json::from_value(json).expect("nothing fails")
    }

    fn time(text: &str) -> Option<Time> {
        Some(Time::parse(text).expect("a time"))
    }

    #[test]
    fn an_event_is_the_same_by_its_type_and_by_a_view() {
        let event = serde_json::json!({
            "involvedObject": { "kind": "Pod", "namespace": "team-a", "name": "web-0" }, "type": "Warning", "reason": "Failed",
            "message": "Error: ErrImagePull", "eventTime": "2026-11-22T10:00:00.5Z", "count": null,
            "series": { "count": 3, "lastObservedTime": "2026-11-22T10:05:00Z" },
            "metadata": { "creationTimestamp": "2026-11-22T10:00:00Z" },
        });
        let typed: Event = serde_json::from_value(event.clone()).expect("an event");
        assert_eq!(Event::of(View::of(&event)), typed);
        assert!(typed.is_symptom());
        let cause = Event { message: "Failed to pull image \"a\": not found".to_owned(), ..typed };
        assert!(!cause.is_symptom());
    }

    #[test]
    fn both_forms_of_the_api_are_read() {
        let object = Object {
            api_version: String::new(),
            kind: "Pod".to_owned(),
            namespace: "team-a".to_owned(),
            name: "web-0".to_owned(),
        };
        let about = json!({ "kind": "Pod", "namespace": "team-a", "name": "web-0", "uid": "1" });
        let old = event(json!({
            "involvedObject": about, "type": "Warning", "reason": "BackOff", "message": "again", "count": 4, "eventTime": null,
            "firstTimestamp": "2026-11-22T10:00:00Z", "lastTimestamp": "2026-11-22T10:05:00Z",
        }));
        let expected = Event {
            object,
            r#type: "Warning".to_owned(),
            reason: "BackOff".to_owned(),
            message: "again".to_owned(),
            count: 4,
            first: time("2026-11-22T10:00:00Z"),
            last: time("2026-11-22T10:05:00Z"),
        };
        assert_eq!(old, expected);
        assert!(old.is_warning());
        let series = json!({ "count": 4, "lastObservedTime": "2026-11-22T10:05:00.000000Z" });
        let new = json!({
            "involvedObject": about, "type": "Warning", "reason": "BackOff", "message": "again", "count": 0,
            "eventTime": "2026-11-22T10:00:00.000000Z", "series": series, "firstTimestamp": null,
        });
        assert_eq!(event(new), expected);
        let other_names = json!({
            "regarding": about, "type": "Warning", "reason": "BackOff", "note": "again", "deprecatedCount": 4,
            "deprecatedFirstTimestamp": "2026-11-22T10:00:00Z", "deprecatedLastTimestamp": "2026-11-22T10:05:00Z",
        });
        assert_eq!(event(other_names), expected);
    }

    #[test]
    fn an_answer_has_no_default_in_its_schema() {
        let schema = crate::schema::of_answer::<Event>().to_string();
        assert!(!schema.contains("default") && !schema.contains("description"), "{schema}");
    }

    #[test]
    fn what_is_malformed_is_left_out_and_texts_are_bounded() {
        let odd = event(json!({
            "involvedObject": [], "type": 7, "reason": null, "message": {}, "count": "many", "series": "x", "eventTime": "once",
            "metadata": { "creationTimestamp": "2026-11-22T10:00:00Z" },
        }));
        let at = time("2026-11-22T10:00:00Z");
        assert_eq!(odd, Event { count: 1, first: at, last: at, ..Event::default() });
        assert_eq!(event(json!({})), Event { count: 1, ..Event::default() });
        let long = "ä".repeat(100_000);
        let long = event(json!({
            "involvedObject": { "kind": long, "namespace": long, "name": long }, "type": long, "reason": long, "message": long,
        }));
        assert!(serde_json::to_string(&long).expect("JSON").len() < 2_300);
    }

    #[test]
    fn what_repeats_is_told_once_and_the_last_first() {
        let of = |name: &str, message: &str, count: i64, minute: u32| {
            event(json!({
                "involvedObject": { "kind": "Pod", "name": name }, "reason": "BackOff", "message": message, "count": count,
                "firstTimestamp": format!("2026-11-22T09:{minute:02}:00Z"), "lastTimestamp": format!("2026-11-22T10:{minute:02}:00Z"),
            }))
        };
        let groups = grouped([
            of("a", "one", 2, 5),
            event(json!({ "reason": "Timeless" })),
            of("b", "one", 1, 7),
            of("a", "two", 1, 1),
            of("a", "one", i64::MAX, 6),
            of("a", "two", 3, 9),
        ]);
        let told: Vec<_> = groups.iter().map(|group| (&*group.object.name, &*group.message, group.count)).collect();
        assert_eq!(told, [("a", "two", 4), ("b", "one", 1), ("a", "one", i64::MAX), ("", "", 1)]);
        assert_eq!((groups[0].first, groups[0].last), (time("2026-11-22T09:01:00Z"), time("2026-11-22T10:09:00Z")));
    }

    #[test]
    fn the_events_of_an_object_are_asked_for_with_their_fields_alone() {
        let host = Host::new().lists(|request| {
            assert_eq!(request.selector.as_deref(), Some("involvedObject.kind=Pod,involvedObject.name=web-0"));
            let fields = request.fields.as_ref().expect("paths");
            for path in ["series.lastObservedTime", "regarding.name", "metadata.creationTimestamp", "message"] {
                assert!(fields.iter().any(|field| field == path), "{path} in {fields:?}");
            }
            Ok(page([json!({ "reason": "BackOff", "metadata": { "creationTimestamp": null } })]))
        });
        let page = host.run(|| about("Pod", "team-a", "web-0").page()).expect("a page");
        assert_eq!(page.items[0].reason, "BackOff");
    }
}
