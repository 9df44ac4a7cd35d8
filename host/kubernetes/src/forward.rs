//! Requests of the person who runs this process, under their own login, to an MCP server: behind the API server, or at an address of
//! its own. The door of `sandbar connect`.
//!
//! Nothing here is for tools. A [`Forwarder`] is made from a kubeconfig or an address and no way leads to one from a `Cluster` or a
//! `Reader`, so what holds for the requests of tools holds on: each is a GET, within a grant and a budget. What goes through here is
//! the person's own, who could as well send it with kubectl. It can be a message to one path or the stream of another, and nothing else.

mod address;
mod pods;
mod refusal;
#[cfg(test)]
mod tests;
mod tunnel;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use sandbar_policy::{API_VERSION, SERVERS};
use tower::BoxError;

pub use self::address::Token;
pub use self::pods::ServiceName;
use self::pods::{NoPod, Pods};
use self::refusal::Refused;
use super::client::Connections;
use super::error::Error;
use super::explain::{Configured, causes, explain_as, is_refused_certificate, may_be_of_tls};
use super::fault::Fault;
use super::login::{ClusterSession, Login, NoSession, Origin};
use super::name::ObjectName;
use super::source::{self, ConnectError, Connection};

/// How long a message waits for a login. A person at a browser needs longer than a call may take, but MCP clients give up after a
/// minute, and should hear before that what is waited for.
const LOGIN_PATIENCE: Duration = Duration::from_secs(45);

/// How long it may take to find out whether the API server knows a group.
const DISCOVERY_TIME: Duration = Duration::from_secs(10);

/// Identifies `sandbar connect` in the API server's audit log.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("sandbar-connect/", env!("CARGO_PKG_VERSION")));

/// Where Sandbar has MCP on a port of its own.
const MCP: &str = "/mcp";

/// The body of an answer, as it arrives.
pub type ForwardedBody = UnsyncBoxBody<Bytes, BoxError>;

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// The answer to a message, by POST.
    Message(Bytes),
    /// The stream of a session, by GET.
    Stream,
}

/// Which server of which group is meant, by the names of the API server's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    group: String,
    server: String,
}

/// Why a request has no answer of an MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardError {
    /// What has become of the request.
    pub kind: ForwardErrorKind,
    /// The status of HTTP, if there is one.
    pub status: Option<u16>,
    /// What is wrong, and what to do.
    pub words: String,
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardErrorKind {
    /// It has reached nobody: it may be sent again, and that may help soon.
    Undelivered,
    /// It may have reached the server, and its answer is lost.
    Lost,
    /// Nobody serves what was asked for.
    NotServed,
    /// It is refused, and would be refused again.
    Refused,
}

impl ForwardError {
    /// One without a status.
    pub fn new(kind: ForwardErrorKind, words: impl Into<String>) -> Self {
        Self { kind, status: None, words: words.into() }
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for ForwardError {}

impl From<NoSession> for ForwardError {
    fn from(why: NoSession) -> Self {
        let kind = match why {
            NoSession::UnderWay(_) => ForwardErrorKind::Undelivered,
            // The person has to do something about it.
            NoSession::Failed(_) => ForwardErrorKind::Refused,
        };
        Self::new(kind, Error::from(why).message)
    }
}

impl ServerName {
    /// The server of this name in an API group. An error says which of the two is wrong.
    pub fn new(group: &str, server: &str) -> Result<Self, String> {
        if !sandbar_policy::is_subdomain(group) || !group.contains('.') {
            return Err(format!("{group:?} is not the name of an API group, such as mcp.sandbar.dev"));
        }
        if ObjectName::parse(server).is_err() {
            return Err(format!("{server:?} is not the name of a server, such as sandbar"));
        }
        Ok(Self { group: group.to_owned(), server: server.to_owned() })
    }

    /// What to say where nobody serves the group.
    fn not_served(&self, api_server: &str) -> ForwardError {
        let group = &self.group;
        let words = format!(
            "{api_server} serves no API group {group}, so no server is set up behind it, as `kubectl get apiservice v1.{group}` says; \
             --group names another, --service NAMESPACE/NAME forwards a port, --url goes to a server at an address of its own, and \
             --cluster does without a server"
        );
        ForwardError { kind: ForwardErrorKind::NotServed, status: Some(404), words }
    }

    /// The path of its messages.
    fn path(&self) -> String {
        format!("/apis/{}/{API_VERSION}/{SERVERS}/{}", self.group, self.server)
    }

    /// The path of streams. The API server ends all that is not a watch after 60 s, and only a collection can be watched.
    fn stream_path(&self) -> String {
        format!("/apis/{}/{API_VERSION}/{SERVERS}?watch=true", self.group)
    }
}

/// The way of a person's requests to an MCP server. Cheap to clone; clones share connections and the login.
#[derive(Clone)]
pub struct Forwarder {
    login: Login,
    to: Arc<To>,
    description: Arc<str>,
}

/// Where it leads.
enum To {
    /// To a server behind the API server.
    Server(ServerName),
    /// To a pod of a Service, which has MCP at [`MCP`].
    Service(Pods),
    /// To an address of its own, where messages and streams have this path.
    Address { path: String },
}

impl Forwarder {
    /// The way through the API server of a kubeconfig: of this file, else as kubectl finds it; with this context, else the current one.
    ///
    /// Only files are read. A credential plugin runs with the first request.
    pub async fn to_server(kubeconfig: Option<&Path>, context: Option<&str>, server: ServerName) -> Result<Self, ConnectError> {
        let Connection { api, description, .. } = source::of_person(kubeconfig, context).await?;
        let login = api.login().cloned().unwrap_or_else(|| unreachable!("a kubeconfig and a pod have a login"));
        let description = format!("{} of {} at the {description}", server.server, server.group);
        Ok(Self { login, to: Arc::new(To::Server(server)), description: description.into() })
    }

    /// Whether the API server hands answers on by itself, and so ends those that take longer than its `--request-timeout`.
    pub fn is_behind_api_server(&self) -> bool {
        matches!(*self.to, To::Server(_))
    }

    /// The way to the pods of a Service, through the API server and with the login of another way there.
    pub fn to_service(&self, service: ServiceName) -> Self {
        let description = format!("a pod of the Service {}/{}", service.namespace, service.name).into();
        Self { login: self.login.clone(), to: Arc::new(To::Service(Pods::new(self.login.clone(), service))), description }
    }

    /// The way to an address. Its certificate is checked against the authorities in a PEM file, else against those of this machine.
    pub async fn to_address(url: &str, token: Token, authorities: Option<&Path>) -> Result<Self, Fault> {
        let (target, path) = address::read(url, token, authorities).await?;
        // Said now, where it is a mistake of the command line.
        Connections::to(&target, None, None)?;
        let description = format!("the {}", target.called).into();
        let login = Login::open(Arc::new(Origin::Fixed(Box::new(target.clone()))), target).await?;
        Ok(Self { login, to: Arc::new(To::Address { path }), description })
    }

    /// Sends a request with these headers, and waits for the head of its answer, for `time` at most. Where a login is refused, another is
    /// tried, for as long again; logins take their time beside that. An answer that is not of an MCP server is an error, in words; each
    /// error of an MCP server is an answer, whose body is all there.
    pub async fn send(&self, ask: &Ask, headers: &HeaderMap, time: Duration) -> Result<Response<ForwardedBody>, ForwardError> {
        let session = self.login.session(LOGIN_PATIENCE).await?;
        let refused = match self.attempt(&session, ask, headers, time).await? {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        if !self.login.refused(&session) {
            return Err(self.unknown(&session, &refused));
        }
        let another = self.login.session(LOGIN_PATIENCE).await?;
        if another.is_as(&session) {
            return Err(self.unknown(&another, &refused));
        }
        match self.attempt(&another, ask, headers, time).await? {
            Ok(response) => Ok(response),
            Err(refused) => Err(self.unknown(&another, &refused)),
        }
    }

    /// Where it leads, for the person.
    pub fn describe(&self) -> String {
        self.description.to_string()
    }

    /// Makes all connections anew with the next request: those that there are may lead nowhere, since this machine has slept, for
    /// example.
    pub fn reconnect(&self) {
        self.login.reconnect();
        if let To::Service(pods) = self.to.as_ref() {
            pods.reconnect();
        }
    }

    /// One attempt with one login. The inner error: the login is refused, with these words.
    async fn attempt(
        &self,
        session: &ClusterSession,
        ask: &Ask,
        headers: &HeaderMap,
        time: Duration,
    ) -> Result<Result<Response<ForwardedBody>, String>, ForwardError> {
        let request = self.request(ask, headers)?;
        let response = match tokio::time::timeout(time, self.sent(session, request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if is_refused_certificate(error.as_ref()) => return Ok(Err(self.explain(error.as_ref()))),
            Ok(Err(error)) => return Err(self.failed(error.as_ref())),
            Err(_silent) => {
                // A server says something within seconds, so the connection leads nowhere, and others may, too.
                self.reconnect();
                let words = format!("{} has said nothing for {} s", self.name(), time.as_secs());
                return Err(ForwardError::new(ForwardErrorKind::Lost, words));
            }
        };
        if response.status().is_success() {
            // Whoever reads it passes on why it broke off, in our words.
            let configured = self.configured();
            let explained = move |error: BoxError| BoxError::from(explain_as(error.as_ref(), configured));
            return Ok(Ok(response.map(|body| body.map_err(explained).boxed_unsync())));
        }
        match Refused::read(response).await {
            Refused::Unknown(words) => Ok(Err(words)),
            Refused::OfMcp(head, body) => {
                let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
                Ok(Ok(Response::from_parts(*head, body)))
            }
            Refused::Other(other) => Err(match self.to.as_ref() {
                To::Server(server) if other.is_forbidden() && !self.is_served(session, server).await => {
                    server.not_served(&self.name())
                }
                To::Server(server) => other.of_api_server(&self.name(), server),
                To::Service(_) | To::Address { .. } => other.of_address(&self.name()),
            }),
        }
    }

    /// Sends a request and waits for the head of its answer.
    async fn sent(&self, session: &ClusterSession, request: Request<Bytes>) -> Result<Response<ForwardedBody>, BoxError> {
        match self.to.as_ref() {
            To::Service(pods) => {
                let response = pods.send(request.map(Full::new)).await?;
                Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
            }
            To::Server(_) | To::Address { .. } => {
                let response = session.client().send(request.map(Body::from)).await?;
                Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
            }
        }
    }

    /// Whether the API server knows the group. It asks for rights first: who has none is refused a group that is not there, too.
    async fn is_served(&self, session: &ClusterSession, server: &ServerName) -> bool {
        let request = Request::get(format!("/apis/{}", server.group)).body(Body::empty());
        let Ok(request) = request else { return true };
        let answer = tokio::time::timeout(DISCOVERY_TIME, session.client().send(request)).await;
        !matches!(answer, Ok(Ok(response)) if response.status() == StatusCode::NOT_FOUND)
    }

    fn request(&self, ask: &Ask, headers: &HeaderMap) -> Result<Request<Bytes>, ForwardError> {
        let path = match (self.to.as_ref(), ask) {
            (To::Server(server), Ask::Message(_)) => server.path(),
            (To::Server(server), Ask::Stream) => server.stream_path(),
            (To::Service(_), _) => MCP.to_owned(),
            (To::Address { path }, _) => path.clone(),
        };
        let (method, body) = match ask {
            Ask::Message(body) => (HttpMethod::POST, body.clone()),
            Ask::Stream => (HttpMethod::GET, Bytes::new()),
        };
        let request = Request::builder().method(method).uri(path).header(header::USER_AGENT, USER_AGENT);
        let mut request = request.body(body).map_err(|_| {
            ForwardError::new(ForwardErrorKind::Refused, "the request cannot be made: no request can have its path")
        })?;
        for (name, value) in headers {
            request.headers_mut().append(name, value.clone());
        }
        Ok(request)
    }

    /// What has become of a request without an answer.
    fn failed(&self, error: &(dyn StdError + 'static)) -> ForwardError {
        if let Some(NoPod(failure)) = causes(error).find_map(|cause| cause.downcast_ref()) {
            return failure.clone();
        }
        let name = self.name();
        let is_unsent = |cause: &(dyn StdError + 'static)| {
            cause.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(hyper_util::client::legacy::Error::is_connect)
                || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
        };
        let mut words = format!("{name} cannot be reached: {}", self.explain(error));
        if !self.login.is_https() && may_be_of_tls(error) {
            words.push_str("; is its address https://?");
        }
        // Another certificate does not come by itself.
        let kind = if causes(error).any(|cause| cause.is::<rustls::Error>()) {
            ForwardErrorKind::Refused
        } else if causes(error).any(is_unsent) {
            ForwardErrorKind::Undelivered
        } else if causes(error).any(|cause| cause.is::<hyper::Error>() || cause.is::<io::Error>()) {
            words = format!("the connection to {name} broke before the answer was there: {}", self.explain(error));
            ForwardErrorKind::Lost
        } else {
            ForwardErrorKind::Refused
        };
        ForwardError::new(kind, words)
    }

    /// The login is refused.
    fn unknown(&self, session: &ClusterSession, words: &str) -> ForwardError {
        let name = self.name();
        let words = match self.to.as_ref() {
            To::Server(_) => format!("{name} does not accept your login ({words}); {}", session.refusal()),
            To::Service(_) => format!(
                "{name} wants to know who you are ({words}): a port-forward cannot say it. Have the server set up behind the API server, or \
                 go to it with --url and --token-file"
            ),
            To::Address { .. } => format!(
                "{name} wants to know who you are, and does not take what it was sent ({words}): give it a token with --token-file FILE or \
                 in SANDBAR_TOKEN"
            ),
        };
        ForwardError { kind: ForwardErrorKind::Refused, status: Some(401), words }
    }

    fn explain(&self, error: &(dyn StdError + 'static)) -> String {
        explain_as(error, self.configured())
    }

    /// By what the way is configured.
    fn configured(&self) -> Configured {
        match self.to.as_ref() {
            To::Server(_) | To::Service(_) => Configured::Kubeconfig,
            To::Address { .. } => Configured::Flags,
        }
    }

    /// What answers, or should.
    fn name(&self) -> String {
        match self.to.as_ref() {
            To::Server(_) => self.login.server(),
            To::Service(_) | To::Address { .. } => self.describe(),
        }
    }
}
