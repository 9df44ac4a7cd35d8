//! Who is told of each request to an API server, and its span where the call that it is for has a trace.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use sandbar_policy::Budget;
use sandbar_spans::{OpenSpan, Part};

/// Somebody who is told of requests. It is called on their way, so it takes no longer than a line of the log.
pub trait RequestObserver: Send + Sync {
    /// An attempt has come to the head of an answer, or to none.
    fn attempted(&self, request: &SentRequest<'_>);
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestVerb {
    /// An object, or what is no resource.
    Get,
    /// A page of objects.
    List,
    /// A container's log.
    Log,
    /// What the API server says of a token, or of somebody's rights.
    Review,
}

impl RequestVerb {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Get, Self::List, Self::Log, Self::Review];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Log => "log",
            Self::Review => "review",
        }
    }
}

/// A request that was sent once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentRequest<'r> {
    /// What it was for.
    pub verb: RequestVerb,
    /// What was asked for: a resource as RBAC has it, `deployments.apps` for example, or the path of what is none, `/version` for example.
    /// Nothing of a namespace or of an object's name.
    pub resource: &'r str,
    /// The status of the answer; none: there was no answer, or nobody waited for it any more.
    pub status: Option<StatusCode>,
    /// The time to the answer's head, or to the attempt's end.
    pub took: Duration,
}

/// An attempt that is on its way. Dropped, it has no answer.
pub(super) struct Attempting<'a> {
    observer: Option<&'a dyn RequestObserver>,
    verb: RequestVerb,
    resource: &'a str,
    began: Instant,
    span: Option<OpenSpan<'a>>,
}

impl<'a> Attempting<'a> {
    /// `server` is where it goes: host and port, as far as there are any.
    pub(super) fn begin(
        observer: Option<&'a dyn RequestObserver>,
        budget: &'a Budget,
        (verb, resource): (RequestVerb, &'a str),
        server: Option<(&str, u16)>,
    ) -> Self {
        let span = budget.enter(|| Part::Request {
            verb: verb.as_str(),
            resource: resource.into(),
            server: server.map(|(host, port)| (host.into(), port)),
            status: None,
        });
        Self { observer, verb, resource, began: Instant::now(), span }
    }

    /// Says in which span the API server goes on, if there is one.
    pub(super) fn says_its_span(&self, headers: &mut HeaderMap) {
        let Some(span) = &self.span else { return };
        // Both are visible ASCII.
        if let Ok(parent) = HeaderValue::try_from(span.traceparent()) {
            headers.insert("traceparent", parent);
        }
        if let Some(state) = span.tracestate().and_then(|state| HeaderValue::from_str(state).ok()) {
            headers.insert("tracestate", state);
        }
    }

    /// The head of an answer is there.
    pub(super) fn answered(mut self, status: StatusCode) {
        if let Some(span) = &self.span {
            span.answered(status.as_u16());
        }
        self.tell(Some(status));
    }

    fn tell(&mut self, status: Option<StatusCode>) {
        let Self { verb, resource, began, .. } = *self;
        if let Some(observer) = self.observer.take() {
            observer.attempted(&SentRequest { verb, resource, status, took: began.elapsed() });
        }
    }
}

impl Drop for Attempting<'_> {
    fn drop(&mut self) {
        self.tell(None);
    }
}
