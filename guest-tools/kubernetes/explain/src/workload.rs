//! What has pods: their trouble is its own. And a CronJob, which has Jobs.

use sandbar_tool::kubernetes::pods::FIELDS;
use sandbar_tool::kubernetes::{Trouble, View, pods, selectors, troubles};
use sandbar_tool::{Code, Resource};
use serde_json::Value;

use crate::account::Account;
use crate::happened;
use crate::pod::{self, PODS};

const REPLICA_SETS: Resource = Resource::new("apps", "v1", "replicasets");
const JOBS: Resource = Resource::new("batch", "v1", "jobs");
const QUOTAS: Resource = Resource::new("", "v1", "resourcequotas");

/// Pods of one workload, and Jobs of one namespace, that are looked at.
const LOOKED_AT: u32 = 500;

/// Names that are told.
const NAMED: usize = 5;

/// Says why a workload is as it is.
pub(crate) fn explain(kind: &str, workload: View<'_>, account: &mut Account) {
    let (namespace, name) = (workload.namespace(), workload.name());
    happened::add(account, &[(kind, namespace, name)]);
    let own = troubles::of(kind, workload);
    let wanted = sizes(kind, workload);
    let Some(labels) = selectors::label_selector(workload.at("spec.selector")) else {
        return finish(own, wanted, account);
    };
    if kind == "Deployment" {
        let sets = newest_set(namespace, name, &labels, account);
        if let Some(set) = sets {
            happened::add(account, &[("ReplicaSet", namespace, &set)]);
        }
    }
    let list = PODS.list::<Value>().within(namespace).with_labels(labels).fields(&FIELDS).up_to(LOOKED_AT);
    let found = account.took("pods", list).map(|page| page.items).unwrap_or_default();
    let views: Vec<View<'_>> = found.iter().map(View::of).collect();
    let mut groups = troubled(&views);
    let Some((alike, trouble, worst)) = take_most(&mut groups) else {
        list_pods(&views, account);
        return finish(own, wanted, account);
    };
    // A Job that has come to its end has done so in spite of them.
    if kind == "Job" && own.is_none() && workload.has("status.completionTime") {
        return finish(own, wanted, account);
    }
    match PODS.get::<Value>(namespace, worst).read() {
        Ok(whole) => pod::explain(View::of(&whole), account),
        Err(error) if error.code() == Code::NotFound => account.fact(format!("pod {worst} is gone meanwhile")),
        Err(error) => account.fact(format!("not read: pod {worst}: {error}")),
    }
    let cause = account.cause.take().unwrap_or_else(|| trouble.to_string());
    let prefix = match &own {
        Some(own) if own.reason != "ReplicasMissing" => {
            account.first(own.to_string());
            format!("{}, ", own.reason)
        }
        _ => String::new(),
    };
    account.blame(format!("{prefix}{alike} of {} pods: {cause}", views.len()));
    if let Some((alike, trouble, other)) = take_most(&mut groups) {
        account.first(format!("{alike} of {} pods, {other} for one: {trouble}", views.len()));
    }
    list_pods(&views, account);
    account.fact(wanted);
}

/// What is said where the pods tell nothing.
fn finish(own: Option<Trouble>, wanted: String, account: &mut Account) {
    let Some(own) = own else {
        account.well = wanted;
        return;
    };
    let refused = account.events.iter().find(|event| event.reason == "FailedCreate");
    let cause = match refused {
        Some(event) if own.is_told_by_events => {
            let refused = troubles::refused(&event.message, event.last);
            account.fact(own.to_string());
            refused.to_string()
        }
        _ => match account.warning() {
            Some(event) if own.is_told_by_events => {
                format!("{own}: {}", sandbar_tool::kubernetes::view::quoted(&event.message, 200))
            }
            _ => own.to_string(),
        },
    };
    account.blame(cause);
    account.fact(wanted);
}

/// What of a namespace's quotas is nearly used up.
pub(crate) fn quotas(namespace: &str, account: &mut Account) {
    let page = QUOTAS.list::<Value>().within(namespace).limit(Some(LOOKED_AT)).page();
    let Some(page) = account.took("quotas", page) else { return };
    for quota in &page.items {
        let quota = View::of(quota);
        for (resource, hard) in quota.members("status.hard") {
            let used = quota.at("status.used").key(resource).quantity();
            account.fact(format!("ResourceQuota {}: {resource} {used} of {} used", quota.name(), hard.quantity()));
        }
    }
}

/// How many it should have and has.
fn sizes(kind: &str, workload: View<'_>) -> String {
    let number = |path: &str| workload.number(path);
    match kind {
        "DaemonSet" => format!("{} of {} pods are ready", number("status.numberReady"), number("status.desiredNumberScheduled")),
        "Job" => {
            let suspended = if workload.is("spec.suspend") { ", suspended" } else { "" };
            format!(
                "{} pods run, {} succeeded, {} failed; backoffLimit {}{suspended}",
                number("status.active"),
                number("status.succeeded"),
                number("status.failed"),
                if workload.has("spec.backoffLimit") { number("spec.backoffLimit") } else { 6 },
            )
        }
        _ => {
            let wanted = if workload.has("spec.replicas") { number("spec.replicas") } else { 1 };
            let paused = if workload.is("spec.paused") { ", paused" } else { "" };
            let scaled = if wanted == 0 { ": it is scaled to 0" } else { "" };
            format!("{} of {wanted} replicas are ready{paused}{scaled}", number("status.readyReplicas"))
        }
    }
}

/// The ReplicaSet of a Deployment's newest revision.
fn newest_set(namespace: &str, deployment: &str, labels: &str, account: &mut Account) -> Option<String> {
    let fields = ["metadata.name", "metadata.annotations", "metadata.ownerReferences"];
    let list = REPLICA_SETS.list::<Value>().within(namespace).with_labels(labels).fields(&fields).limit(Some(LOOKED_AT)).page();
    let page = account.took("ReplicaSets", list)?;
    let sets = page.items.iter().map(View::of).filter(|set| set.controller() == Some(("Deployment".to_owned(), deployment)));
    let revision = |set: &View<'_>| {
        let revision = set.at("metadata.annotations").key("deployment.kubernetes.io/revision").words();
        revision.parse::<u64>().unwrap_or_default()
    };
    let newest = sets.max_by_key(revision)?;
    Some(newest.name().to_owned())
}

/// How many pods have the same trouble, and the name of one of them.
type Group<'a> = (usize, Trouble, &'a str);

fn troubled<'a>(all: &[View<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for pod in all {
        let Some(trouble) = pods::trouble(*pod) else { continue };
        match groups.iter().position(|(_, other, _)| other.reason == trouble.reason) {
            Some(at) => groups[at].0 += 1,
            None => groups.push((1, trouble, pod.name())),
        }
    }
    groups
}

/// The trouble that most pods have.
fn take_most<'a>(groups: &mut Vec<Group<'a>>) -> Option<Group<'a>> {
    let most = groups.iter().map(|(count, ..)| *count).max()?;
    let at = groups.iter().position(|(count, ..)| *count == most)?;
    Some(groups.remove(at))
}

fn list_pods(pods: &[View<'_>], account: &mut Account) {
    if pods.is_empty() {
        account.fact("it has no pods");
        return;
    }
    let words = |pod: &View<'_>| {
        let state = pods::trouble(*pod).map_or_else(|| pod.text("status.phase").to_owned(), |trouble| trouble.reason);
        format!("{} ({state})", pod.name())
    };
    // Those that are not well come first.
    let (well, not_well): (Vec<&View<'_>>, Vec<&View<'_>>) = pods.iter().partition(|pod| pods::trouble(**pod).is_none());
    let mut words: Vec<String> = not_well.into_iter().chain(well).take(NAMED).map(words).collect();
    if pods.len() > NAMED {
        words.push(format!("{} more", pods.len() - NAMED));
    }
    account.fact(format!("pods: {}", words.join(", ")));
}

/// A CronJob is as its last Job is.
pub(crate) fn cron_job(cron_job: View<'_>, account: &mut Account) {
    let (namespace, name) = (cron_job.namespace(), cron_job.name());
    happened::add(account, &[("CronJob", namespace, name)]);
    let last = |path: &str| cron_job.time(path).map_or("never".to_owned(), |time| format!("{} ago", time.age()));
    let schedule = format!(
        "schedule {}, last started {}, last succeeded {}",
        sandbar_tool::kubernetes::view::quoted(cron_job.text("spec.schedule"), 60),
        last("status.lastScheduleTime"),
        last("status.lastSuccessfulTime"),
    );
    if cron_job.is("spec.suspend") {
        account.blame("Suspended: the CronJob is suspended and starts no Jobs");
    }
    let page = JOBS.list::<Value>().within(namespace).up_to(LOOKED_AT);
    let jobs = account.took("Jobs", page).map(|page| page.items).unwrap_or_default();
    let of_this = jobs.iter().map(View::of).filter(|job| job.controller() == Some(("CronJob".to_owned(), name)));
    if let Some(job) = of_this.max_by_key(|job| job.time("metadata.creationTimestamp").max(job.time("status.startTime"))) {
        let before = account.cause.take();
        explain("Job", job, account);
        let of_job = account.cause.take();
        account.fact(format!("its last Job is {}", job.name()));
        account.cause = before.or(of_job.map(|cause| format!("its last Job {}: {cause}", job.name())));
    } else if let Some(event) = account.warning() {
        let cause = format!("{}: {}", event.reason, sandbar_tool::kubernetes::view::quoted(&event.message, 200));
        account.blame(cause);
    }
    account.well.clone_from(&schedule);
    account.fact(schedule);
}
