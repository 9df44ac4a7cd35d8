//! The way to a pod of a Service through the API server, as `kubectl port-forward` has it: each connection is a WebSocket to a pod that is
//! ready when it is made, so a pod that goes costs its connections and nothing else.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ListParams};
use sandbar_secrets::quotable;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{ForwardError, ForwardErrorKind, LOGIN_PATIENCE};
use crate::explain::explain;
use crate::login::Login;

/// Pods of a Service that are looked at.
const PODS: u32 = 50;

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
            let mut forwarder = pods.portforward(&pod, &[port]).await.map_err(|error| self.failed(&error, "pods/portforward"))?;
            let stream = forwarder.take_stream(port).unwrap_or_else(|| unreachable!("the port was asked for"));
            tracing::debug!(pod, port, "a connection is forwarded");
            Ok(Tunnel(stream))
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
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let service = services.get(name).await.map_err(|error| self.failed(&error, "services"))?;
        let spec = service.spec.unwrap_or_default();
        let selector = spec.selector.unwrap_or_default();
        let port = spec.ports.unwrap_or_default().into_iter().next();
        let Some(port) = port.filter(|_| !selector.is_empty()) else {
            let words = format!("{} has no selector or no port, so no pod to forward to", self.called());
            return Err(ForwardError::new(ForwardErrorKind::Refused, words));
        };
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let parameters = ListParams::default().labels(&written(&selector)).limit(PODS);
        let listed = pods.list(&parameters).await.map_err(|error| self.failed(&error, "pods"))?;
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

    fn failed(&self, error: &kube::Error, of: &str) -> ForwardError {
        let (server, called) = (self.login.server(), self.called());
        let ServiceName { namespace, .. } = &self.service;
        match error {
            kube::Error::Api(status) => {
                let message = quotable(&status.message, MESSAGE_MAX);
                let (kind, words) = match status.code {
                    401 => (ForwardErrorKind::Refused, format!("{server} does not accept your login ({message})")),
                    403 => (
                        ForwardErrorKind::Refused,
                        format!(
                            "{server} does not let you forward a port to {called}: {message}. It takes a Role in namespace {namespace} \
                             with get services, list pods and get and create pods/portforward"
                        ),
                    ),
                    404 if of == "services" => (ForwardErrorKind::NotServed, format!("there is no {called}")),
                    404 | 429 | 500..=599 => {
                        (ForwardErrorKind::Undelivered, format!("no port of a pod of {called} could be forwarded: {message}"))
                    }
                    code => (ForwardErrorKind::Refused, format!("{server} answered {code}: {message}")),
                };
                ForwardError { kind, status: Some(status.code), words }
            }
            error => {
                let words = format!("no port of a pod of {called} could be forwarded: {}", explain(error));
                ForwardError::new(ForwardErrorKind::Undelivered, words)
            }
        }
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

/// A connection to a pod.
pub(super) struct Tunnel(DuplexStream);

impl Connection for Tunnel {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
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
