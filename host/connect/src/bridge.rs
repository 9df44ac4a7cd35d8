//! What all clients of this process share: the server, sessions, and what is under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbar_http::RequestsInFlight;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::failure::Failure;
use crate::headers::Mirrored;
use crate::room::check_kept;
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
    pub(crate) in_flight: RequestsInFlight,
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
            in_flight: RequestsInFlight::default(),
            mirrored: Mutex::default(),
            _sleep: sleep,
        })
    }

    /// Which arguments of a tool have to be repeated in headers, as far as is known.
    pub(crate) fn mirrored(&self, tool: &str) -> Option<Arc<[Mirrored]>> {
        self.lock().get(tool).cloned()
    }

    /// Remembers it, if it is not too much.
    pub(crate) fn remember_mirrored(&self, tool: &str, mirrored: Vec<Mirrored>) -> Result<(), Failure> {
        let bytes = tool.len() + mirrored.iter().map(Mirrored::bytes).sum::<usize>();
        check_kept("the list of a tool's arguments that are repeated in headers", bytes)?;
        let mut known = self.lock();
        if known.len() >= TOOLS {
            known.clear();
        }
        known.insert(tool.to_owned(), mirrored.into());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<[Mirrored]>>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
