//! The trace of one call: its ids, and the spans of its parts as they begin and end.

use std::fmt::{self, Write as _};
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::context::TraceParent;

/// Requests of one call that have a span each. A call may make hundreds, and where the time goes is seen from fewer.
pub const REQUESTS: usize = 64;

/// Names a trace among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub(super) NonZeroU128);

/// Names a span within its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub(super) NonZeroU64);

/// Whether the spans of a trace are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// They are.
    Yes,
    /// They are not; only the ids are handed on.
    No,
}

/// The trace of one call, shared by everything that works for it.
#[derive(Debug)]
pub struct Trace {
    id: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    state: Option<Box<str>>,
    is_sampled: bool,
    parts: Mutex<Parts>,
}

/// What is kept of a call's parts.
#[derive(Debug, Default)]
struct Parts {
    spans: Vec<Span>,
    requests: usize,
    left_out: u32,
    /// The span of the instance, in which requests are made.
    instance: Option<SpanId>,
    /// The call has ended: what begins now, or ends, comes too late.
    is_over: bool,
}

/// A part of a call that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The wait for a turn of its component and for a slot.
    Wait,
    /// An instance of the component: it is made, runs, and is dropped.
    Instance,
    /// One attempt of a request to an API server, to the head of the answer.
    Request {
        /// What it is for: `list` for example.
        verb: &'static str,
        /// The resource as RBAC has it, or a path that every cluster has.
        resource: Box<str>,
        /// Host and port of the API server, where there is one.
        server: Option<(Box<str>, u16)>,
        /// The status of the answer; none: there was no answer.
        status: Option<u16>,
    },
}

/// The span of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its id.
    pub id: SpanId,
    /// The span that it is in.
    pub parent: SpanId,
    /// What it is about.
    pub part: Part,
    /// When it began.
    pub began: Instant,
    /// When it ended; none: the call ended before.
    pub ended: Option<Instant>,
}

/// What there is to tell of a call that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The spans of its parts, in the order in which they began.
    pub spans: Vec<Span>,
    /// Requests that have no span, since there were more than [`REQUESTS`].
    pub left_out: u32,
}

/// The span of a part that goes on. It ends when this is dropped.
#[derive(Debug)]
pub struct OpenSpan<'t> {
    trace: &'t Trace,
    /// Where it is among the spans; none: it is not kept.
    at: Option<usize>,
    id: SpanId,
}

impl Trace {
    /// That of a call in this span of its caller, or of one that nobody traces yet. `decide` says whether its spans are kept, by what the caller
    /// has decided and by an id that no caller has chosen. None where there are no random numbers.
    pub fn begin(parent: Option<&TraceParent>, decide: impl FnOnce(TraceId, Option<Sampled>) -> Sampled) -> Option<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).ok()?;
        let (trace, span) = random.split_at(16);
        let span = SpanId(NonZeroU64::new(u64::from_ne_bytes(span.try_into().ok()?))?);
        let own = TraceId(NonZeroU128::new(u128::from_ne_bytes(trace.try_into().ok()?))?);
        let id = parent.map_or(own, |parent| parent.trace);
        let decided = parent.map(|parent| if parent.is_sampled { Sampled::Yes } else { Sampled::No });
        Some(Self {
            id,
            span,
            parent: parent.map(|parent| parent.span),
            state: parent.and_then(|parent| parent.state.clone()),
            is_sampled: decide(own, decided) == Sampled::Yes,
            parts: Mutex::default(),
        })
    }

    /// Its id.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The span of the call as a whole.
    pub fn span(&self) -> SpanId {
        self.span
    }

    /// The caller's span that the call is in.
    pub fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// The `tracestate` that came with it. It goes along as it is.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether its spans are kept.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// A part begins. What it is about is only asked for where its span is kept.
    pub fn enter(&self, part: impl FnOnce() -> Part) -> OpenSpan<'_> {
        let unkept = OpenSpan { trace: self, at: None, id: self.span };
        if !self.is_sampled {
            return unkept;
        }
        let (part, began) = (part(), Instant::now());
        let mut parts = self.parts();
        if parts.is_over {
            return unkept;
        }
        let id = self.child(parts.spans.len());
        let mut parent = self.span;
        match part {
            Part::Wait => {}
            Part::Instance => parts.instance = Some(id),
            Part::Request { .. } => {
                parent = parts.instance.unwrap_or(parent);
                if parts.requests == REQUESTS {
                    parts.left_out = parts.left_out.saturating_add(1);
                    return OpenSpan { id: parent, ..unkept };
                }
                parts.requests += 1;
            }
        }
        parts.spans.push(Span { id, parent, part, began, ended: None });
        OpenSpan { trace: self, at: Some(parts.spans.len() - 1), id }
    }

    /// The call has ended: what was noted of it. From now on nothing is.
    pub fn end(&self) -> Ended {
        let mut parts = self.parts();
        parts.is_over = true;
        Ended { spans: std::mem::take(&mut parts.spans), left_out: parts.left_out }
    }

    /// The id of a part's span: another one for each, and for each call.
    fn child(&self, at: usize) -> SpanId {
        // SplitMix64, of which no two numbers are the same. One in 2^64 is zero, which is no id.
        let mut mixed = self.span.0.get().wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        SpanId(NonZeroU64::new(mixed ^ (mixed >> 31)).unwrap_or(NonZeroU64::MAX))
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Parts> {
        // Each change is a single step, so a panic elsewhere leaves it valid.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSpan<'_> {
    /// The `traceparent` for whoever goes on within this span.
    pub fn traceparent(&self) -> String {
        // Of the flags only the first: where the version is 00, readers of level 1 take no other.
        let mut text = String::with_capacity(55);
        let _ = write!(text, "00-{}-{}-0{}", self.trace.id, self.id, u8::from(self.trace.is_sampled));
        text
    }

    /// The `tracestate` that goes with it.
    pub fn tracestate(&self) -> Option<&str> {
        self.trace.state()
    }

    /// The request of this span is answered with this status.
    pub fn answered(&self, answered: u16) {
        self.change(|span| {
            if let Part::Request { status, .. } = &mut span.part {
                *status = Some(answered);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Span)) {
        if let Some(at) = self.at {
            let mut parts = self.trace.parts();
            parts.spans.get_mut(at).map(change);
        }
    }
}

impl Drop for OpenSpan<'_> {
    fn drop(&mut self) {
        if self.at.is_some() {
            let now = Instant::now();
            self.change(|span| span.ended = Some(now));
        }
    }
}

impl TraceId {
    /// As OTLP has it.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// The part that is random in every trace, by which a share of them is chosen: 56 bits, as of level 2 of W3C Trace Context.
    pub fn randomness(self) -> u64 {
        // Only the lower half, of which the upper byte is cut off.
        (self.0.get() & 0x00ff_ffff_ffff_ffff) as u64
    }
}

impl SpanId {
    /// As OTLP has it.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn begin(parent: Option<&TraceParent>, sampled: Sampled) -> Trace {
        Trace::begin(parent, |_, _| sampled).expect("random numbers")
    }

    fn request() -> Part {
        Part::Request { verb: "list", resource: "pods".into(), server: None, status: None }
    }

    #[test]
    fn a_call_goes_on_in_the_trace_of_its_caller() {
        let parent = TraceParent::parse(PARENT, Some("a=b")).expect("right");
        let mut said = None;
        let trace = Trace::begin(Some(&parent), |id, decided| {
            said = Some((id, decided));
            Sampled::No
        });
        let trace = trace.expect("random numbers");
        assert!(
            said.is_some_and(|(own, decided)| own != trace.id() && decided == Some(Sampled::Yes)),
            "no id of the caller's choice"
        );
        assert_eq!(trace.parent().map(|span| span.to_string()).as_deref(), Some("00f067aa0ba902b7"));
        let open = trace.enter(|| panic!("nobody wants to know"));
        let handed_on = open.traceparent();
        assert_eq!(handed_on, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-00", trace.span()));
        assert_eq!(
            (open.tracestate(), TraceParent::parse(&handed_on, None).map(|next| next.is_sampled)),
            (Some("a=b"), Some(false))
        );
        drop(open);
        assert_eq!(trace.end(), Ended { spans: Vec::new(), left_out: 0 });
    }

    #[test]
    fn calls_of_nobodys_trace_have_one_each() {
        let (one, other) = (begin(None, Sampled::Yes), begin(None, Sampled::Yes));
        assert!(one.id() != other.id() && one.span() != other.span() && one.parent().is_none());
    }

    #[test]
    fn parts_are_within_the_call_and_requests_within_the_instance() {
        let trace = begin(None, Sampled::Yes);
        drop(trace.enter(|| Part::Wait));
        let instance = trace.enter(|| Part::Instance);
        let answered = trace.enter(request);
        answered.answered(200);
        let handed_on = answered.traceparent();
        drop(answered);
        let unanswered = trace.enter(request);
        let Ended { spans, left_out } = trace.end();
        assert_eq!((spans.len(), left_out), (4, 0));
        let of = |at: usize| (&spans[at].part, spans[at].parent, spans[at].ended.is_some());
        assert_eq!(of(0), (&Part::Wait, trace.span(), true));
        assert_eq!(of(1), (&Part::Instance, trace.span(), false));
        let with = |status| Part::Request { verb: "list", resource: "pods".into(), server: None, status };
        assert_eq!(of(2), (&with(Some(200)), spans[1].id, true));
        assert_eq!(of(3), (&with(None), spans[1].id, false));
        assert_eq!(handed_on, format!("00-{}-{}-01", trace.id(), spans[2].id));
        assert!(spans.iter().all(|span| span.ended.is_none_or(|ended| ended >= span.began)));
        // These come too late, and change nothing.
        drop((instance, unanswered, trace.enter(request)));
        assert_eq!(trace.end().spans, Vec::new());
    }

    #[test]
    fn however_many_requests_there_are_so_many_have_a_span() {
        let trace = begin(None, Sampled::Yes);
        let instance = trace.enter(|| Part::Instance);
        for _ in 0..REQUESTS {
            drop(trace.enter(request));
        }
        let left_out = trace.enter(request);
        assert_eq!(left_out.traceparent(), instance.traceparent(), "it goes on in the nearest span that there is");
        left_out.answered(500);
        drop(left_out);
        let ended = trace.end();
        assert_eq!((ended.spans.len(), ended.left_out), (REQUESTS + 1, 1));
        let ids: HashSet<String> = ended.spans.iter().map(|span| span.id.to_string()).chain([trace.span().to_string()]).collect();
        assert_eq!(ids.len(), REQUESTS + 2);
        assert!(ended.spans.iter().all(|span| !matches!(span.part, Part::Request { status: Some(_), .. })));
    }
}
