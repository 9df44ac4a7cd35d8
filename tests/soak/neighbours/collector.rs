//! A collector, which takes the traces of calls.

use std::net::SocketAddr;
use std::sync::Arc;

use sandbar_tests::collector::Collector;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::Server;
use serde_json::json;

use super::Neighbour;
use crate::eventually;

/// A collector of OpenTelemetry, and the trace of the newest call.
pub(crate) struct CollectorOfTraces {
    server: Arc<Server>,
    address: SocketAddr,
    /// None: it is away.
    collector: Option<Collector>,
    trace: String,
}

impl CollectorOfTraces {
    /// `collector` is the one that the configuration of the server names.
    pub(crate) fn new(server: &Arc<Server>, collector: Collector) -> Self {
        Self { server: server.clone(), address: collector.address(), collector: Some(collector), trace: String::new() }
    }

    /// Calls a tool within the trace.
    async fn call(&self) {
        let parent = format!("00-{}-00f067aa0ba902b7-01", self.trace);
        let params = json!({ "name": "check_health", "arguments": {}, "_meta": { "traceparent": parent } });
        Client::modern(&self.server).request("tools/call", params).await;
    }
}

impl Neighbour for CollectorOfTraces {
    async fn come(&mut self) {
        self.collector = Some(Collector::start_at(self.address).await);
    }

    async fn go(&mut self) {
        drop(self.collector.take());
    }

    async fn happen(&mut self, round: u64, _is_there: bool) {
        self.trace = format!("{:032x}", round + 1);
        self.call().await;
    }

    async fn made_up_for(&mut self) {
        // What ended while nobody was there is lost, and is meant to be.
        eventually("the collector takes the trace of a call", || async {
            self.call().await;
            self.collector.as_ref().is_some_and(|collector| !collector.spans(&self.trace).is_empty())
        })
        .await;
    }
}
