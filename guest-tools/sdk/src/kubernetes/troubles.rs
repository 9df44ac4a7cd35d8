//! What is wrong with an object of any kind, as far as the object itself tells: its cause in few words, and where more is told.
//!
//! ```
//! use sandbar_tool::kubernetes::{View, troubles};
//!
//! let claim = serde_json::json!({ "spec": { "volumeName": "v1" }, "status": { "phase": "Lost" } });
//! let trouble = troubles::of("PersistentVolumeClaim", View::of(&claim)).unwrap();
//! assert_eq!(trouble.to_string(), "Lost: its volume v1 is gone");
//! ```

use std::fmt;

use super::view::{View, one_line, quoted};
use super::{Time, conditions, pods};

/// What is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The word for it, Kubernetes' own where it has one: `OOMKilled`. Troubles of the same word are the same.
    pub reason: String,
    /// The cause in words, bounded.
    pub cause: String,
    /// Since when, or when it was last.
    pub since: Option<Time>,
    /// The log that may tell more.
    pub log: Option<Log>,
    /// It is rather a symptom: the object's events have the cause.
    pub is_told_by_events: bool,
}

/// Which log of a pod tells about its trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The container.
    pub container: String,
    /// It is the log of the run before this one.
    pub previous: bool,
}

/// Bytes of what others wrote in a cause.
const QUOTED: usize = 200;

/// Seconds in which an end comes, and in which a rollout goes on by itself.
const ENDED_WITHIN: i64 = 60;
const GOES_ON: i64 = 60;

/// The paths that [`of`] reads for all kinds but `Pod`, which has [`pods::FIELDS`]. No kind has all of them.
pub const FIELDS: [&str; 33] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.ownerReferences",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.finalizers",
    "spec.replicas",
    "spec.suspend",
    "spec.paused",
    "spec.unschedulable",
    "spec.volumeName",
    "spec.storageClassName",
    "spec.finalizers",
    "status.phase",
    "status.conditions",
    "status.replicas",
    "status.readyReplicas",
    "status.availableReplicas",
    "status.updatedReplicas",
    "status.currentReplicas",
    "status.currentRevision",
    "status.updateRevision",
    "status.desiredNumberScheduled",
    "status.currentNumberScheduled",
    "status.numberReady",
    "status.numberAvailable",
    "status.numberUnavailable",
    "status.updatedNumberScheduled",
    "status.failed",
    "status.active",
    "status.succeeded",
    "status.startTime",
    "status.completionTime",
];

impl Trouble {
    /// A trouble of this word and cause.
    pub fn new(reason: &str, cause: String, since: Option<Time>) -> Self {
        Self { reason: one_line(reason, 64), cause, since, log: None, is_told_by_events: false }
    }

    pub(super) fn with_log(mut self, container: &str, previous: bool) -> Self {
        self.log = Some(Log { container: container.to_owned(), previous });
        self
    }

    pub(super) fn told_by_events(mut self) -> Self {
        self.is_told_by_events = true;
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.cause)
    }
}

/// What is wrong with an object of this kind, if anything is.
pub fn of(kind: &str, object: View<'_>) -> Option<Trouble> {
    match kind {
        "Pod" => pods::trouble(object),
        "Deployment" => ending(object).or_else(|| deployment(object)),
        "StatefulSet" | "ReplicaSet" | "ReplicationController" => ending(object).or_else(|| replicas(object)),
        "DaemonSet" => ending(object).or_else(|| daemon_set(object)),
        "Job" => job(object),
        "Node" => node(object),
        "PersistentVolumeClaim" => ending(object).or_else(|| claim(object)),
        "Namespace" => namespace(object),
        "HorizontalPodAutoscaler" => ["AbleToScale", "ScalingActive"].into_iter().find_map(|of| says_no(object, of)),
        "CustomResourceDefinition" => ["Established", "NamesAccepted"].into_iter().find_map(|of| says_no(object, of)),
        "APIService" => says_no(object, "Available"),
        "CronJob" | "Service" | "Ingress" => ending(object),
        _ => ending(object).or_else(|| by_conditions(object)),
    }
}

/// An object of any kind by its conditions: the first that is bad, and how many others are.
pub fn by_conditions(object: View<'_>) -> Option<Trouble> {
    let bad = conditions::bad(&object.conditions());
    // `Ready` sums up the others, which are closer to the cause.
    let fault = bad.iter().find(|fault| !fault.condition.starts_with("Ready=")).or(bad.first())?;
    let words = fault.message.as_deref().or(fault.reason.as_deref()).unwrap_or_default();
    let cause =
        if words.is_empty() { fault.condition.clone() } else { format!("{}, {}", fault.condition, quoted(words, QUOTED)) };
    Some(Trouble::new(fault.reason.as_deref().unwrap_or("NotReady"), cause, fault.since))
}

/// A condition that should hold and does not.
fn says_no(object: View<'_>, of: &str) -> Option<Trouble> {
    let is_bad = |condition: &View<'_>| condition.text("status") != "True" && condition.text("reason") != "ScalingDisabled";
    let condition = object.condition(of).filter(is_bad)?;
    let cause = format!("{of}={}, {}", one_line(condition.text("status"), 16), quoted(condition.text("message"), QUOTED));
    let reason = condition.text("reason");
    Some(Trouble::new(if reason.is_empty() { of } else { reason }, cause, condition.time("lastTransitionTime")))
}

/// Something deletes it and it does not go.
fn ending(object: View<'_>) -> Option<Trouble> {
    let since = object.time("metadata.deletionTimestamp")?;
    let finalizers: Vec<String> = object.list("metadata.finalizers").map(View::words).collect();
    let is_stuck = !finalizers.is_empty() && since.seconds_to(Time::now()) > ENDED_WITHIN;
    let cause = || format!("it is deleted, and its finalizers hold it: {}", one_line(&finalizers.join(", "), QUOTED));
    is_stuck.then(|| Trouble::new("Terminating", cause(), Some(since)))
}

fn deployment(deployment: View<'_>) -> Option<Trouble> {
    if let Some(trouble) = cannot_create(deployment) {
        return Some(trouble);
    }
    let wanted = wanted(deployment);
    let available = deployment.number("status.availableReplicas");
    let updated = deployment.number("status.updatedReplicas");
    let progressing = deployment.condition("Progressing");
    if let Some(stuck) = progressing.filter(|condition| condition.text("status") == "False") {
        let cause = format!("the rollout is stuck: {updated} of {wanted} replicas are updated, {available} available");
        let reason = stuck.text("reason");
        let reason = if reason.is_empty() { "ProgressDeadlineExceeded" } else { reason };
        return Some(Trouble::new(reason, cause, stuck.time("lastTransitionTime")).told_by_events());
    }
    if deployment.is("spec.paused") && updated < wanted {
        let cause = format!("the rollout is paused: {updated} of {wanted} replicas are updated");
        return Some(Trouble::new("Paused", cause, None));
    }
    let goes_on = progressing
        .and_then(|condition| condition.time("lastUpdateTime"))
        .is_some_and(|time| time.seconds_to(Time::now()) < GOES_ON);
    let since = deployment.condition("Available").and_then(|condition| condition.time("lastTransitionTime"));
    (available < wanted && !goes_on).then(|| lacks(available, wanted, "available", since))
}

fn replicas(set: View<'_>) -> Option<Trouble> {
    if let Some(trouble) = cannot_create(set) {
        return Some(trouble);
    }
    let (wanted, ready) = (wanted(set), set.number("status.readyReplicas"));
    let is_new = set.time("metadata.creationTimestamp").is_some_and(|time| time.seconds_to(Time::now()) < GOES_ON);
    (ready < wanted && !is_new).then(|| lacks(ready, wanted, "ready", None))
}

fn daemon_set(set: View<'_>) -> Option<Trouble> {
    let wanted = set.number("status.desiredNumberScheduled");
    let (there, ready) = (set.number("status.currentNumberScheduled"), set.number("status.numberReady"));
    let is_new = set.time("metadata.creationTimestamp").is_some_and(|time| time.seconds_to(Time::now()) < GOES_ON);
    (ready.min(there) < wanted && !is_new).then(|| lacks(ready.min(there), wanted, "ready", None))
}

fn lacks(has: i64, wanted: i64, what: &str, since: Option<Time>) -> Trouble {
    Trouble::new("ReplicasMissing", format!("{has} of {wanted} replicas are {what}"), since).told_by_events()
}

fn wanted(workload: View<'_>) -> i64 {
    if workload.has("spec.replicas") { workload.number("spec.replicas") } else { 1 }
}

/// The API server refuses its pods: a quota, a policy, a missing service account.
fn cannot_create(workload: View<'_>) -> Option<Trouble> {
    let condition = workload.condition("ReplicaFailure").filter(|condition| condition.text("status") == "True")?;
    Some(refused(condition.text("message"), condition.time("lastTransitionTime")))
}

/// What it means that pods cannot be created, in the API server's words.
pub fn refused(message: &str, since: Option<Time>) -> Trouble {
    if message.contains("exceeded quota") {
        let words = message.find("exceeded quota").map_or(message, |at| &message[at..]);
        return Trouble::new("QuotaExceeded", format!("a quota allows no more pods: {}", quoted(words, QUOTED)), since);
    }
    Trouble::new("FailedCreate", format!("its pods cannot be created: {}", quoted(message, QUOTED)), since)
}

fn job(job: View<'_>) -> Option<Trouble> {
    let failed = |of: &str| job.condition(of).filter(|condition| condition.text("status") == "True");
    if let Some(condition) = failed("Failed").or_else(|| failed("FailureTarget")) {
        let pods = match job.number("status.failed") {
            0 => String::new(),
            1 => ", 1 pod failed".to_owned(),
            count => format!(", {count} pods failed"),
        };
        let cause = format!("the Job has failed: {}{pods}", quoted(condition.text("message"), QUOTED));
        return Some(Trouble::new(condition.text("reason"), cause, condition.time("lastTransitionTime")));
    }
    ending(job)
}

fn node(node: View<'_>) -> Option<Trouble> {
    if let Some(trouble) = says_no(node, "Ready") {
        let words = match node.condition("Ready").map(|ready| ready.text("status")) {
            Some("Unknown") => "the node does not answer: the kubelet, the machine or the network is down",
            _ => "the kubelet says that it is not ready",
        };
        return Some(Trouble { reason: "NodeNotReady".to_owned(), cause: format!("{words}; {}", trouble.cause), ..trouble });
    }
    if let Some(fault) = conditions::bad(&node.conditions()).into_iter().next() {
        let of = fault.condition.split('=').next().unwrap_or_default();
        let cause = format!("the node has {of}: {}", quoted(fault.message.as_deref().unwrap_or_default(), QUOTED));
        return Some(Trouble::new(of, cause, fault.since));
    }
    node.is("spec.unschedulable").then(|| Trouble::new("Cordoned", "the node is cordoned: it takes no new pods".to_owned(), None))
}

fn claim(claim: View<'_>) -> Option<Trouble> {
    let since = claim.time("metadata.creationTimestamp");
    match claim.text("status.phase") {
        "Lost" => {
            Some(Trouble::new("Lost", format!("its volume {} is gone", one_line(claim.text("spec.volumeName"), QUOTED)), since))
        }
        "Pending" => {
            let class = claim.text("spec.storageClassName");
            let of = if class.is_empty() {
                "without a StorageClass".to_owned()
            } else {
                format!("of StorageClass {}", one_line(class, QUOTED))
            };
            Some(Trouble::new("Pending", format!("no volume is bound to the claim {of}"), since).told_by_events())
        }
        _ => by_conditions(claim),
    }
}

fn namespace(namespace: View<'_>) -> Option<Trouble> {
    let since = namespace.time("metadata.deletionTimestamp")?;
    if since.seconds_to(Time::now()) <= ENDED_WITHIN {
        return None;
    }
    let bad = conditions::bad(&namespace.conditions());
    // What is left says more than that something is.
    let said: Vec<&str> = bad.iter().filter_map(|fault| fault.message.as_deref()).collect();
    let cause = if said.is_empty() {
        let finalizers: Vec<String> =
            namespace.list("spec.finalizers").chain(namespace.list("metadata.finalizers")).map(View::words).collect();
        format!("the namespace does not end; its finalizers: {}", one_line(&finalizers.join(", "), QUOTED))
    } else {
        format!("the namespace does not end: {}", quoted(&said.join("; "), 2 * QUOTED))
    };
    Some(Trouble::new("Terminating", cause, Some(since)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Host;

    fn said(kind: &str, object: Value) -> String {
        let host = Host::new().at(std::time::Duration::from_secs(1_795_341_600));
        host.run(|| of(kind, View::of(&object)).map(|trouble| trouble.to_string())).unwrap_or_default()
    }

    fn with_conditions(kind: &str, conditions: Value) -> String {
        said(kind, json!({ "spec": { "replicas": 0 }, "status": { "conditions": conditions } }))
    }

    #[test]
    fn workloads_lack_replicas_or_cannot_make_them() {
        let deployment = |available: i64| json!({ "spec": { "replicas": 3 }, "status": { "availableReplicas": available, "updatedReplicas": 3 } });
        assert_eq!(said("Deployment", deployment(1)), "ReplicasMissing: 1 of 3 replicas are available");
        assert_eq!(said("Deployment", deployment(3)), "");
        let stuck = json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" }]);
        assert_eq!(
            with_conditions("Deployment", stuck),
            "ProgressDeadlineExceeded: the rollout is stuck: 0 of 0 replicas are updated, 0 available"
        );
        let message = "pods \"web-1\" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=1, limited: cpu=2";
        assert_eq!(
            with_conditions("ReplicaSet", json!([{ "type": "ReplicaFailure", "status": "True", "message": message }])),
            "QuotaExceeded: a quota allows no more pods: \"exceeded quota: q, requested: cpu=2, used: cpu=1, limited: cpu=2\""
        );
        assert_eq!(
            said(
                "DaemonSet",
                json!({ "status": { "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2 } })
            ),
            "ReplicasMissing: 2 of 3 replicas are ready"
        );
    }

    #[test]
    fn what_has_no_replicas_has_conditions() {
        let silent = json!([{ "type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status." }]);
        assert!(with_conditions("Node", silent).starts_with("NodeNotReady: the node does not answer"));
        let full = json!([{ "type": "DiskPressure", "status": "True", "message": "kubelet has disk pressure" }]);
        assert_eq!(with_conditions("Node", full), "DiskPressure: the node has DiskPressure: \"kubelet has disk pressure\"");
        assert_eq!(
            said("Node", json!({ "spec": { "unschedulable": true } })),
            "Cordoned: the node is cordoned: it takes no new pods"
        );
        let failed = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit" }]);
        assert_eq!(with_conditions("Job", failed), "BackoffLimitExceeded: the Job has failed: \"limit\"");
        let off = json!([{ "type": "ScalingActive", "status": "False", "reason": "ScalingDisabled" }]);
        assert_eq!(with_conditions("HorizontalPodAutoscaler", off), "");
        let failing = json!([{ "type": "Ready", "status": "False" }, { "type": "Synced", "status": "False", "reason": "Denied", "message": "no right" }]);
        assert_eq!(with_conditions("Widget", failing), "Denied: Synced=False, \"no right\"");
    }

    #[test]
    fn what_is_deleted_and_stays_is_held_by_finalizers() {
        let object = |time: &str| json!({ "metadata": { "deletionTimestamp": time, "finalizers": ["example.com/a"] } });
        assert_eq!(
            said("Widget", object("2026-11-22T09:00:00Z")),
            "Terminating: it is deleted, and its finalizers hold it: example.com/a"
        );
        assert_eq!(said("Widget", object("2026-11-22T09:59:50Z")), "");
        let conditions =
            json!([{ "type": "NamespaceFinalizersRemaining", "status": "True", "message": "widgets have finalizers" }]);
        let namespace =
            json!({ "metadata": { "deletionTimestamp": "2026-11-22T09:00:00Z" }, "status": { "conditions": conditions } });
        assert_eq!(said("Namespace", namespace), "Terminating: the namespace does not end: \"widgets have finalizers\"");
    }
}
