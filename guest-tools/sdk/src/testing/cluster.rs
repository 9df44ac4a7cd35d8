//! A cluster from objects: a host that answers objects, lists, logs and what is served from what a test has put in.
//!
//! ```
//! use sandbar_tool::testing::Cluster;
//! use sandbar_tool::{Resource, read::Page};
//! use serde_json::{Value, json};
//!
//! let cluster = Cluster::new()
//!     .with(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web-0", "namespace": "team-a", "labels": { "app": "web" } } }))
//!     .log("team-a", "web-0", "app", "listening\n");
//! let pods = || Resource::new("", "v1", "pods").list::<Value>().within("team-a").with_labels("app=web").page();
//! assert_eq!(cluster.host().run(pods).unwrap().items.len(), 1);
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::{Host, ListRequest, ObjectRequest};
use crate::discovery::{Kind, Kinds};
use crate::logs::{Excerpt, Source};
use crate::{Code, Error, Page, Resource, Scope, Verb};

/// Group, version, kind, plural, short name and whether it is namespaced, of Kubernetes' own kinds.
const KINDS: [(&str, &str, &str, &str, &str, bool); 30] = [
    ("", "v1", "ConfigMap", "configmaps", "cm", true),
    ("", "v1", "Event", "events", "ev", true),
    ("", "v1", "LimitRange", "limitranges", "limits", true),
    ("", "v1", "Namespace", "namespaces", "ns", false),
    ("", "v1", "Node", "nodes", "no", false),
    ("", "v1", "PersistentVolume", "persistentvolumes", "pv", false),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", true),
    ("", "v1", "Pod", "pods", "po", true),
    ("", "v1", "ReplicationController", "replicationcontrollers", "rc", true),
    ("", "v1", "ResourceQuota", "resourcequotas", "quota", true),
    ("", "v1", "Secret", "secrets", "", true),
    ("", "v1", "Service", "services", "svc", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", "sa", true),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", false),
    ("apiregistration.k8s.io", "v1", "APIService", "apiservices", "", false),
    ("apps", "v1", "DaemonSet", "daemonsets", "ds", true),
    ("apps", "v1", "Deployment", "deployments", "deploy", true),
    ("apps", "v1", "ReplicaSet", "replicasets", "rs", true),
    ("apps", "v1", "StatefulSet", "statefulsets", "sts", true),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", true),
    ("batch", "v1", "CronJob", "cronjobs", "cj", true),
    ("batch", "v1", "Job", "jobs", "", true),
    ("coordination.k8s.io", "v1", "Lease", "leases", "", true),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "", true),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", "ing", true),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", "", false),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol", true),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", true),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", false),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", false),
];

/// When it is in this cluster: 2026-11-22T10:00:00Z.
const NOW: std::time::Duration = std::time::Duration::from_secs(1_795_341_600);

/// Objects on a page where nothing is asked for.
const PAGE: usize = 200;

/// Objects and logs. A kind that is not Kubernetes' own is served as its plural in lower case, `widgets` for `Widget`, once there is
/// an object of it.
#[derive(Clone, Default)]
#[must_use]
pub struct Cluster {
    /// By resource, as `deployments.apps`.
    objects: BTreeMap<String, Vec<Value>>,
    custom: Vec<Kind>,
    logs: BTreeMap<(String, String, String, bool), String>,
    denied: Vec<String>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Cluster {
    /// A cluster without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object, with its `apiVersion` and `kind`.
    pub fn with(mut self, object: Value) -> Self {
        let word = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        assert!(!kind.is_empty() && !api_version.is_empty(), "an object has apiVersion and kind: {object}");
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let built_in = KINDS.iter().find(|&&(of, _, name, ..)| of == group && name == kind);
        let custom = self.custom.iter().find(|custom| custom.name == kind && custom.resource.group() == group);
        let resource = match (built_in, custom) {
            (Some(&(group, version, _, plural, ..)), _) => Resource::new(group, version, plural),
            (None, Some(custom)) => custom.resource.clone(),
            (None, None) => {
                let resource = Resource::named(group, version, kind.to_lowercase() + "s");
                let namespaced = object["metadata"]["namespace"].is_string();
                self.custom.push(self::kind(resource.clone(), &kind, "", namespaced));
                resource
            }
        };
        self.objects.entry(resource.to_string()).or_default().push(object);
        self
    }

    /// Adds several objects.
    pub fn with_all(self, objects: impl IntoIterator<Item = Value>) -> Self {
        objects.into_iter().fold(self, Self::with)
    }

    /// Changes each object of a resource, as `nodes` or `deployments.apps`.
    pub fn changed(mut self, resource: &str, change: impl FnMut(&mut Value)) -> Self {
        self.objects.entry(resource.to_owned()).or_default().iter_mut().for_each(change);
        self
    }

    /// What a container has written.
    pub fn log(mut self, namespace: &str, pod: &str, container: &str, text: &str) -> Self {
        self.logs.insert((namespace.to_owned(), pod.to_owned(), container.to_owned(), false), text.to_owned());
        self
    }

    /// What a container had written before it was restarted.
    pub fn previous_log(mut self, namespace: &str, pod: &str, container: &str, text: &str) -> Self {
        self.logs.insert((namespace.to_owned(), pod.to_owned(), container.to_owned(), true), text.to_owned());
        self
    }

    /// Nothing of this resource, as `nodes` or `deployments.apps`, may be read.
    pub fn denied(mut self, resource: &str) -> Self {
        self.denied.push(resource.to_owned());
        self
    }

    /// What was read so far, a line for each object, list and log.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// A host in front of this cluster, at 10 o'clock on 2026-11-22.
    pub fn host(&self) -> Host {
        let [objects, lists, logs] = [self.clone(), self.clone(), self.clone()];
        Host::new()
            .at(NOW)
            .kinds(self.kinds())
            .objects(move |request| objects.object(request))
            .lists(move |request| lists.list(request))
            .logs(move |source| logs.tail(source))
    }

    fn kinds(&self) -> Kinds {
        let built_in = KINDS.iter().map(|&(group, version, name, plural, short, namespaced)| {
            kind(Resource::new(group, version, plural), name, short, namespaced)
        });
        let mut kinds: Vec<Kind> = built_in.chain(self.custom.iter().cloned()).collect();
        kinds.sort_by_key(|kind| (kind.resource.group().to_owned(), kind.resource.plural().to_owned()));
        Kinds { kinds, warnings: Vec::new() }
    }

    fn of(&self, resource: &str) -> Result<&[Value], Error> {
        if self.denied.iter().any(|denied| denied == resource) {
            return Err(Error::new(Code::Denied, format!("{resource} may not be read")));
        }
        if !self.kinds().kinds.iter().any(|kind| kind.resource.to_string() == resource) {
            return Err(Error::new(Code::NotServed, format!("the cluster serves no {resource}")));
        }
        Ok(self.objects.get(resource).map_or(&[], Vec::as_slice))
    }

    fn object(&self, request: &ObjectRequest) -> Result<Value, Error> {
        self.asked.borrow_mut().push(format!("get {} {}", request.resource, request.name));
        let mut objects = self.of(&request.resource)?.iter();
        let found = objects.find(|object| object["metadata"]["name"] == *request.name && is_within(object, &request.within));
        let missing = || Error::new(Code::NotFound, format!("{} \"{}\" not found", request.resource, request.name));
        found.cloned().ok_or_else(missing)
    }

    fn list(&self, request: &ListRequest) -> Result<Page<Value>, Error> {
        self.asked.borrow_mut().push(format!("list {}", request.resource));
        let is_everywhere = request.within == Scope::EveryNamespace;
        if is_everywhere && request.resource == "events" {
            return Err(Error::invalid("events have to be listed in one namespace"));
        }
        let matching = self.of(&request.resource)?.iter().filter(|object| {
            is_within(object, &request.within)
                && request.labels.as_deref().is_none_or(|labels| has_labels(object, labels))
                && request.selector.as_deref().is_none_or(|fields| has_fields(object, fields))
        });
        let from = request.after.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
        let limit = request.limit.filter(|&limit| limit > 0).map_or(PAGE, |limit| limit.min(1000) as usize);
        let mut rest = matching.skip(from);
        let page: Vec<Value> = rest.by_ref().take(limit).cloned().collect();
        let is_more = rest.next().is_some();
        Ok(Page { continue_: is_more.then(|| (from + limit).to_string()), ..super::page(page) })
    }

    fn tail(&self, source: &Source) -> Result<Excerpt, Error> {
        let container = source.container.clone().unwrap_or_default();
        let earlier = if source.previous { " before" } else { "" };
        self.asked.borrow_mut().push(format!("log{earlier} {}/{container}", source.pod));
        let key = (source.namespace.clone(), source.pod.clone(), container, source.previous);
        let text = self.logs.get(&key).ok_or_else(|| Error::new(Code::NotFound, "there is no such log"))?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let from = lines.len() - lines.len().min(source.tail_lines.unwrap_or(2000) as usize);
        Ok(Excerpt { text: lines[from..].concat(), older: Some(from > 0), ..Excerpt::default() })
    }
}

fn kind(resource: Resource, name: &str, short: &str, namespaced: bool) -> Kind {
    let short_names = Some(short).filter(|short| !short.is_empty()).map(str::to_owned).into_iter().collect();
    Kind { resource, name: name.to_owned(), short_names, namespaced, verbs: vec![Verb::Get, Verb::List] }
}

fn is_within(object: &Value, scope: &Scope) -> bool {
    match scope {
        Scope::Namespace(namespace) => object["metadata"]["namespace"] == **namespace,
        Scope::Cluster => object["metadata"]["namespace"].is_null(),
        Scope::EveryNamespace => true,
    }
}

/// `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)` and `a notin (b,c)`.
fn has_labels(object: &Value, selector: &str) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key.trim()].as_str();
    let mut depth = 0;
    let conditions = selector.split(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        character == ',' && depth == 0
    });
    let is_one_of = |set: &str, value: &str| set.trim_matches(['(', ')']).split(',').any(|one| one.trim() == value);
    conditions.map(str::trim).filter(|condition| !condition.is_empty()).all(|condition| {
        if let Some((key, set)) = condition.split_once(" notin ") {
            !label(key).is_some_and(|value| is_one_of(set, value))
        } else if let Some((key, set)) = condition.split_once(" in ") {
            label(key).is_some_and(|value| is_one_of(set, value))
        } else if let Some((key, value)) = condition.split_once("!=") {
            label(key) != Some(value.trim())
        } else if let Some((key, value)) = condition.split_once('=') {
            label(key) == Some(value.trim_start_matches('=').trim())
        } else if let Some(key) = condition.strip_prefix('!') {
            label(key).is_none()
        } else {
            label(condition).is_some()
        }
    })
}

/// `a.b=c` and `a.b!=c`; what is not there is "".
fn has_fields(object: &Value, selector: &str) -> bool {
    selector.split(',').all(|condition| {
        let (path, value) = condition.split_once('=').unwrap_or((condition, ""));
        let (path, equal) = path.strip_suffix('!').map_or((path, true), |path| (path, false));
        let there = path.split('.').fold(object, |object, key| &object[key]);
        (there.as_str().unwrap_or_default() == value) == equal
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, app: &str, node: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": { "nodeName": node },
            "metadata": { "name": name, "namespace": "team-a", "labels": { "app": app } },
        })
    }

    #[test]
    fn lists_go_by_namespaces_selectors_and_pages() {
        let cluster = Cluster::new().with_all([pod("a", "web", "n"), pod("b", "web", "m"), pod("c", "db", "n")]);
        let pods = Resource::new("", "v1", "pods");
        let names = |list: crate::read::List<Value>| {
            let page = cluster.host().run(|| list.page()).expect("a page");
            let names = page.items.iter().map(|pod| pod["metadata"]["name"].as_str().expect("a name").to_owned());
            (names.collect::<Vec<_>>().join(""), page.continue_)
        };
        let list = || pods.list::<Value>();
        for (labels, found) in [
            ("app=web", "ab"),
            ("app!=web", "c"),
            ("app in (web, db),app!=db", "ab"),
            ("app notin (web)", "c"),
            ("app", "abc"),
            ("!app", ""),
        ] {
            assert_eq!(names(list().with_labels(labels)), (found.to_owned(), None), "{labels}");
        }
        assert_eq!(names(list().with_field("spec.nodeName", "n")).0, "ac");
        assert_eq!(names(list().within("team-b")).0, "");
        assert_eq!(names(list().limit(Some(2))), ("ab".to_owned(), Some("2".to_owned())));
        assert_eq!(names(list().limit(Some(2)).after(Some("2".to_owned()))), ("c".to_owned(), None));
    }

    #[test]
    fn what_is_not_there_is_told_as_a_host_does() {
        let cluster = Cluster::new().with(pod("a", "web", "n")).denied("nodes").log("team-a", "a", "app", "1\n2\n3\n");
        let code = |resource: Resource| {
            let list = cluster.host().run(|| resource.list::<Value>().page());
            list.map_err(|error| error.code()).map(|page| page.items.len())
        };
        assert_eq!(code(Resource::new("", "v1", "pods")), Ok(1));
        assert_eq!(code(Resource::new("", "v1", "nodes")), Err(Code::Denied));
        assert_eq!(code(Resource::new("a", "v1", "widgets")), Err(Code::NotServed));
        let source = |container: &str| Source {
            namespace: "team-a".to_owned(),
            pod: "a".to_owned(),
            container: Some(container.to_owned()),
            tail_lines: Some(2),
            ..Source::default()
        };
        let host = cluster.host();
        assert_eq!(host.run(|| crate::logs::tail(source("app"))).expect("a log").text, "2\n3\n");
        assert_eq!(host.run(|| crate::logs::tail(source("other"))).map_err(|error| error.code()), Err(Code::NotFound));
        assert_eq!(cluster.asked().len(), 5);
    }
}
