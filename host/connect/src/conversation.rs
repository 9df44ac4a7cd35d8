//! One request on its way to the server and its answers on their way back, sent again where that heals something.
//!
//! It is sent again once if its answer was lost, where the server only reads; once if its session had to be begun anew; and once if the
//! server wants arguments repeated in headers, of which a client on stdio knows nothing.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sandbar_kubernetes::Ask;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bridge::Bridge;
use crate::failure::{Failure, FailureKind, answer};
use crate::headers::{Mirrored, SESSION_ID, mirror, mirrored};
use crate::message::ClientMessage;
use crate::out::{Gone, Out};
use crate::outline::{Kind, Outline};
use crate::session::{Opened, Session, discovers_sandbar};
use crate::tool_list::ToolList;
use crate::upstream::{Form, Received, Reply, Upstream};

/// The code for headers that do not repeat what is in the body.
const HEADER_MISMATCH: i64 = -32020;

/// How long the end of a stream may take behind its answer.
const LAST_PART: Duration = Duration::from_millis(100);

/// How long a request may take that the API server hands on, if nobody has set its `--request-timeout`.
const API_SERVER_TIME: Duration = Duration::from_secs(60);

/// How long the server has to end a request that its client has taken back, until that gives up its place.
const CANCELLED_TIME: Duration = Duration::from_secs(5);

/// What an answer that the API server has ended for its time differs from that time at most.
const ABOUT: Duration = Duration::from_secs(1);

/// A client's request.
pub(crate) struct Asked {
    pub(crate) message: ClientMessage,
    pub(crate) id: Value,
    /// The headers that go along, but for those of the session.
    pub(crate) headers: HeaderMap,
    /// The session that it is in, in the legacy era.
    pub(crate) session: Option<Arc<Session>>,
    /// What the client will know a session by that this request begins; none: by the server's own id.
    pub(crate) key: Option<&'static str>,
    pub(crate) cancelled: CancellationToken,
    /// The headers are ours, and so can be mended.
    pub(crate) has_our_headers: bool,
}

/// Why there is nothing more to do.
enum End {
    Failed(Failure),
    /// Nobody waits for an answer.
    Gone,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Whether an answer is there.
enum Read {
    Answered,
    /// The request has to be sent again, with other headers.
    Mended,
}

/// Brings a request to the server, and everything that answers it to the client.
pub(crate) async fn converse(bridge: &Bridge, asked: &Asked, out: &Out) {
    let mut conversation =
        Conversation { bridge, asked, out, lost_after: None, was_renewed: false, was_mended: false, has_head: false };
    let given_up = async {
        asked.cancelled.cancelled().await;
        tokio::time::sleep(CANCELLED_TIME).await;
    };
    let ended = tokio::select! {
        ended = conversation.run() => ended,
        () = given_up => return,
    };
    if let Err(End::Failed(failure)) = ended {
        tracing::warn!("a request has failed: {}", failure.words);
        // Over HTTP it makes a client begin another session. Other states would make it do what `connect` does, log in for example.
        if failure.status == Some(404) && asked.session.is_some() && !conversation.has_head {
            let _ = out.head(404, Form::Json, None).await;
        }
        let _ = out.message(answer(&failure, &asked.id, conversation.is_repeatable())).await;
    }
}

struct Conversation<'a> {
    bridge: &'a Bridge,
    asked: &'a Asked,
    out: &'a Out,
    /// What the first attempt had taken when its answer was lost. There is one more.
    lost_after: Option<Duration>,
    was_renewed: bool,
    was_mended: bool,
    has_head: bool,
}

impl Conversation<'_> {
    async fn run(&mut self) -> Result<(), End> {
        let ask = Ask::Message(self.asked.message.body.clone());
        loop {
            let mut headers = self.asked.headers.clone();
            if let Some(session) = &self.asked.session {
                session.speak(&mut headers);
            }
            if self.asked.has_our_headers
                && let Some(tool) = self.asked.message.tool()
                && let Some(known) = self.bridge.mirrored(tool).filter(|known| !known.is_empty())
            {
                mirror(&mut headers, &known, &self.asked.message.param("arguments").unwrap_or_default());
            }
            let used = headers.get(SESSION_ID).cloned();
            let began = Instant::now();
            let outcome = match self.bridge.upstream.deliver(&ask, &headers).await {
                Ok(reply) if reply.status == 404 && self.may_renew(used.as_ref()) => {
                    self.renew(used.as_ref()).await?;
                    continue;
                }
                Ok(reply) => self.read(reply).await,
                Err(failure) if failure.status == Some(404) && self.may_renew(used.as_ref()) => {
                    self.renew(used.as_ref()).await?;
                    continue;
                }
                Err(failure) => Err(failure.into()),
            };
            match outcome {
                Ok(Read::Answered) => return Ok(()),
                Ok(Read::Mended) => {}
                Err(End::Failed(failure)) if failure.kind == FailureKind::Lost => self.lost(failure, began.elapsed())?,
                Err(end) => return Err(end),
            }
        }
    }

    /// An answer is lost, after so long. It is the end, unless the request may be sent again.
    fn lost(&mut self, failure: Failure, after: Duration) -> Result<(), End> {
        // A call that was taken back is not run again.
        if self.asked.cancelled.is_cancelled() {
            return Err(End::Gone);
        }
        if self.is_out_of_time(after) {
            let words = format!(
                "the API server has ended the request after {} s, before its answer was there. It ends each after the time of its \
                 --request-timeout, 60 s by default: ask for less, or connect by another way, --service or --url",
                after.as_secs()
            );
            return Err(Failure::new(FailureKind::Refused, words).into());
        }
        if self.lost_after.is_some() || !self.is_repeatable() {
            return Err(failure.into());
        }
        tracing::info!("a request is sent again: {}", failure.words);
        self.lost_after = Some(after);
        Ok(())
    }

    /// Whether an answer that is lost after so long was ended by the API server: after its usual time, or both times after the same.
    fn is_out_of_time(&self, after: Duration) -> bool {
        let is_as_before = self.lost_after.is_some_and(|before| after > 2 * ABOUT && after.abs_diff(before) < ABOUT);
        self.bridge.upstream.has_a_time_limit() && (is_as_before || after + ABOUT > API_SERVER_TIME)
    }

    /// Whether nothing is changed by sending the request again.
    fn is_repeatable(&self) -> bool {
        self.asked.message.only_reads() || self.bridge.upstream.only_reads()
    }

    /// Whether the server has said that it does not know the session.
    fn may_renew(&self, used: Option<&HeaderValue>) -> bool {
        used.is_some() && self.asked.session.is_some() && !self.was_renewed
    }

    async fn renew(&mut self, used: Option<&HeaderValue>) -> Result<(), Failure> {
        self.was_renewed = true;
        match &self.asked.session {
            Some(session) => session.begin_anew(&self.bridge.upstream, used).await,
            None => Ok(()),
        }
    }

    /// Passes on what answers the request.
    async fn read(&mut self, reply: Reply) -> Result<Read, End> {
        let Reply { status, session, mut messages } = reply;
        let form = messages.form;
        while let Some(received) = messages.next().await? {
            let text = match received {
                Received::Alive => {
                    self.head(status, form, &session).await?;
                    self.out.alive().await?;
                    continue;
                }
                Received::Message(text, _) => text,
            };
            let Some(outline) = Outline::read(&text.bytes) else { continue };
            if let Kind::Told { .. } = outline.kind {
                self.head(status, form, &session).await?;
                self.out.message(text).await?;
                continue;
            }
            if !outline.answers(&self.asked.id) {
                tracing::warn!("an answer to something else is left out");
                continue;
            }
            if matches!(outline.kind, Kind::Error(_, HEADER_MISMATCH)) && self.mend().await {
                return Ok(Read::Mended);
            }
            let answer = match &outline.kind {
                // The server could not say which request it was.
                Kind::Error(error, _) if outline.id.as_ref() != Some(&self.asked.id) => {
                    let id = &self.asked.id;
                    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, error.get());
                    text.rewritten(answer)
                }
                Kind::Result(result) => {
                    self.learn(result.get(), session.as_ref())?;
                    text
                }
                _ => text,
            };
            self.head(status, form, &session).await?;
            self.out.message(answer).await?;
            if form == Form::Events {
                // To its end, so that the connection can go on.
                let _ = tokio::time::timeout(LAST_PART, messages.next()).await;
            }
            return Ok(Read::Answered);
        }
        if self.asked.cancelled.is_cancelled() {
            return Ok(Read::Answered);
        }
        let words = match status {
            200..300 => "the server's answer ended before it was complete".to_owned(),
            status => format!("the server answered {status}, without words"),
        };
        let kind = if status < 300 { FailureKind::Lost } else { FailureKind::Refused };
        Err(Failure::new(kind, words).into())
    }

    /// Passes on the head of the first answer that says something.
    async fn head(&mut self, status: u16, form: Form, session: &Option<HeaderValue>) -> Result<(), Gone> {
        if std::mem::replace(&mut self.has_head, true) {
            return Ok(());
        }
        self.out.head(status, form, session.clone()).await
    }

    /// Notes what a result says of the server.
    fn learn(&self, result: &str, session: Option<&HeaderValue>) -> Result<(), Failure> {
        let asked = self.asked;
        match asked.message.method.as_str() {
            "initialize" => {
                let Some(opened) = Opened::read(result)? else { return Ok(()) };
                self.bridge.upstream.note_sandbar(opened.by_sandbar);
                let own = session.and_then(|id| id.to_str().ok());
                if let Some(key) = asked.key.or(own) {
                    self.bridge.sessions.begun(key, &asked.message.body, opened, session.cloned());
                }
            }
            "server/discover" => self.bridge.upstream.note_sandbar(discovers_sandbar(result)),
            _ => {}
        }
        Ok(())
    }

    /// Finds out which arguments of the tool have to be repeated in headers, as the modern era has it. Whether that is worth another attempt.
    async fn mend(&mut self) -> bool {
        let Asked { message, has_our_headers, .. } = self.asked;
        let Some((tool, list)) = message.tool().zip(ToolList::for_sender_of(message)) else { return false };
        if !has_our_headers || std::mem::replace(&mut self.was_mended, true) {
            return false;
        }
        let found = find_mirrored(&self.bridge.upstream, &list, tool).await;
        match found.and_then(|found| self.bridge.remember_mirrored(tool, found)) {
            Ok(()) => true,
            Err(failure) => {
                tracing::warn!("which arguments have to be repeated in headers is not known: {}", failure.words);
                false
            }
        }
    }
}

/// The arguments of a tool that have to be repeated, by the server's list.
async fn find_mirrored(upstream: &Upstream, list: &ToolList, tool: &str) -> Result<Vec<Mirrored>, Failure> {
    let mut found = Vec::new();
    let look = |tools: &Value| match tools.as_array().into_iter().flatten().find(|one| one["name"] == tool) {
        Some(one) => {
            found = mirrored(&one["inputSchema"]);
            ControlFlow::Break(())
        }
        None => ControlFlow::Continue(()),
    };
    list.look_through(upstream, look).await?;
    Ok(found)
}
