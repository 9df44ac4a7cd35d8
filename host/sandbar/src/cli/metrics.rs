//! The port for Prometheus and for people, and what is read for them.

use std::net::SocketAddr;
use std::ops::Add as _;
use std::sync::Arc;
use std::time::SystemTime;

use sandbar_catalog::Loader;
use sandbar_http::{
    Allowlist, App, Audience, Connections, Exposition, MetricsAnswers, Readiness, UnderWay, WebPage, serve_metrics,
};
use sandbar_identity::TokenUses;
use sandbar_kubernetes::{Clusters, Uses};
use sandbar_mcp::Version;
use sandbar_metrics::{Lookups, Metrics, Readings};
use sandbar_page::{Page, Server, content_security_policy};
use sandbar_sandbox::CallsUnderWay;
use sandbar_traces::Traces;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::observers::Observers;
use super::page;

/// What a server counts, for a port that listens already.
pub(super) struct MetricsPort {
    metrics: Arc<Metrics>,
    page: Option<Arc<Page>>,
    listener: TcpListener,
}

/// The port while it is served.
pub(super) struct ServedMetrics {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Where it is read what is under way.
pub(super) struct Sources {
    pub(super) app: Arc<App>,
    pub(super) connections: Connections,
    pub(super) loader: Loader,
    pub(super) clusters: Clusters,
    /// Who traces calls, if somebody does.
    pub(super) traces: Option<Arc<Traces>>,
    /// When the listener's certificate expires.
    pub(super) certificate: Option<watch::Receiver<SystemTime>>,
    /// Bytes of memory that the server may use.
    pub(super) memory: u64,
    pub(super) readiness: Readiness,
    /// Who can call, in words.
    pub(super) callers: String,
}

impl MetricsPort {
    /// Counts from now on what is asked for at this port later, for people as well if there is a page.
    pub(super) fn on(listener: TcpListener, has_page: bool) -> Self {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), protocols());
        Self { metrics: Arc::new(metrics), page: has_page.then(Arc::default), listener }
    }

    /// Those who are told of what the server does.
    pub(super) fn observers(&self) -> Observers {
        Observers { metrics: Some(self.metrics.clone()), page: self.page.clone(), traces: None }
    }

    /// Serves the port from now on. The page is there for these names and origins.
    pub(super) fn serve(self, sources: Sources, allowed: Allowlist) -> anyhow::Result<ServedMetrics> {
        let Self { metrics, page, listener } = self;
        let address: SocketAddr = listener.local_addr()?;
        let sources = Arc::new(sources);
        let read = sources.clone();
        metrics.read_from(move || read.readings());
        tracing::info!("metrics are at http://{address}/metrics{}", if page.is_some() { ", and a page at /" } else { "" });
        let page = page.map(|page| WebPage {
            allowed,
            policy: content_security_policy(),
            write: Arc::new(move |audience| {
                let Sources { readiness, callers, .. } = &*sources;
                let server = page::server(callers, readiness, protocols().into(), &sources.readings());
                page.html(&Server { tells_all: audience == Audience::Operator, ..server })
            }),
        });
        let metrics = Box::new(move |exposition| match exposition {
            Exposition::OpenMetrics => metrics.openmetrics(),
            Exposition::Text => metrics.text(),
        });
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // It is dropped where the server fails.
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve_metrics(listener, MetricsAnswers { metrics, page }, stopped));
        Ok(ServedMetrics { stop, serving })
    }
}

/// The versions of MCP.
fn protocols() -> [&'static str; Version::ALL.len()] {
    Version::ALL.map(Version::as_str)
}

impl ServedMetrics {
    /// Ends it, once the last call has been counted.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the port for Prometheus has failed");
        }
    }
}

impl Sources {
    fn readings(&self) -> Readings {
        let Self { app, connections, loader, clusters, traces, certificate, memory, readiness: _, callers: _ } = self;
        let CallsUnderWay { running, waiting, slots, slots_taken } = loader.engine().calls();
        let UnderWay { places, places_taken, streams, streams_open, backlog } = app.under_way();
        let TokenUses { oidc, token_review } = app.token_uses();
        Readings {
            calls_running: running,
            calls_waiting: waiting,
            slots,
            slots_taken,
            places,
            places_taken,
            connections: connections.most(),
            connections_open: connections.open(),
            connections_overflow: connections.overflow(),
            streams,
            streams_open,
            backlog,
            memory_limit: *memory,
            access_reviews: lookups(clusters.iter().map(|named| named.cluster.access_reviews()).fold(Uses::default(), Uses::add)),
            token_reviews: lookups(token_review),
            oidc_tokens: lookups(oidc),
            spans_dropped: traces.as_ref().map(|traces| traces.dropped()),
            certificate_expires: certificate.as_ref().map(|expires| *expires.borrow()),
        }
    }
}

fn lookups(Uses { remembered, found_out }: Uses) -> Lookups {
    Lookups { hits: remembered, misses: found_out }
}
