//! What each call counts for: its tool, its component or neither. There is nothing here by a name that the catalog does not have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use sandbar_catalog::{EndedCall, Offer, Outcome};

use super::failures::{Failure, Failures, LastFailures};
use super::hour::{Calls, Hour};
use super::served::Component;

/// Stands for whatever is not known by its name.
pub(crate) const OTHER: &str = "_other";

/// All calls of the last hour, and the last failures.
#[derive(Default)]
pub(crate) struct LastCalls {
    known: RwLock<Known>,
    /// Of what nothing has.
    other: Counted,
    all: Counted,
    failures: Mutex<LastFailures>,
}

/// What is served.
#[derive(Default)]
struct Known {
    /// By the names of tools.
    tools: HashMap<Arc<str>, Tool>,
    /// The prompts and resources of components, by the components' names.
    beside: HashMap<Arc<str>, Counted>,
}

struct Tool {
    component: Arc<str>,
    calls: Counted,
}

/// Calls, if there were any.
#[derive(Default)]
struct Counted(Mutex<Option<Hour>>);

impl Counted {
    fn add(&self, minute: u64, call: &EndedCall<'_>) {
        lock(&self.0).get_or_insert_default().add(minute, call.outcome, call.is_let_in.then_some(call.took));
    }

    fn spans(&self, now: u64, minutes: usize) -> Vec<Calls> {
        lock(&self.0).as_ref().map(|hour| hour.spans(now, minutes)).unwrap_or_default()
    }

    fn all(&self, now: u64) -> Calls {
        lock(&self.0).as_ref().map(|hour| hour.all(now)).unwrap_or_default()
    }
}

impl LastCalls {
    /// Knows what these have, and forgets what they have not.
    pub(crate) fn serves(&self, components: &[Component]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { mut tools, mut beside } = std::mem::take(&mut *known);
        for component in components {
            let name = &component.name;
            known.beside.insert(name.clone(), beside.remove(name).unwrap_or_default());
            for tool in &component.tools {
                let before = tools.remove(&tool.name).filter(|tool| tool.component == *name);
                let calls = before.map(|tool| tool.calls).unwrap_or_default();
                known.tools.insert(tool.name.clone(), Tool { component: name.clone(), calls });
            }
        }
    }

    /// Counts a call that ended in this minute.
    pub(crate) fn ended(&self, minute: u64, call: &EndedCall<'_>) {
        self.all.add(minute, call);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let tool = known.tools.get_key_value(call.name).filter(|(_, tool)| call.component == Some(&tool.component));
        let beside = call.component.and_then(|component| known.beside.get_key_value(component));
        let (counted, component, asked) = match (call.offer, tool, beside) {
            (Offer::Tool, Some((name, Tool { component, calls })), _) => (calls, component.clone(), name.clone()),
            (Offer::Tool, None, _) => (&self.other, OTHER.into(), OTHER.into()),
            (offer, _, Some((component, calls))) => (calls, component.clone(), offer.to_string().into()),
            (offer, _, None) => (&self.other, OTHER.into(), offer.to_string().into()),
        };
        counted.add(minute, call);
        let is_failure = !matches!(call.outcome, Outcome::Answered | Outcome::Cancelled);
        if is_failure {
            let failure = Failure { asked, component, outcome: call.outcome, code: call.error };
            lock(&self.failures).add(failure, SystemTime::now(), call.took);
        }
    }

    /// All calls, in spans of so many minutes; none without calls.
    pub(crate) fn all(&self, now: u64, minutes: usize) -> Vec<Calls> {
        self.all.spans(now, minutes)
    }

    /// The calls of a tool.
    pub(crate) fn of_tool(&self, name: &str, now: u64, minutes: usize) -> Vec<Calls> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.tools.get(name).map(|tool| tool.calls.spans(now, minutes)).unwrap_or_default()
    }

    /// The calls of a component's prompts and resources.
    pub(crate) fn beside_tools(&self, component: &str, now: u64) -> Calls {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.beside.get(component).map(|calls| calls.all(now)).unwrap_or_default()
    }

    /// The calls of what nothing has.
    pub(crate) fn of_nothing(&self, now: u64) -> Calls {
        self.other.all(now)
    }

    /// The last failures, the latest first.
    pub(crate) fn failures(&self) -> Vec<Failures> {
        lock(&self.failures).latest()
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // It is whole after every step, so a panic elsewhere leaves nothing broken.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long ago the server was started, in whole minutes.
pub(crate) fn minutes(since_start: Duration) -> u64 {
    since_start.as_secs() / 60
}
