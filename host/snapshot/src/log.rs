//! Container logs: which file has the log of which run of which container.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::claims::{self, Claim, Run};
use super::files::File;
use super::lines::Stamps;
use super::notes::Notes;
use super::object::Object;

/// Bytes at both ends of a file that have to confirm its layout's stamps.
const SAMPLE: u64 = 16 << 10;

/// The log of one run of one container.
#[derive(Clone)]
pub(super) struct Log {
    /// The file.
    pub(super) file: File,
    /// The container; none if the file has all of the pod's, or does not say.
    pub(super) container: Option<String>,
    /// Whether this is the run before the current one.
    pub(super) previous: bool,
    /// The prefix of its lines.
    pub(super) stamps: Stamps,
}

/// All logs, by namespace and pod.
#[derive(Default)]
pub(super) struct Logs {
    by_pod: BTreeMap<(String, String), Vec<Log>>,
    /// The newest time stamp of a line.
    pub(super) newest: Option<Timestamp>,
    /// Whether a layout that is used for logs alone identifies some of them.
    pub(super) speak_for_themselves: bool,
}

/// A file that may be a log, with what is known of it.
struct Candidate {
    file: File,
    container: Option<String>,
    run: OwnedRun,
    uid: Option<String>,
    /// How much the layout says; more is better.
    layout: u8,
    stamps: Stamps,
    newest: Option<Timestamp>,
}

enum OwnedRun {
    Known { previous: bool },
    Restarts(u32),
    Id(String),
}

impl Logs {
    /// The logs among `files` whose pods are among `objects`, or not described at all.
    pub(super) fn new(files: Vec<File>, objects: &[Object], notes: &mut Notes) -> Self {
        let pods = Pods::of(objects);
        let mut logs = Self::default();
        let mut candidates: BTreeMap<(String, String), Vec<Candidate>> = BTreeMap::new();
        for file in files {
            let claims = claims::of(file.path());
            let Some((namespace, claim)) = pods.decide(&claims) else { continue };
            match Candidate::look(&file, claim) {
                Ok(candidate) => {
                    logs.speak_for_themselves |= claim.stamps != Stamps::None;
                    candidates.entry((namespace.to_owned(), claim.pod.to_owned())).or_default().push(candidate);
                }
                Err(error) => notes.add(file.path(), error),
            }
        }
        for (key, candidates) in candidates {
            logs.newest = logs.newest.max(candidates.iter().filter_map(|candidate| candidate.newest).max());
            let of = sort_out(candidates, pods.known.get(&(key.0.as_str(), key.1.as_str())));
            logs.by_pod.insert(key, of);
        }
        logs
    }

    /// The logs of a pod, the most specific first.
    pub(super) fn of(&self, namespace: &str, pod: &str) -> &[Log] {
        self.by_pod.get(&(namespace.to_owned(), pod.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_pod.values().map(Vec::len).sum()
    }
}

impl Candidate {
    /// Reads both ends of the file if its layout has time stamps.
    fn look(file: &File, claim: &Claim<'_>) -> io::Result<Self> {
        let (mut stamps, mut newest) = (claim.stamps, None);
        if stamps != Stamps::None {
            let content = file.open()?;
            let (length, first) = (content.len(), content.piece(0, SAMPLE)?);
            stamps = stamps.borne_out_by(&first, true, length <= SAMPLE);
            let from = length.saturating_sub(SAMPLE);
            let last = content.piece(from, length)?;
            stamps = stamps.borne_out_by(&last, from == 0, true);
            newest = stamps.newest(&last, from == 0);
        }
        Ok(Self {
            file: file.clone(),
            container: claim.container.map(str::to_owned),
            run: match claim.run {
                Run::Current => OwnedRun::Known { previous: false },
                Run::Previous => OwnedRun::Known { previous: true },
                Run::Restarts(restarts) => OwnedRun::Restarts(restarts),
                Run::Id(id) => OwnedRun::Id(id.to_owned()),
            },
            uid: claim.uid.map(str::to_owned),
            layout: match claim.stamps {
                Stamps::Runtime => 2,
                Stamps::Kubelet => 1,
                Stamps::None => 0,
            },
            stamps,
            newest,
        })
    }

    fn into_log(self, previous: bool) -> Log {
        Log { file: self.file, container: self.container, previous, stamps: self.stamps }
    }
}

/// The logs of one pod, out of all its candidates.
fn sort_out(candidates: Vec<Candidate>, pod: Option<&Pod>) -> Vec<Log> {
    let (known, numbered): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| matches!(candidate.run, OwnedRun::Known { .. }));
    let mut of_container: BTreeMap<Option<String>, Vec<Candidate>> = BTreeMap::new();
    for candidate in numbered {
        of_container.entry(candidate.container.clone()).or_default().push(candidate);
    }
    let mut logs: Vec<(u8, Log)> = Vec::new();
    for (container, runs) in of_container {
        let status = pod.and_then(|pod| pod.statuses.get(container.as_deref().unwrap_or_default()));
        let layout = runs[0].layout;
        logs.extend(newest_two(runs, pod, status).into_iter().map(|log| (layout, log)));
    }
    // Of two files in the same layout, the later path counts.
    logs.extend(known.into_iter().rev().map(|candidate| {
        let previous = matches!(candidate.run, OwnedRun::Known { previous: true });
        (candidate.layout, candidate.into_log(previous))
    }));
    logs.sort_by_key(|(layout, _)| std::cmp::Reverse(*layout));
    logs.into_iter().map(|(_, log)| log).collect()
}

/// The current and the previous run of a container, out of all runs that left a file.
fn newest_two(mut runs: Vec<Candidate>, pod: Option<&Pod>, status: Option<&Status>) -> Vec<Log> {
    // A StatefulSet's pod may have had the same name yesterday.
    if let Some(pod) = pod
        && runs.iter().any(|run| run.uid.as_ref().is_some_and(|uid| pod.uids.contains(uid)))
    {
        runs.retain(|run| run.uid.as_ref().is_none_or(|uid| pod.uids.contains(uid)));
    } else if let Some(uid) = runs.iter().max_by_key(|run| run.newest).and_then(|run| run.uid.clone()) {
        runs.retain(|run| run.uid.as_ref() == Some(&uid));
    }
    let is_current = |run: &Candidate| match &run.run {
        OwnedRun::Restarts(restarts) => status.is_some_and(|status| status.restarts == Some(u64::from(*restarts))),
        OwnedRun::Id(id) => status.is_some_and(|status| status.id.as_deref() == Some(id)),
        OwnedRun::Known { .. } => false,
    };
    // Ids have no order, but the pod's status has the current one.
    runs.sort_by_key(|run| match &run.run {
        OwnedRun::Restarts(restarts) => (u64::from(*restarts), false, run.newest),
        _ => (0, is_current(run), run.newest),
    });
    let current = runs.iter().rposition(is_current).unwrap_or(runs.len() - 1);
    runs.truncate(current + 1);
    let last = runs.len().saturating_sub(2);
    let mut logs: Vec<Log> = Vec::new();
    for (at, run) in runs.drain(last..).rev().enumerate() {
        logs.push(run.into_log(at > 0));
    }
    logs
}

/// A pod of the snapshot.
struct Pod {
    /// Its own, and that of its manifest if it is a static pod.
    uids: BTreeSet<String>,
    containers: BTreeSet<String>,
    statuses: BTreeMap<String, Status>,
}

/// The status of a container.
struct Status {
    restarts: Option<u64>,
    /// The id of the current run, without the runtime's prefix.
    id: Option<String>,
}

/// The pods of a snapshot.
struct Pods<'o> {
    known: BTreeMap<(&'o str, &'o str), Pod>,
    /// The namespace of a pod; none if several have one of this name.
    namespaces: BTreeMap<&'o str, Option<&'o str>>,
}

impl<'o> Pods<'o> {
    fn of(objects: &'o [Object]) -> Self {
        let mut pods = Self { known: BTreeMap::new(), namespaces: BTreeMap::new() };
        for object in objects.iter().filter(|object| object.kind == "Pod" && object.api_version == "v1") {
            let namespace = object.namespace.as_deref().unwrap_or(super::DEFAULT_NAMESPACE);
            pods.known.insert((namespace, &object.name), Pod::of(&object.value()));
            pods.namespaces
                .entry(&object.name)
                .and_modify(|known| *known = known.filter(|known| *known == namespace))
                .or_insert(Some(namespace));
        }
        pods
    }

    /// The first claim about a known pod; else the first one, unless its pod is known and contradicts it.
    fn decide<'c, 'p>(&self, claims: &'c [Claim<'p>]) -> Option<(&'p str, &'c Claim<'p>)>
    where
        'o: 'p,
    {
        let borne_out = claims.iter().find_map(|claim| {
            let namespace = claim.namespace.or_else(|| *self.namespaces.get(claim.pod)?)?;
            let pod = self.known.get(&(namespace, claim.pod))?;
            let has = |container| pod.containers.is_empty() || pod.containers.contains(container);
            claim.container.is_none_or(has).then_some((namespace, claim))
        });
        borne_out.or_else(|| {
            let claim = claims.first()?;
            let namespace = claim.namespace?;
            (!self.known.contains_key(&(namespace, claim.pod))).then_some((namespace, claim))
        })
    }
}

impl Pod {
    fn of(pod: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let metadata = &pod["metadata"];
        let hash = |key: &str| text(&metadata["annotations"][key]);
        let uids = [text(&metadata["uid"]), hash("kubernetes.io/config.hash"), hash("kubernetes.io/config.mirror")];
        let of = |from: &'static str, lists: [&'static str; 3]| {
            lists.into_iter().flat_map(move |list| pod[from][list].as_array().into_iter().flatten())
        };
        let containers = of("spec", ["containers", "initContainers", "ephemeralContainers"]);
        let statuses = of("status", ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]);
        Self {
            uids: uids.into_iter().flatten().collect(),
            containers: containers.filter_map(|container| text(&container["name"])).collect(),
            statuses: statuses
                .filter_map(|status| {
                    let id = text(&status["containerID"]).map(|id| id.rsplit('/').next().unwrap_or_default().to_owned());
                    Some((text(&status["name"])?, Status { restarts: status["restartCount"].as_u64(), id }))
                })
                .collect(),
        }
    }
}
