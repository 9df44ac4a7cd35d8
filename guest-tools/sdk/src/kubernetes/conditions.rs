//! What an object says about itself, and which of it is bad.
//!
//! The rule, for every kind there is:
//!
//! - Most conditions say that something is well: `Ready`, `Available`, `PodScheduled`. Such a one is bad where it is `False` or
//!   `Unknown`.
//! - A condition whose type names a trouble is bad where it is `True`: `MemoryPressure`, `ReplicaFailure`, `Degraded`, `Stalled`.
//!   One without a status is there because it holds.
//! - What goes on, and what somebody has chosen, is neither: `Reconciling`, `Paused`, `Suspended`, `Complete`.
//! - `Progressing` is bad where it is `False`, unless there is a `Degraded` beside it, which then says whether anything is wrong.
//! - `Succeeded` is bad where it is `False`: as long as it is not known, something runs.
//! - Some reasons say that a status is meant to be: a pod that has ended is not `Ready`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::age::Time;
use super::lenient::{each, or_default, shortened};

/// A condition in an object's status, to be answered as it stands there, if it is no longer than it may be. Kinds differ in what they set: those of a Deployment have a
/// `lastUpdateTime`, most others an `observedGeneration`. The order is that of the types.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct Condition {
    /// Its type: `Ready`.
    #[schemars(description = "")]
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(description = "")]
    pub status: String,
    /// The controller's word for why.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as a sentence.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The generation of the object that it is about.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the controller last looked.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<String>,
    /// Since when it has this status.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
}

/// The same as it is read. That it is lenient would show in the schema of what is answered.
#[derive(Deserialize)]
#[serde(remote = "Condition", rename_all = "camelCase")]
struct Written {
    #[serde(default, deserialize_with = "or_default")]
    r#type: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    message: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    observed_generation: Option<i64>,
    #[serde(default, deserialize_with = "or_default")]
    last_update_time: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    last_transition_time: Option<String>,
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Written::deserialize(deserializer)?;
        for word in [&mut read.r#type, &mut read.status] {
            *word = shortened(std::mem::take(word), READ_WORD_MAX);
        }
        for word in [&mut read.reason, &mut read.last_update_time, &mut read.last_transition_time] {
            *word = word.take().map(|word| shortened(word, READ_WORD_MAX));
        }
        read.message = read.message.map(|message| shortened(message, READ_MESSAGE_MAX));
        Ok(read)
    }
}

/// The conditions of an object of any kind, to be read with [`Resource::get`](crate::Resource::get) or as a part of a type:
/// `status: Conditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// What fits of the list.
    #[serde(deserialize_with = "each")]
    pub conditions: Vec<Condition>,
}

/// A condition that is bad, short enough for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(description = "")]
pub struct Fault {
    /// Its type and its status: `Ready=False`.
    #[schemars(description = "")]
    pub condition: String,
    /// The controller's word for why.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same as a sentence.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when it has this status.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// Bytes of a condition's words at most, and of its sentence: as many as the API server takes for its own kinds.
const READ_WORD_MAX: usize = 1024;
const READ_MESSAGE_MAX: usize = 32 * 1024;

/// Bytes of a fault's words at most, and of its sentence.
const WORD_MAX: usize = 128;
const MESSAGE_MAX: usize = 1024;

/// Faults of one object at most.
const FAULTS_MAX: usize = 32;

/// A type with one of these in it names a trouble.
const TROUBLES: [&str; 31] = [
    "Blocked",
    "Conflict",
    "Corrupt",
    "Dangling",
    "Deadlock",
    "Degraded",
    "Denied",
    "DisruptionTarget",
    "Error",
    "Exceeded",
    "Expired",
    "Failed",
    "Failing",
    "Failure",
    "Frequent",
    "Invalid",
    "Limited",
    "Lost",
    "Missing",
    "NonStructural",
    "OutOf",
    "Overlapping",
    "Pressure",
    "Problem",
    "Readonly",
    "Remaining",
    "Stalled",
    "Unavailable",
    "Unhealthy",
    "Unreachable",
    "Warning",
];

/// Types that end like this say what goes on, or what was chosen.
const NEITHER: [&str; 12] = [
    "ing",
    "ScalingUp",
    "ScalingDown",
    "RollingOut",
    "Pending",
    "InProgress",
    "Paused",
    "Suspended",
    "Complete",
    "Completed",
    "CriteriaMet",
    "DisruptionAllowed",
];

/// Reasons for which a status is meant to be as it is: a pod that has ended, what is scaled to nothing, and what runs with the fewest
/// replicas that it may have.
const MEANT: [&str; 4] = ["PodCompleted", "ScalingDisabled", "NoTraffic", "TooFewReplicas"];

/// Which of the conditions of one object are bad, in their order.
pub fn bad(conditions: &[Condition]) -> Vec<Fault> {
    let tells_degraded = conditions.iter().any(|condition| condition.r#type == "Degraded");
    conditions.iter().filter(|condition| condition.is_bad(tells_degraded)).take(FAULTS_MAX).map(Fault::of).collect()
}

impl Condition {
    fn is_bad(&self, tells_degraded: bool) -> bool {
        let kind = self.r#type.as_str();
        let is_trouble = TROUBLES.iter().any(|trouble| kind.contains(trouble));
        if kind.is_empty() || self.reason.as_deref().is_some_and(|reason| MEANT.contains(&reason)) {
            return false;
        }
        match (self.status.as_str(), kind) {
            ("True" | "", _) => is_trouble,
            ("False", "Progressing") => !tells_degraded,
            ("Unknown", "Succeeded") => false,
            ("False" | "Unknown", _) => !is_trouble && !NEITHER.iter().any(|end| kind.ends_with(end)),
            _ => false,
        }
    }
}

impl Fault {
    fn of(condition: &Condition) -> Self {
        let word = |word: &str| shortened(word.to_owned(), WORD_MAX);
        let mut said = word(&condition.r#type);
        if !condition.status.is_empty() {
            said.push('=');
            said.push_str(&condition.status);
        }
        Self {
            condition: said,
            reason: condition.reason.as_deref().filter(|reason| !reason.is_empty()).map(word),
            message: condition.message.clone().filter(|words| !words.is_empty()).map(|words| shortened(words, MESSAGE_MAX)),
            since: condition.last_transition_time.as_deref().and_then(Time::parse),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn conditions(json: Value) -> Vec<Condition> {
        let read: Conditions = serde_json::from_value(json!({ "conditions": json })).expect("nothing fails");
        read.conditions
    }

    /// Which conditions are bad of `Type=Status` or `Type=Status:Reason`.
    fn bad_of(said: &[&str]) -> Vec<String> {
        let entry = |said: &&str| {
            let (kind, rest) = said.split_once('=').expect("a condition");
            let (status, reason) = rest.split_once(':').unwrap_or((rest, ""));
            json!({ "type": kind, "status": status, "reason": reason })
        };
        bad(&conditions(said.iter().map(entry).collect())).into_iter().map(|fault| fault.condition).collect()
    }

    #[test]
    fn a_healthy_object_has_no_fault() {
        for healthy in [
            // A Node, a Deployment, a pod that runs and one that has ended, a Job, an autoscaler.
            &["MemoryPressure=False", "DiskPressure=False", "PIDPressure=False", "NetworkUnavailable=False", "Ready=True"][..],
            &["Available=True", "Progressing=True:NewReplicaSetAvailable"],
            &["PodScheduled=True", "Initialized=True", "ContainersReady=True", "Ready=True"],
            &["Initialized=True:PodCompleted", "Ready=False:PodCompleted", "ContainersReady=False:PodCompleted"],
            &["SuccessCriteriaMet=True", "Complete=True"],
            &["AbleToScale=True", "ScalingActive=True", "ScalingLimited=False"],
            // A CustomResourceDefinition, a namespace that is deleted, a claim that grows.
            &["NamesAccepted=True", "Established=True", "Terminating=False", "NonStructuralSchema=False"],
            &["NamespaceDeletionContentFailure=False", "NamespaceContentRemaining=False"],
            &["Resizing=True", "FileSystemResizePending=True"],
            // An operator's: Degraded says whether anything is wrong.
            &["Available=True", "Progressing=False", "Degraded=False"],
            &["Ready=True", "Reconciling=False", "Stalled=False", "Issuing=False", "Paused=False", "Suspended=True"],
            &["ScalingActive=False:ScalingDisabled", "Active=False:NoTraffic", "ScalingLimited=True:TooFewReplicas"],
            &["ScalingUp=False", "RollingOut=False", "FailoverReady=True", "Succeeded=Unknown"],
            &["Progressing=Unknown:DeploymentPaused"],
        ] {
            assert_eq!(bad_of(healthy), [""; 0], "{healthy:?}");
        }
    }

    #[test]
    fn what_is_bad_is_found_whatever_the_kind() {
        for one in [
            "Ready=False",
            "Ready=Unknown",
            "Available=False",
            "Progressing=False",
            "ReplicaFailure=True",
            "MemoryPressure=True",
            "NetworkUnavailable=True",
            "KernelDeadlock=True",
            "PodScheduled=False",
            "Failed=True",
            "ScalingLimited=True:TooManyReplicas",
            "Succeeded=False",
            "NamespaceFinalizersRemaining=True",
            "Degraded=True",
            "Stalled=True",
            "Programmed=False",
            "Healthy=False",
            "ComparisonError=",
        ] {
            let (condition, _) = one.split_once(':').unwrap_or((one, ""));
            assert_eq!(bad_of(&["Synced=True", one]), [condition.trim_end_matches('=')]);
        }
        assert_eq!(bad_of(&["Progressing=False", "Degraded=True"]), ["Degraded=True"]);
        let lost_node = ["MemoryPressure=Unknown", "DiskPressure=Unknown", "Ready=Unknown"];
        assert_eq!(bad_of(&lost_node), ["Ready=Unknown"], "it is said once");
    }

    #[test]
    fn a_fault_says_why_and_since_when_and_is_bounded() {
        let since = "2026-11-22T10:00:00Z";
        let faults = bad(&conditions(json!([
            { "type": "Ready", "status": "False", "reason": "Down", "message": "no route", "lastTransitionTime": since },
            { "type": "X".repeat(1_000), "status": "False", "reason": "y".repeat(1_000), "message": "ä".repeat(40_000), "lastTransitionTime": "once" },
        ])));
        let first = serde_json::to_value(&faults[0]).expect("JSON");
        assert_eq!(first, json!({ "condition": "Ready=False", "reason": "Down", "message": "no route", "since": since }));
        assert!(serde_json::to_string(&faults[1]).expect("JSON").len() < 1_500);
        assert_eq!(faults[1].since, None);
        let kept = serde_json::to_string(&conditions(json!([{ "type": "Ready", "message": "ä".repeat(40_000) }]))).expect("JSON");
        assert!(kept.len() < 33_000);
        let many = Value::Array(vec![json!({ "type": "Ready", "status": "False" }); 100]);
        assert_eq!(bad(&conditions(many)).len(), FAULTS_MAX);
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        assert_eq!(conditions(json!("none")), []);
        let odd = json!([7, null, {}, { "type": 7, "status": "False" }, { "type": "Ready", "status": false }, { "type": "Ready", "status": "False", "message": [] }]);
        let faults = bad(&conditions(odd));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((&*faults[0].condition, &faults[0].message), ("Ready=False", &None));
    }

    #[test]
    fn the_fields_of_a_condition_are_known() {
        let paths = crate::fields::of::<Conditions>().expect("paths");
        assert!(paths.contains(&"conditions.lastTransitionTime".to_owned()) && paths.len() == 7, "{paths:?}");
    }
}
