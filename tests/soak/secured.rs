//! A second server, which speaks TLS, and whose certificate is renewed time after time while clients connect.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sandbar_tests::https::HttpsClient;
use sandbar_tests::mcp::{self, outcome};
use sandbar_tests::sandbar::Server;
use sandbar_tests::tls_api::{Pair, Shape};
use serde_json::json;

use crate::callers::Tally;
use crate::eventually;

/// Between two certificates.
const RENEWED: Duration = Duration::from_secs(15);

/// Between two calls of a client: each begins a connection, which computes.
const PAUSE: Duration = Duration::from_millis(100);

/// The server, and who has signed for it.
#[derive(Clone)]
pub(crate) struct Secured {
    pub(crate) server: Arc<Server>,
    authority: Arc<Pair>,
    folder: Arc<Path>,
}

impl Secured {
    /// One of the demo cluster, with its certificate in this folder.
    pub(crate) async fn start(folder: &Path) -> Self {
        let authority = Pair::alone("authority", &Shape::authority());
        renew(folder, &authority);
        let server = Server::builder().cluster("demo").arg("--metrics-listen").arg("127.0.0.1:0");
        let server = server.arg("--tls-certificate").arg(folder.join("tls.crt")).arg("--tls-key").arg(folder.join("tls.key"));
        let server = Arc::new(server.start_unready().await);
        let secured = Self { server, authority: authority.into(), folder: folder.into() };
        let client = secured.client();
        eventually("the server with TLS is ready", || async {
            client.get(secured.server.address(), "/readyz").await.is_ok_and(|reply| reply.status == 200)
        })
        .await;
        secured
    }

    fn client(&self) -> HttpsClient {
        HttpsClient::new(&self.authority, None)
    }

    /// Calls; each call has a connection of its own, and an answer.
    pub(crate) async fn call_until(self, end: Instant, tally: Tally) {
        let client = self.client();
        while Instant::now() < end {
            let request = mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
            let reply = client.send(self.server.address(), request).await.expect("a connection");
            let answer = outcome(&reply.message().await.expect("an answer")).expect("no failure");
            assert_eq!(answer["status"], "ok");
            tally.secured.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Renews the certificate, and waits until it is shown.
    pub(crate) async fn renew_until(self, end: Instant, tally: Tally) {
        let client = self.client();
        while Instant::now() + RENEWED < end {
            tokio::time::sleep(RENEWED).await;
            let pair = renew(&self.folder, &self.authority);
            eventually("the new certificate is shown", || async { client.shown_by(self.server.address()).await == *pair.der() })
                .await;
            tally.certificates.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Puts another certificate there, and its key after it.
fn renew(folder: &Path, authority: &Pair) -> Pair {
    let pair = Pair::signed("sandbar", &Shape::server(), authority);
    for (name, text) in [("tls.crt", pair.pem()), ("tls.key", pair.key_pem())] {
        let next = folder.join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, folder.join(name)).unwrap();
    }
    pair
}
