//! Logins to the API server, over the whole life of this process.
//!
//! A login is made on first use and kept: a credential plugin runs once, and again when the server has refused its credentials,
//! or shortly before they expire. Calls that need a login share one, and none of them ends it by leaving. A failed login is
//! retried on demand, after a pause; a kubeconfig, certificate or token that changes on disk is read again. Nothing of this needs
//! a restart.

mod credential;
mod handed;
mod obtain;
mod origin;
mod pause;
mod plugin;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use sandbar_files::READ_TIME;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use self::obtain::obtain;
pub(super) use self::origin::Origin;
use self::pause::Pause;
pub(super) use self::plugin::LOGIN_TIME;
use self::plugin::Said;
pub(super) use self::session::ClusterSession;
use super::client::Connections;
use super::error::{Code, Error};
use super::fault::Fault;
use super::target::{Method, Target};

/// Time between two checks of the configuration's files for changes.
const LOOK: Duration = Duration::from_secs(2);

/// When the log mentions that a plugin is still running.
const UNUSUAL: Duration = Duration::from_secs(3);

/// The login of this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Login(Arc<Inner>);

struct Inner {
    origin: Arc<Origin>,
    home: Handle,
    said: Said,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    target: Arc<Target>,
    looked: Instant,
    /// Whether the files have changed since they were read.
    is_stale: bool,
    session: Option<Arc<ClusterSession>>,
    /// The generation that the server refused last.
    refused: Option<u64>,
    /// Whether a login is in progress.
    is_running: bool,
    /// Why the last login failed.
    failed: Option<Fault>,
    /// The pause after failed logins.
    failing: Pause,
    /// The pause after logins that succeeded and were refused. An accepted request does not reset it: one server behind the API
    /// server may refuse what all others accept.
    refusing: Pause,
    generation: u64,
}

/// The next step of a request that needs a login.
enum Step {
    Use(Arc<ClusterSession>),
    /// Wait for a change; if that takes too long, use this session.
    Wait(Option<Arc<ClusterSession>>),
    Fail(Error),
}

/// Why there is no session for a request.
#[derive(Debug)]
pub(super) enum NoSession {
    /// A login takes longer than the request waits.
    UnderWay(Error),
    /// The last login has failed.
    Failed(Error),
}

impl From<NoSession> for Error {
    fn from(why: NoSession) -> Self {
        let (NoSession::UnderWay(error) | NoSession::Failed(error)) = why;
        error
    }
}

impl Login {
    /// Checks the configuration, and whatever else can be checked without anybody's help; a credential plugin does not run yet.
    pub(super) async fn open(origin: Arc<Origin>, target: Target) -> Result<Self, Fault> {
        let target = Arc::new(target);
        let session = match &target.user.method {
            Method::Plugin(_) => Connections::to(&target, target.user.certificate.as_ref(), None).map(|_| None)?,
            _ => {
                let credentials = obtain(&target, &Said::default()).await?;
                Some(ClusterSession::new(target.clone(), credentials, None, 0)?)
            }
        };
        let state = State {
            target,
            looked: Instant::now(),
            is_stale: false,
            session: session.map(Arc::new),
            refused: None,
            is_running: false,
            failed: None,
            failing: Pause::default(),
            refusing: Pause::default(),
            generation: 0,
        };
        let (changed, _) = watch::channel(());
        let inner = Inner { origin, home: Handle::current(), said: Said::default(), state: Mutex::new(state), changed };
        Ok(Self(Arc::new(inner)))
    }

    /// The session for a request. Waits for a login in progress, at most for `within`; a longer one continues.
    pub(super) async fn session(&self, within: Duration) -> Result<Arc<ClusterSession>, NoSession> {
        let deadline = Instant::now() + within;
        // If the files could not be checked in time, they count as unchanged.
        let _ = tokio::time::timeout_at(deadline, self.look()).await;
        loop {
            let mut changed = self.0.changed.subscribe();
            match self.step() {
                Step::Use(session) => return Ok(session),
                Step::Fail(error) => return Err(NoSession::Failed(error)),
                Step::Wait(old) => {
                    if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                        return old.ok_or_else(|| NoSession::UnderWay(self.under_way()));
                    }
                }
            }
        }
    }

    /// Waits for a login, as long as it may take, if only a credential plugin can provide one. For callers without a time limit.
    pub(super) async fn wait(&self) {
        let has_plugin = matches!(self.lock().target.user.method, Method::Plugin(_));
        if has_plugin {
            // A failure is reported by whatever needs the login.
            let _ = self.session(LOGIN_TIME + UNUSUAL).await;
        }
    }

    /// Records that the server has refused a session. Returns whether another one is worth trying.
    pub(super) fn refused(&self, session: &ClusterSession) -> bool {
        let mut state = self.lock();
        // Another request was faster.
        let is_newest = state.session.as_ref().is_some_and(|newest| newest.generation == session.generation);
        if !is_newest || state.refused == Some(session.generation) {
            return true;
        }
        if !state.refusing.left().is_zero() {
            return false;
        }
        state.refusing.lengthen();
        state.refused = Some(session.generation);
        true
    }

    /// Discards a session whose client has stopped working, which should not happen.
    pub(super) fn discard(&self, session: &ClusterSession) {
        let mut state = self.lock();
        if state.session.as_ref().is_some_and(|newest| newest.generation == session.generation) {
            tracing::error!("the client for the API server has failed, and is made anew");
            state.session = None;
        }
    }

    /// Makes the connections of the current session anew: those that there are may lead nowhere.
    pub(super) fn reconnect(&self) {
        let Some(old) = self.lock().session.clone() else { return };
        let replaced = self.replace_session(|now| match now {
            Some(now) if Arc::ptr_eq(&now.connections, &old.connections) => now.reconnected().map(Some),
            // Somebody else has done it meanwhile.
            _ => Ok(None),
        });
        if let Err(fault) = replaced {
            tracing::debug!(%fault, "the connections stay");
        }
    }

    /// Puts another session in the place of the one that there is, from which it is made; none leaves it there. That may read files of
    /// certificates, so the lock is not held, and it is made again if the session has changed meanwhile.
    fn replace_session(
        &self,
        make: impl Fn(Option<&ClusterSession>) -> Result<Option<ClusterSession>, Fault>,
    ) -> Result<MutexGuard<'_, State>, Fault> {
        loop {
            let before = self.lock().session.clone();
            let made = make(before.as_deref())?;
            let mut state = self.lock();
            if state.session.as_ref().map(Arc::as_ptr) == before.as_ref().map(Arc::as_ptr) {
                state.session = made.map(Arc::new).or(before);
                return Ok(state);
            }
        }
    }

    /// The API server, for messages.
    pub(super) fn server(&self) -> String {
        format!("the API server at {}", self.lock().target.server)
    }

    /// Whether the API server is reached over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.lock().target.server.is_https()
    }

    /// What is wrong with the login while the previous session is still valid.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().failed.as_ref().map(ToString::to_string)
    }

    fn step(&self) -> Step {
        let mut state = self.lock();
        let session = state.session.clone().filter(|session| state.refused != Some(session.generation) && session.is_valid());
        let needs_login = session.as_ref().is_none_or(|session| session.wants_renewal()) || state.is_stale;
        if needs_login && !state.is_running && state.failing.left().is_zero() {
            state.is_running = true;
            self.0.home.spawn(self.clone().log_in());
        }
        match (session, &state.failed) {
            (Some(session), _) if state.is_stale && state.is_running => Step::Wait(Some(session)),
            (Some(session), _) => Step::Use(session),
            (None, Some(fault)) if !state.is_running => {
                let retry_after = Some(state.failing.left()).filter(|left| !left.is_zero());
                Step::Fail(Error { code: Code::Unavailable, message: fault.to_string(), retry_after })
            }
            (None, _) => Step::Wait(None),
        }
    }

    /// The error if a login takes longer than the request waits.
    fn under_way(&self) -> Error {
        let state = self.lock();
        let words = match &state.target.user.method {
            Method::Plugin(plugin) => format!(
                "the credential plugin `{}` ({}) still runs and may wait for somebody to log in; its words stand in the log of this server. Try again when that is done",
                plugin::name(plugin),
                state.target.user.called
            ),
            _ => format!("the credentials of {} are still being read; try again", state.target.user.called),
        };
        Error::new(Code::Unavailable, words)
    }

    /// Checks whether the files have changed.
    async fn look(&self) {
        let target = {
            let mut state = self.lock();
            if state.looked.elapsed() < LOOK {
                return;
            }
            state.looked = Instant::now();
            state.target.clone()
        };
        let looked_at = target.clone();
        let Some(path) = target.watched.first() else { return };
        let looking = sandbar_files::wait_in_time(path, READ_TIME, move |_| Ok(looked_at.watched.have_changed()));
        let has_changed = looking.await.unwrap_or(false);
        let mut state = self.lock();
        if has_changed && Arc::ptr_eq(&state.target, &target) {
            state.is_stale = true;
            state.failing = Pause::default();
        }
    }

    /// Performs one login. Runs in a task of its own.
    async fn log_in(self) {
        let patience = self.clone();
        let outcome = {
            // A panic must not leave the others waiting for ever.
            let attempt = std::panic::AssertUnwindSafe(self.attempt()).catch_unwind().map(|outcome| {
                outcome.unwrap_or_else(|_panic| {
                    Err(Fault::new("logging in has failed, which is a fault of this server; its log has more"))
                })
            });
            let mut attempt = std::pin::pin!(attempt);
            match tokio::time::timeout(UNUSUAL, &mut attempt).await {
                Ok(outcome) => outcome,
                Err(_unusual) => {
                    tracing::warn!("{}; it is ended after {} s", patience.under_way(), LOGIN_TIME.as_secs());
                    attempt.await
                }
            }
        };
        {
            let mut state = self.lock();
            state.is_running = false;
            if let Err(fault) = outcome {
                if state.failed.as_ref() != Some(&fault) {
                    tracing::warn!("{fault}");
                }
                state.failed = Some(fault);
                state.failing.lengthen();
            }
        }
        self.0.changed.send_replace(());
    }

    async fn attempt(&self) -> Result<(), Fault> {
        let (before, refused, is_stale, generation) = {
            let mut state = self.lock();
            state.generation += 1;
            // Taken before the login: a change during it requires another one.
            let is_stale = std::mem::take(&mut state.is_stale);
            (state.session.clone(), state.refused, is_stale, state.generation)
        };
        // Without a session the configuration has just been read, or could not be.
        let target =
            if is_stale || refused.is_some() || self.lock().failed.is_some() { self.read_again().await? } else { self.target() };
        let kept = before.as_ref().filter(|before| {
            // The files have changed, but not what the login depends on.
            is_stale && Some(before.generation) != refused && before.is_valid() && before.target.user.method == target.user.method
        });
        let credentials = match kept {
            Some(before) if matches!(target.user.method, Method::Plugin(_)) => before.credentials.clone(),
            _ => obtain(&target, &self.0.said).await?,
        };
        // Connections may have been made anew meanwhile.
        let mut state =
            self.replace_session(|now| ClusterSession::new(target.clone(), credentials.clone(), now, generation).map(Some))?;
        if state.failed.take().is_some() {
            tracing::info!("{} is logged in again", target.user.called);
        }
        state.failing = Pause::default();
        state.refused = None;
        Ok(())
    }

    async fn read_again(&self) -> Result<Arc<Target>, Fault> {
        let target = Arc::new(self.0.origin.read_in_time().await?);
        let mut state = self.lock();
        if state.target.server != target.server {
            tracing::info!("{} is at {} now", target.called, target.server);
        }
        state.target = target.clone();
        Ok(target)
    }

    fn target(&self) -> Arc<Target> {
        self.lock().target.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is complete, so a panic elsewhere leaves it valid.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
