//! One request and its answer: time limits, the one retry, and the charges to the budget.
//!
//! kube's own client retries for minutes, waits for a silent server for ever and reads an error of any size. Here every wait
//! ends, every attempt is counted, and dropping the future ends the request.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use http::{Response, StatusCode};
use kube::client::Body;
use sandbar_policy::{Budget, Exhausted};
use tokio::sync::Notify;
use tower::buffer::error::{Closed, ServiceError};

use super::error::{Code, Error};
use super::explain::{causes, explain, is_refused_certificate, may_be_of_tls};
use super::login::{ClusterSession, Login};
use super::observer::{Attempting, RequestObserver};
use super::request::ApiRequest;
use super::response::{Incoming, Refusal};

/// How long the API server may take for its first byte. A healthy one takes milliseconds, and under a second for a list of 64
/// MiB.
pub(super) const FIRST_BYTE: Duration = Duration::from_secs(10);

/// Likewise for a log: the API server gives up on a hung kubelet after 10 s, and its message says more than ours.
pub(super) const LOG_FIRST_BYTE: Duration = Duration::from_secs(12);

/// The pause before a failed connection is retried: enough for a server to restart its listener.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before the retry. If the server asks for more, the client gets `throttled`.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The pause for a 429 without `Retry-After`: API Priority and Fairness asks for 1 s.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// Requests for what is read outside of calls: one, and its retry.
const REQUESTS_OUTSIDE_CALLS: u32 = 2;

/// A hint in case the address lacks TLS.
const SPEAKS_TLS: &str = "is its address https://?";

/// What of a call's time is left to the tool when the API server says nothing: enough to say so, before the call is stopped.
const KEPT_TO_SAY_SO: Duration = Duration::from_millis(250);

/// A server that has had less time is not called silent: the call has spent its time on something else.
const LEAST_SILENCE: Duration = Duration::from_secs(1);

/// How long a request waits for a login. Most take a second or two; one that waits for a person takes longer than any call.
const LOGIN_PATIENCE: Duration = Duration::from_secs(8);

/// The API server, and how to reach it.
#[derive(Clone)]
pub(super) struct ApiServer {
    link: Link,
    /// A request has had no answer.
    unanswered: Arc<Notify>,
    /// Who is told of each attempt.
    observer: Option<Arc<dyn RequestObserver>>,
}

#[derive(Clone)]
enum Link {
    /// A client that authenticates itself, and the server's name in messages.
    Given(kube::Client, Arc<str>),
    /// Clients from a login, each for as long as it is valid.
    Login(Login),
    /// There is none, or none that is to be asked: why.
    None(Arc<str>),
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused it.
    Refused(Refusal),
    /// The user in whose name it was sent lacks the right.
    Forbidden(Error),
    /// There was no answer, or no budget for one.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Failed(error)
    }
}

impl From<Exhausted> for Failure {
    fn from(exhausted: Exhausted) -> Self {
        Failure::Failed(exhausted.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Forbidden(error) | Failure::Failed(error) => error,
        }
    }
}

impl ApiServer {
    /// `name` is used in messages.
    pub(super) fn new(client: kube::Client, name: &str) -> Self {
        Self { link: Link::Given(client, name.into()), unanswered: Arc::default(), observer: None }
    }

    /// The server of a login.
    pub(super) fn with(login: Login) -> Self {
        Self { link: Link::Login(login), unanswered: Arc::default(), observer: None }
    }

    /// No server: whatever is asked is answered with the reason.
    pub(super) fn none(why: &str) -> Self {
        Self { link: Link::None(why.into()), unanswered: Arc::default(), observer: None }
    }

    /// The same, where somebody is told of each attempt.
    pub(super) fn observed_by(self, observer: Option<Arc<dyn RequestObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// The login, if the server needs one.
    pub(super) fn login(&self) -> Option<&Login> {
        match &self.link {
            Link::Given(..) | Link::None(_) => None,
            Link::Login(login) => Some(login),
        }
    }

    /// Waits until a request has had no answer, since this was waited for the last time. For one who waits.
    pub(super) async fn unanswered(&self) {
        self.unanswered.notified().await;
    }

    /// The bearer token of this process's login, if it authenticates with one.
    pub(super) async fn bearer(&self, time: Duration) -> Result<Option<String>, Error> {
        let Some(login) = self.login() else { return Ok(None) };
        Ok(login.session(time).await?.bearer().map(str::to_owned))
    }

    fn name(&self) -> Cow<'_, str> {
        match &self.link {
            Link::Given(_, name) => Cow::Borrowed(name),
            Link::Login(login) => Cow::Owned(login.server()),
            Link::None(_) => Cow::Borrowed("no API server"),
        }
    }

    /// Sends a request and waits for the head of the answer, at most for `first_byte`.
    pub(super) async fn ask<'b>(
        &self,
        request: &ApiRequest,
        budget: &'b Budget,
        first_byte: Duration,
    ) -> Result<Incoming<'b>, Failure> {
        let first = self.attempt(request, budget, first_byte, None).await?;
        self.go_on(first, request, budget, first_byte).await
    }

    /// The same after a first attempt.
    pub(super) async fn go_on<'b>(
        &self,
        first: Attempt,
        request: &ApiRequest,
        budget: &'b Budget,
        first_byte: Duration,
    ) -> Result<Incoming<'b>, Failure> {
        match first {
            Attempt::Done(response) => Ok(Incoming::new(response, budget)),
            Attempt::Unknown(session, words) if budget.has_request() && session.login.refused(&session.session) => {
                self.last_attempt(request, budget, first_byte, Some((session, words))).await
            }
            Attempt::Unknown(session, words) => Err(session.refusal(&words).into()),
            Attempt::Refused(refusal) if refusal.wait().is_none_or(|wait| !may_wait(wait, budget)) => {
                Err(Failure::Refused(refusal))
            }
            Attempt::Refused(refusal) => {
                tokio::time::sleep(refusal.wait().unwrap_or(DEFAULT_WAIT)).await;
                self.last_attempt(request, budget, first_byte, None).await
            }
            Attempt::Disconnected(error) if !may_wait(RECONNECT_PAUSE, budget) => Err(self.unreachable(error.as_ref()).into()),
            Attempt::Disconnected(_) => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
                self.last_attempt(request, budget, first_byte, None).await
            }
        }
    }

    /// Reads a whole answer outside of any call, within `time`. `what` names it in an error; it may have `max` bytes.
    pub(super) async fn read_outside_calls(
        &self,
        request: &ApiRequest,
        time: Duration,
        max: usize,
        what: &str,
    ) -> Result<Vec<u8>, Failure> {
        let budget = Budget::outside_calls(time, REQUESTS_OUTSIDE_CALLS);
        Ok(self.ask(request, &budget, FIRST_BYTE).await?.bytes(max, what).await?)
    }

    /// `unknown` is the login that the first attempt was refused with, which would be refused again.
    async fn last_attempt<'b>(
        &self,
        request: &ApiRequest,
        budget: &'b Budget,
        first_byte: Duration,
        unknown: Option<(LoggedIn, String)>,
    ) -> Result<Incoming<'b>, Failure> {
        match self.attempt(request, budget, first_byte, unknown).await? {
            Attempt::Done(response) => Ok(Incoming::new(response, budget)),
            Attempt::Unknown(session, words) => Err(session.refusal(&words).into()),
            Attempt::Refused(refusal) => Err(Failure::Refused(refusal)),
            Attempt::Disconnected(error) => Err(self.unreachable(error.as_ref()).into()),
        }
    }

    /// Sends it once. `unknown` is the login that was refused before.
    pub(super) async fn attempt(
        &self,
        request: &ApiRequest,
        budget: &Budget,
        first_byte: Duration,
        unknown: Option<(LoggedIn, String)>,
    ) -> Result<Attempt, Failure> {
        let (client, session) = self.log_in(budget).await?;
        if let (Some(session), Some((before, words))) = (&session, unknown)
            && session.session.is_as(&before.session)
        {
            return Err(session.refusal(&words).into());
        }
        // The API server would take the groups of both.
        if request.is_impersonated() && session.as_ref().is_some_and(|session| session.session.impersonates()) {
            let words = "this server's kubeconfig asks in somebody's name itself (`as`), so nothing can be read in a caller's name: its \
                         operator has to take that out";
            return Err(Error::new(Code::Denied, words).into());
        }
        request.charge(budget)?;
        let mut sent = request
            .to_http()
            .map_err(|_| Error::new(Code::Other, "the request cannot be made, which is a fault of this server"))?;
        tracing::trace!(path = request.path(), "request");
        // A snapshot, a server in this process, charges its work to the call.
        sent.extensions_mut().insert(budget.meter().clone());
        let server = session.as_ref().and_then(|session| session.session.address());
        let attempting = Attempting::begin(self.observer.as_deref(), budget, request.about(), server);
        attempting.says_its_span(sent.headers_mut());
        let sending = checked(budget, client.send(sent));
        let response = match self.in_time(budget, first_byte, sending).await? {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(self.failed(error, session)?),
            Err(exhausted) => return Err(exhausted.into()),
        };
        let status = response.status();
        attempting.answered(status);
        if let Some(session) = session
            && status == StatusCode::UNAUTHORIZED
        {
            let refusal = Refusal::read(response, request.path(), budget).await;
            return Ok(Attempt::Unknown(session, refusal.message));
        }
        if status.is_success() {
            return Ok(Attempt::Done(response));
        }
        let refusal = Refusal::read(response, request.path(), budget).await;
        // The answer of Go's servers and proxies where they expect TLS.
        if status == StatusCode::BAD_REQUEST && !refusal.is_of_kubernetes() && self.is_plain() {
            let words = format!("{} answers 400 to plain HTTP; {SPEAKS_TLS}", self.name());
            return Err(Error::new(Code::Unavailable, words).into());
        }
        Ok(Attempt::Refused(refusal))
    }

    /// The client for a request, once there is a login. Keeps part of the call's time for an error.
    async fn log_in(&self, budget: &Budget) -> Result<(kube::Client, Option<LoggedIn>), Error> {
        match &self.link {
            Link::Given(client, _) => Ok((client.clone(), None)),
            Link::Login(login) => {
                let session = login.session(LOGIN_PATIENCE.min(budget.remaining() / 2)).await?;
                Ok((session.client().clone(), Some(LoggedIn { login: login.clone(), session })))
            }
            Link::None(why) => Err(Error::new(Code::Unavailable, &**why)),
        }
    }

    /// Handles an attempt without an answer.
    fn failed(&self, error: kube::Error, session: Option<LoggedIn>) -> Result<Attempt, Error> {
        if let Some(session) = session {
            if is_refused_certificate(&error) {
                return Ok(Attempt::Unknown(session, explain(&error)));
            }
            if causes(&error).any(|cause| cause.is::<Closed>() || cause.is::<ServiceError>()) {
                session.login.discard(&session.session);
                return Ok(Attempt::Disconnected(error.into()));
            }
        }
        if causes(&error).any(|cause| cause.is::<hyper_util::client::legacy::Error>() || cause.is::<io::Error>()) {
            // The request may never have arrived, or the connection broke before an answer. A GET can be repeated.
            return Ok(Attempt::Disconnected(error.into()));
        }
        Err(self.unreachable(&error))
    }

    /// Waits for the API server: for `most`, and for no longer than lets the call say itself that there was no answer.
    /// Not an `async fn`, which would have room for the answer twice.
    pub(super) fn in_time<'a, F: Future>(
        &'a self,
        budget: &'a Budget,
        most: Duration,
        answer: F,
    ) -> impl Future<Output = Result<F::Output, Error>> + use<'a, F> {
        let remaining = budget.remaining();
        let left = remaining.saturating_sub(KEPT_TO_SAY_SO.min(remaining / 8));
        let late = move |_| match most <= left {
            true => self.silent(most, ""),
            // Who asks for less would wait for as long.
            false if left >= LEAST_SILENCE => self.silent(left, ", which was all the time left"),
            false => budget.late().into(),
        };
        tokio::time::timeout(most.min(left), answer).map(move |answer| answer.map_err(late))
    }

    fn silent(&self, waited: Duration, why_no_longer: &str) -> Error {
        self.unanswered.notify_one();
        // Tenths will do.
        let seconds = (waited.as_secs_f64() * 10.0).round() / 10.0;
        let words = format!("{} did not answer within {seconds} s{why_no_longer}; try again later", self.name());
        Error::new(Code::Unavailable, words)
    }

    fn unreachable(&self, error: &(dyn StdError + 'static)) -> Error {
        self.unanswered.notify_one();
        let mut words = format!("{} cannot be reached: {}", self.name(), explain(error));
        if self.is_plain() && may_be_of_tls(error) {
            words = format!("{words}; {SPEAKS_TLS}");
        }
        Error::new(Code::Unavailable, words)
    }

    /// Whether the server is reached without TLS.
    fn is_plain(&self) -> bool {
        self.login().is_some_and(|login| !login.is_https())
    }
}

/// Awaits work that may compute for the call, as long as the budget lasts.
async fn checked<F: Future>(budget: &Budget, work: F) -> Result<F::Output, Exhausted> {
    let mut work = pin!(work);
    poll_fn(|context| match budget.check() {
        Ok(()) => work.as_mut().poll(context).map(Ok),
        Err(exhausted) => Poll::Ready(Err(exhausted)),
    })
    .await
}

/// A login and its current session.
pub(super) struct LoggedIn {
    login: Login,
    session: Arc<ClusterSession>,
}

impl LoggedIn {
    /// The error if the server refuses it with this message.
    fn refusal(&self, words: &str) -> Error {
        let (server, session) = (self.login.server(), self.session.refusal());
        Error::new(Code::Denied, format!("{server} does not accept this server's credentials ({words}); {session}"))
    }
}

/// The outcome of an attempt, apart from time-outs.
pub(super) enum Attempt {
    Done(Response<Body>),
    Refused(Refusal),
    /// The server does not know the user, with its message.
    Unknown(LoggedIn, String),
    Disconnected(Box<dyn StdError + Send + Sync>),
}

/// Whether the budget allows a pause and another attempt.
fn may_wait(wait: Duration, budget: &Budget) -> bool {
    wait <= LONGEST_WAIT && wait < budget.remaining() / 2 && budget.has_request()
}

impl Refusal {
    /// The pause after which the same request may succeed, by the server's answer; none if it may not.
    fn wait(&self) -> Option<Duration> {
        match self.status.as_u16() {
            429 => Some(self.retry_after.unwrap_or(DEFAULT_WAIT)),
            // Without Retry-After, an aggregated API is down or refuses, and a retry helps neither.
            503 => self.retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt as _;
    use http::Request;
    use sandbar_policy::{Grant, Limits, Namespaces};
    use sandbar_processor::{CpuEstimate, Processors, TestClock};
    use tokio::time::timeout;
    use tower::BoxError;

    use super::*;
    use crate::observer::{RequestVerb, SentRequest};
    use crate::request::Read;
    use crate::testing::{FakeAnswer, Seen, cluster, reader, resource};
    use crate::types::Scope;
    use crate::{Cluster, Reader};

    type Scripted = Box<dyn Fn() -> FakeAnswer + Send + Sync>;

    const POD: &str = r#"{"metadata":{"name":"web-0"}}"#;

    async fn get_pod(cluster: &Cluster, limits: Limits) -> Result<String, Error> {
        let within = Scope::Namespace("team-a".into());
        reader(cluster, Namespaces::All, limits).get_object(&resource("", "pods"), &within, "web-0", None).await
    }

    /// The outcome of a server's first answer; its second one is a pod.
    async fn after(first: impl Fn() -> FakeAnswer + Send + Sync + 'static) -> (Result<String, Error>, Seen) {
        let (cluster, seen) = cluster(move |_, request| if request == 0 { first() } else { FakeAnswer::ok(POD) });
        (get_pod(&cluster, Limits::default()).await, seen)
    }

    fn none() -> serde_json::Value {
        serde_json::json!({})
    }

    #[tokio::test]
    async fn work_for_an_answer_ends_with_the_calls_processor_time() {
        let hand = TestClock::default();
        let meter = hand.meter();
        let limits = Limits { cpu: Duration::from_secs(1), ..Limits::default() };
        let budget = Arc::new(Budget::with_meter(meter.clone(), limits));
        let call = async move {
            budget.meter().prepare_for(usize::MAX).await;
            let mut steps = 0;
            let work = poll_fn(|context| {
                hand.advance(Duration::from_millis(400));
                steps += 1;
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            let ended = checked(&budget, work).await;
            (ended, steps)
        };
        let ended = Processors::all_but_one().run(&meter, &CpuEstimate::default(), call).await;
        assert_eq!(ended, Ok((Err(Exhausted::Cpu(Duration::from_secs(1))), 3)), "of 1 s the host has seven eighths");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_sent_again_where_that_may_help() {
        for first in [
            || FakeAnswer::Disconnect,
            || FakeAnswer::with_status(429, "slow down").retry_after("1"),
            || FakeAnswer::with_status(429, "slow down"),
            || {
                FakeAnswer::status(
                    429,
                    "TooManyRequests",
                    "slow down",
                    serde_json::json!({ "details": { "retryAfterSeconds": 1 } }),
                )
            },
            || FakeAnswer::with_status(503, "starting").retry_after("2"),
        ] {
            let (pod, seen) = after(first).await;
            assert_eq!((pod.as_deref(), seen.count()), (Ok(POD), 2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_not_sent_again_where_it_may_not_help() {
        for (first, code) in [
            ((|| FakeAnswer::with_status(503, "no eligible CoderControlPlane")) as fn() -> FakeAnswer, Code::Unavailable),
            (|| FakeAnswer::with_status(500, "oops"), Code::Unavailable),
            (|| FakeAnswer::with_status(429, "much later").retry_after("60"), Code::Throttled),
            (|| FakeAnswer::with_status(403, "no"), Code::Denied),
            (|| FakeAnswer::Silence, Code::Unavailable),
        ] {
            let (pod, seen) = after(first).await;
            assert_eq!((pod.map_err(|error| error.code), seen.count()), (Err(code), 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_is_one_and_is_paid_for() {
        let (unreachable, seen) = cluster(|_, _| FakeAnswer::Disconnect);
        let error = get_pod(&unreachable, Limits::default()).await.expect_err("unreachable");
        assert_eq!((error.code, seen.count()), (Code::Unavailable, 2));
        assert!(error.message.starts_with("the API server cannot be reached: "), "{}", error.message);

        let (busy, seen) = cluster(|_, _| FakeAnswer::with_status(429, "slow down").retry_after("1"));
        let error = get_pod(&busy, Limits { requests: 1, ..Limits::default() }).await.expect_err("busy");
        assert_eq!((error.code, seen.count()), (Code::Throttled, 1));
        assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
        assert_eq!(error.message, "the API server asks to wait: slow down");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_in_an_error() {
        let (silent, _) = cluster(|_, _| FakeAnswer::Silence);
        let error = get_pod(&silent, Limits::default()).await.expect_err("silent");
        assert_eq!(error, Error::new(Code::Unavailable, "the API server did not answer within 10 s; try again later"));

        let (stuck, _) = cluster(|_, _| FakeAnswer::ok("{\"kind\":").then_silence());
        let error = get_pod(&stuck, Limits::default()).await.expect_err("stuck");
        assert_eq!(error.message, "the API server fell silent in the middle of its answer, for 10 s");
    }

    /// The error of a call with little time where the server says nothing at all.
    async fn in_four_seconds<T: std::fmt::Debug>(ask: impl AsyncFnOnce(Reader) -> Result<T, Error>) -> Error {
        let service = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let silent = Cluster::from_client(kube::Client::new(service, "default"));
        let limits = Limits { time: Duration::from_secs(4), ..Limits::default() };
        ask(reader(&silent, Namespaces::All, limits)).await.expect_err("silent")
    }

    fn assert_blames_the_silent_server(error: &Error) {
        assert_eq!(error.code, Code::Unavailable, "{error}");
        assert!(error.message.starts_with("the API server did not answer within "), "{error}");
        assert!(error.message.ends_with(" s, which was all the time left; try again later"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_named_before_the_calls_time_is_up() {
        assert_blames_the_silent_server(&in_four_seconds(async |reader| reader.api_server().await).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_named_where_what_all_calls_need_is_waited_for() {
        let within = Scope::Namespace("team-a".into());
        let get = async |reader: Reader| reader.get_object(&resource("", "pods"), &within, "web-0", None).await;
        assert_blames_the_silent_server(&in_four_seconds(get).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_watches_hears_of_a_request_without_an_answer_and_of_no_other() {
        for (answer, is_heard) in [
            ((|| FakeAnswer::Silence) as fn() -> FakeAnswer, true),
            (|| FakeAnswer::Disconnect, true),
            (|| FakeAnswer::with_status(500, "oops"), false),
            (|| FakeAnswer::ok(POD), false),
        ] {
            let (cluster, _) = cluster(move |_, _| answer());
            let _ = get_pod(&cluster, Limits::default()).await;
            assert_eq!(cluster.unanswered().now_or_never().is_some(), is_heard);
            assert!(cluster.unanswered().now_or_never().is_none(), "once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_has_had_no_time_is_not_blamed() {
        let (silent, _) = cluster(|_, _| FakeAnswer::Silence);
        let error = get_pod(&silent, Limits { time: Duration::from_millis(900), ..Limits::default() }).await.expect_err("late");
        assert_eq!(error, Exhausted::Time(Duration::from_millis(900)).into());
    }

    #[tokio::test]
    async fn a_spent_budget_is_told_by_its_limit() {
        let (cluster, seen) = cluster(|_, _| FakeAnswer::ok(POD));
        let error = get_pod(&cluster, Limits { requests: 0, ..Limits::default() }).await.expect_err("no request");
        assert_eq!((error.code, seen.count()), (Code::Exhausted, 0));
        let error = get_pod(&cluster, Limits { read: 10, ..Limits::default() }).await.expect_err("no bytes");
        assert!(error.message.contains("limit `read`"), "{}", error.message);
    }

    #[tokio::test]
    async fn answers_become_the_contracts_codes() {
        let named = |reason: &str| {
            let details =
                serde_json::json!({ "details": { "name": "nope", "group": "coder.com", "kind": "codercontrolplanes" } });
            FakeAnswer::status(404, reason, "codercontrolplanes.coder.com \"nope\" not found", details)
        };
        let answers: [(Scripted, Code, &str); 10] = [
            (Box::new(move || named("NotFound")), Code::NotFound, "codercontrolplanes.coder.com \"nope\" not found"),
            (
                Box::new(|| FakeAnswer::with_status(404, "404 page not found\n")),
                Code::NotServed,
                "the cluster does not serve /api/v1/namespaces/team-a/pods/web-0 (404 page not found)",
            ),
            (
                Box::new(|| FakeAnswer::status(404, "NotFound", "the server could not find the requested resource", none())),
                Code::NotServed,
                "the cluster does not serve /api/v1/namespaces/team-a/pods/web-0 (the server could not find the requested resource)",
            ),
            (
                Box::new(|| FakeAnswer::status(401, "Unauthorized", "Unauthorized", none())),
                Code::Denied,
                "the API server does not accept this server's credentials: Unauthorized",
            ),
            (
                Box::new(|| FakeAnswer::status(403, "Forbidden", "pods \"web-0\" is forbidden", none())),
                Code::Denied,
                "pods \"web-0\" is forbidden (`sandbar rbac` prints the roles that this server needs)",
            ),
            (Box::new(|| FakeAnswer::status(422, "Invalid", "bad\u{1b}[31m\nvalue", none())), Code::Invalid, "bad value"),
            (Box::new(|| FakeAnswer::with_status(413, "")), Code::TooLarge, "the API server answered 413: Payload Too Large"),
            (Box::new(|| FakeAnswer::with_status(409, "conflict")), Code::Other, "the API server answered 409: conflict"),
            (Box::new(|| FakeAnswer::with_status(302, "")), Code::Other, "the API server answered 302: Found"),
            (
                Box::new(|| FakeAnswer::with_status(503, "service unavailable\n")),
                Code::Unavailable,
                "the API behind /api/v1/namespaces/team-a/pods/web-0 does not answer (503 from the API server: service unavailable)",
            ),
        ];
        for (answer, code, message) in answers {
            let (result, _) = after(answer).await;
            assert_eq!(result, Err(Error::new(code, message)));
        }
    }

    #[tokio::test]
    async fn an_error_page_is_cut_short() {
        let (result, _) = after(|| FakeAnswer::with_status(502, "x".repeat(1 << 20))).await;
        let error = result.expect_err("a page");
        assert!(error.message.len() < 3000 && error.message.ends_with('…'), "{} bytes", error.message.len());
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_read_ends_its_request() {
        let (request, mut ended) = tokio::sync::oneshot::channel::<()>();
        let (mut request, started) = (Some(request), Arc::new(tokio::sync::Notify::new()));
        let on_start = started.clone();
        let service = tower::service_fn(move |_: Request<Body>| {
            let held = request.take();
            on_start.notify_one();
            async move {
                let _held = held;
                std::future::pending::<Result<Response<Body>, BoxError>>().await
            }
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"));
        let reader = cluster.reader(Arc::new(Grant::default()), Arc::new(Budget::new(Limits::default())));
        let mut read = Box::pin(reader.api_server());
        assert!(read.as_mut().now_or_never().is_none());
        // The clock is paused: it advances when no task can run.
        let moment = Duration::from_secs(1);
        timeout(moment, started.notified()).await.expect("the request is sent");
        assert!(timeout(moment, &mut ended).await.is_err(), "it goes on while it is read");
        drop(read);
        timeout(moment, ended).await.expect("it ends").expect_err("it was given up");
    }

    /// What an observer is told of.
    #[derive(Default)]
    struct Told(Mutex<Vec<(RequestVerb, String, Option<u16>)>>);

    impl RequestObserver for Told {
        fn attempted(&self, request: &SentRequest<'_>) {
            let status = request.status.map(|status| status.as_u16());
            self.0.lock().expect("not poisoned").push((request.verb, request.resource.to_owned(), status));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_is_told_once_whatever_becomes_of_it() {
        let told = Arc::new(Told::default());
        let answers = Mutex::new([Some(429), Some(200), None, Some(503)].into_iter());
        let service = tower::service_fn(move |_: Request<Body>| {
            let answer = answers.lock().expect("not poisoned").next();
            async move {
                match answer {
                    Some(Some(status)) => Ok(Response::builder().status(status).body(Body::empty()).expect("an answer")),
                    Some(None) => Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
                    None => std::future::pending().await,
                }
            }
        });
        let api = ApiServer::new(kube::Client::new(service, "default"), "the API server").observed_by(Some(told.clone()));
        let ask = async |request: ApiRequest| {
            let budget = Budget::outside_calls(Duration::from_secs(60), 2);
            api.ask(&request, &budget, FIRST_BYTE).await.is_ok()
        };
        assert!(ask(ApiRequest::fixed("/version")).await, "the second attempt");
        assert!(!ask(Read::namespaces("").sent_as(None)).await);
        // One that nobody waits for any more.
        assert!(ask(ApiRequest::fixed("/readyz")).now_or_never().is_none());
        let told = std::mem::take(&mut *told.0.lock().expect("not poisoned"));
        let of = |verb, resource: &str, status| (verb, resource.to_owned(), status);
        assert_eq!(
            told,
            [
                of(RequestVerb::Get, "/version", Some(429)),
                of(RequestVerb::Get, "/version", Some(200)),
                of(RequestVerb::List, "namespaces", None),
                of(RequestVerb::List, "namespaces", Some(503)),
                of(RequestVerb::Get, "/readyz", None),
            ]
        );
    }
}
