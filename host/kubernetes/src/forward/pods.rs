//! The way to a pod of a Service through the API server, as `kubectl port-forward` has it: each connection is a WebSocket to a pod that is
//! ready when it is made, so a pod that goes costs its connections and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use k8s_openapi::List;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::Api;
use kube::client::Body;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sandbar_secrets::quotable;
use sandbar_text::size;
use serde::de::DeserializeOwned;
use tower::BoxError;

use super::refusal::{Refused, unreached};
use super::tunnel::Tunnel;
use super::{ForwardError, ForwardErrorKind, LOGIN_PATIENCE, USER_AGENT};
use crate::explain::explain;
use crate::login::Login;
use crate::response::json;

/// Pods of a Service that are looked at.
const PODS: u32 = 50;

/// Bytes of an answer of the API server. [`PODS`] pods have some 20 KiB each.
const ANSWER_MAX: usize = 16 << 20;

/// How long it may take to find a pod and to open a connection to it.
const DIAL_TIME: Duration = Duration::from_secs(15);

/// How long a connection is kept without a request. Idle streams through an API server and a kubelet end after some minutes.
const IDLE_TIME: Duration = Duration::from_secs(90);

/// Bytes of words of the API server in ours.
const MESSAGE_MAX: usize = 1024;

/// A Service, by its namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl ServiceName {
    /// Reads `NAMESPACE/NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a Service as NAMESPACE/NAME, such as coder-system/coder-k8s");
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        if !sandbar_policy::is_label(namespace) || !sandbar_policy::is_label(name) {
            return Err(wrong());
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

type Http = legacy::Client<Dialer, Full<Bytes>>;

/// Connections to the pods of a Service.
pub(super) struct Pods {
    dialer: Dialer,
    http: Mutex<Http>,
}

impl Pods {
    pub(super) fn new(login: Login, service: ServiceName) -> Self {
        let dialer = Dialer { login, service };
        Self { http: Mutex::new(client(dialer.clone())), dialer }
    }

    /// Sends a request, which has only a path.
    pub(super) fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Response<Incoming>, legacy::Error>> + Send + use<> {
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        // The server answers to this name whoever comes through a port-forward.
        let whole = Uri::try_from(format!("http://localhost{path}"));
        if let Ok(uri) = whole {
            *request.uri_mut() = uri;
        }
        http.request(request)
    }

    /// Makes all connections anew with the next request.
    pub(super) fn reconnect(&self) {
        *self.http.lock().unwrap_or_else(PoisonError::into_inner) = client(self.dialer.clone());
    }
}

fn client(dialer: Dialer) -> Http {
    legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIME).build(dialer)
}

/// Why there is no connection to a pod.
#[derive(Debug, thiserror::Error)]
#[error("no connection to a pod: {0}")]
pub(super) struct NoPod(pub(super) ForwardError);

/// Opens connections.
#[derive(Clone)]
pub(super) struct Dialer {
    login: Login,
    service: ServiceName,
}

impl tower::Service<Uri> for Dialer {
    type Response = TokioIo<Tunnel>;
    type Error = NoPod;
    type Future = BoxFuture<'static, Result<TokioIo<Tunnel>, NoPod>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoPod>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial().await.map(TokioIo::new).map_err(NoPod) })
    }
}

impl Dialer {
    async fn dial(&self) -> Result<Tunnel, ForwardError> {
        let session = self.login.session(LOGIN_PATIENCE).await?;
        match self.dial_with(session.client().clone()).await {
            Err(error) if error.status == Some(401) && self.login.refused(&session) => {
                let another = self.login.session(LOGIN_PATIENCE).await?;
                self.dial_with(another.client().clone()).await
            }
            outcome => outcome,
        }
    }

    async fn dial_with(&self, client: kube::Client) -> Result<Tunnel, ForwardError> {
        let dialing = async {
            let (pod, port) = self.pod(&client).await?;
            let pods: Api<Pod> = Api::namespaced(client, &self.service.namespace);
            let mut forwarder = pods.portforward(&pod, &[port]).await.map_err(|error| self.failed(&error))?;
            let (Some(stream), Some(words)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
                unreachable!("the port was asked for")
            };
            tracing::debug!(pod, port, "a connection is forwarded");
            let called = self.called();
            Ok(Tunnel::new(stream, words.map(move |words| words.map(|words| NoPod(broken(&called, &words))))))
        };
        let late = |_| {
            let words = format!("a port-forward to {} took longer than {} s", self.called(), DIAL_TIME.as_secs());
            Err(ForwardError::new(ForwardErrorKind::Undelivered, words))
        };
        tokio::time::timeout(DIAL_TIME, dialing).await.unwrap_or_else(late)
    }

    /// A pod of the Service that is ready, and the port of MCP there.
    async fn pod(&self, client: &kube::Client) -> Result<(String, u16), ForwardError> {
        let ServiceName { namespace, name } = &self.service;
        let service = self.read::<Service>(client, format!("/api/v1/namespaces/{namespace}/services/{name}")).await;
        let service = service.map_err(|error| match error.status {
            Some(404) => ForwardError {
                kind: ForwardErrorKind::NotServed,
                words: format!("there is no Service {namespace}/{name}"),
                ..error
            },
            _ => error,
        })?;
        let spec = service.spec.unwrap_or_default();
        let selector = spec.selector.unwrap_or_default();
        let port = spec.ports.unwrap_or_default().into_iter().next();
        let Some(port) = port.filter(|_| !selector.is_empty()) else {
            let words = format!("{} has no selector or no port, so no pod to forward to", self.called());
            return Err(ForwardError::new(ForwardErrorKind::Refused, words));
        };
        let selector = written(&selector);
        let selector = utf8_percent_encode(&selector, NON_ALPHANUMERIC);
        let pods = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}&limit={PODS}");
        let listed: List<Pod> = self.read(client, pods).await?;
        let ready = listed.items.into_iter().filter(is_ready);
        let target = port.target_port.unwrap_or(IntOrString::Int(port.port));
        let mut found = ready.filter_map(|pod| Some((port_of(&pod, &target)?, pod.metadata.name?)));
        found.next().map(|(port, pod)| (pod, port)).ok_or_else(|| {
            let words = format!("{} has no pod that is ready", self.called());
            ForwardError::new(ForwardErrorKind::Undelivered, words)
        })
    }

    fn called(&self) -> String {
        format!("the Service {}/{}", self.service.namespace, self.service.name)
    }

    /// What the API server has at a path. kube would take an answer of any size, and log one that it cannot parse.
    async fn read<T: DeserializeOwned>(&self, client: &kube::Client, path: String) -> Result<T, ForwardError> {
        let request = Request::get(path).header(header::USER_AGENT, USER_AGENT).body(Body::empty());
        let request = request.unwrap_or_else(|_| unreachable!("names and what is encoded make a path"));
        let response = client.send(request).await.map_err(|error| self.failed(&error))?;
        if !response.status().is_success() {
            let refused = Refused::read(response.map(|body| body.map_err(BoxError::from).boxed_unsync())).await;
            let (status, message) = refused.into_parts();
            return Err(self.refused(status.as_u16(), &message));
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => {
                let (server, called, most) = (self.login.server(), self.called(), size(ANSWER_MAX as u64));
                let words = format!("what {server} says of {called} or its pods is over {most} and cannot be read");
                ForwardError::new(ForwardErrorKind::Refused, words)
            }
            false => self.unforwarded(&explain(error.as_ref())),
        })?;
        json(&body.to_bytes()).map_err(|error| self.unforwarded(&error.message))
    }

    /// A request to the API server has failed.
    fn failed(&self, error: &kube::Error) -> ForwardError {
        match error {
            kube::Error::Api(status) => self.refused(status.code, &quotable(&status.message, MESSAGE_MAX)),
            error => self.unforwarded(&explain(error)),
        }
    }

    /// The API server has refused a request, with these words.
    fn refused(&self, status: u16, message: &str) -> ForwardError {
        let (server, called, namespace) = (self.login.server(), self.called(), &self.service.namespace);
        let error = match status {
            401 => {
                let words = format!("{server} does not accept your login ({message})");
                ForwardError::new(ForwardErrorKind::Refused, words)
            }
            403 => {
                let words = format!(
                    "{server} does not let you forward a port to {called}: {message}. It takes a Role in namespace {namespace} \
                     with get services, list pods and get and create pods/portforward"
                );
                ForwardError::new(ForwardErrorKind::Refused, words)
            }
            404 | 429 | 500..=599 => self.unforwarded(message),
            code => ForwardError::new(ForwardErrorKind::Refused, format!("{server} answered {code}: {message}")),
        };
        ForwardError { status: Some(status), ..error }
    }

    /// There is no connection, which may pass.
    fn unforwarded(&self, why: &str) -> ForwardError {
        ForwardError::new(ForwardErrorKind::Undelivered, unforwarded(&self.called(), why))
    }
}

fn unforwarded(called: &str, why: &str) -> String {
    format!("no port of a pod of {called} could be forwarded: {why}")
}

/// Whoever runs the pod has given up its port, with these words. A request may have been on its way.
fn broken(called: &str, words: &str) -> ForwardError {
    let words = quotable(words, MESSAGE_MAX);
    match unreached(&words) {
        ForwardErrorKind::Undelivered => ForwardError::new(ForwardErrorKind::Undelivered, unforwarded(called, &words)),
        kind => ForwardError::new(kind, format!("the connection to a pod of {called} broke: {words}")),
    }
}

/// A selector as a query has it.
fn written(selector: &BTreeMap<String, String>) -> String {
    selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Whether a pod takes connections, and goes on to.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_ready = conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}

/// The port of a pod that a Service means.
fn port_of(pod: &Pod, target: &IntOrString) -> Option<u16> {
    match target {
        IntOrString::Int(port) => u16::try_from(*port).ok(),
        IntOrString::String(name) => {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
            let named = ports.find(|port| port.name.as_ref() == Some(name))?;
            u16::try_from(named.container_port).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(value: serde_json::Value) -> Pod {
        serde_json::from_value(value).expect("a pod")
    }

    #[test]
    fn a_pod_that_is_ready_and_stays_is_taken_by_the_port_that_the_service_means() {
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        let ports = json!([{ "name": "a" }, { "name": "b", "ports": [{ "name": "mcp", "containerPort": 8090 }] }]);
        let good =
            pod(json!({ "metadata": { "name": "a" }, "spec": { "containers": ports }, "status": { "conditions": ready } }));
        assert!(is_ready(&good));
        assert_eq!(port_of(&good, &IntOrString::String("mcp".to_owned())), Some(8090));
        assert_eq!(port_of(&good, &IntOrString::String("other".to_owned())), None);
        assert_eq!(port_of(&good, &IntOrString::Int(9)), Some(9));
        let going = json!({ "name": "a", "deletionTimestamp": "2026-11-29T00:00:00Z" });
        assert!(!is_ready(&pod(json!({ "metadata": going, "status": { "conditions": ready } }))));
        assert!(!is_ready(&pod(json!({ "metadata": {}, "status": { "conditions": [{ "type": "Ready", "status": "False" }] } }))));
        assert!(!is_ready(&Pod::default()));
    }

    #[test]
    fn a_service_is_read_as_it_is_written() {
        let service = ServiceName::parse("coder-system/coder-k8s").expect("one");
        assert_eq!((service.namespace.as_str(), service.name.as_str()), ("coder-system", "coder-k8s"));
        for text in ["", "coder-k8s", "/a", "a/", "a/b/c", "A/b", "a/b?c"] {
            assert!(ServiceName::parse(text).is_err(), "{text}");
        }
    }
}
