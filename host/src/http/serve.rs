//! Connections: accepted, bounded in what they may send, and ended in peace.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::router::{App, router};

/// How long a client may take to send a request's headers.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Bytes of a request's headers.
const HEADER_BYTES: usize = 64 * 1024;

/// How long accepting goes on after an error such as too many open files; without a pause it would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` resolves, then lets what has begun come to its end, for `grace` at most.
pub async fn serve(listener: TcpListener, app: App, stop: impl Future<Output = ()>, grace: Duration) {
    let connections = GracefulShutdown::new();
    let router = router(app.clone());
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => connect(stream, router.clone(), &connections),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // They have no end of their own.
    app.server.end_changes();
    app.running.close();
    let drained = async {
        connections.shutdown().await;
        app.running.wait().await;
    };
    if tokio::time::timeout(grace, drained).await.is_err() {
        tracing::warn!(seconds = grace.as_secs(), "calls were still running when the time to drain was over");
    }
}

fn connect(stream: TcpStream, router: Router, connections: &GracefulShutdown) {
    // Without it every event of a stream waits 40 ms for the client's acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
}
