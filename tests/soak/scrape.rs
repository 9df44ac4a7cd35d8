//! What a server's metrics say, as Prometheus reads them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sandbar_tests::http;
use sandbar_tests::sandbar::Server;

/// Each series by its name and labels as they are written.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Of a server that was started with `--metrics-listen`.
    pub(crate) async fn of(server: &Server, port: SocketAddr) -> Self {
        let reply = http::get(port, "/metrics").await;
        assert_eq!(reply.status, 200, "{}", server.address());
        let text = reply.text().await;
        let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
        });
        Self(series.collect())
    }

    /// Where a server has them.
    pub(crate) fn port(server: &Server) -> SocketAddr {
        let log = server.log();
        let (_, rest) = log.split_once("metrics are at http://").expect("the log says where the metrics are");
        rest.split('/').next().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.0.len()
    }

    /// Calls that have ended, however they did.
    pub(crate) fn calls(&self) -> f64 {
        self.0.iter().filter(|(series, _)| series.starts_with("sandbar_calls_total{")).map(|(_, value)| value).sum()
    }

    /// How often a configuration was taken up, or was not.
    pub(crate) fn reloads(&self, outcome: &str) -> f64 {
        self.0.get(&format!("sandbar_config_reloads_total{{outcome=\"{outcome}\"}}")).copied().unwrap_or_default()
    }

    /// Whether a component with this digest is served.
    pub(crate) fn serves(&self, digest: &str) -> bool {
        self.0.keys().any(|series| series.starts_with("sandbar_component_info{") && series.contains(digest))
    }

    /// Whether some series has this in its labels.
    pub(crate) fn tells(&self, text: &str) -> bool {
        self.0.keys().any(|series| series.contains(text))
    }
}
