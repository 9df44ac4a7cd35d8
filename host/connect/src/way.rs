//! Ways to a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use sandbar_http::{App, answer_operator};
use sandbar_kubernetes::{Ask, ForwardedBody, Forwarder, ServiceName};

use crate::failure::{Failure, FailureKind};

/// The body of an answer, as it arrives.
pub type AnswerBody = ForwardedBody;

/// The answer of an MCP server.
pub type Answer = Response<AnswerBody>;

/// A way to a server.
pub trait Way: Send + Sync + 'static {
    /// Sends something with these headers, and waits for the head of the answer, for so long at most. What is not of an MCP server is a
    /// failure.
    fn send<'a>(&'a self, ask: &'a Ask, headers: &'a HeaderMap, time: Duration) -> BoxFuture<'a, Result<Answer, Failure>>;

    /// Makes all connections anew with the next request: those that there are may lead nowhere.
    fn reconnect(&self) {}

    /// Whether an API server hands answers on, which ends those that take too long.
    fn has_a_time_limit(&self) -> bool {
        false
    }

    /// Whether there can be nothing but Sandbar at its end.
    fn leads_to_sandbar(&self) -> bool {
        true
    }
}

/// One way to a server that is elsewhere.
pub struct Forwarded {
    forwarder: Forwarder,
}

impl Forwarded {
    /// To a server that was named, a pod of a Service, or an address: any MCP server may be there.
    pub fn new(forwarder: Forwarder) -> Self {
        Self { forwarder }
    }
}

impl Way for Forwarded {
    fn send<'a>(&'a self, ask: &'a Ask, headers: &'a HeaderMap, time: Duration) -> BoxFuture<'a, Result<Answer, Failure>> {
        self.forwarder.send(ask, headers, time).boxed()
    }

    fn reconnect(&self) {
        self.forwarder.reconnect();
    }

    fn has_a_time_limit(&self) -> bool {
        self.forwarder.is_behind_api_server()
    }

    fn leads_to_sandbar(&self) -> bool {
        false
    }
}

/// The way to a server behind an API server: tries the API server first. If that does not serve the group, sends to a pod of the Service
/// and, once a pod has answered, goes on with pods until a request to one fails other than by a lost answer.
pub struct BehindApiServer {
    server: Forwarder,
    pods: Forwarder,
    by_pods: AtomicBool,
}

impl BehindApiServer {
    /// Through the API server, else to the pods of the Service.
    pub fn new(server: Forwarder, service: ServiceName) -> Self {
        let pods = server.to_service(service);
        Self { server, pods, by_pods: AtomicBool::new(false) }
    }

    async fn sent(&self, ask: &Ask, headers: &HeaderMap, time: Duration) -> Result<Answer, Failure> {
        if !self.by_pods.load(Ordering::Relaxed) {
            match self.server.send(ask, headers, time).await {
                Err(error) if error.kind == FailureKind::NotServed => {
                    return self.sent_to_pods(ask, headers, time, error).await;
                }
                outcome => return outcome,
            }
        }
        let outcome = self.pods.send(ask, headers, time).await;
        if outcome.as_ref().is_err_and(|error| error.kind != FailureKind::Lost) {
            // The server may be behind the API server by now.
            self.by_pods.store(false, Ordering::Relaxed);
        }
        outcome
    }

    async fn sent_to_pods(&self, ask: &Ask, headers: &HeaderMap, time: Duration, not_served: Failure) -> Result<Answer, Failure> {
        match self.pods.send(ask, headers, time).await {
            Ok(answer) => {
                if !self.by_pods.swap(true, Ordering::Relaxed) {
                    tracing::info!("no server is set up behind the API server; messages go to {}", self.pods.describe());
                }
                Ok(answer)
            }
            // There is neither.
            Err(error) if error.kind == FailureKind::NotServed => {
                let words = format!("{}. And {}", not_served.words, error.words);
                Err(Failure { words, ..not_served })
            }
            Err(error) => Err(error),
        }
    }
}

impl Way for BehindApiServer {
    fn send<'a>(&'a self, ask: &'a Ask, headers: &'a HeaderMap, time: Duration) -> BoxFuture<'a, Result<Answer, Failure>> {
        self.sent(ask, headers, time).boxed()
    }

    fn reconnect(&self) {
        self.server.reconnect();
        self.pods.reconnect();
    }

    fn has_a_time_limit(&self) -> bool {
        !self.by_pods.load(Ordering::Relaxed)
    }

    fn leads_to_sandbar(&self) -> bool {
        // Of the Service nobody has said so.
        false
    }
}

/// The way to a server in this process.
pub struct InProcess(Arc<App>);

impl InProcess {
    /// The way to this server, as the person who runs the process.
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

/// Where the server in this process has MCP.
const MCP: &str = "/mcp";

impl Way for InProcess {
    // Nothing gets lost on its way here, so there is nothing to be found out by waiting.
    fn send<'a>(&'a self, ask: &'a Ask, headers: &'a HeaderMap, _time: Duration) -> BoxFuture<'a, Result<Answer, Failure>> {
        let request = match ask {
            Ask::Message(body) => Request::post(MCP).body(Full::new(body.clone())),
            Ask::Stream => Request::get(MCP).body(Full::new(Bytes::new())),
        };
        let app = self.0.clone();
        async move {
            let mut request = request.unwrap_or_else(|_| unreachable!("the path is one"));
            *request.headers_mut() = headers.clone();
            let response = answer_operator(&app, request).await;
            Ok(response.map(|body| UnsyncBoxBody::new(body.map_err(|never| match never {}))))
        }
        .boxed()
    }
}
