//! One attempt to send something to the server, and its answer, message by message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;
use sandbar_kubernetes::Ask;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::events::{Event, EventParser};
use crate::failure::{Failure, FailureKind};
use crate::headers::SESSION_ID;
use crate::outline::{Outline, on_one_line};
use crate::room::{Room, Taken, Text, kept};
use crate::way::{AnswerBody, Way};

/// How long Sandbar may be silent in an answer. It gives a sign of life every 5 s, in a stream every 15 s, so this is a connection that
/// leads nowhere.
const SILENCE: Duration = Duration::from_secs(50);

/// Likewise another server, of which nothing is known: the longest that a client waits for.
const SILENCE_OF_OTHERS: Duration = Duration::from_secs(300);

/// How long it may take until a server can be reached that has been reached before: what it takes to replace a pod.
const PATIENCE: Duration = Duration::from_secs(20);

/// Likewise one that never has been. It is more likely that its address is wrong.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);

/// The pause before the second attempt to reach it, and the longest one.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The server, as seen from here.
pub(crate) struct Upstream {
    way: Arc<dyn Way>,
    /// The server runs in this process, or has identified itself as Sandbar; its tools only read, so requests may be repeated.
    is_sandbar: AtomicBool,
    has_been_reached: AtomicBool,
    room: Room,
    woken: watch::Receiver<u64>,
}

/// How an answer's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One message.
    Json,
    /// Messages as events.
    Events,
    /// Nothing, or nothing that is MCP's.
    Nothing,
}

/// An answer whose head is there.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The session that it opens.
    pub(crate) session: Option<HeaderValue>,
    pub(crate) messages: Messages,
}

/// The messages of an answer.
pub(crate) struct Messages {
    pub(crate) form: Form,
    body: AnswerBody,
    events: EventParser,
    /// Of a stream of events what is not read yet, of JSON all that has arrived.
    unread: Bytes,
    whole: Vec<u8>,
    taken: Taken,
    room: Room,
    silence: Duration,
    woken: watch::Receiver<u64>,
    way: Arc<dyn Way>,
}

/// What has arrived.
pub(crate) enum Received {
    /// A message, on one line, and the id of its event.
    Message(Text, Option<HeaderValue>),
    /// A sign of life.
    Alive,
}

impl Upstream {
    pub(crate) fn new(way: Arc<dyn Way>, woken: watch::Receiver<u64>) -> Self {
        Self { is_sandbar: way.leads_to_sandbar().into(), way, has_been_reached: false.into(), room: Room::default(), woken }
    }

    /// Whether nothing is changed by sending a call twice.
    pub(crate) fn only_reads(&self) -> bool {
        self.is_sandbar.load(Ordering::Relaxed)
    }

    /// Whether answers are ended on their way that take too long.
    pub(crate) fn has_a_time_limit(&self) -> bool {
        self.way.has_a_time_limit()
    }

    /// Notes whether the server has said that it is Sandbar. What was there before may have been replaced.
    pub(crate) fn note_sandbar(&self, says_so: bool) {
        self.is_sandbar.store(says_so || self.way.leads_to_sandbar(), Ordering::Relaxed);
    }

    /// Sends something, again and again as long as it reaches nobody, until that takes too long.
    pub(crate) async fn deliver(&self, ask: &Ask, headers: &HeaderMap) -> Result<Reply, Failure> {
        let patience = if self.has_been_reached.load(Ordering::Relaxed) { PATIENCE } else { FIRST_PATIENCE };
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            match self.attempt(ask, headers).await {
                Err(failure) if failure.kind == FailureKind::Undelivered && began.elapsed() + pause < patience => {
                    if pause == PAUSE {
                        tracing::warn!("{}; trying on", failure.words);
                    }
                    sleep(pause).await;
                    pause = LONGEST_PAUSE.min(2 * pause);
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends something once.
    async fn attempt(&self, ask: &Ask, headers: &HeaderMap) -> Result<Reply, Failure> {
        let mut woken = self.woken.clone();
        woken.mark_unchanged();
        let silence = if self.only_reads() { SILENCE } else { SILENCE_OF_OTHERS };
        let answer = tokio::select! {
            answer = self.way.send(ask, headers, silence) => answer.map_err(|failure| self.in_doubt(failure))?,
            () = changed(&mut woken) => return Err(slept()),
        };
        self.has_been_reached.store(true, Ordering::Relaxed);
        let (head, body) = answer.into_parts();
        let session = head.headers.get(SESSION_ID).map(|id| kept("the server's id of the session", id.as_bytes())).transpose()?;
        let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is = |name: &str| kind.len() >= name.len() && kind[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        let form = match head.status.as_u16() {
            202 | 204 => Form::Nothing,
            _ if is("text/event-stream") => Form::Events,
            _ if is("application/json") => Form::Json,
            _ => Form::Nothing,
        };
        let messages = Messages {
            form,
            body,
            events: EventParser::default(),
            unread: Bytes::new(),
            whole: Vec::new(),
            taken: Taken::default(),
            room: self.room.clone(),
            silence,
            woken,
            way: self.way.clone(),
        };
        Ok(Reply { status: head.status.as_u16(), session: session.flatten(), messages })
    }

    /// A 502 or 503 of a proxy counts as "undelivered" only for a read-only server; otherwise the answer counts as lost, so the request
    /// is not repeated.
    fn in_doubt(&self, failure: Failure) -> Failure {
        let is_hearsay = failure.kind == FailureKind::Undelivered && matches!(failure.status, Some(502 | 503));
        if is_hearsay && !self.only_reads() { Failure { kind: FailureKind::Lost, ..failure } } else { failure }
    }
}

impl Messages {
    /// What arrives next; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Received>, Failure> {
        match self.form {
            Form::Json => self.next_of_json().await,
            Form::Events => self.next_event().await,
            Form::Nothing => Ok(None),
        }
    }

    /// The first message; none where there is none.
    pub(crate) async fn first(&mut self) -> Result<Option<Text>, Failure> {
        while let Some(received) = self.next().await? {
            if let Received::Message(text, _) = received {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    async fn next_of_json(&mut self) -> Result<Option<Received>, Failure> {
        loop {
            let Some(data) = self.data().await? else { break };
            // What stands before a message that takes long.
            if self.whole.is_empty() && data.trim_ascii().is_empty() {
                return Ok(Some(Received::Alive));
            }
            self.room.grow(&mut self.taken, self.whole.len() + data.len())?;
            self.whole.extend_from_slice(&data);
        }
        let text = std::mem::take(&mut self.whole);
        if text.is_empty() {
            return Ok(None);
        }
        match self.message(text) {
            Some(text) => Ok(Some(Received::Message(text, None))),
            None => Err(Failure::new(FailureKind::Refused, "the server's answer is no message of MCP; is this an MCP server?")),
        }
    }

    async fn next_event(&mut self) -> Result<Option<Received>, Failure> {
        let mut is_new = false;
        loop {
            while !self.unread.is_empty() {
                let (read, event) = self.events.read(&self.unread);
                self.unread.advance(read);
                self.room.grow(&mut self.taken, self.events.held())?;
                let Some(Event { data, id }) = event else { continue };
                let id = id.map(|id| kept("the id of an event of the server", &id)).transpose()?.flatten();
                match self.message(data) {
                    Some(text) => return Ok(Some(Received::Message(text, id))),
                    None => tracing::warn!("an event of the server is no message of MCP, and is left out"),
                }
            }
            if is_new {
                return Ok(Some(Received::Alive));
            }
            let Some(data) = self.data().await? else { return Ok(None) };
            (self.unread, is_new) = (data, true);
        }
    }

    /// A message on one line; none where it is none.
    fn message(&mut self, mut text: Vec<u8>) -> Option<Text> {
        let taken = std::mem::take(&mut self.taken);
        on_one_line(&mut text);
        Outline::read(&text)?;
        Some(Text::taking(taken, text))
    }

    /// The next bytes; none at the end.
    async fn data(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = tokio::select! {
                frame = timeout(self.silence, self.body.frame()) => frame,
                () = changed(&mut self.woken) => return Err(slept()),
            };
            match frame {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
                Ok(Some(Err(error))) => {
                    return Err(Failure::new(FailureKind::Lost, format!("the server's answer broke off: {error}")));
                }
                Err(_silent) => {
                    self.way.reconnect();
                    let words =
                        format!("the server has said nothing for {} s in the middle of its answer", self.silence.as_secs());
                    return Err(Failure::new(FailureKind::Lost, words));
                }
            }
        }
    }
}

/// Resolves once the machine wakes up.
async fn changed(woken: &mut watch::Receiver<u64>) {
    if woken.changed().await.is_err() {
        // Nobody looks any more.
        std::future::pending().await
    }
}

fn slept() -> Failure {
    Failure::new(FailureKind::Lost, "this machine has slept, and the connection is gone")
}
