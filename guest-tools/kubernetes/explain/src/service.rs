//! A Service: the pods that its selector matches, its endpoints, and its ports. And an Ingress: the Services behind it.

use std::collections::BTreeSet;

use sandbar_tool::kubernetes::pods::{self, FIELDS};
use sandbar_tool::kubernetes::view::one_line;
use sandbar_tool::kubernetes::{View, selectors};
use sandbar_tool::near::are_alike;
use sandbar_tool::read::{get_many, list_many};
use sandbar_tool::{Code, Resource, Scope};
use serde_json::Value;

use crate::account::Account;
use crate::happened;
use crate::pod::{self, PODS};

const SLICES: Resource = Resource::new("discovery.k8s.io", "v1", "endpointslices");
const SERVICES: Resource = Resource::new("", "v1", "services");
const DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments");
const STATEFUL_SETS: Resource = Resource::new("apps", "v1", "statefulsets");
const CLASSES: Resource = Resource::new("networking.k8s.io", "v1", "ingressclasses");

/// Pods of a namespace that are looked at, workloads, and slices of a Service.
const PODS_MAX: u32 = 2_000;
const WORKLOADS_MAX: u32 = 500;
const SLICES_MAX: u32 = 100;

/// Services behind one Ingress that are looked at.
const BACKENDS_MAX: usize = 32;

/// Pairs of a selector that the labels of all pods are compared with for what is near.
const PAIRS_MAX: usize = 32;

/// Bytes of labels that are shown.
const LABELS_MAX: usize = 120;

/// Says why a Service is as it is.
pub(crate) fn explain(service: View<'_>, account: &mut Account) {
    let (namespace, name) = (service.namespace(), service.name());
    happened::add(account, &[("Service", namespace, name)]);
    if service.text("spec.type") == "ExternalName" {
        account.well = format!("it is another name for {}", one_line(service.text("spec.externalName"), LABELS_MAX));
        return;
    }
    let endpoints = endpoints(namespace, name, account);
    let selector = service.at("spec.selector");
    if selector.own_members().next().is_none() {
        match endpoints {
            Some((0, _)) => account.blame("NoEndpoints: it has no selector, and nobody has written endpoints for it"),
            _ => "it has no selector, and endpoints that somebody wrote".clone_into(&mut account.well),
        }
        return;
    }
    let wanted = one_line(&selectors::written(selector), LABELS_MAX);
    let fields: Vec<&str> = FIELDS.into_iter().chain(["spec.containers.ports"]).collect();
    let list = PODS.list::<Value>().within(namespace).fields(&fields).up_to(PODS_MAX);
    let Some(page) = account.took("pods", list) else { return };
    let pods: Vec<View<'_>> = page.items.iter().map(View::of).collect();
    let selected: Vec<View<'_>> =
        pods.iter().copied().filter(|pod| selectors::selects(selector, pod.at("metadata.labels"))).collect();
    if selected.is_empty() {
        let why = without_pods(selector, namespace, account).unwrap_or_else(|| nearest(selector, &pods));
        account.blame(format!("NoEndpoints: the selector {wanted} matches no pod of namespace {namespace}{why}"));
        return;
    }
    ports(service, &selected, account);
    let troubled: Vec<View<'_>> = selected.iter().copied().filter(|pod| pods::trouble(*pod).is_some()).collect();
    let ready = endpoints.map_or(selected.len() - troubled.len(), |(ready, _)| ready);
    account.well = format!("{} pods match {wanted}, and {ready} endpoints are ready", selected.len());
    if let (Some(worst), true) = (troubled.first(), ready == 0 || !troubled.is_empty()) {
        let before = account.cause.take();
        match PODS.get::<Value>(namespace, worst.name()).read() {
            Ok(whole) => pod::explain(View::of(&whole), account),
            Err(error) => account.fact(format!("not read: pod {}: {error}", worst.name())),
        }
        let cause = account.cause.take();
        account.cause = before
            .or(cause.map(|cause| format!("{} of {} pods behind it are not well: {cause}", troubled.len(), selected.len())));
        account.fact(format!("pods: {}; {ready} endpoints are ready", names(&selected)));
    } else if ready == 0 {
        account.blame("NoEndpoints: pods match its selector, and none of its endpoints is ready");
    }
}

/// How many endpoints are ready, and how many there are; none where that cannot be read.
fn endpoints(namespace: &str, name: &str, account: &mut Account) -> Option<(usize, usize)> {
    let list = SLICES.list::<Value>().within(namespace).with_label("kubernetes.io/service-name", name);
    let page = account.took("EndpointSlices", list.and_then(|list| list.up_to(SLICES_MAX)))?;
    let slices = page.items.iter().map(View::of);
    let endpoints: Vec<View<'_>> = slices.flat_map(|slice| slice.list("endpoints")).collect();
    let is_ready = |endpoint: &&View<'_>| !endpoint.has("conditions.ready") || endpoint.is("conditions.ready");
    Some((endpoints.iter().filter(is_ready).count(), endpoints.len()))
}

/// The workload whose pods a selector is about, where it has none.
fn without_pods(selector: View<'_>, namespace: &str, account: &mut Account) -> Option<String> {
    const FIELDS: [&str; 3] = ["metadata.name", "spec.replicas", "spec.template.metadata.labels"];
    let list = |of: &Resource| of.list::<Value>().within(namespace).fields(&FIELDS).limit(Some(WORKLOADS_MAX));
    let answers = account.took("workloads", list_many(vec![list(&DEPLOYMENTS), list(&STATEFUL_SETS)]))?;
    for (kind, answer) in ["Deployment", "StatefulSet"].into_iter().zip(answers) {
        let Some(page) = account.took(kind, answer) else { continue };
        let is_meant = |workload: &View<'_>| selectors::selects(selector, workload.at("spec.template.metadata.labels"));
        if let Some(workload) = page.items.iter().map(View::of).find(is_meant) {
            let is_off = workload.has("spec.replicas") && workload.number("spec.replicas") == 0;
            let why = if is_off { "is scaled to 0" } else { "has no pods; explain that" };
            return Some(format!(": {kind} {}, whose pods it would match, {why}", workload.name()));
        }
    }
    None
}

/// The pods whose labels have most in common with a selector that matches none, or nearly.
fn nearest(selector: View<'_>, pods: &[View<'_>]) -> String {
    // Labels of the same key and of a value that is nearly the same count, too.
    let score = |pod: &&View<'_>| {
        let wanted = selector.own_members().take(PAIRS_MAX).map(|(key, value)| (value.words(), labels(**pod).key(key).words()));
        wanted.map(|(value, there)| 2 * usize::from(value == there) + usize::from(are_alike(&value, &there))).sum::<usize>()
    };
    match pods.iter().max_by_key(score) {
        Some(pod) if score(&pod) > 0 => {
            let of = pod
                .controller()
                .map_or_else(|| format!("pod {}", pod.name()), |(kind, name)| format!("the pods of {kind} {name}"));
            // Only what the selector asks for.
            let there: Vec<String> =
                selector.own_members().map(|(key, _)| format!("{key}={}", labels(*pod).key(key).words())).collect();
            format!("; nearest are {of} with {}", one_line(&there.join(","), LABELS_MAX))
        }
        Some(pod) => format!("; other pods have labels such as {}", one_line(&selectors::written(labels(*pod)), LABELS_MAX)),
        None => ", which has no pods at all".to_owned(),
    }
}

fn labels(pod: View<'_>) -> View<'_> {
    pod.at("metadata.labels")
}

/// Target ports that no container has.
fn ports(service: View<'_>, selected: &[View<'_>], account: &mut Account) {
    let Some(pod) = selected.first() else { return };
    let declared = || pod.list("spec.containers").flat_map(|container| container.list("ports"));
    let mut told: Vec<String> = declared()
        .map(|port| {
            let name = port.text("name");
            if name.is_empty() {
                port.at("containerPort").words()
            } else {
                format!("{name}={}", port.at("containerPort").words())
            }
        })
        .collect();
    told.truncate(8);
    let names: BTreeSet<&str> = declared().map(|port| port.text("name")).collect();
    let numbers: BTreeSet<String> = declared().map(|port| port.at("containerPort").words()).collect();
    for port in service.list("spec.ports") {
        let target = if port.has("targetPort") { port.at("targetPort").words() } else { port.at("port").words() };
        let is_name = target.parse::<u16>().is_err();
        let is_there = names.contains(&*target) || numbers.contains(&target);
        let shown = one_line(&target, 64);
        let there = if told.is_empty() { "they declare none".to_owned() } else { format!("they declare {}", told.join(", ")) };
        if is_name && !is_there {
            account.blame(format!("WrongPort: no container of its pods has a port named {shown}; {there}"));
        } else if !is_there && !told.is_empty() {
            account.fact(format!("no container of its pods declares the target port {shown}; {there}, which binds nobody"));
        }
    }
}

fn names(pods: &[View<'_>]) -> String {
    let names: Vec<String> = pods.iter().map(|pod| pod.name().to_owned()).collect();
    sandbar_tool::tally::few(&names)
}

/// Says why an Ingress is as it is.
pub(crate) fn ingress(ingress: View<'_>, account: &mut Account) {
    let namespace = ingress.namespace();
    happened::add(account, &[("Ingress", namespace, ingress.name())]);
    class(ingress, account);
    let paths = ingress.list("spec.rules").flat_map(|rule| rule.list("http.paths")).map(|path| path.at("backend"));
    let backends = paths.chain([ingress.at("spec.defaultBackend")]).filter(|backend| backend.has("service.name"));
    let mut asked: Vec<(&str, String)> = Vec::new();
    for backend in backends {
        let port = backend.at("service.port").own_members().map(|(_, port)| port.words()).collect();
        let one = (backend.text("service.name"), port);
        if asked.len() < BACKENDS_MAX && !asked.contains(&one) {
            asked.push(one);
        }
    }
    let gets: Vec<_> = asked.iter().map(|(name, _)| SERVICES.get::<Value>(namespace, *name)).collect();
    let Some(answers) = account.took("Services", get_many(&gets)) else { return };
    for ((name, port), answer) in asked.iter().zip(answers) {
        match answer {
            Ok(service) => backend(View::of(&service), port, account),
            Err(error) if error.code() == Code::NotFound => {
                account.blame(format!("NoBackend: its Service {name} does not exist"))
            }
            Err(error) => account.fact(format!("not read: Service {name}: {error}")),
        }
    }
    let hosts: Vec<String> = ingress.list("spec.rules").map(|rule| rule.text("host").to_owned()).collect();
    let has_address = ingress.list("status.loadBalancer.ingress").next().is_some();
    if !has_address {
        account.fact("it has no address yet: its controller has not taken it");
    }
    account.well = format!("{} backends are there, for hosts {}", asked.len(), one_line(&hosts.join(", "), LABELS_MAX));
}

fn backend(service: View<'_>, port: &str, account: &mut Account) {
    let name = service.name();
    let has_port = |of: View<'_>| of.text("name") == port || of.at("port").words() == port;
    if !service.list("spec.ports").any(has_port) {
        let ports: Vec<String> = service.list("spec.ports").map(|of| of.at("port").words()).collect();
        account.blame(format!("WrongPort: its Service {name} has no port {}, but {}", one_line(port, 64), ports.join(", ")));
    }
    if let Some((0, _)) = endpoints(service.namespace(), name, account) {
        account.blame(format!("NoEndpoints: its Service {name} has no endpoint that is ready; explain that Service"));
    }
}

/// Which controller it is for.
fn class(ingress: View<'_>, account: &mut Account) {
    let by_annotation = ingress.at("metadata.annotations").key("kubernetes.io/ingress.class").words();
    let class = ingress.text("spec.ingressClassName");
    if !class.is_empty() {
        match CLASSES.get::<Value>(Scope::Cluster, class).read() {
            Ok(_) => {}
            Err(error) if error.code() == Code::NotFound => {
                account.blame(format!("NoClass: there is no IngressClass {}", one_line(class, LABELS_MAX)));
            }
            Err(error) => account.fact(format!("not read: IngressClass {}: {error}", one_line(class, LABELS_MAX))),
        }
    } else if by_annotation.is_empty() {
        let Some(page) = account.took("IngressClasses", CLASSES.list::<Value>().within(Scope::Cluster).page()) else { return };
        let is_default = |class: &Value| {
            View::of(class).at("metadata.annotations").key("ingressclass.kubernetes.io/is-default-class").words() == "true"
        };
        if !page.items.iter().any(is_default) {
            account.blame("NoClass: it names no IngressClass, and there is no default, so no controller takes it");
        }
    }
}
