//! A call that has ended, as it waits to be sent.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sandbar_catalog::{EndedCall, Offer, Outcome};
use sandbar_spans::{Ended, SpanId, Trace, TraceId};

/// A call that has ended, with the spans of its parts.
#[derive(Debug)]
pub(super) struct TracedCall {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) state: Option<Box<str>>,
    pub(super) offer: Offer,
    /// What was asked for, where there is a component that has it. Any other name is the caller's word.
    pub(super) known: Option<Known>,
    pub(super) version: Option<&'static str>,
    pub(super) outcome: Outcome,
    pub(super) error_type: Option<&'static str>,
    pub(super) error: Option<i32>,
    pub(super) used: Option<Used>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// A moment, by both clocks.
    pub(super) now: (Instant, SystemTime),
    pub(super) parts: Ended,
}

/// The name of a tool or prompt, or the URI or template of a resource, and the component that has it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: Box<str>,
    pub(super) component: Arc<str>,
}

/// What a call has used that has come to its component.
#[derive(Debug)]
pub(super) struct Used {
    /// The name of the cluster, where there are several.
    pub(super) cluster: Option<Box<str>>,
    pub(super) cpu_seconds: f64,
    pub(super) requests: u32,
    pub(super) read_bytes: u64,
    pub(super) result_bytes: usize,
}

impl TracedCall {
    pub(super) fn new(call: &EndedCall<'_>, trace: &Trace) -> Self {
        Self {
            trace: trace.id(),
            span: trace.span(),
            parent: trace.parent(),
            state: trace.state().map(Into::into),
            offer: call.offer,
            known: call.component.map(|component| Known { name: call.name.into(), component: component.clone() }),
            version: call.version,
            outcome: call.outcome,
            error_type: call.error_type(),
            error: call.error,
            used: call.run.map(|run| Used {
                cluster: run.cluster.map(Into::into),
                cpu_seconds: run.budget.meter().last_spent().as_secs_f64(),
                requests: run.budget.requests(),
                read_bytes: run.budget.read(),
                result_bytes: run.result_bytes,
            }),
            began: call.began,
            ended: call.began + call.took,
            now: (Instant::now(), SystemTime::now()),
            parts: trace.end(),
        }
    }

    /// How many spans it has.
    pub(super) fn spans(&self) -> u64 {
        1 + self.parts.spans.len() as u64
    }
}
