//! One thing that is wrong, and which is worse.

use std::cmp::Reverse;

use sandbar_tool::kubernetes::view::one_line;
use sandbar_tool::kubernetes::{Time, Trouble};
use schemars::JsonSchema;
use serde::Serialize;

/// How bad it is: what breaks most for most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// What everything runs on: nodes and APIs.
    Cluster,
    /// What serves nobody any more: a workload or a Service without a pod.
    Down,
    /// What serves less than it should.
    Less,
    /// What does not begin or does not end: Jobs, claims, namespaces.
    Unfinished,
    /// What may be meant, and what may become a trouble.
    Rest,
}

/// An object, by what it is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct Object {
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What is wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) rank: Rank,
    /// How many pods, or other objects, have it.
    pub(crate) size: usize,
    pub(crate) object: Object,
    pub(crate) why: String,
    pub(crate) since: Option<Time>,
    /// Events may have the cause.
    pub(crate) is_told_by_events: bool,
    /// Some pods of it, by name.
    pub(crate) pods: Vec<String>,
    /// All objects that have it, where there are several.
    pub(crate) alike: Vec<Object>,
}

/// Bytes of why at most: ten problems are under 4 KB.
const WHY_MAX: usize = 220;

impl Object {
    pub(crate) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// `Deployment team-a/web`.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.kind, self.path())
    }

    /// `team-a/web`.
    pub(crate) fn path(&self) -> String {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        format!("{}{slash}{}", self.namespace, self.name)
    }
}

impl Problem {
    pub(crate) fn new(rank: Rank, object: Object, trouble: Trouble) -> Self {
        Self {
            rank,
            size: 1,
            object,
            why: trouble.to_string(),
            since: trouble.since,
            is_told_by_events: trouble.is_told_by_events,
            pods: Vec::new(),
            alike: Vec::new(),
        }
    }

    pub(crate) fn why(&self) -> String {
        one_line(&self.why, WHY_MAX)
    }
}

/// The worst first.
pub(crate) fn sort(problems: &mut [Problem]) {
    problems.sort_by(|one, other| {
        let key = |problem: &Problem| (problem.rank, Reverse(problem.size));
        key(one).cmp(&key(other)).then_with(|| one.object.cmp(&other.object))
    });
}
