//! A port beside the server's own: each of its connections in a task of its own, until it is closed.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use super::HttpResponse;
use super::accepted::accepted;
use super::connection::{self, HeadLimits};
use super::connections::Connections;

/// How long the last answers may take to get out once the port is closed.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves the port until `stop` resolves. `answers` makes what answers the requests of one connection, and is told where that comes from, and
/// whether it is one too many.
pub(super) async fn serve<A>(
    listener: TcpListener,
    connections: Connections,
    answers: impl Fn(IpAddr, bool) -> A,
    stop: impl Future<Output = ()>,
) where
    A: Fn(Request<Incoming>) -> BoxFuture<'static, HttpResponse> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, from) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = &mut stop => break,
        };
        let seat = tokio::select! {
            seat = connections.seat() => seat,
            () = &mut stop => break,
        };
        let (answer, connections, watcher) = (answers(from.ip(), seat.is_overflow()), connections.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection::serve(stream, HeadLimits::OF_ANYBODY, answer, connections, watcher).await;
            drop(seat);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
}
