//! What an issuer publishes: where its keys are (OpenID Connect Discovery), and they themselves. They are fetched in the background, again
//! from time to time, and when somebody has a token that none of them has signed. Those that are there count until there are others that can
//! be used.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sandbar_secrets::quotable;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::super::bearer::QUOTED_BYTES;
use super::IssuerSettings;
use super::key::{self, Key};
use super::trusted::Trusted;

/// How old the keys get: a key that is taken back counts no longer.
const REFRESH: Duration = Duration::from_secs(300);

/// When an issuer is asked again that has not answered: as often as the API server does.
const RETRY: Duration = Duration::from_secs(10);

/// The least time between two looks. Whoever makes up tokens has an issuer asked no more often than that.
const LEAST_PAUSE: Duration = Duration::from_secs(5);

/// How long a look may take, with both documents.
const LOOK_TIME: Duration = Duration::from_secs(10);

/// How long somebody waits for a look.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of each document. That of the keys has some 10 KiB, with the certificates that some issuers add.
const DOCUMENT_MAX: usize = 256 * 1024;

/// Bytes of what is said of an issuer that is not well. Some of it are words of its own.
const TROUBLE_BYTES: usize = 1024;

/// Where the document lies below an issuer.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Gets the document at an address, or says why it cannot.
pub(super) type Documents = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Bytes, String>> + Send + Sync>;

/// Documents over HTTPS.
pub(super) fn documents(trusted: Trusted) -> Documents {
    Arc::new(move |address| {
        let trusted = trusted.clone();
        async move {
            let authorities = tokio::task::spawn_blocking(move || trusted.read()).await;
            let authorities = authorities.map_err(|_| "certificateAuthority cannot be read".to_owned())?;
            let authorities = authorities.map_err(|error| format!("certificateAuthority: {error}"))?;
            sandbar_kubernetes::document(&address, authorities, DOCUMENT_MAX).await.map_err(|fault| fault.to_string())
        }
        .boxed()
    })
}

/// The keys of an issuer, followed while this is there.
pub(super) struct Published {
    shared: Arc<Shared>,
    following: AbortHandle,
}

struct Shared {
    looked: watch::Sender<Looked>,
    /// Somebody has a token that none of the keys has signed.
    wanted: Notify,
}

/// What the last look has found.
#[derive(Clone, Default)]
pub(super) struct Looked {
    /// The keys, and since when they are known to be those. None until there were some.
    pub(super) keys: Option<Arc<[Key]>>,
    known_at: Option<Instant>,
    /// When the last look was over.
    at: Option<Instant>,
    /// Why it has found nothing.
    pub(super) trouble: Option<String>,
}

impl Published {
    /// Follows the keys of an issuer. Must be called on a tokio runtime.
    pub(super) fn follow(settings: &IssuerSettings, documents: Documents) -> Self {
        let shared = Arc::new(Shared { looked: watch::Sender::default(), wanted: Notify::new() });
        let follower = Follower {
            url: settings.url.clone(),
            discovery: settings
                .discovery_url
                .clone()
                .unwrap_or_else(|| format!("{}{WELL_KNOWN}", settings.url.strip_suffix('/').unwrap_or(&settings.url))),
            documents,
            shared: shared.clone(),
        };
        Self { shared, following: tokio::spawn(follower.follow()).abort_handle() }
    }

    /// What is known now.
    pub(super) fn now(&self) -> Looked {
        self.shared.looked.borrow().clone()
    }

    /// Has the issuer asked once more, unless that was a moment ago, and waits for what it says.
    pub(super) async fn look(&self) -> Looked {
        let mut looked = self.shared.looked.subscribe();
        let last = looked.borrow_and_update().clone();
        if last.at.is_some_and(|at| at.elapsed() < LEAST_PAUSE) {
            return last;
        }
        self.shared.wanted.notify_one();
        let _ = timeout(PATIENCE, looked.changed()).await;
        self.now()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Looked {
    /// How the issuer is, in words of one line.
    pub(super) fn check(&self, url: &str) -> Result<String, String> {
        let age = self.known_at.map_or(0, |at| at.elapsed().as_secs());
        match (&self.keys, &self.trouble) {
            (Some(keys), None) => Ok(format!("issuer {url}: its keys ({}) are of {age} s ago", keys.len())),
            (Some(keys), Some(trouble)) => {
                Err(format!("issuer {url}: {trouble}; its keys ({}) of {age} s ago still count", keys.len()))
            }
            (None, Some(trouble)) => Err(format!("issuer {url}: {trouble}; none of its tokens can be checked")),
            (None, None) => Err(format!("issuer {url}: its keys are being fetched")),
        }
    }
}

struct Follower {
    url: Arc<str>,
    /// Where the document lies that says where the keys are.
    discovery: String,
    documents: Documents,
    shared: Arc<Shared>,
}

impl Follower {
    async fn follow(self) {
        loop {
            let found = timeout(LOOK_TIME, self.fetch()).await;
            let found = found.unwrap_or_else(|_late| Err(format!("it has not answered within {} s", LOOK_TIME.as_secs())));
            let found = found.map_err(|trouble| quotable(trouble, TROUBLE_BYTES));
            let pause = if found.is_ok() { REFRESH } else { RETRY };
            self.tell(&found);
            self.shared.looked.send_modify(|looked| {
                looked.at = Some(Instant::now());
                match found {
                    Ok(keys) => (looked.keys, looked.known_at, looked.trouble) = (Some(keys.into()), looked.at, None),
                    Err(trouble) => looked.trouble = Some(trouble),
                }
            });
            sleep(LEAST_PAUSE).await;
            let _ = timeout(pause - LEAST_PAUSE, self.shared.wanted.notified()).await;
        }
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let Self { url, discovery, documents, .. } = self;
        let found = documents(discovery.clone()).await?;
        let Discovery { issuer, jwks_uri } = serde_json::from_slice(&found)
            .map_err(|_| format!("{discovery} is no discovery document: it has to have `issuer` and `jwks_uri`"))?;
        if issuer != **url {
            let named = quotable(issuer, QUOTED_BYTES);
            return Err(format!(
                "{discovery} is the document of another issuer, {named:?}: `issuer.url` has to be the same letter by letter"
            ));
        }
        let found = documents(jwks_uri.clone()).await?;
        key::read(&found).map_err(|what| format!("{} {what}", quotable(jwks_uri, QUOTED_BYTES)))
    }

    /// Logs what is new.
    fn tell(&self, found: &Result<Vec<Key>, String>) {
        let before = self.shared.looked.borrow().clone();
        match found {
            Ok(keys) if before.keys.is_none() || before.trouble.is_some() => {
                tracing::info!(issuer = &*self.url, keys = keys.len(), "the keys of the issuer are there");
            }
            Ok(_) => {}
            Err(trouble) if before.trouble.as_ref() == Some(trouble) => {}
            Err(trouble) => {
                let still =
                    before.keys.map_or("none of its tokens can be checked", |_| "the keys that were fetched before still count");
                tracing::warn!(issuer = &*self.url, "{trouble}; {still}");
            }
        }
    }
}
