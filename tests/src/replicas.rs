//! Several servers that stand for the pods of one Deployment. Each keeps its address when it is started again.

use std::net::SocketAddr;
use std::time::Instant;

use futures::future::join_all;

use crate::sandbar::{Builder, Server};

/// The replicas, by number.
pub struct Replicas {
    servers: Vec<Server>,
    template: Box<dyn Fn() -> Builder + Send + Sync>,
    deaths: Vec<Death>,
}

/// One SIGKILL.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// Which replica it was.
    pub replica: usize,
    /// When the signal was about to be sent.
    pub began: Instant,
    /// When the process was gone.
    pub gone: Instant,
    /// When the replica was ready again; none: it is not.
    pub back: Option<Instant>,
}

impl Replicas {
    /// Starts so many servers, all alike, and waits until they are ready.
    pub async fn start(count: usize, template: impl Fn() -> Builder + Send + Sync + 'static) -> Self {
        let servers = join_all((0..count).map(|_| template().start())).await;
        Self { servers, template: Box::new(template), deaths: Vec::new() }
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    /// Each SIGKILL so far.
    pub fn deaths(&self) -> &[Death] {
        &self.deaths
    }

    /// What all of them have logged since they were last started.
    pub fn logs(&self) -> String {
        self.servers.iter().map(Server::log).collect()
    }

    /// Ends a replica with SIGKILL. It stays away until [`Replicas::start_again`].
    pub async fn kill(&mut self, replica: usize) {
        let began = Instant::now();
        self.servers[replica].signal("KILL");
        self.servers[replica].ended().await;
        self.deaths.push(Death { replica, began, gone: Instant::now(), back: None });
    }

    /// Starts a replica that was killed, and waits until it is ready.
    pub async fn start_again(&mut self, replica: usize) {
        self.restart(replica).await;
        for death in self.deaths.iter_mut().filter(|death| death.replica == replica) {
            death.back.get_or_insert(Instant::now());
        }
    }

    /// Replaces a replica as a rollout does: SIGTERM, its end, and another in its place, ready.
    ///
    /// # Panics
    /// When it does not end by itself with success.
    pub async fn roll(&mut self, replica: usize) {
        self.servers[replica].signal("TERM");
        let status = self.servers[replica].ended().await;
        assert!(status.success(), "replica {replica} ended with {status}:\n{}", self.servers[replica].log());
        self.restart(replica).await;
    }

    async fn restart(&mut self, replica: usize) {
        let address = self.servers[replica].address();
        self.servers[replica] = (self.template)().listen(address).start().await;
    }
}
