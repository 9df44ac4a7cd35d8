//! A call as it goes on, which becomes the record of it once it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_policy::{Budget, Caller};
use sandbar_spans::Trace;

use super::observer::{Arrival, EndedCall, Observers, Run};
use super::offer::{Asked, Offer};
use super::outcome::Outcome;

/// Bytes of a name: the longest that MCP allows a tool. A URI may be longer than what is kept of it.
pub(super) const NAME_BYTES: usize = 128;

/// Bytes of a name that nothing has: it is the caller's word alone, as its own name is.
const CLAIMED_BYTES: usize = 64;

/// The event of one call. Observers are told when this is dropped: also when the call is dropped before its end.
pub struct CallEvent {
    observers: Observers,
    began: Instant,
    /// From its beginning to its end; what comes after is its reader's time.
    took: Option<Duration>,
    caller: Caller,
    version: Option<&'static str>,
    offer: Offer,
    name: String,
    component: Option<Arc<str>>,
    argument_bytes: usize,
    ran: Option<Ran>,
    outcome: Outcome,
    error: Option<i32>,
    trace: Option<Arc<Trace>>,
}

/// What is known once a component runs.
struct Ran {
    digest: Arc<str>,
    cluster: Option<Arc<str>>,
    rights: &'static str,
    budget: Arc<Budget>,
    result_bytes: usize,
}

/// The beginning of a name. It is cut before it is cleaned.
fn beginning(name: &str, most: usize) -> String {
    name[..name.floor_char_boundary(most)].to_owned()
}

impl CallEvent {
    /// Begins with a call that nobody has looked at yet. In a box, since it goes from hand to hand until its answer is sent.
    pub(super) fn begin(
        observers: &Observers,
        caller: &Caller,
        Arrival { version, parent }: Arrival,
        asked: &Asked,
    ) -> Box<Self> {
        Box::new(Self {
            observers: observers.clone(),
            began: Instant::now(),
            took: None,
            caller: caller.clone(),
            version,
            offer: asked.offer(),
            name: beginning(asked.bare_name(), NAME_BYTES),
            component: None,
            argument_bytes: asked.argument_bytes(),
            ran: None,
            outcome: Outcome::Cancelled,
            error: None,
            trace: observers.trace(parent.as_ref()).map(Arc::new),
        })
    }

    /// The call's trace, if somebody traces calls.
    pub(super) fn trace(&self) -> Option<Arc<Trace>> {
        self.trace.clone()
    }

    /// It is known which component has what is asked for. Of what fits a template only that is told: the rest is the caller's.
    pub(super) fn names(&mut self, component: &Arc<str>, template: Option<&str>) {
        self.component = Some(component.clone());
        if let Some(template) = template {
            self.name = beginning(template, NAME_BYTES);
        }
    }

    /// The call has come to its component, whose bytes have this digest.
    pub(super) fn runs(&mut self, digest: &Arc<str>, cluster: Option<Arc<str>>, rights: &'static str, budget: &Arc<Budget>) {
        self.ran = Some(Ran { digest: digest.clone(), cluster, rights, budget: budget.clone(), result_bytes: 0 });
    }

    /// The component has returned so many bytes.
    pub(super) fn returned(&mut self, bytes: usize) {
        if let Some(ran) = &mut self.ran {
            ran.result_bytes = bytes;
        }
    }

    /// The call has ended.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.took = Some(self.began.elapsed());
    }

    /// Nothing has this name.
    pub(super) fn names_nothing(&mut self) {
        self.name.truncate(self.name.floor_char_boundary(CLAIMED_BYTES));
        self.end(Outcome::Refused);
    }

    /// What the call has used so far; none where no component ran.
    pub fn budget(&self) -> Option<&Budget> {
        self.ran.as_ref().map(|ran| &*ran.budget)
    }

    /// It is answered with a JSON-RPC error of this code, or with none.
    pub fn answered_with(&mut self, error: Option<i32>) {
        self.error = error;
    }

    /// There was no room for the answer; its caller got words in its place.
    pub fn given_up(&mut self) {
        self.instead_of_answered(Outcome::GivenUp);
    }

    /// The caller did not take all of the answer.
    pub fn undelivered(&mut self) {
        self.instead_of_answered(Outcome::Undelivered);
    }

    /// What went wrong before says more than this.
    fn instead_of_answered(&mut self, outcome: Outcome) {
        if self.outcome == Outcome::Answered {
            self.outcome = outcome;
        }
    }
}

impl Drop for CallEvent {
    fn drop(&mut self) {
        if self.took.is_none() && std::thread::panicking() {
            self.outcome = Outcome::Fault;
        }
        self.observers.ended(&EndedCall {
            caller: &self.caller,
            version: self.version,
            offer: self.offer,
            name: &self.name,
            component: self.component.as_ref(),
            argument_bytes: self.argument_bytes,
            is_let_in: true,
            run: self.ran.as_ref().map(|Ran { digest, cluster, rights, budget, result_bytes }| Run {
                digest,
                cluster: cluster.as_deref(),
                rights,
                budget,
                result_bytes: *result_bytes,
            }),
            outcome: self.outcome,
            error: self.error,
            began: self.began,
            took: self.took.unwrap_or_else(|| self.began.elapsed()),
            trace: self.trace.as_deref(),
        });
    }
}
