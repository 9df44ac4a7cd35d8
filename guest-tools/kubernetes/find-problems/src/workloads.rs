//! Everything that is no pod and no Service, by what it says itself: workloads, nodes, claims, Jobs, namespaces, APIs.

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::{Time, Trouble, View, troubles};
use sandbar_tool::{Resource, Scope};

use crate::pods::Pods;
use crate::problem::{Object, Problem, Rank};
use crate::reading::{Missing, Reading};
use crate::services::Services;

const DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments");
const STATEFUL_SETS: Resource = Resource::new("apps", "v1", "statefulsets");
const DAEMON_SETS: Resource = Resource::new("apps", "v1", "daemonsets");
const REPLICA_SETS: Resource = Resource::new("apps", "v1", "replicasets");
const JOBS: Resource = Resource::new("batch", "v1", "jobs");
const CLAIMS: Resource = Resource::new("", "v1", "persistentvolumeclaims");
const AUTOSCALERS: Resource = Resource::new("autoscaling", "v2", "horizontalpodautoscalers");
const CLASSES: Resource = Resource::new("storage.k8s.io", "v1", "storageclasses");

/// Names of objects of one kind with the same trouble that are told.
const NAMES_MAX: usize = 5;

/// Problems that are kept: more than anybody reads.
const PROBLEMS_MAX: usize = 2_000;

/// What is known of them, however many there are.
#[derive(Default)]
pub(crate) struct Workloads {
    counts: Vec<(&'static str, usize)>,
    problems: Vec<Problem>,
    /// Workloads whose pods are not well, until the workload itself was seen.
    of_pods: BTreeMap<Object, Problem>,
    /// Objects of a kind that have the same trouble for the same cause, by the word for it: they are told together.
    alike: BTreeMap<(&'static str, String), Problem>,
    claims: Vec<(Problem, String)>,
    /// Whether the first consumer of a claim decides where its volume is, by StorageClass.
    classes: BTreeMap<String, bool>,
    /// When a Job of a CronJob last came to its end, and when one last failed.
    runs: BTreeMap<Object, Runs>,
}

#[derive(Default)]
struct Runs {
    succeeded: Option<Time>,
    failed: Option<(Option<Time>, Trouble)>,
    count: usize,
}

/// The lists that are read once the pods are known.
pub(crate) fn readings(within: &dyn Fn() -> Scope) -> Vec<Reading> {
    let with_labels: Vec<&str> = troubles::FIELDS.into_iter().chain(["spec.template.metadata.labels"]).collect();
    let class = ["metadata.name", "volumeBindingMode"];
    vec![
        Reading::new("Deployments", &DEPLOYMENTS, within(), &with_labels),
        Reading::new("StatefulSets", &STATEFUL_SETS, within(), &with_labels),
        Reading::new("DaemonSets", &DAEMON_SETS, within(), &troubles::FIELDS),
        Reading::new("ReplicaSets", &REPLICA_SETS, within(), &troubles::FIELDS),
        Reading::new("Jobs", &JOBS, within(), &troubles::FIELDS),
        Reading::new("PersistentVolumeClaims", &CLAIMS, within(), &troubles::FIELDS),
        Reading::new("HorizontalPodAutoscalers", &AUTOSCALERS, within(), &troubles::FIELDS),
        Reading::new("StorageClasses", &CLASSES, Scope::Cluster, &class),
    ]
}

impl Workloads {
    /// Takes over what the pods have said.
    pub(crate) fn take(&mut self, pods: &Pods) {
        let problems = pods.troubled().filter_map(|(owner, owned)| owned.problem(owner).map(|problem| (owner.clone(), problem)));
        self.of_pods.extend(problems);
    }

    fn see(&mut self, kinds: &'static str) {
        match self.counts.iter_mut().find(|(of, _)| *of == kinds) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((kinds, 1)),
        }
    }

    /// Looks at an object that has no pods.
    pub(crate) fn add(&mut self, kinds: &'static str, object: View<'_>) {
        self.see(kinds);
        let kind = singular(kinds);
        let Some(trouble) = troubles::of(kind, object) else { return };
        let rank = match (kind, trouble.reason.as_str()) {
            ("Node", "Cordoned") => Rank::Rest,
            ("Node" | "APIService" | "CustomResourceDefinition", _) => Rank::Cluster,
            _ => Rank::Unfinished,
        };
        let word = if kind == "Namespace" { object.name().to_owned() } else { trouble.reason.clone() };
        self.tell_together(kinds, word, Problem::new(rank, Object::new(kind, "", object.name()), trouble));
    }

    /// A problem that others of the kind may have too.
    fn tell_together(&mut self, kinds: &'static str, word: String, problem: Problem) {
        let object = problem.object.clone();
        let first = self.alike.entry((kinds, word)).or_insert(problem);
        first.alike.push(object);
        first.size = first.alike.len();
    }

    /// Looks at an object that has pods, or is used by them.
    pub(crate) fn add_with(&mut self, kinds: &'static str, object: View<'_>, pods: &Pods, services: &mut Services) {
        let kind = singular(kinds);
        // Those of a Deployment are its own.
        if kind == "ReplicaSet" && object.controller().is_some() {
            return;
        }
        self.see(kinds);
        let named = Object::new(kind, object.namespace(), object.name());
        let trouble = troubles::of(kind, object);
        match kind {
            "StorageClass" => {
                self.classes.insert(named.name, object.text("volumeBindingMode") == "WaitForFirstConsumer");
            }
            "PersistentVolumeClaim" => {
                let class = object.text("spec.storageClassName").to_owned();
                self.claims.extend(trouble.map(|trouble| (Problem::new(Rank::Unfinished, named, trouble), class)));
            }
            "Job" => self.job(object, named, trouble),
            "HorizontalPodAutoscaler" => {
                // Where metrics are missing, all of them say so.
                if let Some(trouble) = trouble {
                    let word = format!("{}: {}", trouble.reason, trouble.cause);
                    self.tell_together(kinds, word, Problem::new(Rank::Unfinished, named, trouble));
                }
            }
            _ => {
                if object.number("status.replicas") == 0 && object.has("spec.template.metadata.labels") {
                    let is_meant = object.has("spec.replicas") && object.number("spec.replicas") == 0;
                    if is_meant || trouble.is_some() {
                        services.see_empty(object, &named, is_meant);
                    }
                }
                self.workload(object, named, trouble, pods);
            }
        }
    }

    /// A workload and what its pods have said are one problem.
    fn workload(&mut self, object: View<'_>, named: Object, trouble: Option<Trouble>, pods: &Pods) {
        let of_pods = self.of_pods.remove(&named);
        let ready = ["status.readyReplicas", "status.numberReady"].into_iter().map(|path| object.number(path)).sum::<i64>();
        let problem = match (trouble, of_pods) {
            (None, None) => None,
            (Some(trouble), None) => {
                let rank = if ready == 0 { Rank::Down } else { Rank::Less };
                Some(Problem::new(if trouble.reason == "Paused" { Rank::Rest } else { rank }, named, trouble))
            }
            // It has what it should have: pods that have ended are history.
            (None, Some(problem)) if pods.of(&named).is_some_and(|owned| owned.has_ended()) => {
                Some(Problem { rank: Rank::Rest, ..problem })
            }
            (None, Some(problem)) => Some(Problem { rank: if ready == 0 { Rank::Down } else { Rank::Less }, ..problem }),
            (Some(trouble), Some(mut problem)) => {
                if trouble.reason != "ReplicasMissing" {
                    problem.why = format!("{}; {}", problem.why, trouble);
                }
                Some(Problem { rank: if ready == 0 { Rank::Down } else { Rank::Less }, ..problem })
            }
        };
        self.push(problem);
    }

    fn job(&mut self, job: View<'_>, named: Object, trouble: Option<Trouble>) {
        let of_pods = self.of_pods.remove(&named);
        let ended = job.time("status.completionTime");
        // Pods that failed before the one that did not.
        let of_pods = of_pods.filter(|_| ended.is_none());
        let cron_job = job.controller().filter(|(kind, _)| kind == "CronJob");
        if let (Some((kind, name)), true) = (cron_job, trouble.is_some() || ended.is_some()) {
            let runs = self.runs.entry(Object::new(&kind, &named.namespace, name)).or_default();
            runs.succeeded = runs.succeeded.max(ended);
            if let Some(trouble) = trouble {
                runs.count += 1;
                let since = trouble.since;
                let trouble = match of_pods {
                    Some(of_pods) => Trouble { cause: format!("{}; {}", trouble.cause, of_pods.why), ..trouble },
                    None => trouble,
                };
                if runs.failed.as_ref().is_none_or(|(last, _)| *last < since) {
                    runs.failed = Some((since, trouble));
                }
            }
            return;
        }
        let problem = match (trouble, of_pods) {
            (None, of_pods) => of_pods,
            (Some(trouble), None) => Some(Problem::new(Rank::Unfinished, named, trouble)),
            (Some(trouble), Some(of_pods)) => {
                let since = trouble.since;
                let why = format!("{}: {}", trouble.reason, of_pods.why);
                Some(Problem { why, since, is_told_by_events: false, ..of_pods })
            }
        };
        self.push(problem.map(|problem| Problem { rank: Rank::Unfinished, ..problem }));
    }

    fn push(&mut self, problem: Option<Problem>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.extend(problem);
        }
    }

    /// How many of all kinds were looked at so far.
    pub(crate) fn count(&self) -> usize {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// What there was to look at: `3 Nodes, 12 Pods`.
    pub(crate) fn looked_at(&self, pods: usize, services: usize) -> String {
        let counts = [("Pods", pods), ("Services", services)].into_iter().chain(self.counts.iter().copied());
        let counts: Vec<String> = counts
            .filter(|&(kinds, count)| count > 0 && kinds != "StorageClasses")
            .map(|(kinds, count)| format!("{count} {kinds}"))
            .collect();
        if counts.is_empty() { "nothing: there is nothing".to_owned() } else { counts.join(", ") }
    }

    /// All of it.
    pub(crate) fn problems(self, pods: &Pods, missing: &Missing) -> Vec<Problem> {
        let mut problems = self.problems;
        // Their workload is of another kind, could not be read, or is gone.
        problems.extend(self.of_pods.into_values().map(|problem| {
            let has_ended = pods.of(&problem.object).is_some_and(|owned| owned.has_ended());
            let rank = match problem.object.kind.as_str() {
                "Job" => Rank::Unfinished,
                _ if has_ended => Rank::Rest,
                _ => problem.rank,
            };
            Problem { rank, ..problem }
        }));
        problems.extend(self.alike.into_values().map(|mut problem| {
            let all = problem.alike.len();
            if all > 1 {
                let more = all.saturating_sub(NAMES_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let listed: Vec<String> = problem.alike.iter().take(NAMES_MAX).map(Object::path).collect();
                problem.why = format!("{all} of them ({}{more}): {}", listed.join(", "), problem.why);
            }
            problem
        }));
        let knows_classes = missing.nothing_of("StorageClasses");
        for (mut problem, class) in self.claims {
            match self.classes.get(&class) {
                // It waits for a pod, and a pod that waits for it says so.
                Some(true) if problem.why.starts_with("Pending") => continue,
                None if knows_classes && !class.is_empty() => {
                    problem.why = format!("Pending: there is no StorageClass {class}");
                    problem.is_told_by_events = false;
                }
                _ => {}
            }
            problems.push(problem);
        }
        for (cron_job, Runs { succeeded, failed, count }) in self.runs {
            let Some((last, trouble)) = failed else { continue };
            if succeeded.is_none() || last > succeeded {
                let cause = if count > 1 {
                    format!("{count} of its Jobs failed, the last: {}", trouble.cause)
                } else {
                    trouble.cause.clone()
                };
                problems.push(Problem::new(Rank::Unfinished, cron_job, Trouble { cause, ..trouble }));
            }
        }
        problems
    }
}

/// The kind of a list of them.
fn singular(kinds: &'static str) -> &'static str {
    if kinds == "StorageClasses" { "StorageClass" } else { kinds.strip_suffix('s').unwrap_or(kinds) }
}
