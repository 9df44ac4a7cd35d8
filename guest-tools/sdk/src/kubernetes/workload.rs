//! Which pods a workload has, by the selector in its spec.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::owners::Owner;
use super::selectors::label_selector;
use super::{View, lenient};
use crate::read::List;
use crate::{Code, Error, Resource};

const PODS: Resource = Resource::new("", "v1", "pods");

/// The label of a Job's pods.
const JOB_NAME: &str = "job-name";

/// Jobs of a CronJob whose pods are looked for. It keeps four by default.
const JOBS_MAX: usize = 50;

/// Jobs of a namespace that are looked at for them.
const JOBS_READ: u32 = 5_000;

/// What runs pods, and a pod itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// `deployments.apps`.
    Deployment,
    /// `statefulsets.apps`.
    StatefulSet,
    /// `daemonsets.apps`.
    DaemonSet,
    /// `replicasets.apps`.
    ReplicaSet,
    /// `jobs.batch`.
    Job,
    /// `cronjobs.batch`, whose pods are found by its Jobs.
    CronJob,
    /// `pods`.
    Pod,
}

/// Kind, group, plural and short name of each.
const WORKLOADS: [(Workload, &str, &str, &str, &str); 7] = [
    (Workload::Deployment, "Deployment", "apps", "deployments", "deploy"),
    (Workload::StatefulSet, "StatefulSet", "apps", "statefulsets", "sts"),
    (Workload::DaemonSet, "DaemonSet", "apps", "daemonsets", "ds"),
    (Workload::ReplicaSet, "ReplicaSet", "apps", "replicasets", "rs"),
    (Workload::Job, "Job", "batch", "jobs", "job"),
    (Workload::CronJob, "CronJob", "batch", "cronjobs", "cj"),
    (Workload::Pod, "Pod", "", "pods", "po"),
];

/// How to list the pods that were meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// The one of this name.
    Named(String),
    /// Those that this label selector fits.
    Labelled(String),
}

impl Workload {
    /// The one that is called so: by its kind, its plural or its short name in any case, with or without the group.
    pub fn called(word: &str) -> Result<Self, Error> {
        let word = word.trim();
        let (name, group) = word.split_once('.').map_or((word, None), |(name, group)| (name, Some(group)));
        let is_called = |&&(_, kind, of, plural, short): &&(Self, &str, &str, &str, &str)| {
            group.is_none_or(|group| group == of) && [kind, plural, short].iter().any(|called| called.eq_ignore_ascii_case(name))
        };
        WORKLOADS.iter().find(is_called).map(|workload| workload.0).ok_or_else(|| {
            let word: String = word.chars().take(63).collect();
            let kinds = WORKLOADS.map(|(_, kind, ..)| kind).join(", ");
            Error::invalid(format!("kind is `{word}`: it has to be one of {kinds}"))
        })
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        let found = WORKLOADS.iter().find(|workload| workload.0 == self);
        found.map_or(("", "", ""), |&(_, kind, group, plural, _)| (kind, group, plural))
    }

    /// Its kind: `Deployment`.
    pub fn kind(self) -> &'static str {
        self.words().0
    }

    /// How to list the pods of the workload of this name. The component needs [`Verb::Get`](crate::Verb::Get) for the kind, and
    /// [`Verb::List`](crate::Verb::List) to say what is near one that is not there; for a CronJob both, and that for Jobs, too.
    pub fn pods(self, namespace: &str, name: &str) -> Result<Pods, Error> {
        // Of a pod and of a CronJob it is only whether there is one.
        #[derive(Deserialize)]
        struct Selecting {
            spec: Option<Spec>,
        }
        #[derive(Deserialize)]
        struct Spec {
            selector: Option<Value>,
        }
        let (kind, group, plural) = self.words();
        let resource = Resource::new(group, "", plural);
        let plural = format!("{kind}s");
        let read: Selecting = resource.get(namespace, name).read_or_near(plural)?;
        match self {
            Self::Pod => Ok(Pods::Named(name.to_owned())),
            Self::CronJob => jobs_of(namespace, name),
            _ => {
                let selector = read.spec.and_then(|spec| spec.selector);
                let selector = selector.and_then(|selector| label_selector(View::of(&selector)));
                selector.map(Pods::Labelled).ok_or_else(|| {
                    Error::new(Code::Other, format!("{kind} {namespace}/{name} has no selector that pods can be found by"))
                })
            }
        }
    }
}

fn jobs_of(namespace: &str, name: &str) -> Result<Pods, Error> {
    #[derive(Deserialize)]
    struct Job {
        metadata: OfJob,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct OfJob {
        name: String,
        #[serde(default, deserialize_with = "lenient::each")]
        owner_references: Vec<Owner>,
    }
    let jobs = Resource::new("batch", "", "jobs").list::<Job>().within(namespace).up_to(JOBS_READ)?.items;
    let is_owner = |owner: &Owner| owner.group() == "batch" && owner.kind == "CronJob" && owner.name == name;
    let owned = jobs.into_iter().filter(|job| job.metadata.owner_references.iter().any(is_owner));
    let names: Vec<String> = owned.map(|job| job.metadata.name).collect();
    // Their names end in their time: the last are the newest.
    let newest = &names[names.len().saturating_sub(JOBS_MAX)..];
    if newest.is_empty() {
        return Err(Error::new(Code::NotFound, format!("CronJob {namespace}/{name} has no Jobs now, so it has no pods")));
    }
    Ok(Pods::Labelled(format!("{JOB_NAME} in ({})", newest.join(","))))
}

impl Pods {
    /// The list of them.
    pub fn list<T: DeserializeOwned>(&self, namespace: &str) -> List<T> {
        let list = PODS.list().within(namespace);
        match self {
            Self::Named(name) => list.with_field("metadata.name", name),
            Self::Labelled(selector) => list.with_labels(selector),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Host, page};

    fn pods(kind: &str, object: Value) -> Result<Pods, String> {
        let host = Host::new().objects(move |_| Ok(object.clone())).lists(|request| {
            assert_eq!(request.resource, "jobs.batch");
            let job = |name: &str, kind: &str, owner: &str| {
                json!({ "metadata": { "name": name, "ownerReferences": [{ "apiVersion": "batch/v1", "kind": kind, "name": owner, "controller": true }] } })
            };
            Ok(page([job("web-1", "CronJob", "web"), job("web-2", "CronJob", "web"), job("x", "CronJob", "x"), job("y", "Other", "web")]))
        });
        host.run(|| Workload::called(kind)?.pods("team-a", "web")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_selector_is_that_of_the_spec() {
        let selector = json!({
            "matchLabels": { "app": "web", "example.com/tier": "" },
            "matchExpressions": [
                { "key": "a", "operator": "In", "values": ["x", "y"] },
                { "key": "b", "operator": "NotIn", "values": ["z"] },
                { "key": "c", "operator": "Exists" },
                { "key": "d", "operator": "DoesNotExist", "values": null },
            ],
        });
        assert_eq!(
            pods("deploy", json!({ "spec": { "selector": selector } })),
            Ok(Pods::Labelled("app=web,example.com/tier=,a in (x,y),b notin (z),c,!d".to_owned()))
        );
    }

    #[test]
    fn a_selector_that_cannot_be_written_selects_nothing() {
        for selector in [
            json!(null),
            json!({}),
            json!({ "matchLabels": { "app": "a,b" } }),
            json!({ "matchLabels": { "app": "a" }, "matchExpressions": [{ "key": "a", "operator": "Gt", "values": ["1"] }] }),
        ] {
            let error = pods("sts", json!({ "spec": { "selector": selector } })).expect_err("no selector");
            assert_eq!(error, "StatefulSet team-a/web has no selector that pods can be found by");
        }
    }

    #[test]
    fn a_cron_job_has_the_pods_of_its_jobs_and_a_pod_is_one() {
        let named = || json!({ "metadata": { "name": "web" } });
        assert_eq!(pods("CronJob", named()), Ok(Pods::Labelled("job-name in (web-1,web-2)".to_owned())));
        assert_eq!(pods("pods", named()), Ok(Pods::Named("web".to_owned())));
    }

    #[test]
    fn a_workload_is_called_by_any_of_its_names() {
        for (word, kind) in [("deployments.apps", "Deployment"), (" STS", "StatefulSet"), ("job", "Job"), ("po", "Pod")] {
            assert_eq!(Workload::called(word).map(Workload::kind), Ok(kind));
        }
        for word in ["service", "deployment.batch", ""] {
            assert!(Workload::called(word).is_err(), "{word}");
        }
    }
}
