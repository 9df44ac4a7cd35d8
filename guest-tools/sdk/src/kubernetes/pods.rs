//! Why a pod is not well, as far as the pod itself tells.
//!
//! What is looked at first decides: an end that does not come, a pod that no node takes, and then the first container that does not
//! run, init containers before the others. What has only just begun is no trouble yet.

use super::troubles::Trouble;
use super::view::{View, one_line, quoted};
use super::{Time, age};

/// The paths that [`trouble`] reads.
pub const FIELDS: [&str; 40] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.ownerReferences.apiVersion",
    "metadata.ownerReferences.kind",
    "metadata.ownerReferences.name",
    "metadata.ownerReferences.controller",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.finalizers",
    "spec.nodeName",
    "spec.schedulerName",
    "spec.schedulingGates.name",
    "spec.readinessGates",
    "spec.initContainers.name",
    "spec.initContainers.image",
    "spec.initContainers.restartPolicy",
    "spec.initContainers.resources.limits.memory",
    "spec.containers.name",
    "spec.containers.image",
    "spec.containers.resources.limits.memory",
    "spec.containers.readinessProbe",
    "spec.containers.startupProbe",
    "status.phase",
    "status.reason",
    "status.message",
    "status.startTime",
    "status.conditions",
    "status.containerStatuses.name",
    "status.containerStatuses.ready",
    "status.containerStatuses.started",
    "status.containerStatuses.restartCount",
    "status.containerStatuses.state",
    "status.containerStatuses.lastState.terminated",
    "status.initContainerStatuses.name",
    "status.initContainerStatuses.ready",
    "status.initContainerStatuses.started",
    "status.initContainerStatuses.restartCount",
    "status.initContainerStatuses.state",
    "status.initContainerStatuses.lastState.terminated",
];

/// Seconds in which a container may become ready, a pod may find its node and its volumes, and an end may take beyond its time.
const READY_WITHIN: i64 = 30;
const CREATED_WITHIN: i64 = 60;
const ENDED_WITHIN: i64 = 60;

/// Seconds that an init container may take.
const INITIALIZED_WITHIN: i64 = 5 * 60;

/// Seconds for which a container that runs again is watched for having failed, and the same where it fails again and again.
const FAILED_OF_LATE: i64 = 10 * 60;
const FAILS_AGAIN: i64 = 60 * 60;

/// Containers of a pod, and readiness gates, that are looked at: each is looked for among the others, and no node runs so many in one pod.
const CONTAINERS_MAX: usize = 256;

/// Bytes of what others wrote in a cause.
const QUOTED: usize = 160;

/// What is wrong with a pod, if anything is.
pub fn trouble(pod: View<'_>) -> Option<Trouble> {
    let phase = pod.text("status.phase");
    if let Some(ends) = pod.time("metadata.deletionTimestamp") {
        return ending(pod, ends);
    }
    match phase {
        "Succeeded" => return None,
        "Failed" => return Some(failed(pod)),
        _ => {}
    }
    let scheduled = pod.condition("PodScheduled");
    if let Some(condition) = scheduled.filter(|condition| condition.text("status") == "False") {
        return Some(unscheduled(pod, condition));
    }
    let created = pod.time("metadata.creationTimestamp");
    if pod.text("spec.nodeName").is_empty() && phase != "Running" {
        let scheduler = pod.text("spec.schedulerName");
        let cause =
            format!("no scheduler has looked at the pod; it waits for {}", if scheduler.is_empty() { "one" } else { scheduler });
        return is_older(created, CREATED_WITHIN).then(|| Trouble::new("NotScheduled", cause, created));
    }
    let of = |path, is_init| statuses_at(pod, path).filter_map(move |status| container(pod, status, is_init));
    let [init, others] = [of("status.initContainerStatuses", true), of("status.containerStatuses", false)];
    init.chain(others).next().or_else(|| gated(pod)).or_else(|| {
        // What the kubelet does before it has any status to tell.
        let is_created = pod.list("status.containerStatuses").next().is_some() || phase == "Running";
        (!is_created && is_older(created, CREATED_WITHIN))
            .then(|| Trouble::new("ContainerCreating", "the node has not begun to run it".to_owned(), created).told_by_events())
    })
}

/// The word for a container's exit code, where it has one.
pub fn exit_words(code: i64) -> &'static str {
    match code {
        126 => "the command cannot be run",
        127 => "the command was not found",
        134 => "aborted",
        137 => "killed",
        139 => "segmentation fault",
        143 => "ended by SIGTERM",
        _ => "",
    }
}

/// A probe in words: `readiness probe GET :8080/healthz`.
pub fn probe_words(of: &str, probe: View<'_>) -> String {
    let does = if probe.has("httpGet") {
        format!("GET :{}{}", probe.at("httpGet.port").words(), probe.text("httpGet.path"))
    } else if probe.has("tcpSocket") {
        format!("TCP :{}", probe.at("tcpSocket.port").words())
    } else if probe.has("grpc") {
        format!("gRPC :{}", probe.at("grpc.port").words())
    } else {
        let command: Vec<String> = probe.list("exec.command").map(View::words).collect();
        format!("exec {}", command.join(" "))
    };
    format!("{of} probe {}", one_line(&does, 100))
}

/// The container of this name in the pod's spec.
pub fn container_named<'a>(pod: View<'a>, name: &str) -> Option<View<'a>> {
    let some = |path| pod.list(path).take(CONTAINERS_MAX);
    some("spec.containers").chain(some("spec.initContainers")).find(|container| container.text("name") == name)
}

/// The states of the pod's containers, of its init containers first, and of no more than it can have.
pub fn statuses<'a>(pod: View<'a>) -> impl Iterator<Item = View<'a>> + use<'a> {
    statuses_at(pod, "status.initContainerStatuses").chain(statuses_at(pod, "status.containerStatuses"))
}

fn statuses_at<'a>(pod: View<'a>, path: &str) -> impl Iterator<Item = View<'a>> + use<'a> {
    pod.list(path).take(CONTAINERS_MAX)
}

fn ending(pod: View<'_>, ends: Time) -> Option<Trouble> {
    if !is_older(Some(ends), ENDED_WITHIN) {
        return None;
    }
    let finalizers: Vec<String> = pod.list("metadata.finalizers").map(View::words).collect();
    let cause = if finalizers.is_empty() {
        format!("the pod should have ended, and node {} does not say that it has", pod.text("spec.nodeName"))
    } else {
        format!("the pod should have ended, and its finalizers hold it: {}", one_line(&finalizers.join(", "), QUOTED))
    };
    Some(Trouble::new("Terminating", cause, Some(ends)))
}

fn failed(pod: View<'_>) -> Trouble {
    let reason = pod.text("status.reason");
    if !reason.is_empty() {
        let cause = format!("the pod has failed: {}", quoted(pod.text("status.message"), QUOTED));
        return Trouble::new(reason, cause, pod.time("status.startTime"));
    }
    let of = statuses(pod).find(|status| status.has("state.terminated") && status.number("state.terminated.exitCode") != 0);
    let Some(status) = of else {
        return Trouble::new("Failed", "the pod has failed".to_owned(), pod.time("status.startTime"));
    };
    ended(pod, status, status.at("state.terminated"), false)
}

fn unscheduled(pod: View<'_>, condition: View<'_>) -> Trouble {
    let since = condition.time("lastTransitionTime").or(pod.time("metadata.creationTimestamp"));
    let gates: Vec<String> = pod.list("spec.schedulingGates").map(|gate| gate.text("name").to_owned()).collect();
    if gates.is_empty() {
        let message = condition.text("message");
        // That no other pod is in the way says nothing more.
        let message = message.split_once(" preemption: ").map_or(message, |(message, _)| message);
        Trouble::new("Unschedulable", format!("no node takes the pod: {}", quoted(message, 2 * QUOTED)), since)
    } else {
        Trouble::new(
            "SchedulingGated",
            format!("scheduling gates hold the pod back: {}", one_line(&gates.join(", "), QUOTED)),
            since,
        )
    }
}

/// What is wrong with one container.
fn container(pod: View<'_>, status: View<'_>, is_init: bool) -> Option<Trouble> {
    let name = status.text("name");
    let spec = container_named(pod, name);
    let last = status.at("lastState.terminated");
    let began = pod.time("metadata.creationTimestamp");
    if status.has("state.waiting") {
        let reason = status.text("state.waiting.reason");
        let message = status.text("state.waiting.message");
        return match reason {
            "CrashLoopBackOff" => Some(ended(pod, status, last, true)),
            "ContainerCreating" | "PodInitializing" | "" => {
                // An init container that has its turn says itself what is wrong.
                let waits_for_others = reason == "PodInitializing" && pod.list("status.initContainerStatuses").next().is_some();
                let cause = format!("the container {name} is not created yet");
                (!waits_for_others && is_older(began, CREATED_WITHIN))
                    .then(|| Trouble::new("ContainerCreating", cause, began).told_by_events())
            }
            "ImagePullBackOff"
            | "ErrImagePull"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable" => {
                let image = one_line(spec.map_or("", |spec| spec.text("image")), QUOTED);
                let cause = format!("the image {image} of the container {name} cannot be pulled");
                let message = pull_words(message);
                Some(if message.is_empty() {
                    Trouble::new("ImagePullBackOff", cause, began).told_by_events()
                } else {
                    Trouble::new("ImagePullBackOff", format!("{cause}: {}", quoted(message, QUOTED)), began)
                })
            }
            reason => {
                Some(Trouble::new(reason, format!("the container {name} cannot start: {}", quoted(message, QUOTED)), began))
            }
        };
    }
    if status.has("state.terminated") {
        let now = status.at("state.terminated");
        return (now.number("exitCode") != 0).then(|| ended(pod, status, now, false));
    }
    let restarts = status.number("restartCount");
    let finished = last.time("finishedAt");
    let has_failed = restarts > 0 && (last.number("exitCode") != 0 || last.text("reason") == "OOMKilled");
    let watched = if restarts > 2 { FAILS_AGAIN } else { FAILED_OF_LATE };
    if has_failed && finished.is_some_and(|finished| finished.seconds_to(Time::now()) < watched) {
        return Some(ended(pod, status, last, true));
    }
    let started = status.time("state.running.startedAt");
    let is_sidecar = spec.is_some_and(|spec| spec.text("restartPolicy") == "Always");
    if is_init && !is_sidecar && is_older(started, INITIALIZED_WITHIN) {
        let cause = format!("the pod waits for its init container {name}, which still runs");
        return Some(Trouble::new("Initializing", cause, started).with_log(name, false));
    }
    if status.is("ready") || (is_init && !is_sidecar) || !is_older(started, READY_WITHIN) {
        return None;
    }
    let not_started = status.has("started") && !status.is("started");
    let (of, probe) = match spec {
        Some(spec) if not_started && spec.has("startupProbe") => ("startup", spec.at("startupProbe")),
        Some(spec) if spec.has("readinessProbe") => ("readiness", spec.at("readinessProbe")),
        _ => return Some(not_ready(pod, format!("the container {name} runs and is not ready"), started, name)),
    };
    Some(not_ready(pod, format!("the container {name} runs and its {} fails", probe_words(of, probe)), started, name))
}

/// Why an image is not pulled: what stands behind its name, which runtimes repeat. That it is tried again is no cause.
fn pull_words(message: &str) -> &str {
    match message.rsplit_once("\": ") {
        Some((_, cause)) => cause,
        None if message.starts_with("Back-off") => "",
        None => message,
    }
}

fn not_ready(pod: View<'_>, cause: String, started: Option<Time>, container: &str) -> Trouble {
    // It may have been ready before.
    let not_ready = pod.condition("Ready").filter(|ready| ready.text("status") != "True");
    let since = not_ready.and_then(|ready| ready.time("lastTransitionTime")).max(started);
    Trouble::new("NotReady", cause, since).with_log(container, false).told_by_events()
}

/// Containers are all well, and the pod is not ready for a gate of somebody else.
fn gated(pod: View<'_>) -> Option<Trouble> {
    let holds = |gate: &str| pod.condition(gate).is_some_and(|condition| condition.text("status") == "True");
    let gates: Vec<&str> = pod
        .list("spec.readinessGates")
        .take(CONTAINERS_MAX)
        .map(|gate| gate.text("conditionType"))
        .filter(|gate| !holds(gate))
        .collect();
    let ready = pod.condition("Ready").filter(|ready| ready.text("status") != "True")?;
    let since = ready.time("lastTransitionTime");
    if !gates.is_empty() {
        let cause = format!("all containers are ready, and readiness gates are not: {}", one_line(&gates.join(", "), QUOTED));
        return Some(Trouble::new("NotReady", cause, since));
    }
    // Only the node knows how the pod is: it may have gone silent.
    let is_silent =
        ready.text("reason") == "NodeLost" || pod.text("status.reason") == "NodeLost" || ready.text("status") == "Unknown";
    let all_ready = pod.list("status.containerStatuses").all(|status| status.is("ready"));
    let is_lost = pod.text("status.phase") == "Running" && all_ready && is_older(since, READY_WITHIN);
    (is_silent || is_lost).then(|| {
        let node = pod.text("spec.nodeName");
        Trouble::new(
            "NotReady",
            format!("the containers were ready when node {node} last told, and the pod is held not to be"),
            since,
        )
    })
}

/// The words for a container that has ended.
fn ended(pod: View<'_>, status: View<'_>, terminated: View<'_>, is_earlier: bool) -> Trouble {
    let name = status.text("name");
    let (reason, code) = (terminated.text("reason"), terminated.number("exitCode"));
    let finished = terminated.time("finishedAt");
    let restarts = status.number("restartCount");
    let mut when = String::new();
    if restarts > 0 {
        when.push_str(&format!(", {restarts} {}", if restarts == 1 { "restart" } else { "restarts" }));
    }
    if let Some(finished) = finished {
        when.push_str(&format!(", last {} ago", age::words(finished.seconds_to(Time::now()))));
    }
    let mut cause = if reason == "OOMKilled" {
        let limit = container_named(pod, name).map(|spec| spec.at("resources.limits.memory").words()).unwrap_or_default();
        if limit.is_empty() {
            format!("the container {name} has no memory limit, and its node or pod ran out of memory{when}")
        } else {
            format!("the container {name} used more than its memory limit of {limit}{when}")
        }
    } else if code == 0 && is_earlier {
        format!("the container {name} ends with exit code 0 and is started again{when}")
    } else {
        let words = Some(exit_words(code)).filter(|words| !words.is_empty()).unwrap_or(reason);
        format!("the container {name} exits with code {code} ({words}){when}")
    };
    let message = terminated.text("message").trim();
    if !message.is_empty() {
        cause.push_str(&format!("; it says {}", quoted(message, QUOTED)));
    }
    let word = match reason {
        "OOMKilled" => reason,
        _ if status.text("state.waiting.reason") == "CrashLoopBackOff" => "CrashLoopBackOff",
        "" => "Error",
        "Completed" if is_earlier => "Restarting",
        reason => reason,
    };
    // Not ready for longer than since the last end: it has not got well in between.
    let not_ready = pod.condition("Ready").filter(|ready| ready.text("status") != "True");
    let since = not_ready.and_then(|ready| ready.time("lastTransitionTime")).filter(|since| Some(*since) < finished).or(finished);
    let trouble = Trouble::new(word, cause, since).with_log(name, is_earlier);
    // A liveness probe that fails looks like any other end.
    if matches!(code, 137 | 143) && reason != "OOMKilled" { trouble.told_by_events() } else { trouble }
}

/// Whether it is longer ago than so many seconds; what has no time is.
fn is_older(time: Option<Time>, seconds: i64) -> bool {
    time.is_none_or(|time| time.seconds_to(Time::now()) > seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Host;

    fn said(status: Value) -> Option<String> {
        let pod = json!({
            "metadata": { "creationTimestamp": "2026-11-22T09:00:00Z" },
            "spec": { "nodeName": "n1", "containers": [{
                "name": "app", "image": "example.com/app:1", "resources": { "limits": { "memory": "128Mi" } },
                "readinessProbe": { "httpGet": { "port": "http", "path": "/ready" } },
            }] },
            "status": status,
        });
        let host = Host::new().at(std::time::Duration::from_secs(1_795_341_600));
        host.run(|| trouble(View::of(&pod)).map(|trouble| trouble.to_string()))
    }

    fn with_container(container: Value) -> Option<String> {
        said(json!({ "phase": "Running", "containerStatuses": [container] }))
    }

    #[test]
    fn a_container_says_why_it_does_not_run() {
        let ended = json!({ "terminated": { "reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-22T09:57:00Z" } });
        let waits = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        assert_eq!(
            with_container(json!({ "name": "app", "restartCount": 4, "state": waits, "lastState": ended })).as_deref(),
            Some("OOMKilled: the container app used more than its memory limit of 128Mi, 4 restarts, last 3m ago")
        );
        let ended = json!({ "terminated": { "reason": "Error", "exitCode": 127, "finishedAt": "2026-11-22T09:59:30Z", "message": "no\nsuch" } });
        assert_eq!(
            with_container(json!({ "name": "app", "restartCount": 1, "state": waits, "lastState": ended })).as_deref(),
            Some(
                "CrashLoopBackOff: the container app exits with code 127 (the command was not found), 1 restart, last 30s ago; it says \"no such\""
            )
        );
        let waits = json!({ "waiting": { "reason": "ErrImagePull", "message": "not found" } });
        assert_eq!(
            with_container(json!({ "name": "app", "state": waits })).as_deref(),
            Some("ImagePullBackOff: the image example.com/app:1 of the container app cannot be pulled: \"not found\"")
        );
        for (message, said) in [
            ("Back-off pulling image \"a\": ErrImagePull: no such tag", ": \"ErrImagePull: no such tag\""),
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image \"a:1\": failed to resolve reference \"a:1\": a:1: not found",
                ": \"a:1: not found\"",
            ),
            ("Back-off pulling image \"a\"", ""),
        ] {
            let waits = json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } });
            let begin = "ImagePullBackOff: the image example.com/app:1 of the container app cannot be pulled";
            assert_eq!(with_container(json!({ "name": "app", "state": waits })), Some(format!("{begin}{said}")));
        }
        let runs = |since: &str| json!({ "name": "app", "ready": false, "state": { "running": { "startedAt": since } } });
        assert_eq!(
            with_container(runs("2026-11-22T09:50:00Z")).as_deref(),
            Some("NotReady: the container app runs and its readiness probe GET :http/ready fails")
        );
        assert_eq!(with_container(runs("2026-11-22T09:59:50Z")), None);
    }

    #[test]
    fn an_init_container_that_does_not_end_holds_the_pod() {
        let with_init = |since: &str| {
            said(json!({
                "phase": "Pending",
                "initContainerStatuses": [{ "name": "wait", "state": { "running": { "startedAt": since } } }],
                "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "PodInitializing" } } }],
            }))
        };
        let held = "Initializing: the pod waits for its init container wait, which still runs";
        assert_eq!(with_init("2026-11-22T09:30:00Z").as_deref(), Some(held));
        assert_eq!(with_init("2026-11-22T09:58:00Z"), None);
    }

    #[test]
    fn a_container_that_failed_long_ago_is_well() {
        let container = |finished: &str, restarts: i64| {
            with_container(json!({
                "name": "app", "ready": true, "restartCount": restarts, "state": { "running": { "startedAt": finished } },
                "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": finished } },
            }))
        };
        assert!(
            container("2026-11-22T09:55:00Z", 1)
                .is_some_and(|said| said.starts_with("Error: the container app exits with code 1"))
        );
        assert_eq!(container("2026-11-22T09:40:00Z", 1), None);
        assert!(container("2026-11-22T09:40:00Z", 3).is_some());
        assert_eq!(container("2026-11-22T08:40:00Z", 3), None);
    }

    #[test]
    fn a_pod_that_no_node_takes_has_the_schedulers_words() {
        let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes preemption: 0/3" });
        assert_eq!(
            said(json!({ "phase": "Pending", "conditions": [condition] })).as_deref(),
            Some("Unschedulable: no node takes the pod: \"0/3 nodes\"")
        );
    }

    #[test]
    fn what_is_no_pod_is_no_trouble_that_fails() {
        for json in
            [json!({}), json!(7), json!({ "metadata": { "deletionTimestamp": 7 }, "status": { "containerStatuses": [7, {}] } })]
        {
            Host::new().run(|| drop(trouble(View::of(&json))));
        }
    }
}
