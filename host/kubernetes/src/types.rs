//! The questions and answers of a reader. They mirror the contract's records; the `capability` module converts between them.

use std::fmt;

use sandbar_policy::Verb;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// An API resource as it stands in a URL and in RBAC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// The API group; `""` is the core group.
    pub group: String,
    /// The version; `""` is the one that the server prefers.
    pub version: String,
    /// The plural name in lower case.
    pub plural: String,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// One resource that the cluster serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServedResource {
    /// The API group; `""` is the core group.
    pub group: String,
    /// The version that this is about.
    pub version: String,
    /// The plural name, as in a URL.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Verbs,
}

/// What people call a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedKind {
    /// The resource, in the version that the server prefers of those that have it.
    pub resource: ServedResource,
    /// What one of its objects is called, `Deployment` for example; empty where the server does not say so.
    pub kind: String,
    /// What people write for it, `deploy` for example.
    pub short_names: Vec<String>,
}

/// Everything that the cluster serves and that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedKinds {
    /// Sorted by group and plural name.
    pub kinds: Vec<ServedKind>,
    /// What is missing from them.
    pub warnings: Vec<String>,
}

impl ServedResource {
    /// A resource as a test has it.
    #[cfg(test)]
    pub(crate) fn new(group: &str, version: &str, plural: &str, namespaced: bool, verbs: &[&str]) -> Self {
        let verbs = verbs.iter().copied().collect();
        Self { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned(), namespaced, verbs }
    }
}

/// What can be done with a resource, in RBAC's words. Verbs that Kubernetes does not have are left out: nothing here could use one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verbs(u8);

impl Verbs {
    /// https://kubernetes.io/docs/reference/using-api/api-concepts/#api-verbs
    const ALL: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// Whether this can be done.
    pub fn has(self, verb: Verb) -> bool {
        self.names().any(|name| name == verb.as_str())
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().enumerate().filter(move |(bit, _)| self.0 & (1_u8 << bit) != 0).map(|(_, name)| name)
    }

    fn add(&mut self, verb: &str) {
        if let Some(bit) = Self::ALL.iter().position(|name| *name == verb) {
            self.0 |= 1_u8 << bit;
        }
    }
}

impl<'v> FromIterator<&'v str> for Verbs {
    fn from_iter<I: IntoIterator<Item = &'v str>>(names: I) -> Self {
        let mut verbs = Self::default();
        names.into_iter().for_each(|name| verbs.add(name));
        verbs
    }
}

/// For messages: `get, list`.
impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("nothing");
        }
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

/// From a list of names, of which none is kept.
impl<'de> Deserialize<'de> for Verbs {
    fn deserialize<D: Deserializer<'de>>(list: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Verbs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of verbs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Verbs, A::Error> {
                let mut verbs = Verbs::default();
                while names.next_element_seed(Name(&mut verbs))?.is_some() {}
                Ok(verbs)
            }
        }
        struct Name<'v>(&'v mut Verbs);
        impl<'de> DeserializeSeed<'de> for Name<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<(), D::Error> {
                name.deserialize_str(self)
            }
        }
        impl Visitor<'_> for Name<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a verb")
            }

            fn visit_str<E>(self, name: &str) -> Result<(), E> {
                self.0.add(name);
                Ok(())
            }
        }
        list.deserialize_seq(List)
    }
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A cluster-scoped resource.
    Cluster,
    /// A namespaced resource in every namespace that the grant allows.
    EveryNamespace,
    /// A namespaced resource in one namespace.
    Namespace(String),
}

/// One object, asked for.
#[derive(Clone, Debug)]
pub struct ObjectKey {
    /// Its resource.
    pub of: Resource,
    /// Its namespace, or the cluster.
    pub within: Scope,
    /// Its name.
    pub name: String,
    /// The paths to keep; none: the whole object less `metadata.managedFields`.
    pub fields: Option<Vec<String>>,
}

/// One page of a list, asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// What to list.
    pub of: Resource,
    /// Where to look.
    pub within: Scope,
    /// A Kubernetes label selector.
    pub label_selector: Option<String>,
    /// A Kubernetes field selector.
    pub field_selector: Option<String>,
    /// The paths to keep; none: the whole object less `metadata.managedFields`.
    pub fields: Option<Vec<String>>,
    /// Objects on the page at most; none and 0 mean the default.
    pub limit: Option<u32>,
    /// The cursor of the page before.
    pub continue_: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// One JSON array of objects.
    pub items: String,
    /// The cursor of the next page; only its absence ends a list.
    pub continue_: Option<String>,
    /// How many objects follow, where the server says so.
    pub remaining: Option<u32>,
    /// What a reader of the answer must know.
    pub warnings: Vec<String>,
}

/// One page of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePage {
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// The rows: objects with their `metadata` and their `cells` by the names of the columns.
    pub page: Page,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Greater than 0: kubectl shows it with `-o wide` alone.
    pub priority: u32,
}

/// Which part of which log.
#[derive(Clone, Debug, Default)]
pub struct LogSource {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container; none is right for a pod with one container.
    pub container: Option<String>,
    /// The log of the container's previous run.
    pub previous: bool,
    /// How many of the newest lines to read, counted before `matching` drops any; none: 2,000, or 20,000 with `matching`.
    pub tail_lines: Option<u32>,
    /// Only lines that are at most this old, in seconds.
    pub since_seconds: Option<u32>,
    /// Begin each line with its time stamp.
    pub timestamps: bool,
    /// Keep only the lines that this regular expression matches.
    pub matching: Option<String>,
    /// Bytes of text at most; none and 0 mean the cap.
    pub limit_bytes: Option<u32>,
}

/// The newest lines of a log that fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Clean text, oldest line first.
    pub text: String,
    /// The cap cut something off.
    pub truncated: bool,
    /// How many bytes were cut off, where that is known.
    pub dropped_bytes: Option<u32>,
    /// Whether older lines exist before these, where that is known.
    pub older: Option<bool>,
    /// What a reader of the text must know.
    pub warnings: Vec<String>,
}

/// The state of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Its version, `v1.37.2` for example.
    pub git_version: String,
    /// What it runs on, `linux/amd64` for example.
    pub platform: String,
    /// Whether it says that it is ready to serve, etcd included.
    pub ready: bool,
}
