//! Sessions of the legacy era: what a client has agreed on with the server. A session that the server does not know any more is begun
//! anew with the client's own `initialize`, and the client goes on as if nothing had happened.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use sandbar_kubernetes::Ask;
use serde::Deserialize;
use tokio::sync::watch;

use crate::failure::{Failure, FailureKind};
use crate::headers::{self, PROTOCOL_VERSION, SESSION_ID};
use crate::outline::{Kind, Outline};
use crate::room::kept;
use crate::upstream::{Received, Reply, Upstream};

/// Sessions that are remembered: those of one person's clients.
const SESSIONS: usize = 256;

/// Bytes of an `initialize` that is remembered.
const INITIALIZE_MAX: usize = 64 * 1024;

/// What tells the server that a session has begun.
const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The sessions of all clients, by what the client knows them by.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    sessions: HashMap<String, Arc<Session>>,
    /// Their keys, the oldest first.
    order: VecDeque<String>,
}

/// One session.
pub(crate) struct Session {
    /// The client's own; none where it is not known, or too large.
    initialize: Option<Bytes>,
    /// The version that was agreed on.
    version: Option<HeaderValue>,
    /// What the server knows it by, now.
    id: Mutex<Option<HeaderValue>>,
    beginning: tokio::sync::Mutex<()>,
    renewals: watch::Sender<u64>,
}

/// What the result of `initialize` says that counts here.
pub(crate) struct Opened {
    version: Option<HeaderValue>,
    pub(crate) by_sandbar: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    server_info: ServerInfo<'a>,
}

/// The parts of the result of `server/discover` that count here.
#[derive(Deserialize)]
struct Discovered<'a> {
    #[serde(borrow, rename = "serverInfo")]
    server_info: Option<ServerInfo<'a>>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Option<ServerInfo<'a>>,
}

#[derive(Default, Deserialize)]
struct ServerInfo<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

impl ServerInfo<'_> {
    /// Whether it is how Sandbar calls itself.
    fn is_sandbar(&self) -> bool {
        self.name == "sandbar"
    }
}

impl Opened {
    /// Reads the result of `initialize`; none where it is none.
    pub(crate) fn read(result: &str) -> Result<Option<Self>, Failure> {
        let Ok(Initialized { protocol_version, server_info }) = serde_json::from_str(result) else { return Ok(None) };
        let version = kept("the server's `protocolVersion`", protocol_version.as_bytes())?;
        Ok(Some(Self { version, by_sandbar: server_info.is_sandbar() }))
    }
}

/// Whether the result of `server/discover` is Sandbar's.
pub(crate) fn discovers_sandbar(result: &str) -> bool {
    serde_json::from_str(result).is_ok_and(|Discovered { server_info, meta }| {
        let infos = [server_info, meta.and_then(|meta| meta.server_info)];
        infos.iter().flatten().any(ServerInfo::is_sandbar)
    })
}

impl Sessions {
    /// Notes a session that has begun, which its client knows by this key.
    pub(crate) fn begun(&self, key: &str, initialize: &Bytes, opened: Opened, id: Option<HeaderValue>) {
        let initialize = Some(initialize).filter(|message| message.len() <= INITIALIZE_MAX).cloned();
        let session = Arc::new(Session::new(initialize, opened.version, id));
        let Known { sessions, order } = &mut *self.lock();
        if sessions.insert(key.to_owned(), session).is_none() {
            order.push_back(key.to_owned());
        }
        if order.len() > SESSIONS
            && let Some(oldest) = order.pop_front()
        {
            sessions.remove(&oldest);
        }
    }

    /// A session by its key.
    pub(crate) fn find(&self, key: &str) -> Option<Arc<Session>> {
        self.lock().sessions.get(key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is complete, so a panic elsewhere leaves it valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn new(initialize: Option<Bytes>, version: Option<HeaderValue>, id: Option<HeaderValue>) -> Self {
        Self {
            initialize,
            version,
            id: Mutex::new(id),
            beginning: tokio::sync::Mutex::default(),
            renewals: watch::Sender::new(0),
        }
    }

    /// One that was begun elsewhere, or before this process.
    pub(crate) fn unknown(id: HeaderValue) -> Arc<Self> {
        Arc::new(Self::new(None, None, Some(id)))
    }

    /// What the server knows it by.
    pub(crate) fn id(&self) -> Option<HeaderValue> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the headers of a message in this session. A version that is there stays.
    pub(crate) fn speak(&self, headers: &mut HeaderMap) {
        if let Some(id) = self.id() {
            headers.insert(SESSION_ID, id);
        }
        if let Some(version) = &self.version {
            headers.entry(PROTOCOL_VERSION).or_insert_with(|| version.clone());
        }
    }

    /// Counts how often it was begun anew.
    pub(crate) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// Begins it anew, since the server does not know this id any more. Of many who find that, one does it.
    pub(crate) async fn begin_anew(&self, upstream: &Upstream, unknown: Option<&HeaderValue>) -> Result<(), Failure> {
        let _turn = self.beginning.lock().await;
        if self.id().as_ref() != unknown {
            return Ok(());
        }
        let impossible = |why: &str| {
            let words =
                format!("the server does not know this session any more, and it cannot be begun anew: {why}; initialize again");
            Failure { kind: FailureKind::Refused, status: Some(404), words }
        };
        let Some(initialize) = self.initialize.clone() else { return Err(impossible("its beginning is not known here")) };
        let reply = upstream.deliver(&Ask::Message(initialize), &headers::of_message()).await?;
        let id = reply.session.clone();
        let opened = result_of(reply).await?.ok_or_else(|| impossible("the server refuses it"))?;
        if self.version.is_some() && self.version != opened.version {
            return Err(impossible("the server speaks another version of the protocol now"));
        }
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
        let mut headers = headers::of_message();
        self.speak(&mut headers);
        upstream.deliver(&Ask::Message(Bytes::from_static(INITIALIZED)), &headers).await?;
        tracing::info!("the server did not know the session any more; it was begun anew");
        self.renewals.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// The result of an `initialize`; none where there is an error in its place.
async fn result_of(mut reply: Reply) -> Result<Option<Opened>, Failure> {
    while let Some(received) = reply.messages.next().await? {
        if let Received::Message(text, _) = received
            && let Some(Outline { kind, .. }) = Outline::read(&text.bytes)
        {
            match kind {
                Kind::Result(result) => return Opened::read(result.get()),
                Kind::Error(..) => return Ok(None),
                Kind::Told { .. } => {}
            }
        }
    }
    Ok(None)
}
