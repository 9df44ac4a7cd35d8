//! What has no pods: claims, nodes, namespaces, autoscalers, and any other kind by its conditions.

use sandbar_tool::kubernetes::conditions;
use sandbar_tool::kubernetes::scheduling::{POD_FIELDS, requests, taint_words};
use sandbar_tool::kubernetes::view::{one_line, quoted};
use sandbar_tool::kubernetes::{Quantity, View, troubles};
use sandbar_tool::{Code, Resource, Scope};
use serde_json::Value;

use crate::account::Account;
use crate::pod::{PODS, unbound};
use crate::{happened, service, workload};

const VOLUMES: Resource = Resource::new("", "v1", "persistentvolumes");
const SERVICES: Resource = Resource::new("", "v1", "services");
const API_SERVICES: Resource = Resource::new("apiregistration.k8s.io", "v1", "apiservices");

/// The API that metrics-server serves, as its APIService is called and as a message names it.
const METRICS: &str = "v1beta1.metrics.k8s.io";
const OF_METRICS: &str = "pods.metrics.k8s.io";

/// Pods of a node that are looked at: a kubelet runs 110 where nobody says otherwise.
const ON_NODE: u32 = 1_000;

/// Pods that are named for what they request.
const NAMED: usize = 3;

/// Bytes of what others wrote.
const QUOTED: usize = 200;

/// Says why an object of any kind is as it is.
pub(crate) fn explain(kind: &str, object: View<'_>, account: &mut Account) {
    happened::add(account, &[(kind, object.namespace(), object.name())]);
    let bad = conditions::bad(&object.conditions());
    if let Some(trouble) = troubles::of(kind, object).or_else(|| troubles::by_conditions(object)) {
        account.blame(trouble.to_string());
    }
    for fault in &bad {
        let age = fault.since.map(|since| format!(" for {}", since.age())).unwrap_or_default();
        let said = fault.message.as_deref().or(fault.reason.as_deref()).unwrap_or_default();
        account.fact(format!("{}{age}: {}", fault.condition, quoted(said, QUOTED)));
    }
    let phase = ["status.phase", "status.state", "status.health.status"]
        .into_iter()
        .map(|path| object.text(path))
        .find(|phase| !phase.is_empty());
    let said = phase.map_or("none of its conditions is bad".to_owned(), |phase| format!("its phase is {}", one_line(phase, 64)));
    // A condition of a custom resource may say nothing of a warning.
    if account.cause.is_none()
        && bad.is_empty()
        && let Some(event) = account.warning()
    {
        let words = format!("a warning of late, {}: {}", event.reason, quoted(&event.message, QUOTED));
        account.fact(words);
    }
    account.well = said;
}

/// A claim: its StorageClass, its volume.
pub(crate) fn claim(claim: View<'_>, account: &mut Account) {
    happened::add(account, &[("PersistentVolumeClaim", claim.namespace(), claim.name())]);
    let size = claim.at("spec.resources.requests.storage").words();
    account.well = format!("it is {}, {}", claim.text("status.phase"), claim.at("status.capacity.storage").words());
    if claim.has("metadata.deletionTimestamp") {
        account.cause = troubles::of("PersistentVolumeClaim", claim).map(|trouble| trouble.to_string());
        return;
    }
    match unbound(claim, account) {
        Some(why) => {
            let said = account.warning().map(|event| format!(": {}", quoted(&event.message, QUOTED))).unwrap_or_default();
            account.blame(format!("{}: {why}{said}", claim.text("status.phase")));
            account.fact(format!("it asks for {size}"));
        }
        None if claim.text("status.phase") == "Pending" => {
            let failed = account.warning().map(|event| format!("Pending: {}", quoted(&event.message, QUOTED)));
            account.cause = failed;
            "it waits for the first pod that uses it".clone_into(&mut account.well);
        }
        None => {}
    }
    let volume = claim.text("spec.volumeName");
    if claim.text("status.phase") == "Lost" && !volume.is_empty() {
        let read = VOLUMES.get::<Value>(Scope::Cluster, volume).read();
        let words = match read {
            Ok(volume) => format!("its PersistentVolume is {}", View::of(&volume).text("status.phase")),
            Err(error) => format!("its PersistentVolume: {error}"),
        };
        account.fact(words);
    }
}

/// A node: its conditions and taints, and what fills it.
pub(crate) fn node(node: View<'_>, account: &mut Account) {
    explain("Node", node, account);
    let taints: Vec<String> = node.list("spec.taints").map(taint_words).collect();
    if !taints.is_empty() {
        account.fact(format!("taints: {}", taints.join(", ")));
    }
    let list = PODS.list::<Value>().with_field("spec.nodeName", node.name()).fields(&POD_FIELDS).up_to(ON_NODE);
    let Some(page) = account.took("the pods on it", list) else { return };
    page.warnings.iter().for_each(|warning| account.fact(format!("not all pods on it are known: {warning}")));
    let alive = page.items.iter().map(View::of).filter(|pod| !matches!(pod.text("status.phase"), "Succeeded" | "Failed"));
    let pods: Vec<(View<'_>, _)> = alive.map(|pod| (pod, requests(pod))).collect();
    let of = |amounts: &sandbar_tool::kubernetes::scheduling::Amounts, resource: &str| {
        amounts.get(resource).copied().unwrap_or_default()
    };
    for resource in ["cpu", "memory"] {
        let sum: Quantity = pods.iter().map(|(_, amounts)| of(amounts, resource)).sum();
        let allocatable = node.at("status.allocatable").key(resource).quantity();
        let mut rest: Vec<(Quantity, &View<'_>)> = pods.iter().map(|(pod, amounts)| (of(amounts, resource), pod)).collect();
        rest.retain(|(amount, _)| *amount != Quantity::default());
        let mut named = Vec::new();
        while named.len() < NAMED
            && let Some(most) = rest.iter().map(|(amount, _)| *amount).max()
            && let Some(at) = rest.iter().position(|(amount, _)| *amount == most)
        {
            let (amount, pod) = rest.swap_remove(at);
            named.push(format!("{}/{} {amount}", pod.namespace(), pod.name()));
        }
        let named = if named.is_empty() { String::new() } else { format!("; most: {}", named.join(", ")) };
        account.fact(format!("{resource}: {sum} of {allocatable} are requested by {} pods{named}", pods.len()));
    }
    account.well = format!("it is ready and runs {} pods", pods.len());
}

/// A namespace: why it does not end, or what its quotas leave.
pub(crate) fn namespace(namespace: View<'_>, account: &mut Account) {
    explain("Namespace", namespace, account);
    if namespace.has("metadata.deletionTimestamp") {
        let finalizers: Vec<String> = namespace.list("spec.finalizers").map(View::words).collect();
        account.fact(format!("its finalizers: {}", finalizers.join(", ")));
        "it is being deleted".clone_into(&mut account.well);
    } else {
        workload::quotas(namespace.name(), account);
    }
}

/// An API that another server serves: the Service that it is behind.
pub(crate) fn api_service(api: View<'_>, account: &mut Account) {
    explain("APIService", api, account);
    let (namespace, name) = (api.text("spec.service.namespace"), api.text("spec.service.name"));
    if name.is_empty() || account.cause.is_none() {
        return;
    }
    match SERVICES.get::<Value>(namespace, name).read() {
        Ok(of) => {
            let before = account.cause.take().unwrap_or_default();
            service::explain(View::of(&of), account);
            let behind = account.cause.take().map(|cause| format!("; its Service {namespace}/{name}: {cause}"));
            account.blame(before + &behind.unwrap_or_default());
        }
        // The condition says so.
        Err(error) if error.code() == Code::NotFound => {}
        Err(error) => account.fact(format!("not read: Service {namespace}/{name}: {error}")),
    }
}

/// Why nobody answers for metrics, if that is so.
fn without_metrics(account: &mut Account) -> Option<String> {
    match API_SERVICES.get::<Value>(Scope::Cluster, METRICS).read() {
        Ok(api) => troubles::of("APIService", View::of(&api)).map(|trouble| format!("; APIService {METRICS}: {trouble}")),
        Err(error) if error.code() == Code::NotFound => Some(format!("; there is no APIService {METRICS}, so no metrics-server")),
        Err(error) => {
            account.fact(format!("not read: APIService {METRICS}: {error}"));
            None
        }
    }
}

/// An autoscaler: its conditions, its target, its metrics.
pub(crate) fn autoscaler(autoscaler: View<'_>, account: &mut Account) {
    explain("HorizontalPodAutoscaler", autoscaler, account);
    let of_metrics = |active: &View<'_>| active.text("status") != "True" && active.text("message").contains(OF_METRICS);
    if autoscaler.condition("ScalingActive").is_some_and(|active| of_metrics(&active))
        && let Some(why) = without_metrics(account)
        && let Some(cause) = &mut account.cause
    {
        cause.push_str(&why);
    }
    let target = autoscaler.at("spec.scaleTargetRef");
    let words = format!(
        "it scales {} {} between {} and {}: {} replicas, {} wanted",
        target.text("kind"),
        target.text("name"),
        if autoscaler.has("spec.minReplicas") { autoscaler.number("spec.minReplicas") } else { 1 },
        autoscaler.number("spec.maxReplicas"),
        autoscaler.number("status.currentReplicas"),
        autoscaler.number("status.desiredReplicas"),
    );
    account.well.clone_from(&words);
    account.fact(words);
}
