//! What all clients of this process share: the server, sessions, and what is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::headers::Mirrored;
use crate::session::Sessions;
use crate::sleep;
use crate::upstream::Upstream;
use crate::way::Way;

/// Tools of which it is remembered which arguments have to be repeated in headers.
const TOOLS: usize = 1000;

/// The way of clients to a server.
pub struct Bridge {
    pub(crate) upstream: Upstream,
    pub(crate) sessions: Sessions,
    pub(crate) under_way: UnderWay,
    mirrored: Mutex<HashMap<String, Arc<[Mirrored]>>>,
    _sleep: AbortOnDropHandle<()>,
}

impl Bridge {
    /// A bridge to whatever the way leads to. Nothing is sent before a client does. Must be called on a tokio runtime.
    pub fn new(way: Arc<dyn Way>) -> Arc<Self> {
        let (woken, receiver) = watch::channel(0);
        let sleep = AbortOnDropHandle::new(tokio::spawn(sleep::watch(way.clone(), woken)));
        Arc::new(Self {
            upstream: Upstream::new(way, receiver),
            sessions: Sessions::default(),
            under_way: UnderWay::default(),
            mirrored: Mutex::default(),
            _sleep: sleep,
        })
    }

    /// Which arguments of a tool have to be repeated in headers, as far as is known.
    pub(crate) fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.lock().get(tool).cloned()
    }

    /// Remembers it.
    pub(crate) fn remember_mirrored(&self, tool: &str, mirrored: Vec<Mirrored>) {
        let mut known = self.lock();
        if known.len() >= TOOLS {
            known.clear();
        }
        known.insert(tool.to_owned(), mirrored.into());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<[Mirrored]>>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that are not answered yet, so that they can be cancelled: by their session and id. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<Cancellations>>);

type Cancellations = HashMap<(String, String), Vec<CancellationToken>>;

/// One of them. It is forgotten when this is dropped.
pub(crate) struct RequestUnderWay {
    under_way: UnderWay,
    key: (String, String),
    pub(crate) cancelled: CancellationToken,
}

impl UnderWay {
    /// Notes a request.
    pub(crate) fn begin(&self, session: &str, id: &Value) -> RequestUnderWay {
        let key = (session.to_owned(), id.to_string());
        let cancelled = CancellationToken::new();
        self.lock().entry(key.clone()).or_default().push(cancelled.clone());
        RequestUnderWay { under_way: self.clone(), key, cancelled }
    }

    /// Cancels the requests of an id.
    pub(crate) fn cancel(&self, session: &str, id: &Value) {
        for token in self.lock().get(&(session.to_owned(), id.to_string())).into_iter().flatten() {
            token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cancellations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        // Each token knows itself only by being cancelled, so mark it and drop the marked ones.
        self.cancelled.cancel();
        let mut requests = self.under_way.lock();
        if let Some(tokens) = requests.get_mut(&self.key) {
            tokens.retain(|token| !token.is_cancelled());
            if tokens.is_empty() {
                requests.remove(&self.key);
            }
        }
    }
}
