//! One record of each call that has ended, and who is told of it: the audit log, and whatever counts or traces calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_policy::{Budget, Caller};

use super::offer::Offer;
use super::outcome::Outcome;

/// Somebody who is told of what a server does. It is called on the way of calls, so it takes no longer than a line of the log.
pub trait Observer: Send + Sync {
    /// A call has ended: its answer has been sent, or it has come to nothing.
    fn ended(&self, call: &EndedCall<'_>);

    /// A component of the operator's has been compiled, or cannot be: that took so long, with the wait for memory.
    fn compiled(&self, _took: Duration) {}
}

/// A call that has ended: what it did and used, and nothing of what it read or said.
#[derive(Clone, Copy)]
pub struct EndedCall<'c> {
    /// Who called.
    pub caller: &'c Caller,
    /// The version of the protocol that the client speaks, if it is a client of MCP.
    pub version: Option<&'static str>,
    /// What was asked for: a tool, a prompt or a resource.
    pub offer: Offer,
    /// Its name, without anything that may be an argument. What nothing has is the caller's word alone, and neither clean nor short.
    pub name: &'c str,
    /// The component that has it; none where nothing has that name, as far as the caller is shown.
    pub component: Option<&'c Arc<str>>,
    /// Bytes of the arguments as JSON, or of the URI.
    pub argument_bytes: usize,
    /// Whether it was let in. One that was not was turned away because there were too many.
    pub is_let_in: bool,
    /// What is known where it has come to its component.
    pub run: Option<Run<'c>>,
    /// How it ended.
    pub outcome: Outcome,
    /// The code of the JSON-RPC error that it was answered with, if it was one.
    pub error: Option<i32>,
    /// When it began.
    pub began: Instant,
    /// How long it took to its end. What comes after is its reader's time.
    pub took: Duration,
}

/// A call that has come to its component.
#[derive(Clone, Copy)]
pub struct Run<'c> {
    /// The digest of the component's bytes.
    pub digest: &'c str,
    /// The name of the cluster, where there are several.
    pub cluster: Option<&'c str>,
    /// Whose rights counted for what it read.
    pub rights: &'static str,
    /// What it has used.
    pub budget: &'c Budget,
    /// Bytes that the component returned.
    pub result_bytes: usize,
}

/// All who are told. Cheap to clone. By default nobody is.
#[derive(Clone, Default)]
pub(super) struct Observers(Arc<[Arc<dyn Observer>]>);

impl Observers {
    /// The same, and another one after them.
    pub(super) fn and(&self, observer: Arc<dyn Observer>) -> Self {
        Self(self.0.iter().cloned().chain([observer]).collect())
    }

    pub(super) fn ended(&self, call: &EndedCall<'_>) {
        self.0.iter().for_each(|observer| observer.ended(call));
    }

    pub(super) fn compiled(&self, took: Duration) {
        self.0.iter().for_each(|observer| observer.compiled(took));
    }
}
