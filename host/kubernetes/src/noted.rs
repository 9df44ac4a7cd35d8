//! Which reads are made, noted so that they can be made again: for a record of what a cluster answers.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::list::single_name;
use super::types::{LogSource, Query, Resource, Scope};

/// Different reads that are noted. Cases of a tool make a few dozen.
const MOST: usize = 1_000;

/// A read, without what cuts its answer down: fields, selectors, pages and caps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotedRead {
    /// One object.
    Object(Resource, Scope, String),
    /// A list; of one name alone where the selector says so, since a grant may allow no more.
    List(Resource, Scope, Option<String>),
    /// A container's log.
    Log {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The container; none: the pod's only one.
        container: Option<String>,
        /// Of the run before.
        previous: bool,
    },
}

/// The reads that were made.
#[derive(Debug, Default)]
pub struct Noted(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    reads: BTreeSet<NotedRead>,
    left_out: bool,
}

impl Noted {
    /// The reads so far; none where they are more than can be noted.
    pub fn reads(&self) -> Option<BTreeSet<NotedRead>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!state.left_out).then(|| state.reads.clone())
    }

    pub(super) fn object(&self, of: &Resource, within: &Scope, name: &str) {
        self.note(NotedRead::Object(of.clone(), within.clone(), name.to_owned()));
    }

    pub(super) fn list(&self, query: &Query) {
        let name = single_name(query.field_selector.as_deref()).map(|name| name.as_str().to_owned());
        self.note(NotedRead::List(query.of.clone(), query.within.clone(), name));
    }

    pub(super) fn log(&self, source: &LogSource) {
        let LogSource { namespace, pod, container, previous, .. } = source.clone();
        self.note(NotedRead::Log { namespace, pod, container, previous });
    }

    fn note(&self, read: NotedRead) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.reads.len() < MOST || state.reads.contains(&read) {
            state.reads.insert(read);
        } else {
            state.left_out = true;
        }
    }
}
