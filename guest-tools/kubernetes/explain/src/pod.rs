//! One pod: its containers, its probes, its log, and why no node takes it.

use sandbar_tool::kubernetes::events::Event;
use sandbar_tool::kubernetes::pods::{container_named, exit_words, probe_words, statuses, trouble};
use sandbar_tool::kubernetes::scheduling::{self, Used};
use sandbar_tool::kubernetes::troubles::{self, Log};
use sandbar_tool::kubernetes::view::{one_line, quoted};
use sandbar_tool::kubernetes::{Trouble, View};
use sandbar_tool::logs::{Source, tail};
use sandbar_tool::read::get_many;
use sandbar_tool::{Resource, Scope};
use serde_json::Value;

use crate::account::{Account, Lines};
use crate::happened;

pub(crate) const PODS: Resource = Resource::new("", "v1", "pods");
const NODES: Resource = Resource::new("", "v1", "nodes");
const CLAIMS: Resource = Resource::new("", "v1", "persistentvolumeclaims");
const CLASSES: Resource = Resource::new("storage.k8s.io", "v1", "storageclasses");

/// Lines of a log.
const LINES: u32 = 5;

/// Words of lines that name a failure.
const FAILURES: [&str; 9] = ["error", "fatal", "panic", "fail", "exception", "denied", "refused", "no such", "cannot"];

/// Bytes of a log that are read for them.
const LOG_MAX: u32 = 8 * 1024;

/// Objects on a page.
const ON_PAGE: u32 = 500;

/// Bytes of what others wrote in a verdict.
const QUOTED: usize = 160;

/// Claims of one pod that are looked at.
const CLAIMS_MAX: usize = 16;

/// Says why a pod, read whole, is as it is.
pub(crate) fn explain(pod: View<'_>, account: &mut Account) {
    happened::add(account, &[("Pod", pod.namespace(), pod.name())]);
    let Some(trouble) = trouble(pod) else {
        let phase = pod.text("status.phase");
        account.well = format!("its phase is {phase}, on node {}", pod.text("spec.nodeName"));
        containers(pod, account, None);
        return;
    };
    let mut cause = trouble.to_string();
    match trouble.reason.as_str() {
        "Unschedulable" => cause = unschedulable(pod, trouble, account),
        _ => {
            if trouble.is_told_by_events
                && let Some(words) = told(&trouble, account)
            {
                cause.push_str(&words);
            }
            if let Some(log) = &trouble.log {
                add_log(pod, log, account);
                if let Some(line) = account.log.as_ref().and_then(|log| telling(&log.lines)) {
                    cause.push_str(&format!("; its log says {}", quoted(line, QUOTED)));
                }
            }
            containers(pod, account, Some(&trouble));
            node(pod, account);
        }
    }
    account.blame(cause);
}

/// The last line that names a failure, or else the last.
fn telling(lines: &[String]) -> Option<&String> {
    let names_failure = |line: &&String| {
        let line = line.to_ascii_lowercase();
        FAILURES.iter().any(|word| line.contains(word))
    };
    lines.iter().rev().find(names_failure).or(lines.last())
}

/// What the events add to a symptom.
fn told(trouble: &Trouble, account: &Account) -> Option<String> {
    let is_alive =
        |event: &&Event| event.message.starts_with("Liveness probe failed") || event.message.starts_with("Startup probe failed");
    let was_killed = trouble.log.as_ref().is_some_and(|log| log.previous);
    if was_killed {
        let event = account.events.iter().find(is_alive)?;
        return Some(format!("; the kubelet ends it, since a probe fails: {}", quoted(&event.message, QUOTED)));
    }
    account.warning().map(|event| format!(": {}", quoted(&event.message, QUOTED)))
}

/// The end of the log that tells, or of the other one where there is none.
fn add_log(pod: View<'_>, log: &Log, account: &mut Account) {
    let read = |previous: bool| {
        let source = Source {
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            container: Some(log.container.clone()),
            previous,
            tail_lines: Some(LINES),
            limit_bytes: Some(LOG_MAX),
            ..Source::default()
        };
        let excerpt = tail(source)?;
        Ok(excerpt.text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect::<Vec<String>>())
    };
    let mut previous = log.previous;
    let mut lines = read(previous);
    if previous && lines.is_err() {
        previous = false;
        lines = read(false);
    }
    let name = &log.container;
    let Some(lines) = account.took(&format!("the log of {name}"), lines) else { return };
    if lines.is_empty() {
        account.fact(format!("the container {name} wrote nothing to its log"));
        return;
    }
    let run = if previous { ", before it ended" } else { "" };
    account.log = Some(Lines { of: format!("{}/{name}{run}", pod.name()), lines });
}

/// The containers' states, as far as they say more than the cause, and their probes.
fn containers(pod: View<'_>, account: &mut Account, trouble: Option<&Trouble>) {
    // What is wrong with a pod of one container is wrong with that one.
    let is_one = trouble.is_some() && statuses(pod).count() == 1;
    let tells_last = trouble.and_then(|trouble| trouble.log.as_ref()).is_some_and(|log| log.previous);
    let failed = |of: &str| {
        let of_this = |event: &&Event| event.message.get(..of.len()).is_some_and(|word| word.eq_ignore_ascii_case(of));
        account.events.iter().find(of_this).map(|event| quoted(&event.message, QUOTED))
    };
    let probes = [("readiness", "readinessProbe"), ("liveness", "livenessProbe"), ("startup", "startupProbe")];
    let probes = probes.map(|(of, key)| (of, key, failed(of)));
    for status in statuses(pod) {
        let name = status.text("name");
        let restarts = status.number("restartCount");
        let is_said = is_one && (tells_last || restarts == 0);
        if !is_said && (!status.is("ready") || restarts > 0) {
            let last = status.at("lastState.terminated");
            let mut words = format!("container {name}: {}", state_words(status.at("state")));
            if restarts > 0 {
                words.push_str(&format!(", {restarts} restarts"));
            }
            if last.has_itself() {
                words.push_str(&format!(", last {}", ended_words(last)));
            }
            account.fact(words);
        }
        let Some(spec) = container_named(pod, name).filter(|_| trouble.is_some()) else { continue };
        for (of, key, said) in &probes {
            let words = probe_words(of, spec.at(key));
            let is_cause = trouble.is_some_and(|trouble| trouble.cause.contains(&words));
            if let (true, false, Some(said)) = (spec.has(key), is_cause, said) {
                account.fact(format!("{words}: {said}"));
            }
        }
    }
}

fn state_words(state: View<'_>) -> String {
    if state.has("waiting") {
        format!("waits ({})", one_line(state.text("waiting.reason"), 64))
    } else if state.has("terminated") {
        ended_words(state.at("terminated"))
    } else {
        "runs".to_owned()
    }
}

fn ended_words(terminated: View<'_>) -> String {
    let code = terminated.number("exitCode");
    let ago = terminated.time("finishedAt").map(|time| format!(", {} ago", time.age())).unwrap_or_default();
    let reason = terminated.text("reason");
    let reason = if reason.is_empty() { exit_words(code) } else { reason };
    format!("ended with exit code {code} ({}{ago})", one_line(reason, 64))
}

/// Whether the pod's node is the reason.
fn node(pod: View<'_>, account: &mut Account) {
    let name = pod.text("spec.nodeName");
    if name.is_empty() {
        return;
    }
    let read = NODES.get::<Value>(Scope::Cluster, name).fields(&["metadata.name", "status.conditions"]).read();
    let Some(node) = account.took(&format!("node {name}"), read) else { return };
    if let Some(trouble) = troubles::of("Node", View::of(&node)) {
        account.fact(format!("node {name}: {trouble}"));
    }
}

/// Why no node takes it, held against the nodes, the claims and the pods that there are.
fn unschedulable(pod: View<'_>, trouble: Trouble, account: &mut Account) -> String {
    let claims = claims(pod, account);
    let refusals = refusals(pod, account);
    let mut causes: Vec<String> = claims.into_iter().chain(refusals).collect();
    if causes.is_empty() {
        return trouble.to_string();
    }
    let first = causes.remove(0);
    causes.iter().for_each(|cause| account.fact(cause));
    if let Some((_, said)) = trouble.cause.split_once(": ") {
        account.fact(format!("the scheduler says {said}"));
    }
    format!("Unschedulable: no node takes the pod: {first}")
}

fn refusals(pod: View<'_>, account: &mut Account) -> Vec<String> {
    let mut nodes: Vec<Value> = Vec::new();
    for page in NODES.list::<Value>().within(Scope::Cluster).fields(&scheduling::NODE_FIELDS).limit(Some(ON_PAGE)).pages() {
        match account.took("nodes", page) {
            Some(page) => nodes.extend(page.items),
            None => return Vec::new(),
        }
    }
    let used = used(account);
    let nodes: Vec<View<'_>> = nodes.iter().map(View::of).collect();
    if nodes.is_empty() {
        return vec!["the cluster has no nodes".to_owned()];
    }
    scheduling::refusals(pod, &nodes, used.as_ref())
}

/// What the pods of all nodes request; none where not all could be read.
fn used(account: &mut Account) -> Option<Used> {
    let mut used = Used::default();
    for page in PODS.list::<Value>().fields(&scheduling::POD_FIELDS).limit(Some(ON_PAGE)).pages() {
        let page = account.took("what runs on the nodes", page)?;
        page.warnings.iter().for_each(|warning| account.fact(format!("not all that runs on the nodes is known: {warning}")));
        page.items.iter().for_each(|pod| used.add(View::of(pod)));
    }
    Some(used)
}

/// The claims that it waits for.
fn claims(pod: View<'_>, account: &mut Account) -> Vec<String> {
    let names =
        pod.list("spec.volumes").map(|volume| volume.text("persistentVolumeClaim.claimName")).filter(|name| !name.is_empty());
    let names: Vec<&str> = names.take(CLAIMS_MAX).collect();
    let gets: Vec<_> = names.iter().map(|name| CLAIMS.get::<Value>(pod.namespace(), *name)).collect();
    let Some(answers) = account.took("claims", get_many(&gets)) else { return Vec::new() };
    let mut causes = Vec::new();
    for (name, answer) in names.into_iter().zip(answers) {
        match answer {
            Err(error) if error.code() == sandbar_tool::Code::NotFound => {
                causes.push(format!("its PersistentVolumeClaim {name} does not exist"));
            }
            Err(error) => account.fact(format!("not read: PersistentVolumeClaim {name}: {error}")),
            Ok(claim) => {
                let claim = View::of(&claim);
                if let Some(why) = unbound(claim, account) {
                    causes.push(format!("its PersistentVolumeClaim {name} is not bound: {why}"));
                }
            }
        }
    }
    causes
}

/// Why a claim has no volume, if it has none and should.
pub(crate) fn unbound(claim: View<'_>, account: &mut Account) -> Option<String> {
    let trouble = troubles::of("PersistentVolumeClaim", claim)?;
    let class = claim.text("spec.storageClassName");
    if claim.text("status.phase") != "Pending" {
        return Some(trouble.cause);
    }
    if class.is_empty() {
        let what = if claim.has("spec.storageClassName") {
            "it wants none of a StorageClass"
        } else {
            "it names no StorageClass, and there was no default"
        };
        return Some(format!("{what}, and no volume fits"));
    }
    let class_words = one_line(class, QUOTED);
    match CLASSES.get::<Value>(Scope::Cluster, class).read() {
        Err(error) if error.code() == sandbar_tool::Code::NotFound => Some(format!("there is no StorageClass {class_words}")),
        Err(error) => {
            account.fact(format!("not read: StorageClass {class_words}: {error}"));
            Some(trouble.cause)
        }
        Ok(found) => {
            let found = View::of(&found);
            let mode = found.text("volumeBindingMode");
            account.fact(format!("StorageClass {class_words}: provisioner {}, {mode}", found.text("provisioner")));
            (mode != "WaitForFirstConsumer").then_some(trouble.cause)
        }
    }
}
