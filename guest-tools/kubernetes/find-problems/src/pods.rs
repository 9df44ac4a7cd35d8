//! Pods that are not well, by the workload that they belong to: what several have is told once.

use std::collections::{BTreeMap, BTreeSet};

use sandbar_tool::kubernetes::{Time, Trouble, View, pods};

use crate::problem::{Object, Problem, Rank};

/// Workloads whose pods are told apart, and the names of pods that are kept of each.
const OWNERS_MAX: usize = 4_000;
const NAMES_MAX: usize = 5;

/// What is known of all pods, however many there are.
#[derive(Default)]
pub(crate) struct Pods {
    pub(crate) count: usize,
    owners: BTreeMap<Object, Owned>,
    /// The names of all that are not well.
    troubled: BTreeSet<(String, String)>,
}

/// The pods of one workload.
#[derive(Default)]
pub(crate) struct Owned {
    /// Those that have not ended.
    alive: usize,
    /// As they were seen.
    groups: Vec<Group>,
    /// Where each is.
    places: BTreeMap<Key, usize>,
}

/// The word for a trouble, and the container.
type Key = (String, Option<String>);

struct Group {
    key: Key,
    count: usize,
    trouble: Trouble,
    since: Option<Time>,
    names: Vec<String>,
    has_ended: bool,
}

impl Pods {
    pub(crate) fn add(&mut self, pod: View<'_>) {
        self.count += 1;
        let owner = owner(pod);
        if !self.owners.contains_key(&owner) && self.owners.len() == OWNERS_MAX {
            return;
        }
        let has_ended = matches!(pod.text("status.phase"), "Succeeded" | "Failed");
        let trouble = pods::trouble(pod);
        if trouble.is_some() {
            self.troubled.insert((pod.namespace().to_owned(), pod.name().to_owned()));
        }
        let owned = self.owners.entry(owner).or_default();
        owned.alive += usize::from(!has_ended);
        if let Some(trouble) = trouble {
            owned.add(trouble, pod.name(), has_ended);
        }
    }

    /// The workload's pods, if some of them are not well.
    pub(crate) fn of(&self, owner: &Object) -> Option<&Owned> {
        self.owners.get(owner).filter(|owned| !owned.groups.is_empty())
    }

    /// Those of each workload that has some that are not well.
    pub(crate) fn troubled(&self) -> impl Iterator<Item = (&Object, &Owned)> {
        self.owners.iter().filter(|(_, owned)| !owned.groups.is_empty())
    }

    /// Whether the pod of this name is not well.
    pub(crate) fn is_troubled(&self, namespace: &str, name: &str) -> bool {
        self.troubled.contains(&(namespace.to_owned(), name.to_owned()))
    }
}

impl Owned {
    fn add(&mut self, trouble: Trouble, name: &str, has_ended: bool) {
        let key = (trouble.reason.clone(), trouble.log.as_ref().map(|log| log.container.clone()));
        let since = trouble.since;
        let at = *self.places.entry(key).or_insert_with_key(|key| {
            self.groups.push(Group { key: key.clone(), count: 0, trouble, since, names: Vec::new(), has_ended });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.count += 1;
        group.since = group.since.min(since).or(group.since).or(since);
        group.has_ended &= has_ended;
        if group.names.len() < NAMES_MAX {
            group.names.push(name.to_owned());
        }
    }

    /// Whether what is not well is over: others have taken the place of these pods.
    pub(crate) fn has_ended(&self) -> bool {
        self.groups.iter().all(|group| group.has_ended)
    }

    /// The trouble of most of them.
    fn worst(&self) -> Option<&Group> {
        // Of as many the first: the last is what `max_by_key` takes.
        self.groups.iter().rev().max_by_key(|group| (!group.has_ended, group.count))
    }

    /// One problem of all of them.
    pub(crate) fn problem(&self, owner: &Object) -> Option<Problem> {
        let worst = self.worst()?;
        let is_alone = owner.kind == "Pod";
        let all = self.alive + self.groups.iter().filter(|group| group.has_ended).map(|group| group.count).sum::<usize>();
        let mut problem = Problem::new(Rank::Less, owner.clone(), worst.trouble.clone());
        if !is_alone {
            problem.why = format!("{} of {all} pods: {}", worst.count, worst.trouble);
        }
        let others: Vec<String> = self
            .groups
            .iter()
            .filter(|group| group.key != worst.key)
            .take(2)
            .map(|group| format!("{} {}", group.count, group.key.0))
            .collect();
        if !others.is_empty() {
            problem.why.push_str(&format!("; also {}", others.join(", ")));
        }
        if worst.has_ended {
            problem.rank = Rank::Rest;
        } else if self.groups.iter().map(|group| group.count).sum::<usize>() >= self.alive {
            problem.rank = Rank::Down;
        }
        problem.size = worst.count;
        problem.since = worst.since;
        problem.pods = worst.names.clone();
        Some(problem)
    }
}

/// To whom a pod belongs: its Deployment rather than that one's ReplicaSet, and itself where nobody manages it.
fn owner(pod: View<'_>) -> Object {
    let namespace = pod.namespace();
    let Some((kind, name)) = pod.controller() else { return Object::new("Pod", namespace, pod.name()) };
    match kind.as_str() {
        // The name of a Deployment's ReplicaSet ends with the hash that all its pods have as a label.
        "ReplicaSet" => {
            let hash = pod.text("metadata.labels.pod-template-hash");
            let deployment = name.strip_suffix(hash).and_then(|name| name.strip_suffix('-')).filter(|_| !hash.is_empty());
            match deployment {
                Some(deployment) => Object::new("Deployment", namespace, deployment),
                None => Object::new("ReplicaSet", namespace, name),
            }
        }
        // What a kubelet runs by itself.
        "Node" => Object::new("Pod", namespace, pod.name()),
        kind => Object::new(kind, namespace, name),
    }
}
