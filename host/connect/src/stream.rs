//! What stays open: the stream of a session, and subscriptions of the modern era. The API server ends a POST after 60 s, pods go, and
//! machines sleep; the client's stream stays open over all of that, and misses no change of the list of tools.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sandbar_kubernetes::Ask;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::bridge::Bridge;
use crate::conversation::Asked;
use crate::failure::{Failure, FailureKind, answer, refusal};
use crate::headers::{LAST_EVENT_ID, SESSION_ID};
use crate::out::{Gone, Out};
use crate::outline::{Kind, Outline, error_words};
use crate::room::Text;
use crate::session::Session;
use crate::tool_list::ToolList;
use crate::upstream::{Form, Received, Reply, Upstream};

/// The pause before a stream is opened again that was open for a while, and the longest for one that does not stay open.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For how long a stream has to be open to count as one that stays open.
const SETTLED: Duration = Duration::from_secs(10);

/// How often a subscription may end at once, by the server's word, before its client hears of it.
const QUICK_ENDS: u32 = 3;

/// Says to a session that the list of tools may be another.
const LIST_CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// The pauses between attempts to open a stream.
struct Pauses {
    next: Duration,
    opened: Instant,
}

impl Pauses {
    fn new() -> Self {
        Self { next: PAUSE, opened: Instant::now() }
    }

    /// Notes an attempt.
    fn begin(&mut self) {
        self.opened = Instant::now();
    }

    /// Waits before the next one. Whether the last one was soon over.
    async fn wait(&mut self) -> bool {
        let was_quick = self.opened.elapsed() < SETTLED;
        let pause = if was_quick { self.next } else { PAUSE };
        self.next = LONGEST_PAUSE.min(2 * pause);
        sleep(pause).await;
        was_quick
    }
}

/// Why following ends.
enum End {
    /// The server has no such stream: what to answer.
    None(u16, Text),
    Gone,
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Follows the stream of a session, which its client knows by this key, for as long as the client does.
pub(crate) async fn follow(bridge: &Bridge, key: &str, session: &Arc<Session>, headers: HeaderMap, out: &Out) {
    let mut following = Following {
        bridge,
        key,
        session,
        out,
        last_event: headers.get(LAST_EVENT_ID).cloned(),
        headers,
        renewals: session.renewals(),
        is_open: false,
        has_warned: false,
    };
    following.renewals.mark_unchanged();
    if let Err(End::None(status, text)) = following.run().await {
        let _ = out.head(status, Form::Json, None).await;
        // To a client on stdio, a stream that there is not says nothing.
        if let Out::Parts(_) = out {
            let _ = out.message(text).await;
        }
    }
}

struct Following<'a> {
    bridge: &'a Bridge,
    key: &'a str,
    session: &'a Arc<Session>,
    out: &'a Out,
    headers: HeaderMap,
    /// The newest id of an event, which says what the client knows.
    last_event: Option<HeaderValue>,
    renewals: watch::Receiver<u64>,
    /// The client has heard that there is a stream.
    is_open: bool,
    /// It was said that the server answers what nobody has asked.
    has_warned: bool,
}

impl Following<'_> {
    async fn run(&mut self) -> Result<(), End> {
        let mut pauses = Pauses::new();
        let mut said = String::new();
        loop {
            if self.renewals.has_changed().unwrap_or(false) {
                self.renewals.mark_unchanged();
                // A new session begins with the list of now, which the client may not know.
                self.last_event = None;
                self.out.message(Text::of(LIST_CHANGED)).await?;
            }
            let mut headers = self.headers.clone();
            headers.remove(LAST_EVENT_ID);
            self.session.speak(&mut headers);
            if let Some(id) = &self.last_event {
                headers.insert(LAST_EVENT_ID, id.clone());
            }
            let used = headers.get(SESSION_ID).cloned();
            pauses.begin();
            let ended = match self.bridge.upstream.deliver(&Ask::Stream, &headers).await {
                Ok(reply) => self.read(reply, used.as_ref()).await?,
                Err(failure) => failure,
            };
            match ended.status {
                Some(404) if used.is_some() && ended.kind != FailureKind::NotServed => {
                    let begun = self.session.begin_anew(&self.bridge.upstream, used.as_ref()).await;
                    if let Err(failure) = begun
                        && !self.is_open
                    {
                        return Err(End::None(404, refusal(&Value::Null, &failure.words)));
                    }
                }
                // There is none, which is allowed.
                Some(status @ (400 | 405 | 406)) => return Err(End::None(status, refusal(&Value::Null, &ended.words))),
                Some(status) if !self.is_open && matches!(self.out, Out::Parts(_)) => {
                    return Err(End::None(status, refusal(&Value::Null, &ended.words)));
                }
                _ => {}
            }
            if ended.words != said {
                tracing::info!("the stream of the session is opened again: {}", ended.words);
                said = ended.words;
            }
            pauses.wait().await;
        }
    }

    /// Passes events on until the stream ends; why it has.
    async fn read(&mut self, mut reply: Reply, used: Option<&HeaderValue>) -> Result<Failure, End> {
        let refused = |status: u16, words: String| Failure { kind: FailureKind::Refused, status: Some(status), words };
        if reply.status >= 300 || reply.messages.form != Form::Events {
            let said = reply.messages.first().await.ok().flatten();
            let words = said.as_ref().and_then(|text| error_words(&text.bytes));
            let words = words.unwrap_or_else(|| format!("the server answers {} to it", reply.status));
            // Without a session a 404 is of another kind.
            let status = if reply.status == 404 && used.is_none() { 405 } else { reply.status.max(400) };
            return Ok(refused(status, words));
        }
        if !std::mem::replace(&mut self.is_open, true) {
            self.out.head(reply.status, Form::Events, None).await?;
        }
        loop {
            let received = tokio::select! {
                received = reply.messages.next() => received,
                Ok(()) = self.renewals.changed() => {
                    self.renewals.mark_changed();
                    return Ok(Failure::new(FailureKind::Lost, "the session was begun anew"));
                }
            };
            match received {
                Ok(Some(Received::Alive)) => self.out.alive().await?,
                Ok(Some(Received::Message(text, id))) => {
                    if self.is_for_client(&text) {
                        self.out.message(text).await?;
                    }
                    self.last_event = id.or(self.last_event.take());
                }
                Ok(None) => return Ok(Failure::new(FailureKind::Lost, "the server has ended it")),
                Err(failure) => return Ok(failure),
            }
        }
    }

    /// Whether a message is for the client: all but answers to what it does not wait for. What is answered here counts as cancelled, so that
    /// it is not asked for again.
    fn is_for_client(&mut self, text: &Text) -> bool {
        let Some(Outline { id, kind }) = Outline::read(&text.bytes) else { return false };
        if let Kind::Told { .. } = kind {
            return true;
        }
        let id = id.and_then(|id| serde_json::from_value(id).ok());
        let is_awaited = id.is_some_and(|id| self.bridge.in_flight.cancel(self.key, &id));
        if !is_awaited && !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!("the server answers what nobody has asked, in the session's stream; such answers are left out");
        }
        is_awaited
    }
}

/// Keeps a subscription for as long as its client does.
pub(crate) async fn listen(bridge: &Bridge, asked: &Asked, out: &Out) {
    let wanted = asked.message.param("notifications").unwrap_or_default();
    let mut listening = Listening {
        bridge,
        asked,
        out,
        list: ToolList::for_sender_of(&asked.message).filter(|_| wanted["toolsListChanged"] == true),
        known: None,
        is_open: false,
        quick_ends: 0,
    };
    if let Ok(Some(failure)) = listening.run().await {
        let _ = out.message(answer(&failure, &asked.id, true)).await;
    }
}

struct Listening<'a> {
    bridge: &'a Bridge,
    asked: &'a Asked,
    out: &'a Out,
    /// The list of tools, if the client wants to hear of its changes.
    list: Option<ToolList>,
    /// The list of tools that the client has been told of.
    known: Option<[u8; 32]>,
    /// The subscription is acknowledged to the client.
    is_open: bool,
    quick_ends: u32,
}

/// How one stream of a subscription has ended.
enum Ended {
    /// The client has its answer.
    Answered,
    /// It broke off.
    Broken(Failure),
    /// The server has ended it, in peace.
    Peacefully(Text),
}

impl Listening<'_> {
    /// The failure, where there is nothing that the client has heard yet.
    async fn run(&mut self) -> Result<Option<Failure>, Gone> {
        let ask = Ask::Message(self.asked.message.body.clone());
        let mut pauses = Pauses::new();
        let mut attempts = 0;
        loop {
            pauses.begin();
            attempts += 1;
            let ended = match self.bridge.upstream.deliver(&ask, &self.asked.headers).await {
                Ok(reply) => self.read(reply).await?,
                Err(failure) => Ended::Broken(failure),
            };
            match ended {
                Ended::Answered => return Ok(None),
                Ended::Broken(failure) if !self.is_open && (failure.kind != FailureKind::Lost || attempts > 1) => {
                    return Ok(Some(failure));
                }
                Ended::Broken(failure) => tracing::debug!("a subscription is opened again: {}", failure.words),
                Ended::Peacefully(text) if self.quick_ends >= QUICK_ENDS => {
                    self.out.message(text).await?;
                    return Ok(None);
                }
                Ended::Peacefully(_) => {}
            }
            self.quick_ends = if pauses.wait().await { self.quick_ends + 1 } else { 0 };
        }
    }

    async fn read(&mut self, reply: Reply) -> Result<Ended, Gone> {
        let Reply { status, mut messages, .. } = reply;
        let form = messages.form;
        loop {
            let text = match messages.next().await {
                Ok(Some(Received::Message(text, _))) => text,
                Ok(Some(Received::Alive)) => {
                    if self.is_open {
                        self.out.alive().await?;
                    }
                    continue;
                }
                Ok(None) => {
                    let words = "the server has ended it without a word";
                    return Ok(Ended::Broken(Failure::new(FailureKind::Lost, words)));
                }
                Err(failure) => return Ok(Ended::Broken(failure)),
            };
            let Some(outline) = Outline::read(&text.bytes) else { continue };
            match &outline.kind {
                Kind::Told { method } if method == "notifications/subscriptions/acknowledged" => {
                    let is_first = !std::mem::replace(&mut self.is_open, true);
                    if is_first {
                        self.out.head(status, form, None).await?;
                        self.out.message(text).await?;
                    }
                    self.look_for_changes(is_first).await?;
                }
                Kind::Told { .. } => self.out.message(text).await?,
                Kind::Result(_) if outline.answers(&self.asked.id) && self.is_open => return Ok(Ended::Peacefully(text)),
                _ if outline.answers(&self.asked.id) => {
                    if !self.is_open {
                        self.out.head(status, form, None).await?;
                    }
                    self.out.message(text).await?;
                    return Ok(Ended::Answered);
                }
                _ => {}
            }
        }
    }

    /// Tells the client if the list of tools has changed while the stream was not open.
    async fn look_for_changes(&mut self, is_first: bool) -> Result<(), Gone> {
        let Some(list) = &self.list else { return Ok(()) };
        let now = match list_digest(&self.bridge.upstream, list).await {
            Ok(Some(now)) => now,
            Ok(None) => return Ok(()),
            Err(failure) => {
                tracing::debug!("the list of tools cannot be read: {}", failure.words);
                return Ok(());
            }
        };
        // What it was before may not be known: the stream can be cut before anybody has looked.
        let may_be_another = self.known.replace(now).map_or(!is_first, |known| known != now);
        if may_be_another {
            let meta = json!({ "io.modelcontextprotocol/subscriptionId": self.asked.id });
            let told = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": { "_meta": meta } });
            self.out.message(Text::of(told.to_string())).await?;
        }
        Ok(())
    }
}

/// A digest of the list of tools, as it is now. None: the server does not tell.
async fn list_digest(upstream: &Upstream, list: &ToolList) -> Result<Option<[u8; 32]>, Failure> {
    let mut digest = Sha256::new();
    let look = |tools: &Value| {
        digest.update(tools.to_string());
        ControlFlow::Continue(())
    };
    let is_told = list.look_through(upstream, look).await?;
    Ok(is_told.then(|| digest.finalize().into()))
}
