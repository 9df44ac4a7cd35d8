//! Lists as an API server shows them to people: the columns that kubectl prints. Those of `-o wide` are left out.

use std::borrow::Cow;
use std::collections::HashSet;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::object::Object;
use super::status::Refusal;

/// What a column shows of an object at a time.
type Cell = fn(&Value, Option<Timestamp>) -> Value;

/// Its name, and what it shows.
type Column = (&'static str, Cell);

/// How the objects of a list are shown.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    /// As they are.
    Objects,
    /// As rows of a table, at this time.
    Rows(&'static [Column], Option<Timestamp>),
}

impl Shown {
    /// # Errors
    /// 406 for a kind whose columns are not known.
    pub(super) fn table(kind: &Kind, now: Option<Timestamp>) -> Result<Self, Refusal> {
        let of_kind = |(group, of, _): &&(&str, &str, &[Column])| *group == kind.group && *of == kind.kind;
        let (.., columns) = TABLES.iter().find(of_kind).ok_or_else(|| Refusal::no_table(kind))?;
        Ok(Self::Rows(columns, now))
    }

    /// The list's JSON up to the first item. `metadata` is JSON.
    pub(super) fn head(self, kind: &str, api_version: &str, metadata: &str) -> String {
        let (kind, api_version, items) = match self {
            Self::Objects => (kind, api_version, "\"items\":[".to_owned()),
            Self::Rows(columns, _) => {
                let columns: Vec<Value> =
                    columns.iter().map(|(name, _)| json!({ "name": name, "type": "string", "priority": 0 })).collect();
                ("Table", "meta.k8s.io/v1", format!("\"columnDefinitions\":{},\"rows\":[", Value::from(columns)))
            }
        };
        format!("{{\"kind\":{},\"apiVersion\":{},\"metadata\":{metadata},{items}", Value::from(kind), Value::from(api_version))
    }

    /// One item of the list, as JSON.
    pub(super) fn item(self, object: &Object) -> Cow<'_, str> {
        let Self::Rows(columns, now) = self else { return Cow::Borrowed(&object.json) };
        let mut object = object.value();
        let cells: Vec<Value> = columns.iter().map(|(_, cell)| cell(&object, now)).collect();
        let metadata = object["metadata"].take();
        let of = json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata });
        json!({ "cells": cells, "object": of }).to_string().into()
    }

    /// The cost of an item, in bytes that could be parsed meanwhile.
    pub(super) fn bytes(self, object: &Object) -> usize {
        match self {
            Self::Objects => 0,
            Self::Rows(..) => object.json.len(),
        }
    }
}

const NAME: Column = ("Name", |object, _| object["metadata"]["name"].clone());
const AGE: Column = ("Age", |object, now| since(&object["metadata"]["creationTimestamp"], now, "<unknown>").into());
const READY_OF_REPLICAS: Column = ("Ready", |object, _| {
    format!("{}/{}", number(&object["status"]["readyReplicas"]), number(&object["spec"]["replicas"])).into()
});
const DESIRED: Column = ("Desired", |object, _| number(&object["spec"]["replicas"]).into());
const CURRENT: Column = ("Current", |object, _| number(&object["status"]["replicas"]).into());
const READY: Column = ("Ready", |object, _| number(&object["status"]["readyReplicas"]).into());
const PHASE: Column = ("Status", |object, _| phase(object).into());
const CLASS: Column = ("StorageClass", |object, _| text_or(&object["spec"]["storageClassName"], "").into());
const ATTRIBUTES: Column =
    ("VolumeAttributesClass", |object, _| text_or(&object["spec"]["volumeAttributesClassName"], "<unset>").into());

/// By group and kind. Of any other kind a table is refused.
const TABLES: [(&str, &str, &[Column]); 15] = [
    (
        "",
        "Pod",
        &[
            NAME,
            ("Ready", |pod, _| containers_ready(pod).into()),
            ("Status", |pod, _| pod_status(pod).into()),
            ("Restarts", |pod, now| restarts(pod, now).into()),
            AGE,
        ],
    ),
    (
        "apps",
        "Deployment",
        &[
            NAME,
            READY_OF_REPLICAS,
            ("Up-to-date", |object, _| number(&object["status"]["updatedReplicas"]).into()),
            ("Available", |object, _| number(&object["status"]["availableReplicas"]).into()),
            AGE,
        ],
    ),
    ("apps", "ReplicaSet", &[NAME, DESIRED, CURRENT, READY, AGE]),
    ("", "ReplicationController", &[NAME, DESIRED, CURRENT, READY, AGE]),
    ("apps", "StatefulSet", &[NAME, READY_OF_REPLICAS, AGE]),
    (
        "apps",
        "DaemonSet",
        &[
            NAME,
            ("Desired", |object, _| number(&object["status"]["desiredNumberScheduled"]).into()),
            ("Current", |object, _| number(&object["status"]["currentNumberScheduled"]).into()),
            ("Ready", |object, _| number(&object["status"]["numberReady"]).into()),
            ("Up-to-date", |object, _| number(&object["status"]["updatedNumberScheduled"]).into()),
            ("Available", |object, _| number(&object["status"]["numberAvailable"]).into()),
            ("Node Selector", |object, _| labels(&object["spec"]["template"]["spec"]["nodeSelector"]).into()),
            AGE,
        ],
    ),
    (
        "batch",
        "Job",
        &[
            NAME,
            ("Status", |job, _| job_status(job).into()),
            ("Completions", |job, _| completions(job).into()),
            ("Duration", |job, now| duration(job, now).into()),
            AGE,
        ],
    ),
    (
        "batch",
        "CronJob",
        &[
            NAME,
            ("Schedule", |object, _| object["spec"]["schedule"].clone()),
            ("Timezone", |object, _| text_or(&object["spec"]["timeZone"], "<none>").into()),
            ("Suspend", |object, _| if object["spec"]["suspend"] == true { "True" } else { "False" }.into()),
            ("Active", |object, _| each(&object["status"]["active"]).count().into()),
            ("Last Schedule", |object, now| since(&object["status"]["lastScheduleTime"], now, "<none>").into()),
            AGE,
        ],
    ),
    (
        "",
        "Service",
        &[
            NAME,
            ("Type", |object, _| object["spec"]["type"].clone()),
            ("Cluster-IP", |object, _| text_or(&object["spec"]["clusterIP"], "<none>").into()),
            ("External-IP", |object, _| external(object).into()),
            ("Port(s)", |object, _| service_ports(object).into()),
            AGE,
        ],
    ),
    (
        "",
        "Node",
        &[
            NAME,
            ("Status", |node, _| node_status(node).into()),
            ("Roles", |node, _| roles(node).into()),
            AGE,
            ("Version", |node, _| node["status"]["nodeInfo"]["kubeletVersion"].clone()),
        ],
    ),
    ("", "Namespace", &[NAME, PHASE, AGE]),
    (
        "",
        "PersistentVolumeClaim",
        &[
            NAME,
            PHASE,
            ("Volume", |claim, _| text_or(&claim["spec"]["volumeName"], "").into()),
            ("Capacity", |claim, _| {
                if is_bound(claim) { text_or(&claim["status"]["capacity"]["storage"], "") } else { "" }.into()
            }),
            ("Access Modes", |claim, _| if is_bound(claim) { access_modes(&claim["status"]) } else { String::new() }.into()),
            CLASS,
            ATTRIBUTES,
            AGE,
        ],
    ),
    (
        "",
        "PersistentVolume",
        &[
            NAME,
            ("Capacity", |volume, _| text_or(&volume["spec"]["capacity"]["storage"], "").into()),
            ("Access Modes", |volume, _| access_modes(&volume["spec"]).into()),
            ("Reclaim Policy", |volume, _| text_or(&volume["spec"]["persistentVolumeReclaimPolicy"], "").into()),
            PHASE,
            ("Claim", |volume, _| claim(volume).into()),
            CLASS,
            ATTRIBUTES,
            ("Reason", |volume, _| text_or(&volume["status"]["reason"], "").into()),
            AGE,
        ],
    ),
    (
        "",
        "ConfigMap",
        &[NAME, ("Data", |object, _| (members(&object["data"]).count() + members(&object["binaryData"]).count()).into()), AGE],
    ),
    (
        "",
        "Event",
        &[
            ("Last Seen", |event, now| last_seen(event, now).into()),
            ("Type", |event, _| event["type"].clone()),
            ("Reason", |event, _| event["reason"].clone()),
            ("Object", |event, _| about(event).into()),
            ("Message", |event, _| text_or(&event["message"], "").trim().into()),
        ],
    ),
];

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn text_or<'v>(value: &'v Value, otherwise: &'v str) -> &'v str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(otherwise)
}

fn each(list: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flatten()
}

fn labels(map: &Value) -> String {
    let labels: Vec<String> = members(map).map(|(key, value)| format!("{key}={}", text_or(value, ""))).collect();
    if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// How long ago that was.
fn since(value: &Value, now: Option<Timestamp>, otherwise: &str) -> String {
    time(value).zip(now).map_or_else(|| otherwise.to_owned(), |(then, now)| span(then, now))
}

/// Up to so many seconds, a span is told in this unit, which is called so, and where there is one in a smaller one for the rest.
type Step = (i64, i64, &'static str, Option<(i64, &'static str)>);

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A time span as kubectl writes it: the longer it is, the less exact.
fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.as_second() - from.as_second()).max(0);
    // Up to which time which unit counts, and which follows it.
    const STEPS: [Step; 9] = [
        (2 * MINUTE, 1, "s", None),
        (10 * MINUTE, MINUTE, "m", Some((1, "s"))),
        (3 * HOUR, MINUTE, "m", None),
        (8 * HOUR, HOUR, "h", Some((MINUTE, "m"))),
        (2 * DAY, HOUR, "h", None),
        (8 * DAY, DAY, "d", Some((HOUR, "h"))),
        (2 * YEAR, DAY, "d", None),
        (8 * YEAR, YEAR, "y", Some((DAY, "d"))),
        (i64::MAX, YEAR, "y", None),
    ];
    let step = STEPS.iter().find(|(until, ..)| seconds < *until).unwrap_or(&STEPS[8]);
    let (_, unit, name, rest) = *step;
    let rest = rest.map(|(small, name)| (seconds % unit / small, name)).filter(|(rest, _)| *rest > 0);
    format!("{}{name}{}", seconds / unit, rest.map(|(rest, name)| format!("{rest}{name}")).unwrap_or_default())
}

fn phase(object: &Value) -> &str {
    let goes = object["metadata"]["deletionTimestamp"].is_string() && object["kind"] != "Namespace";
    if goes { "Terminating" } else { text_or(&object["status"]["phase"], "") }
}

fn is_true(object: &Value, condition: &str) -> bool {
    each(&object["status"]["conditions"]).any(|of| of["type"] == condition && of["status"] == "True")
}

/// The names of the containers that are started with the pod, and stay.
fn sidecars(pod: &Value) -> HashSet<&str> {
    let stay = each(&pod["spec"]["initContainers"]).filter(|of| of["restartPolicy"] == "Always");
    stay.filter_map(|of| of["name"].as_str()).collect()
}

/// Whether a status is of one of these.
fn is_of(sidecars: &HashSet<&str>, status: &Value) -> bool {
    status["name"].as_str().is_some_and(|name| sidecars.contains(name))
}

/// The first of the init containers that is not through, and how many come before it.
fn initializing(pod: &Value) -> Option<(usize, &Value)> {
    let sidecars = sidecars(pod);
    let is_through = |status: &Value| {
        let ended = &status["state"]["terminated"];
        (ended.is_object() && number(&ended["exitCode"]) == 0) || (is_of(&sidecars, status) && status["started"] == true)
    };
    let first = each(&pod["status"]["initContainerStatuses"]).enumerate().find(|(_, status)| !is_through(status));
    first.filter(|_| !is_true(pod, "Initialized"))
}

fn containers_ready(pod: &Value) -> String {
    let (sidecars, has_begun) = (sidecars(pod), initializing(pod).is_none());
    let started =
        each(&pod["status"]["initContainerStatuses"]).filter(|status| is_of(&sidecars, status) && status["started"] == true);
    let is_running = |status: &&Value| status["ready"] == true && status["state"]["running"].is_object();
    let containers = each(&pod["status"]["containerStatuses"]).filter(|_| has_begun).filter(is_running);
    let ready = started.filter(|status| status["ready"] == true).count() + containers.count();
    let all_sidecars = each(&pod["spec"]["initContainers"]).filter(|of| of["restartPolicy"] == "Always").count();
    format!("{ready}/{}", each(&pod["spec"]["containers"]).count() + all_sidecars)
}

/// Why a container has ended.
fn ended(terminated: &Value) -> String {
    match (text_or(&terminated["reason"], ""), number(&terminated["signal"])) {
        ("", 0) => format!("ExitCode:{}", number(&terminated["exitCode"])),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn pod_status(pod: &Value) -> String {
    let (status, goes) = (&pod["status"], pod["metadata"]["deletionTimestamp"].is_string());
    let phase = text_or(&status["phase"], "");
    if goes && status["reason"] == "NodeLost" {
        return "Unknown".to_owned();
    }
    if goes && !matches!(phase, "Succeeded" | "Failed") {
        return "Terminating".to_owned();
    }
    if let Some((before, container)) = initializing(pod) {
        let state = &container["state"];
        let of_all = || format!("{before}/{}", each(&pod["spec"]["initContainers"]).count());
        let why = match text_or(&state["waiting"]["reason"], "") {
            _ if state["terminated"].is_object() => ended(&state["terminated"]),
            "" | "PodInitializing" => of_all(),
            reason => reason.to_owned(),
        };
        return format!("Init:{why}");
    }
    let is_gated = each(&status["conditions"]).any(|of| of["type"] == "PodScheduled" && of["reason"] == "SchedulingGated");
    let mut why = if is_gated { "SchedulingGated" } else { text_or(&status["reason"], phase) }.to_owned();
    let mut runs = false;
    // The first container counts most.
    for container in each(&status["containerStatuses"]).rev() {
        let state = &container["state"];
        let waits = text_or(&state["waiting"]["reason"], "");
        if !waits.is_empty() {
            waits.clone_into(&mut why);
        } else if state["terminated"].is_object() {
            why = ended(&state["terminated"]);
        } else {
            runs |= container["ready"] == true && state["running"].is_object();
        }
    }
    match why.as_str() {
        "Completed" if runs && is_true(pod, "Ready") => "Running".to_owned(),
        "Completed" if runs => "NotReady".to_owned(),
        _ => why,
    }
}

/// How often its containers were started again, and when last.
fn restarts(pod: &Value, now: Option<Timestamp>) -> String {
    let init = || each(&pod["status"]["initContainerStatuses"]);
    let sidecars = sidecars(pod);
    let statuses: Vec<&Value> = match initializing(pod) {
        Some(_) => init().collect(),
        None => init().filter(|status| is_of(&sidecars, status)).chain(each(&pod["status"]["containerStatuses"])).collect(),
    };
    let counts = statuses.iter().map(|status| number(&status["restartCount"]));
    let count = counts.fold(0_i64, i64::saturating_add);
    let last = statuses.iter().filter_map(|status| time(&status["lastState"]["terminated"]["finishedAt"])).max();
    match last.zip(now).filter(|_| count > 0) {
        Some((last, now)) => format!("{count} ({} ago)", span(last, now)),
        None => count.to_string(),
    }
}

fn job_status(job: &Value) -> &'static str {
    match () {
        () if is_true(job, "Complete") => "Complete",
        () if is_true(job, "Failed") => "Failed",
        () if job["metadata"]["deletionTimestamp"].is_string() => "Terminating",
        () if is_true(job, "Suspended") => "Suspended",
        () if is_true(job, "FailureTarget") => "FailureTarget",
        () if is_true(job, "SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

fn completions(job: &Value) -> String {
    let (spec, succeeded) = (&job["spec"], number(&job["status"]["succeeded"]));
    match (spec["completions"].as_i64(), number(&spec["parallelism"])) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallel @ 2..) => format!("{succeeded}/1 of {parallel}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(job: &Value, now: Option<Timestamp>) -> String {
    let end = time(&job["status"]["completionTime"]).or(now);
    time(&job["status"]["startTime"]).zip(end).map(|(start, end)| span(start, end)).unwrap_or_default()
}

fn external(service: &Value) -> String {
    let spec = &service["spec"];
    if spec["type"] == "ExternalName" {
        return text_or(&spec["externalName"], "").to_owned();
    }
    let is_balanced = spec["type"] == "LoadBalancer";
    let balancers = each(&service["status"]["loadBalancer"]["ingress"]).filter(|_| is_balanced);
    let balancers = balancers.map(|of| text_or(&of["ip"], text_or(&of["hostname"], "")));
    let all: Vec<&str> = balancers.chain(each(&spec["externalIPs"]).filter_map(Value::as_str)).collect();
    match all.is_empty() {
        true if is_balanced => "<pending>".to_owned(),
        true => "<none>".to_owned(),
        false => all.join(","),
    }
}

fn service_ports(service: &Value) -> String {
    let port = |of: &Value| {
        let on_nodes = of["nodePort"].as_i64().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{on_nodes}/{}", number(&of["port"]), text_or(&of["protocol"], "TCP"))
    };
    let ports: Vec<String> = each(&service["spec"]["ports"]).map(port).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

fn node_status(node: &Value) -> String {
    let ready = each(&node["status"]["conditions"]).find(|condition| condition["type"] == "Ready");
    let ready = match ready.map(|condition| condition["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    };
    if node["spec"]["unschedulable"] == true { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn roles(node: &Value) -> String {
    let role = |(key, value): (&'_ String, &Value)| {
        let named = key.strip_prefix("node-role.kubernetes.io/").map(str::to_owned);
        named
            .or_else(|| value.as_str().filter(|_| key == "kubernetes.io/role").map(str::to_owned))
            .filter(|role| !role.is_empty())
    };
    let mut roles: Vec<String> = members(&node["metadata"]["labels"]).filter_map(role).collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

fn is_bound(claim: &Value) -> bool {
    !text_or(&claim["spec"]["volumeName"], "").is_empty()
}

fn claim(volume: &Value) -> String {
    let claim = &volume["spec"]["claimRef"];
    if claim.is_object() {
        format!("{}/{}", text_or(&claim["namespace"], ""), text_or(&claim["name"], ""))
    } else {
        String::new()
    }
}

fn access_modes(of: &Value) -> String {
    let modes = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let has = |mode: &str| each(&of["accessModes"]).any(|of| of == mode);
    modes.into_iter().filter(|(mode, _)| has(mode)).map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

/// The last of an event's times.
fn last_seen(event: &Value, now: Option<Timestamp>) -> String {
    let times = [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["firstTimestamp"], &event["eventTime"]];
    since(times.into_iter().find(|time| time.is_string()).unwrap_or(&Value::Null), now, "<unknown>")
}

/// `pod/web-0`
fn about(event: &Value) -> String {
    let of = &event["involvedObject"];
    format!("{}/{}", text_or(&of["kind"], "").to_lowercase(), text_or(&of["name"], ""))
}
