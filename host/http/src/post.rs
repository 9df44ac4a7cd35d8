//! A POST to `/mcp`: one message, read and decided on once, and answered.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode, request};
use http_body::Body as HttpBody;
use rmcp::model::{ErrorData, JsonRpcError};
use sandbar_catalog::{Arrival, Asked, Catalog, Definition};
use sandbar_mcp::{
    Call, Era, FinishedCall, List, Message, MessageKind, Method, Reply, Request, Server, SharedResponse, Subscription, Version,
};
use sandbar_policy::{Account, Caller};
use sandbar_processor::{Failed, Processors};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::HttpResponse;
use super::admission::{Admission, Busy};
use super::backlog::Backlog;
use super::body::{Bodies, Body, NotRead};
use super::events::{event, event_of, event_stream};
use super::headers::{self, PROTOCOL_VERSION, SESSION_ID, only_text};
use super::in_flight::{RequestInFlight, RequestsInFlight};
use super::late::{self, Ended, Running};
use super::lease::{Delivery, Lease, Outgoing};
use super::media::{JSON, Takes, not_json};
use super::outlive::Work;
use super::rejection::{Rejection, json, typed};
use super::selection::narrowed;
use super::session::{Session, SessionKeys};
use super::stream::{self, Streams};

/// What the caller of a call reads that was still running when the time to drain was over.
const STOPPED: &str = "the server is shutting down and has stopped this call; call again";

/// What answers the messages at `/mcp`.
pub(super) struct Endpoint {
    pub(super) server: Server,
    pub(super) streams: Streams,
    /// The keys of sessions, now and later.
    pub(super) sessions: watch::Receiver<SessionKeys>,
    pub(super) bodies: Bodies,
    admission: Admission,
    processors: Processors,
    calls: RequestsInFlight,
    backlog: Backlog,
    /// Calls whose request may be gone already.
    pub(super) running: TaskTracker,
    /// Cancelled once calls that still run have to be given up, because the server stops.
    pub(super) ending: CancellationToken,
}

impl Endpoint {
    /// `answers` are the bytes of large answers that may wait for their readers, `processors` those that large bodies are parsed on.
    pub(super) fn new(
        server: Server,
        sessions: watch::Receiver<SessionKeys>,
        admission: Admission,
        answers: u64,
        processors: Processors,
    ) -> Self {
        Self {
            server,
            streams: Streams::default(),
            sessions,
            bodies: Bodies::new(processors.clone()),
            processors,
            admission,
            calls: RequestsInFlight::default(),
            backlog: Backlog::new(answers),
            running: TaskTracker::new(),
            ending: CancellationToken::new(),
        }
    }

    /// What is under way now.
    pub(super) fn under_way(&self) -> UnderWay {
        let ((places_taken, places), (streams_open, streams)) = (self.admission.taken(), self.streams.open_now());
        UnderWay { places, places_taken, streams, streams_open, backlog: self.backlog.bytes() }
    }
}

/// What is under way at a server, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// Calls that may be let in at once, whether they run, wait, or their answers wait for their readers.
    pub places: usize,
    /// Calls that are.
    pub places_taken: usize,
    /// Streams that may be open.
    pub streams: usize,
    /// Streams that are.
    pub streams_open: usize,
    /// Bytes of large answers that wait for their readers.
    pub backlog: usize,
}

/// What a request says outside of its message.
struct Head<'a> {
    headers: &'a HeaderMap,
    takes: Takes,
    /// The session's id, and the session; in the modern era there is none.
    session: Option<(&'a str, Session)>,
    caller: Caller,
}

/// What is left to do to answer a message.
enum Received {
    /// What is answered is known.
    Answer(HttpResponse),
    /// The same of a call that is not let in.
    TurnedAway(HttpResponse),
    /// A list that depends on who asks.
    List(List, Takes, Lease),
    /// A call is on its way.
    Call(Running, Takes),
    /// Something is to be told from now on.
    Subscription(Subscription),
}

/// Result of reading a request: handled, or a call whose headers contradict its body. Only a caller who may use the tool is told which
/// header is wrong.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
enum Read {
    Decided(Received),
    Mismatched(Box<Mismatched>),
}

/// A call whose headers do not repeat what is in its body.
struct Mismatched {
    call: Admitted,
    asked: Asked,
    rejection: Rejection,
}

/// A request that is let in, and what it is answered with.
struct Admitted {
    server: Server,
    request: Request,
    takes: Takes,
    /// The id of the session that it is in.
    session: Option<String>,
    caller: Caller,
    lease: Lease,
}

/// Answers a POST. Its body is read before anything else, since a connection cannot go on behind one that is not.
///
/// What few requests come to is boxed, or every request would have the size of the largest.
pub(super) async fn post<B: HttpBody<Data = Bytes>>(
    endpoint: &Arc<Endpoint>,
    request: HttpRequest<B>,
    caller: Caller,
) -> Result<HttpResponse, Rejection> {
    let (request::Parts { headers, uri, .. }, body) = request.into_parts();
    let account = caller.identity().account();
    let body = endpoint.bodies.read(&account, body).await.map_err(not_read)?;
    let caller = narrowed(caller, &headers, uri.query()).map_err(Rejection::of_read)?;
    let receiving = endpoint.clone();
    let received = endpoint.bodies.work(&account, body, move |body| receive(&receiving, &headers, caller, body)).await;
    let received = match received.unwrap_or_else(|Failed| Err(Rejection::failed(None))).map_err(Rejection::of_read)? {
        Read::Decided(received) => received,
        Read::Mismatched(call) => call.settled(endpoint).boxed().await.map_err(Rejection::of_read)?,
    };
    match received {
        Received::Answer(answer) => Ok(answer),
        Received::TurnedAway(answer) => {
            tokio::time::sleep(endpoint.admission.refusal_time()).await;
            Ok(answer)
        }
        Received::List(list, takes, lease) => listed(endpoint, &account, list, takes, lease).boxed().await,
        Received::Call(running, takes) => Ok(late::answer(running, takes).await),
        Received::Subscription(subscription) => {
            stream::listen(&endpoint.streams, &account, subscription).map_err(Rejection::of_read)
        }
    }
}

/// Reads the one message of a body, and does what can be done at once. All that takes time with the length of the body is done here.
fn receive(endpoint: &Endpoint, headers: &HeaderMap, caller: Caller, body: Body) -> Result<Read, Rejection> {
    let mut head = Head { headers, takes: Takes::of(headers), session: None, caller };
    if head.takes.nothing() {
        let words = "answers are JSON or a stream of events: send `Accept: application/json, text/event-stream`";
        return Err(Rejection::of_http(StatusCode::NOT_ACCEPTABLE, words));
    }
    if let Some(words) = not_json(head.headers) {
        return Err(Rejection::of_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    let Body { bytes, large } = body;
    let message = Message::parse(&bytes).map_err(|error| Rejection::of_message(error, Era::Legacy))?;
    drop(bytes);
    let version = decide(endpoint, &message, &mut head)?;
    match message.kind {
        MessageKind::Request { ref id, .. } => {
            let id = id.clone();
            let request = Request::read(id, message, version).map_err(|error| Rejection::of_message(error, version.era()))?;
            let parent = request.parent.or_else(|| headers::trace_parent(head.headers));
            let request = Request { parent, ..request };
            answer(endpoint, request, head, Lease { body: large, ..Lease::default() })
        }
        MessageKind::Notification { .. } => {
            notice(endpoint, &message, &head);
            Ok(Read::Decided(Received::Answer(accepted())))
        }
        MessageKind::Response => {
            let error = ErrorData::invalid_request("this server asks its clients nothing, so there is nothing to answer", None);
            Err(Rejection::of_message(JsonRpcError::new(None, error), version.era()))
        }
    }
}

/// Decides which version a message speaks, and in which session, and notes who sent it as far as it says.
fn decide(endpoint: &Endpoint, message: &Message, head: &mut Head<'_>) -> Result<Version, Rejection> {
    let refused = |error| Rejection::of_message(JsonRpcError::new(message.id().cloned(), error), Era::Legacy);
    let header = only_text(head.headers, PROTOCOL_VERSION).map_err(refused)?;
    let mut version = Version::of(message, header, None).map_err(refused)?;
    let opens = message.method() == Some("initialize");
    if version.era() == Era::Legacy && !opens {
        let id = only_text(head.headers, SESSION_ID).map_err(refused)?;
        let caller = head.caller.identity().account();
        let keys = endpoint.sessions.borrow();
        head.session = id
            .map(|id| keys.open(id, &caller).map(|session| (id, session)).ok_or_else(Rejection::unknown_session))
            .transpose()?;
        let session = head.session.as_ref().and_then(|(_, session)| Version::parse(&session.version));
        version = Version::of(message, header, session).map_err(refused)?;
    }
    match &head.session {
        Some((_, session)) => head.caller.introduce(&session.client),
        None => head.caller.introduce(&sandbar_mcp::client_of(message)),
    }
    if let (Era::Modern, Some(method)) = (version.era(), message.method()) {
        headers::check_method(head.headers, method).map_err(refused)?;
    }
    Ok(version)
}

/// Answers a request, or says what it takes to answer it.
fn answer(endpoint: &Endpoint, request: Request, head: Head<'_>, mut lease: Lease) -> Result<Read, Rejection> {
    // One catalog for the checks and for the answer.
    let server = endpoint.server.refreshed();
    let mut mismatch = None;
    if let Method::Call(asked) = &request.method {
        match endpoint.admission.admit(&head.caller.identity().account()) {
            Ok(place) => lease.place = Some(place),
            Err(busy) => {
                let answer = turned_away(server.catalog(), &request, asked, &head, &busy);
                return Ok(Read::Decided(Received::TurnedAway(answer)));
            }
        }
        if request.version.era() == Era::Modern {
            let definition = match asked {
                Asked::Tool { name, .. } => server.catalog().definition_for(&head.caller, name),
                Asked::Prompt { .. } | Asked::Resource { .. } => None,
            };
            let checked =
                headers::check_call(head.headers, asked, definition.map(Definition::mirrored_arguments).unwrap_or_default());
            mismatch = checked.err().map(|error| (asked.clone(), JsonRpcError::new(Some(request.id.clone()), error)));
        }
    }
    if matches!(request.method, Method::Listen { .. }) && !head.takes.events {
        let words = "a subscription is a stream of events: send `Accept: text/event-stream`";
        return Err(Rejection::of_http(StatusCode::NOT_ACCEPTABLE, words));
    }
    let Head { takes, session, caller, .. } = head;
    let session = session.map(|(id, _)| id.to_owned());
    let admitted = Admitted { server, request, takes, session, caller, lease };
    Ok(match mismatch {
        None => Read::Decided(admitted.answer(endpoint)),
        Some((asked, error)) => {
            Read::Mismatched(Box::new(Mismatched { call: admitted, asked, rejection: Rejection::of_message(error, Era::Modern) }))
        }
    })
}

impl Mismatched {
    /// Says which header is wrong to whoever may have what is asked for. To others it is refused as any call of theirs, since what its headers
    /// have to be says what its arguments are.
    async fn settled(self, endpoint: &Endpoint) -> Result<Received, Rejection> {
        let Self { call, asked, rejection } = self;
        if call.server.catalog().may_have(&call.caller, &asked).await { Err(rejection) } else { Ok(call.answer(endpoint)) }
    }
}

impl Admitted {
    fn answer(self, endpoint: &Endpoint) -> Received {
        let Self { server, request, takes, session, caller, lease } = self;
        let opens = matches!(request.method, Method::Initialize).then(|| opened(endpoint, request.version, &caller)).flatten();
        let account = caller.identity().account();
        match sandbar_mcp::answer(server, caller, request) {
            Reply::Ready(response) => {
                let mut response = ready(response, takes, lease);
                if let Some(id) = opens {
                    response.headers_mut().insert(SESSION_ID, id);
                }
                Received::Answer(response)
            }
            // Each is worked out for its caller, so it takes what a call takes.
            Reply::List(list) => match endpoint.admission.admit(&account) {
                Ok(place) => Received::List(list, takes, Lease { place: Some(place), ..lease }),
                Err(busy) => {
                    let error = JsonRpcError::new(Some(list.id().clone()), ErrorData::internal_error(busy.to_string(), None));
                    Received::TurnedAway(ready(sandbar_mcp::Response::error(&error), takes, lease))
                }
            },
            Reply::Shared(response) => Received::Answer(shared(response, takes, lease)),
            Reply::Call(call) => {
                let in_flight = (call.version().era() == Era::Legacy)
                    .then(|| endpoint.calls.begin(session.as_deref().unwrap_or_default(), call.id()));
                Received::Call(running(endpoint, account, call, in_flight, lease), takes)
            }
            Reply::Subscription(subscription) => Received::Subscription(subscription),
        }
    }
}

/// A response that is known at once.
fn ready(response: sandbar_mcp::Response, takes: Takes, lease: Lease) -> HttpResponse {
    if takes.json {
        json(StatusCode::OK, response.text, lease)
    } else {
        event_stream(Outgoing::whole(event(&response.text), lease))
    }
}

/// A list that is not shared, if there is room for it. It is written where its length keeps nobody waiting.
async fn listed(
    endpoint: &Endpoint,
    account: &Account,
    list: List,
    takes: Takes,
    mut lease: Lease,
) -> Result<HttpResponse, Rejection> {
    let response = match list.own().await {
        Ok(own) => endpoint.processors.work(account, move || own.write()).await.map_err(|Failed| Rejection::failed(None))?,
        Err(response) => response,
    };
    let room = endpoint.backlog.take(account, response.text.len());
    lease.queued = Some(room.map_err(|no_room| Rejection::not_now(no_room.to_string()).of_read())?);
    Ok(ready(response, takes, lease))
}

/// A response that is known at once and shared with others. It counts for nothing in the backlog, since it is in memory once.
fn shared(SharedResponse { before, result, after }: SharedResponse, takes: Takes, lease: Lease) -> HttpResponse {
    let message = [before.into(), result, Bytes::from_static(after.as_bytes())];
    if takes.json {
        return typed(StatusCode::OK, JSON, Outgoing::pieces(message, lease));
    }
    event_stream(Outgoing::pieces(event_of(message), lease))
}

/// A call on its way. In the legacy era it ends by itself or by its client's word, which comes by way of `in_flight`; in the modern one
/// with its client as well.
fn running(
    endpoint: &Endpoint,
    account: Account,
    mut call: Box<Call>,
    in_flight: Option<RequestInFlight>,
    lease: Lease,
) -> Running {
    let (id, era, progress) = (call.id().clone(), call.version().era(), call.progress.take());
    let work = run(endpoint, account, call, in_flight, lease);
    let work = match era {
        Era::Legacy => Work::outliving(work, &endpoint.running),
        Era::Modern => Work::ending(work),
    };
    Running { id, work, progress }
}

/// Runs a call to its end, or to whatever ends it before.
fn run(
    endpoint: &Endpoint,
    account: Account,
    call: Box<Call>,
    in_flight: Option<RequestInFlight>,
    lease: Lease,
) -> impl Future<Output = Ended> + use<> {
    let (ending, backlog) = (endpoint.ending.clone(), endpoint.backlog.clone());
    let (id, version, offer) = (call.id().clone(), call.version(), call.offer());
    // In a box of its own: it is some kilobytes, which each future around it would copy.
    let call = call.run().boxed();
    async move {
        let cancelled = async {
            match &in_flight {
                Some(call) => call.cancellation().cancelled().await,
                None => std::future::pending().await,
            }
        };
        let called = tokio::select! {
            biased;
            called = call => called,
            () = cancelled => return Ended { response: None, lease },
            () = ending.cancelled() => {
                return Ended { response: Some(sandbar_mcp::failure(&id, version, offer, STOPPED)), lease };
            }
        };
        with_room(called, &backlog, &account, lease, |words| sandbar_mcp::failure(&id, version, offer, words))
    }
}

/// Finds room for an answer, or gives it up and says so in words.
fn with_room(
    mut called: FinishedCall,
    backlog: &Backlog,
    account: &Account,
    mut lease: Lease,
    say: impl Fn(&str) -> sandbar_mcp::Response,
) -> Ended {
    match backlog.take(account, called.response.text.len()) {
        Ok(room) => lease.queued = Some(room),
        Err(no_room) => called = called.given_up(say(&no_room.to_string())),
    }
    let FinishedCall { response, event } = called;
    lease.delivery = Some(Delivery::of(event));
    Ended { response: Some(response), lease }
}

/// What the model reads of a call that is not let in. A client would not show it a status of HTTP.
fn turned_away(catalog: &Catalog, request: &Request, asked: &Asked, head: &Head<'_>, busy: &Busy) -> HttpResponse {
    let Request { id, version, .. } = request;
    let arrival = Arrival { version: Some(version.as_str()), parent: request.parent.clone() };
    let response = sandbar_mcp::failure(id, *version, asked.offer(), &busy.to_string());
    catalog.turned_away(&head.caller, &arrival, asked, response.error.map(|code| code.0));
    ready(response, head.takes, Lease::default())
}

/// The id of a new session.
fn opened(endpoint: &Endpoint, version: Version, caller: &Caller) -> Option<HeaderValue> {
    let client = caller.client().unwrap_or_default().to_owned();
    let session = Session::new(version.as_str().to_owned(), client, endpoint.server.list_digest(), &caller.identity().account())?;
    HeaderValue::from_str(&endpoint.sessions.borrow().mint(&session)).ok()
}

/// Handles a notification; only `notifications/cancelled` has an effect.
fn notice(endpoint: &Endpoint, message: &Message, head: &Head<'_>) {
    if let (Some("notifications/cancelled"), Some((session, _))) = (message.method(), &head.session)
        && let Some(id) = message.cancelled()
    {
        endpoint.calls.cancel(session, &id);
    }
}

fn accepted() -> HttpResponse {
    let mut response = HttpResponse::new(Outgoing::default());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

pub(super) fn not_read(why: NotRead) -> Rejection {
    let words = why.to_string();
    match why {
        NotRead::TooLarge => Rejection::of_http(StatusCode::PAYLOAD_TOO_LARGE, words),
        NotRead::Late => Rejection::of_http(StatusCode::REQUEST_TIMEOUT, words),
        NotRead::Broken => Rejection::of_http(StatusCode::BAD_REQUEST, words),
        NotRead::Busy { retry_after } | NotRead::BusyWithYours { retry_after, .. } => {
            Rejection::no_room(None, retry_after, words)
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::RequestId;
    use sandbar_catalog::{Arguments, Offer};
    use sandbar_policy::Identity;
    use serde_json::Value;
    use tokio::sync::watch;

    use super::*;

    /// A call that is over, with an answer of so many bytes.
    async fn called(bytes: usize) -> FinishedCall {
        let caller = Caller::new(Identity::Anonymous);
        let asked = Asked::Tool { name: "t".to_owned(), arguments: Arguments::default() };
        let (_, event) =
            Catalog::default().call(&caller, Arrival::default(), asked, watch::Sender::default(), |answered| answered).await;
        FinishedCall { response: sandbar_mcp::Response { text: "x".repeat(bytes), error: None }, event }
    }

    #[tokio::test]
    async fn an_answer_that_there_is_no_room_for_is_given_up_in_words() {
        let backlog = Backlog::new(100_000);
        let say = |words: &str| sandbar_mcp::failure(&RequestId::Number(7), Version::V2025_11_25, Offer::Tool, words);
        let first = with_room(called(90_000).await, &backlog, &Account::Anonymous, Lease::default(), say);
        let second = with_room(called(90_000).await, &backlog, &Account::Anonymous, Lease::default(), say);
        let message: Value = serde_json::from_str(&second.response.expect("an answer").text).expect("JSON");
        assert_eq!((&message["id"], &message["result"]["isError"]), (&Value::from(7), &Value::from(true)));
        assert!(message["result"]["content"][0]["text"].as_str().unwrap_or_default().contains("retry after 2 s"), "{message}");
        drop(first);
        let third = with_room(called(90_000).await, &backlog, &Account::Anonymous, Lease::default(), say);
        assert_eq!(third.response.expect("an answer").text.len(), 90_000);
    }
}
