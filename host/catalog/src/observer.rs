//! One record of each call that has ended, and who is told of it: the audit log, and whatever counts or traces calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_policy::{Budget, Caller};
use sandbar_spans::{Trace, TraceParent};

use super::offer::Offer;
use super::outcome::Outcome;

/// Is told of each finished call and of each compilation of an operator's component, and may supply a call's trace. Called synchronously
/// on the call path, so implementations must cost no more than a log line.
pub trait Observer: Send + Sync {
    /// A call has ended: its answer has been sent, or it has come to nothing.
    fn ended(&self, call: &EndedCall<'_>);

    /// A call has begun, in this span of its caller: its trace, if this is who traces calls. It is looked at when the call has ended.
    fn trace(&self, _parent: Option<&TraceParent>) -> Option<Trace> {
        None
    }

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
    /// Name of the tool or prompt; URI or template of the resource, or only the beginning of a URI that nothing serves. Never an
    /// argument; cut, not cleaned. If `component` is `None` it is raw caller input.
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
    /// Its trace, if somebody traces calls.
    pub trace: Option<&'c Trace>,
}

impl EndedCall<'_> {
    /// What went wrong, by OpenTelemetry's conventions for MCP: `tool_error` where a tool's result says that it is an error, the code where the
    /// answer is an error of JSON-RPC, and `_OTHER` for what has no name. A call without an answer is `cancelled` or `undelivered`.
    pub fn error_type(&self) -> Option<&'static str> {
        match (self.outcome, self.error) {
            (Outcome::Answered, _) => None,
            (Outcome::Cancelled, _) => Some("cancelled"),
            (Outcome::Undelivered, _) => Some("undelivered"),
            (_, None) if self.offer == Offer::Tool => Some("tool_error"),
            (_, Some(-32602)) => Some("-32602"),
            (_, Some(-32603)) => Some("-32603"),
            (_, Some(-32002)) => Some("-32002"),
            (_, Some(-32000)) => Some("-32000"),
            (_, _) => Some("_OTHER"),
        }
    }
}

/// Protocol version and trace parent of a call, as far as the client sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The version of the protocol that the client speaks, if it is a client of MCP.
    pub version: Option<&'static str>,
    /// The span of the caller in which it is made.
    pub parent: Option<TraceParent>,
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

    /// The trace of a call that begins: of the first who traces calls.
    pub(super) fn trace(&self, parent: Option<&TraceParent>) -> Option<Trace> {
        self.0.iter().find_map(|observer| observer.trace(parent))
    }

    pub(super) fn compiled(&self, took: Duration) {
        self.0.iter().for_each(|observer| observer.compiled(took));
    }
}
