//! What a snapshot holds, and what it does not: nobody may take what was never asked for to be missing from the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::Document;
use super::kinds::{self, Kind};
use super::layout;

/// Namespaces that a message names.
const NAMED: usize = 5;

/// Names in a file of failures that are kept.
const FAILURES_MAX: usize = 1_000;

/// One thing that somebody asked a cluster for, and wrote the answer into a file.
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
    /// By the name of a file whose empty list does not say what it would have held.
    Called(String),
}

impl Gathered {
    /// The objects of a kind in a namespace, or in all.
    pub(super) fn kind(api_version: &str, kind: &str, within: Option<&str>) -> Self {
        Self { what: What::Kind(api_version.to_owned(), kind.to_owned()), within: within.map(str::to_owned) }
    }

    /// What a file is called after.
    pub(super) fn called(stem: &str, within: Option<&str>) -> Self {
        Self { what: What::Called(stem.to_owned()), within: within.map(str::to_owned) }
    }

    /// Bytes that it takes: here, and in what is made of it.
    pub(super) fn bytes(&self) -> usize {
        let what = match &self.what {
            What::Kind(api_version, kind) => api_version.len() + kind.len(),
            What::Called(stem) => stem.len(),
        };
        2 * (size_of::<Self>() + what + self.within().map_or(0, str::len))
    }

    /// The kind by `apiVersion` and name, where it is known.
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

/// What Troubleshoot could not read.
#[derive(Debug)]
pub(super) struct Failure {
    /// The file that says so.
    path: String,
    /// What it calls that.
    name: String,
    /// The namespaces, or the definitions of custom resources; empty if that is all of it.
    of: BTreeSet<String>,
}

impl Failure {
    /// What a file of failures says; none if nothing failed.
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

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let of: usize = self.of.iter().map(|of| size_of::<String>() + of.len()).sum();
        size_of::<Self>() + self.path.len() + self.name.len() + of
    }

    fn is_of(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        let custom = format!("{}.{}", kind.plural, kind.group);
        if self.name == "custom-resources" {
            return self
                .of
                .iter()
                .any(|of| of.strip_prefix(&custom).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        }
        let named = self.name == kind.plural
            || layout::gathered_kind(&self.name)
                .is_some_and(|(api_version, name)| kinds::group_and_version(api_version).0 == kind.group && name == kind.kind);
        named && (self.of.is_empty() || namespace.is_none_or(|namespace| self.of.contains(namespace)))
    }
}

/// Where the objects of one kind were looked for.
#[derive(Debug, Default)]
pub(super) struct Held {
    everywhere: bool,
    namespaces: BTreeSet<String>,
}

impl Held {
    fn add(&mut self, within: Option<&str>) {
        match within {
            None => self.everywhere = true,
            Some(namespace) => drop(self.namespaces.insert(namespace.to_owned())),
        }
    }

    fn is_nothing(&self) -> bool {
        !self.everywhere && self.namespaces.is_empty()
    }
}

/// What a snapshot holds.
#[derive(Default)]
pub(super) struct Coverage {
    /// By group and kind: a file is written in one version, and may be asked for in another.
    held: BTreeMap<(String, String), Held>,
    failures: Vec<Failure>,
    /// The namespaces of the cluster, where a list of them is there.
    namespaces: Option<BTreeSet<String>>,
}

impl Coverage {
    /// `kinds` are all that are served, `namespaces` those of the cluster where they are known.
    pub(super) fn new<'k>(
        gathered: &BTreeSet<Gathered>,
        failures: Vec<Failure>,
        kinds: impl Iterator<Item = &'k Kind> + Clone,
        namespaces: Option<BTreeSet<String>>,
    ) -> Self {
        let mut coverage = Self { held: BTreeMap::new(), failures, namespaces };
        for Gathered { what, within } in gathered {
            let of = match what {
                What::Kind(api_version, kind) => Some((kinds::group_and_version(api_version).0, kind.as_str())),
                What::Called(stem) => layout::named_after(stem, kinds.clone()).map(|kind| (&*kind.group, &*kind.kind)),
            };
            if let Some((group, kind)) = of {
                coverage.held.entry((group.to_owned(), kind.to_owned())).or_default().add(within.as_deref());
            }
        }
        coverage
    }

    /// Notes that custom resources of these kinds were looked for, where that did not fail: everywhere if there is a list of the
    /// cluster's namespaces, else in those that are described.
    pub(super) fn looked_for<'k>(&mut self, kinds: impl Iterator<Item = &'k Kind>, described: &BTreeSet<String>) {
        for kind in kinds {
            if self.failures.iter().any(|failure| failure.is_of(kind, None)) {
                continue;
            }
            let held = self.held.entry((kind.group.clone(), kind.kind.clone())).or_default();
            match self.namespaces {
                Some(_) => held.add(None),
                None => described.iter().for_each(|namespace| held.add(Some(namespace))),
            }
        }
    }

    /// # Errors
    /// In words, if nobody looked for objects of this kind in this namespace, or anywhere if there is none.
    pub(super) fn check(&self, kind: &Kind, namespace: Option<&str>) -> Result<(), String> {
        let held = self.held(kind);
        let plural = name(kind);
        let why = self.failures.iter().find(|failure| failure.is_of(kind, namespace));
        let why = why.map(|failure| format!(" (whoever wrote it could not read them, see {})", failure.path)).unwrap_or_default();
        match namespace.filter(|_| kind.namespaced) {
            Some(namespace) if held.is_some_and(|held| !held.is_nothing()) => {
                if held.is_some_and(|held| held.everywhere || held.namespaces.contains(namespace)) {
                    return Ok(());
                }
                let there = held.map(|held| among(&held.namespaces)).unwrap_or_default();
                Err(format!(
                    "this snapshot holds {plural} of {there} only, and none of namespace {namespace}{why}: whether the cluster had any is not known"
                ))
            }
            _ if held.is_some_and(|held| !held.is_nothing()) => Ok(()),
            _ => Err(format!(
                "this snapshot holds no {plural}{why}: whether the cluster had any is not known; to look at them, write \
                 `kubectl get {plural}{} -o yaml > {plural}.yaml` into its folder and start again",
                if kind.namespaced { " -A" } else { "" }
            )),
        }
    }

    /// What a list of all namespaces lacks; none if it is whole.
    pub(super) fn gaps(&self, kind: &Kind) -> Option<String> {
        let held = self.held(kind).filter(|held| !held.everywhere && kind.namespaced)?;
        if self.namespaces.as_ref().is_some_and(|all| all.is_subset(&held.namespaces)) {
            return None;
        }
        Some(format!("this snapshot holds {} of {} only", name(kind), among(&held.namespaces)))
    }

    /// What a list of namespaces lacks; none if it is the cluster's.
    pub(super) fn namespaces_are_those_of_objects(&self) -> Option<String> {
        let note = "this snapshot has no list of namespaces: these are the ones that its files mention";
        self.namespaces.is_none().then(|| note.to_owned())
    }

    fn held(&self, kind: &Kind) -> Option<&Held> {
        self.held.get(&(kind.group.clone(), kind.kind.clone()))
    }
}

/// The plural name with its group, as kubectl takes it.
fn name(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) }
}

/// Names some namespaces.
fn among(namespaces: &BTreeSet<String>) -> String {
    let named: Vec<&str> = namespaces.iter().take(NAMED).map(String::as_str).collect();
    let more = namespaces.len() - named.len();
    let plural = if namespaces.len() == 1 { "" } else { "s" };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("namespace{plural} {}{more}", named.join(", "))
}
