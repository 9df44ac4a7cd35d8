//! What a snapshot covers: nobody may conclude that the cluster lacks something that was never gathered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::document::Document;
use super::kinds::{self, Kind};
use super::layout;

/// Namespaces that a message names.
const NAMED: usize = 5;

/// Names that are kept of a file of failures.
const FAILURES_MAX: usize = 1_000;

/// A query to the cluster whose answer is in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gathered {
    what: What,
    /// The namespace; none: all of them, or a cluster-scoped kind.
    within: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// By `apiVersion` and kind.
    Kind(String, String),
    /// By the name of a file whose list is empty and does not name its kind.
    Called(String),
}

impl Gathered {
    /// The objects of a kind in a namespace, or in all.
    pub(super) fn kind(api_version: &str, kind: &str, within: Option<&str>) -> Self {
        Self { what: What::Kind(api_version.to_owned(), kind.to_owned()), within: within.map(str::to_owned) }
    }

    /// Objects of the kind that a file is named after.
    pub(super) fn called(stem: &str, within: Option<&str>) -> Self {
        Self { what: What::Called(stem.to_owned()), within: within.map(str::to_owned) }
    }

    /// Bytes of memory, here and in the coverage.
    pub(super) fn bytes(&self) -> usize {
        let what = match &self.what {
            What::Kind(api_version, kind) => api_version.len() + kind.len(),
            What::Called(stem) => stem.len(),
        };
        2 * (size_of::<Self>() + what + self.within().map_or(0, str::len))
    }

    /// `apiVersion` and kind, if known.
    pub(super) fn as_kind(&self) -> Option<(&str, &str)> {
        match &self.what {
            What::Kind(api_version, kind) => Some((api_version, kind)),
            What::Called(_) => None,
        }
    }

    /// The namespace.
    pub(super) fn within(&self) -> Option<&str> {
        self.within.as_deref()
    }
}

/// A failure that Troubleshoot has recorded.
#[derive(Debug)]
pub(super) struct Failure {
    /// The file that records it.
    path: String,
    /// Troubleshoot's name of the kind.
    name: String,
    /// The namespaces or custom resource definitions that failed; empty: all.
    of: BTreeSet<String>,
}

impl Failure {
    /// The failure in a file; none if nothing failed.
    pub(super) fn of(path: &str, document: &Document) -> Option<Self> {
        let name = path.rsplit('/').next()?.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let failure = |of| Self { path: path.to_owned(), name: name.trim_end_matches("-errors").to_owned(), of };
        match document {
            Document::Map(Value::Object(fields)) if !fields.is_empty() => {
                Some(failure(fields.keys().take(FAILURES_MAX).cloned().collect()))
            }
            Document::List(list) if list.wrong.is_some() => Some(failure(BTreeSet::new())),
            _ => None,
        }
    }

    /// Bytes of memory, here and in the coverage.
    pub(super) fn bytes(&self) -> usize {
        let of: usize = self.of.iter().map(|of| 2 * size_of::<String>() + of.len()).sum();
        size_of::<Self>() + self.path.len() + self.name.len() + of
    }
}

/// All failures, by what failed. Each has the file that records it.
#[derive(Default)]
struct Failures {
    /// By the name of a custom resource definition.
    custom: BTreeMap<String, Arc<str>>,
    /// By Troubleshoot's name of the kind.
    named: BTreeMap<String, FailedIn>,
}

/// Where objects of one kind could not be read.
#[derive(Default)]
struct FailedIn {
    everywhere: Option<Arc<str>>,
    namespaces: BTreeMap<String, Arc<str>>,
}

impl Failures {
    fn new(all: Vec<Failure>) -> Self {
        let mut failures = Self::default();
        for Failure { path, name, of } in all {
            let path: Arc<str> = path.into();
            if name == "custom-resources" {
                for definition in of {
                    let name = definition.split('/').next().unwrap_or_default().to_owned();
                    failures.custom.entry(name).or_insert_with(|| path.clone());
                }
                continue;
            }
            let failed = failures.named.entry(name).or_default();
            if of.is_empty() {
                failed.everywhere.get_or_insert(path);
                continue;
            }
            for namespace in of {
                failed.namespaces.entry(namespace).or_insert_with(|| path.clone());
            }
        }
        failures
    }

    /// The file that records that this kind could not be read in this namespace, or at all if there is none.
    fn of(&self, kind: &Kind, namespace: Option<&str>) -> Option<&str> {
        let custom = || self.custom.get(&format!("{}.{}", kind.plural, kind.group));
        let failed = |name: &str| self.named.get(name).and_then(|failed| failed.within(namespace));
        let gathered = || layout::names_of_gathered(&kind.group, &kind.kind).find_map(failed);
        custom().or_else(|| failed(&kind.plural)).or_else(gathered).map(AsRef::as_ref)
    }
}

impl FailedIn {
    fn within(&self, namespace: Option<&str>) -> Option<&Arc<str>> {
        let found = || match namespace {
            Some(namespace) => self.namespaces.get(namespace),
            None => self.namespaces.values().next(),
        };
        self.everywhere.as_ref().or_else(found)
    }
}

/// Where objects of one kind were gathered.
#[derive(Default)]
struct Held {
    everywhere: bool,
    /// In all described namespaces: one list, shared by all kinds.
    described: bool,
    /// In these, beside the described ones.
    namespaces: BTreeSet<String>,
    /// Whether they are all that the cluster has.
    is_whole: bool,
}

impl Held {
    fn add(&mut self, within: Option<&str>) {
        match within {
            None => self.everywhere = true,
            Some(namespace) => drop(self.namespaces.insert(namespace.to_owned())),
        }
    }

    fn is_nothing(&self, described: &BTreeSet<String>) -> bool {
        !self.everywhere && self.namespaces.is_empty() && (described.is_empty() || !self.described)
    }

    fn has(&self, namespace: &str, described: &BTreeSet<String>) -> bool {
        self.everywhere || self.namespaces.contains(namespace) || (self.described && described.contains(namespace))
    }

    /// Some of the namespaces, for a message.
    fn named(&self, described: &BTreeSet<String>) -> String {
        let described = self.described.then_some(described);
        let all = self.namespaces.len() + described.map_or(0, BTreeSet::len);
        let described = described.into_iter().flat_map(|described| described.iter().take(NAMED));
        let mut named: Vec<&str> = self.namespaces.iter().take(NAMED).chain(described).map(String::as_str).collect();
        named.sort_unstable();
        named.truncate(NAMED);
        let plural = if all == 1 { "" } else { "s" };
        let more = match all - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("namespace{plural} {}{more}", named.join(", "))
    }
}

/// What a snapshot covers. A hostile snapshot can have any number of kinds and of namespaces, so what holds for all of one is
/// never recorded for each of the other.
#[derive(Default)]
pub(super) struct Coverage {
    /// By group and kind: a file has one version, and a request may ask for another.
    held: BTreeMap<(String, String), Held>,
    failures: Failures,
    /// The namespaces whose objects are in the snapshot.
    described: BTreeSet<String>,
    /// Whether they are all of the cluster's: a list of them is there.
    are_all: bool,
}

impl Coverage {
    /// `kinds` are all that are served, `described` the namespaces whose objects are there; `are_all`: the cluster has no others.
    pub(super) fn new<'k>(
        gathered: &BTreeSet<Gathered>,
        failures: Vec<Failure>,
        kinds: impl Iterator<Item = &'k Kind>,
        described: BTreeSet<String>,
        are_all: bool,
    ) -> Self {
        let mut held = BTreeMap::<(String, String), Held>::new();
        let called = layout::Called::new(kinds);
        for Gathered { what, within } in gathered {
            let of = match what {
                What::Kind(api_version, kind) => Some((kinds::group_and_version(api_version).0, kind.as_str())),
                What::Called(stem) => called.after(stem).map(|kind| (&*kind.group, &*kind.kind)),
            };
            if let Some((group, kind)) = of {
                held.entry((group.to_owned(), kind.to_owned())).or_default().add(within.as_deref());
            }
        }
        for held in held.values_mut().filter(|held| are_all && described.len() <= held.namespaces.len()) {
            held.is_whole = described.is_subset(&held.namespaces);
        }
        Self { held, failures: Failures::new(failures), described, are_all }
    }

    /// Records that custom resources of these kinds were gathered, except where that failed: everywhere if there is a list of the
    /// cluster's namespaces, else in the described ones.
    pub(super) fn looked_for<'k>(&mut self, kinds: impl Iterator<Item = &'k Kind>) {
        let Self { held, failures, described, are_all } = self;
        for kind in kinds.filter(|kind| failures.of(kind, None).is_none()) {
            let held = held.entry((kind.group.clone(), kind.kind.clone())).or_default();
            if *are_all {
                held.everywhere = true;
            } else {
                held.described = true;
                held.namespaces.retain(|namespace| !described.contains(namespace));
            }
        }
    }

    /// # Errors
    /// If objects of this kind were not gathered in this namespace, or at all if there is none.
    pub(super) fn check(&self, kind: &Kind, namespace: Option<&str>) -> Result<(), String> {
        let held = self.held(kind).filter(|held| !held.is_nothing(&self.described));
        let namespace_of_kind = namespace.filter(|_| kind.namespaced);
        if held.is_some_and(|held| namespace_of_kind.is_none_or(|namespace| held.has(namespace, &self.described))) {
            return Ok(());
        }
        let plural = name(kind);
        let why = self.failures.of(kind, namespace);
        let why = why.map(|path| format!(" (whoever wrote it could not read them, see {path})")).unwrap_or_default();
        Err(match (held, namespace_of_kind) {
            (Some(held), Some(namespace)) => format!(
                "this snapshot holds {plural} of {} only, and none of namespace {namespace}{why}: whether the cluster had any is not \
                 known",
                held.named(&self.described)
            ),
            _ => format!(
                "this snapshot holds no {plural}{why}: whether the cluster had any is not known; to look at them, write \
                 `kubectl get {plural}{} -o yaml > {plural}.yaml` into its folder and start again",
                if kind.namespaced { " -A" } else { "" }
            ),
        })
    }

    /// What a list over all namespaces lacks; none if it is complete.
    pub(super) fn gaps(&self, kind: &Kind) -> Option<String> {
        let held = self.held(kind).filter(|held| !held.everywhere && !held.is_whole && kind.namespaced)?;
        Some(format!("this snapshot holds {} of {} only", name(kind), held.named(&self.described)))
    }

    /// What a list of namespaces lacks; none if it is complete.
    pub(super) fn namespaces_are_those_of_objects(&self) -> Option<String> {
        let note = "this snapshot has no list of namespaces: these are the ones that its files mention";
        (!self.are_all).then(|| note.to_owned())
    }

    fn held(&self, kind: &Kind) -> Option<&Held> {
        self.held.get(&(kind.group.clone(), kind.kind.clone()))
    }
}

/// The plural name with its group, as kubectl takes it.
fn name(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) }
}
