//! What the API server proves itself with, where it hands on the requests of others: read at start, and followed, since the API server gets
//! another certificate some day.

use std::time::Duration;

use sandbar_http::{Check, Followed, Readiness};
use sandbar_identity::Believed;
use sandbar_kubernetes::{AGGREGATOR_READER, Aggregator, Cluster};
use sandbar_tls::Authorities;
use tokio::sync::watch;

/// Time between two looks: what counts no more counts for no longer than a right that was taken away.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long a look may take.
const TIME: Duration = Duration::from_secs(5);

/// Keeps up to date whom the server believes.
pub(super) struct AggregatorFollower {
    cluster: Cluster,
    believed: watch::Sender<Option<Believed>>,
    /// What is believed, as it was published.
    published: Option<Aggregator>,
    /// Why what is published now is not believed.
    problem: Option<String>,
}

impl AggregatorFollower {
    /// Looks for the first time. Where that fails, nothing is believed until another look succeeds.
    pub(super) async fn start(cluster: Cluster) -> Self {
        let mut follower = Self { cluster, believed: watch::Sender::new(None), published: None, problem: None };
        follower.look().await;
        follower
    }

    /// What the API server's certificate is known by, now and later.
    pub(super) fn believed(&self) -> watch::Receiver<Option<Believed>> {
        self.believed.subscribe()
    }

    /// Goes on for ever.
    pub(super) async fn follow(mut self, readiness: Readiness) {
        loop {
            readiness.follows(Followed::ApiService, vec![self.check()]);
            tokio::time::sleep(INTERVAL).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let read = self.cluster.aggregator(TIME).await.map_err(|error| error.message);
        match read.and_then(|published| Ok((believed(&published)?, published))) {
            Ok((_, published)) if self.published.as_ref() == Some(&published) => self.problem = None,
            Ok((believed, published)) => {
                let names = believed.allowed_names.as_deref().map_or("any name".to_owned(), |names| names.join(" or "));
                tracing::info!("the API server is known by a certificate with the name {names}");
                self.believed.send_replace(Some(believed));
                (self.published, self.problem) = (Some(published), None);
            }
            Err(problem) => {
                if self.problem.as_ref() != Some(&problem) {
                    tracing::error!("{}", self.words(&problem));
                }
                self.problem = Some(problem);
            }
        }
    }

    fn words(&self, problem: &str) -> String {
        let now = match self.published {
            None => "no request through the API server is believed",
            Some(_) => "what was published before still counts",
        };
        format!(
            "what the API server's own certificate is known by cannot be read, so {now}: {problem} (it takes the Role {AGGREGATOR_READER} \
             in kube-system, which `sandbar rbac` binds)"
        )
    }

    pub(super) fn check(&self) -> Check {
        match &self.problem {
            None => Ok("requests through the API server are believed".to_owned()),
            Some(problem) => Err(self.words(problem)),
        }
    }
}

fn believed(Aggregator { authorities, allowed_names, says_uid }: &Aggregator) -> Result<Believed, String> {
    let authorities = Authorities::read(authorities.as_bytes());
    let authorities = authorities.map_err(|why| format!("its requestheader-client-ca-file {why}"))?;
    Ok(Believed {
        authorities,
        allowed_names: Some(allowed_names.clone()).filter(|names| !names.is_empty()),
        says_uid: *says_uid,
    })
}
