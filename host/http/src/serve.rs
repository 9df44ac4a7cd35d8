//! Accepting connections, and ending in peace.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use super::connection;
use super::connections::Connections;
use super::router::{App, Routes};

/// How long accepting pauses after an error such as too many open files; without a pause it would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the answers may take to get out that tell of calls that were stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a server may use, and how long it may take to stop.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub connections: usize,
    /// Time for running calls to end, from the moment that nothing new is accepted any more.
    pub drain: Duration,
}

/// Serves until `stop` resolves, then lets what has begun come to its end, as long as it may take.
pub async fn serve(listener: TcpListener, app: Arc<App>, bounds: ConnectionLimits, stop: impl Future<Output = ()>) {
    let accepting = Accepting::new(&app, bounds.connections);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, from)) => tokio::select! {
                () = accepting.accept(stream, from.ip()) => {}
                () = &mut stop => break,
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The kernel has accepted these already; their clients would see them cut.
    while let Some(Ok((stream, from))) = listener.accept().now_or_never() {
        if accepting.accept(stream, from.ip()).now_or_never().is_none() {
            break;
        }
    }
    drop(listener);
    // They have no end of their own.
    app.endpoint.server.end_changes();
    app.endpoint.running.close();
    let mut drained = std::pin::pin!(async {
        accepting.graceful.shutdown().await;
        app.endpoint.running.wait().await;
    });
    if tokio::time::timeout(bounds.drain, &mut drained).await.is_err() {
        tracing::warn!(
            seconds = bounds.drain.as_secs(),
            "calls that were still running when the time to drain was over are stopped"
        );
        app.endpoint.ending.cancel();
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
    }
}

/// What it takes to serve a connection.
struct Accepting {
    connections: Connections,
    routes: Routes,
    of_overflow: Routes,
    graceful: GracefulShutdown,
}

impl Accepting {
    fn new(app: &Arc<App>, connections: usize) -> Self {
        Self {
            connections: Connections::new(connections),
            routes: Routes::new(app.clone()),
            of_overflow: Routes::of_overflow(app.clone()),
            graceful: GracefulShutdown::new(),
        }
    }

    /// Serves a connection in a task of its own, as soon as there is a seat for it.
    async fn accept(&self, stream: TcpStream, from: IpAddr) {
        let seat = self.connections.seat().await;
        let routes = if seat.is_overflow() { self.of_overflow.clone() } else { self.routes.clone() };
        let (connections, stop) = (self.connections.clone(), self.graceful.watcher());
        tokio::spawn(async move {
            connection::serve(stream, move |request| routes.clone().answer(request, from), connections, stop).await;
            drop(seat);
        });
    }
}
