//! Accepting connections, and ending in peace.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use hyper_util::server::graceful::GracefulShutdown;
use sandbar_tls::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::accepted::accepted;
use super::connection::{self, HeadLimits};
use super::connections::Connections;
use super::handshake::{self, Spoken};
use super::peer::Peer;
use super::router::{App, Routes};

/// How long the answers may take to get out that tell of calls that were stopped.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until `stop` resolves, then lets what has begun come to its end, as long as `drain`. Where there is `tls`, a connection begins
/// with it as it is then.
pub async fn serve(
    listener: TcpListener,
    tls: Option<watch::Receiver<Acceptor>>,
    app: Arc<App>,
    connections: Connections,
    drain: Duration,
    stop: impl Future<Output = ()>,
) {
    let accepting = Accepting::new(&app, tls, connections);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, from) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = &mut stop => break,
        };
        tokio::select! {
            () = accepting.accept(stream, from.ip()) => {}
            () = &mut stop => break,
        }
    }
    // The kernel has accepted these already; their clients would see them cut.
    while let Some((stream, from)) = accepted(&listener).now_or_never() {
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
    if tokio::time::timeout(drain, &mut drained).await.is_err() {
        tracing::warn!(seconds = drain.as_secs(), "calls that were still running when the time to drain was over are stopped");
        app.endpoint.ending.cancel();
        let _ = tokio::time::timeout(LAST_WORDS, drained).await;
    }
}

/// What it takes to serve a connection.
struct Accepting {
    connections: Connections,
    tls: Option<watch::Receiver<Acceptor>>,
    routes: Routes,
    of_overflow: Routes,
    of_plain: Routes,
    graceful: GracefulShutdown,
}

impl Accepting {
    fn new(app: &Arc<App>, tls: Option<watch::Receiver<Acceptor>>, connections: Connections) -> Self {
        Self {
            connections,
            tls,
            routes: Routes::new(app.clone()),
            of_overflow: Routes::of_overflow(app.clone()),
            of_plain: Routes::of_plain(app.clone()),
            graceful: GracefulShutdown::new(),
        }
    }

    /// Serves a connection in a task of its own, as soon as there is a seat for it.
    async fn accept(&self, stream: TcpStream, from: IpAddr) {
        let seat = self.connections.seat().await;
        let routes = if seat.is_overflow() { self.of_overflow.clone() } else { self.routes.clone() };
        let (connections, stop) = (self.connections.clone(), self.graceful.watcher());
        let tls = self.tls.as_ref().map(|tls| (tls.borrow().clone(), self.of_plain.clone()));
        let here = Peer::at(from);
        let head = HeadLimits::of(&here);
        tokio::spawn(async move {
            match tls {
                None => connection::serve(stream, head, routes.answers(here), connections, stop).await,
                Some((acceptor, of_plain)) => match handshake::open(stream, from, &acceptor).await {
                    Some(Spoken::Tls(stream, peer)) => {
                        connection::serve(stream, HeadLimits::of(&peer), routes.answers(peer), connections, stop).await;
                    }
                    Some(Spoken::Plain(stream)) => {
                        connection::serve(stream, head, of_plain.answers(here), connections, stop).await;
                    }
                    None => {}
                },
            }
            drop(seat);
        });
    }
}
