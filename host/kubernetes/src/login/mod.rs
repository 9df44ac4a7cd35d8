//! Logins to the API server, over the whole life of this process.
//!
//! A login is made on first use and kept: a credential plugin runs once, and again when the server has refused its credentials,
//! or shortly before they expire. Calls that need a login share one, and none of them ends it by leaving. A failed login is
//! retried on demand, after a pause; a kubeconfig, certificate or token that changes on disk is read again. Nothing of this needs
//! a restart.

mod credential;
mod handed;
mod plugin;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use sandbar_files::READ_TIME;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use self::credential::Credentials;
pub(super) use self::plugin::LOGIN_TIME;
use self::plugin::Said;
use super::client::{Connections, Headers};
use super::error::{Code, Error};
use super::fault::Fault;
use super::kubeconfig::Kubeconfig;
use super::proxy::Variables;
use super::target::{Method, Secret, Target};
use super::{in_cluster, tls};

/// Time between two checks of the configuration's files for changes.
const LOOK: Duration = Duration::from_secs(2);

/// How long before it expires a login is renewed: enough for a slow plugin.
const LEAD: Duration = Duration::from_secs(60);

/// Least time between two runs of a plugin whose logins are valid for less than [`LEAD`], which would otherwise run for each
/// request.
const LEAST_PERIOD: Duration = Duration::from_secs(3);

/// A login is used at least for so long: that it has expired is only what this machine's clock says, and kubectl uses it, too.
const LEAST_VALID: Duration = Duration::from_secs(10);

/// How often a token file is read again, as in client-go: half of the time between the kubelet's renewal of a token and its
/// expiry.
const TOKEN_FILE_PERIOD: Duration = Duration::from_secs(60);

/// Bytes of a token file.
const TOKEN_MAX: u64 = 1 << 20;

/// The pause after a login that failed or was refused. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause. Somebody who has just logged in elsewhere does not want to wait longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When the log mentions that a plugin is still running.
const UNUSUAL: Duration = Duration::from_secs(3);

/// The source of a configuration, for reading it again.
#[derive(Debug)]
pub(super) enum Origin {
    /// A context of a kubeconfig. It stays the one from the start: whoever switches contexts at a terminal does not mean this
    /// server.
    Kubeconfig { paths: Vec<PathBuf>, context: String, variables: Variables, last: Mutex<Kubeconfig> },
    /// The pod that this process runs in.
    Pod,
}

impl Origin {
    /// Reads the configuration, or gives up if its files do not respond.
    pub(super) async fn read_in_time(self: &Arc<Self>) -> Result<Target, Fault> {
        let origin = self.clone();
        let reading = sandbar_files::wait_in_time(self.path(), READ_TIME, move |_| Ok(origin.read()));
        reading.await.map_err(|error| Fault::of_file(&error))?
    }

    /// A path on its disk.
    fn path(&self) -> &Path {
        match self {
            Origin::Pod => Path::new(in_cluster::AUTHORITY),
            Origin::Kubeconfig { paths, .. } => paths.first().map_or(Path::new(""), PathBuf::as_path),
        }
    }

    /// Reads the configuration. Blocks.
    fn read(&self) -> Result<Target, Fault> {
        match self {
            Origin::Pod => in_cluster::target(),
            Origin::Kubeconfig { paths, context, variables, last } => {
                // Not held while files are read: an unresponsive one would block every later login.
                let last = || last.lock().unwrap_or_else(PoisonError::into_inner);
                let before = last().clone();
                let of_file = |unusable: super::kubeconfig::Unusable| {
                    Fault::new(format!("the kubeconfig {} cannot be used: {}", unusable.path.display(), unusable.fault))
                };
                let kubeconfig = Kubeconfig::read(paths, Some(&before)).map_err(of_file)?;
                let target = kubeconfig.target(context, variables).map_err(of_file)?;
                *last() = kubeconfig;
                Ok(target)
            }
        }
    }
}

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

/// What requests are sent with, between two logins.
pub(super) struct ClusterSession {
    client: kube::Client,
    target: Arc<Target>,
    connections: Arc<Connections>,
    credentials: Credentials,
    generation: u64,
    valid_until: Option<SystemTime>,
    renew_at: Option<SystemTime>,
}

/// A growing pause.
#[derive(Debug, Default)]
struct Pause {
    times: u32,
    until: Option<Instant>,
}

impl Pause {
    fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Starts the next pause. If none was needed for long enough, it is short again.
    fn lengthen(&mut self) {
        if self.until.is_some_and(|until| until.elapsed() > LONGEST_PAUSE) {
            self.times = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.times.min(8)).min(LONGEST_PAUSE);
        self.times += 1;
        self.until = Some(Instant::now() + pause);
    }
}

/// The next step of a request that needs a login.
enum Step {
    Use(Arc<ClusterSession>),
    /// Wait for a change; if that takes too long, use this session.
    Wait(Option<Arc<ClusterSession>>),
    Fail(Error),
}

impl ClusterSession {
    pub(super) fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Whether a server could not tell it from the one before.
    pub(super) fn is_as(&self, before: &Self) -> bool {
        self.credentials.authorization == before.credentials.authorization && Arc::ptr_eq(&self.connections, &before.connections)
    }

    /// What the server refused, and what to do about it.
    pub(super) fn refusal(&self) -> String {
        let user = &self.target.user;
        let is_over = |end: Option<SystemTime>| end.is_some_and(|end| end <= SystemTime::now());
        let what = match (&user.method, &user.certificate) {
            (_, Some(_)) if is_over(self.certificate_end()) => "its client certificate has run out: get a new one".to_owned(),
            (Method::Token(_), _) => "get another token: it is read again as soon as the kubeconfig has it".to_owned(),
            (Method::TokenFile(path, _), _) => format!("{} has no other token", path.display()),
            (Method::Basic { .. }, _) => "is its password right?".to_owned(),
            (Method::Plugin(plugin), _) if is_over(self.credentials.valid_until) => {
                format!(
                    "what the credential plugin `{}` gives has run out already; is the clock of this machine right? Else log in anew with its program",
                    plugin::name(plugin)
                )
            }
            (Method::Plugin(plugin), _) => {
                format!(
                    "the credential plugin `{}` has run again and gives nothing better; log in anew with its program",
                    plugin::name(plugin)
                )
            }
            (Method::None, Some(_)) => "is its client certificate one of this cluster?".to_owned(),
            (Method::None, None) if !self.target.server.is_https() => {
                "over plain HTTP no credentials are sent to another machine, as kubectl sends none; has the server an https address?".to_owned()
            }
            (Method::None, None) => "it has no credentials".to_owned(),
        };
        format!("{}: {what}", user.called)
    }

    fn certificate_end(&self) -> Option<SystemTime> {
        let identity = self.target.user.certificate.as_ref()?;
        tls::certificate(&identity.certificate, &identity.key.0).ok()?.valid_until
    }

    fn is_valid(&self) -> bool {
        self.valid_until.is_none_or(|until| SystemTime::now() < until)
    }

    fn wants_renewal(&self) -> bool {
        self.renew_at.is_some_and(|at| SystemTime::now() >= at)
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
    pub(super) async fn session(&self, within: Duration) -> Result<Arc<ClusterSession>, Error> {
        let deadline = Instant::now() + within;
        // If the files could not be checked in time, they count as unchanged.
        let _ = tokio::time::timeout_at(deadline, self.look()).await;
        loop {
            let mut changed = self.0.changed.subscribe();
            match self.step() {
                Step::Use(session) => return Ok(session),
                Step::Fail(error) => return Err(error),
                Step::Wait(old) => {
                    if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                        return old.ok_or_else(|| self.under_way());
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
            match outcome {
                Ok(session) => {
                    if state.failed.take().is_some() {
                        tracing::info!("{} is logged in again", session.target.user.called);
                    }
                    state.failing = Pause::default();
                    state.refused = None;
                    state.target = session.target.clone();
                    state.session = Some(Arc::new(session));
                }
                Err(fault) => {
                    if state.failed.as_ref() != Some(&fault) {
                        tracing::warn!("{fault}");
                    }
                    state.failed = Some(fault);
                    state.failing.lengthen();
                }
            }
        }
        self.0.changed.send_replace(());
    }

    async fn attempt(&self) -> Result<ClusterSession, Fault> {
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
        ClusterSession::new(target, credentials, before.as_deref(), generation)
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

impl ClusterSession {
    fn new(target: Arc<Target>, credentials: Credentials, before: Option<&Self>, generation: u64) -> Result<Self, Fault> {
        let of_user = |fault: Fault| Fault::new(format!("{} {fault}", target.user.called));
        let identity = credentials.identity.as_ref().or(target.user.certificate.as_ref());
        let connections = Connections::to(&target, identity, before.map(|before| &before.connections))?;
        let headers = Headers::new(credentials.authorization.as_ref(), &target.user.impersonate).map_err(of_user)?;
        let client = connections.client(headers);
        let now = SystemTime::now();
        let valid = credentials.valid_until.map(|until| until.duration_since(now).unwrap_or_default().max(LEAST_VALID));
        let renewed_after = match (&target.user.method, valid) {
            (Method::TokenFile(..), _) => Some(TOKEN_FILE_PERIOD),
            (_, valid) => {
                let is_same = before.is_some_and(|before| before.credentials.valid_until == credentials.valid_until);
                valid.map(|valid| renewed_after(valid, is_same))
            }
        };
        let at = |after: Option<Duration>| after.and_then(|after| now.checked_add(after));
        let (valid_until, renew_at) = (at(valid), at(renewed_after));
        Ok(Self { client, target, connections, credentials, generation, valid_until, renew_at })
    }
}

/// After how much of its validity a login is renewed. A plugin that caches may return a login that expires when the previous one
/// does: then it runs again after half of the remaining time.
fn renewed_after(valid: Duration, is_same: bool) -> Duration {
    let half = if is_same { valid / 2 } else { Duration::ZERO };
    valid.saturating_sub(LEAD).max(half).max(LEAST_PERIOD)
}

/// Obtains the credentials of a user.
async fn obtain(target: &Target, said: &Said) -> Result<Credentials, Fault> {
    let user = &target.user;
    let basic = |name: &str, password: &Secret| Credentials {
        authorization: Some(Secret::new(format!("Basic {}", STANDARD.encode(format!("{name}:{}", password.expose()))))),
        ..Credentials::default()
    };
    match &user.method {
        Method::None => match &target.server.user_info {
            Some((name, password)) => Ok(basic(name, password)),
            None => Ok(Credentials::default()),
        },
        Method::Basic { user, password } => Ok(basic(user, password)),
        Method::Token(token) => Ok(Credentials::bearer(token)),
        Method::TokenFile(path, until_then) => match (token_of(path).await, until_then) {
            (Ok(token), _) => Ok(Credentials::bearer(&token)),
            (Err(_), Some(token)) => Ok(Credentials::bearer(token)),
            (Err(fault), None) => Err(Fault::new(format!("the token of {}, {}: {fault}", user.called, path.display()))),
        },
        Method::Plugin(plugin) => {
            let outcome = plugin::run(plugin, &target.cluster_info, said).await;
            outcome.map_err(|fault| {
                Fault::new(format!("the credential plugin `{}` ({}) {fault}", plugin::name(plugin), user.called))
            })
        }
    }
}

async fn token_of(path: &Path) -> Result<Secret, Fault> {
    let reading = sandbar_files::wait_in_time(path, READ_TIME, |path| sandbar_files::read_to_string(path, TOKEN_MAX));
    let text = reading.await.map_err(|error| Fault::of_file(&error))?;
    let token = Secret::token(&text).map_err(|fault| Fault::new(format!("its token {fault}")))?;
    token.ok_or_else(|| Fault::new("it is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_renewed_a_minute_before_its_end_and_a_short_one_after_a_moment() {
        for (valid, renewed, renewed_if_same) in [
            (10, 3, 5),
            (30, 3, 15),
            (60, 3, 30),
            (62, 3, 31),
            (63, 3, 31),
            (64, 4, 32),
            (90, 30, 45),
            (119, 59, 59),
            (120, 60, 60),
            (121, 61, 61),
            (900, 840, 840),
            (3_600, 3_540, 3_540),
        ] {
            let seconds = |is_same| renewed_after(Duration::from_secs(valid), is_same).as_secs();
            assert_eq!([seconds(false), seconds(true)], [renewed, renewed_if_same], "{valid} s");
        }
        for is_same in [false, true] {
            // A login that is valid for longer is never renewed sooner.
            let periods: Vec<Duration> =
                (0..10_000).map(|seconds| renewed_after(Duration::from_secs(seconds), is_same)).collect();
            assert!(periods.is_sorted());
            assert!(periods.iter().all(|period| *period >= LEAST_PERIOD));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_they_are_needed_and_begin_anew_when_none_was_for_long() {
        for between in [1, 100, 900, 2_100, 9_000] {
            let (mut pause, mut runs) = (Pause::default(), 0);
            let end = Instant::now() + Duration::from_secs(120);
            while Instant::now() < end {
                if pause.left().is_zero() {
                    pause.lengthen();
                    runs += 1;
                }
                tokio::time::advance(Duration::from_millis(between)).await;
            }
            assert!((5..=16).contains(&runs), "{runs} runs, asked each {between} ms");
            tokio::time::advance(2 * LONGEST_PAUSE + Duration::from_millis(1)).await;
            pause.lengthen();
            assert_eq!(pause.left(), FIRST_PAUSE);
        }
    }

    #[test]
    fn a_plugin_that_gives_the_same_login_until_its_end_does_not_run_without_end() {
        for seconds in [1, 10, 61, 62, 63, 3_600, 30 * 24 * 3_600] {
            let (mut left, mut runs) = (Duration::from_secs(seconds), 0);
            while !left.is_zero() {
                left = left.saturating_sub(renewed_after(left.max(LEAST_VALID), runs > 0));
                runs += 1;
            }
            assert!(runs <= 8, "{runs} runs in {seconds} s");
        }
    }
}
