//! A call's place in a trace, and the spans of its parts: what is noted while the call runs.
//!
//! `context` is what a caller says of its own trace, by W3C Trace Context; `trace` is that of one call, and where its time goes. Who wants to
//! know, and where it is sent, is nothing that this crate knows: see crate `traces`.
//!
//! Invariant: a trace holds a bounded number of spans, and nothing of what a call was given, read or answered.

mod context;
mod trace;

pub use context::TraceParent;
pub use trace::{Ended, OpenSpan, Part, REQUESTS, Sampled, Span, SpanId, Trace, TraceId};
