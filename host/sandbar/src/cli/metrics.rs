//! The port for Prometheus, and what is read for it.

use std::net::SocketAddr;
use std::ops::Add as _;
use std::sync::Arc;
use std::time::SystemTime;

use sandbar_catalog::Loader;
use sandbar_http::{App, Connections, Exposition, UnderWay, serve_metrics};
use sandbar_identity::TokenUses;
use sandbar_kubernetes::{Clusters, Uses};
use sandbar_mcp::Version;
use sandbar_metrics::{Lookups, Metrics, Readings};
use sandbar_sandbox::CallsUnderWay;
use sandbar_traces::Traces;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// What a server counts, for a port that listens already.
pub(super) struct MetricsPort {
    pub(super) metrics: Arc<Metrics>,
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
}

impl MetricsPort {
    /// Counts from now on what is asked for at this port later.
    pub(super) fn on(listener: TcpListener) -> Self {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), Version::ALL.map(Version::as_str));
        Self { metrics: Arc::new(metrics), listener }
    }

    /// Serves the port from now on.
    pub(super) fn serve(self, sources: Sources) -> anyhow::Result<ServedMetrics> {
        let Self { metrics, listener } = self;
        let address: SocketAddr = listener.local_addr()?;
        metrics.read_from(move || sources.readings());
        let write = move |exposition| match exposition {
            Exposition::OpenMetrics => metrics.openmetrics(),
            Exposition::Text => metrics.text(),
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // It is dropped where the server fails.
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve_metrics(listener, Arc::new(write), stopped));
        tracing::info!("metrics are at http://{address}/metrics");
        Ok(ServedMetrics { stop, serving })
    }
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
        let Self { app, connections, loader, clusters, traces, certificate } = self;
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
