//! A client that has started this process, and speaks over its standard streams: a message a line, and nothing else on standard output.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandbar_kubernetes::Ask;
use sandbar_mcp::Era;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::bridge::Bridge;
use crate::conversation::{Asked, converse};
use crate::failure::{Failure, FailureKind, refusal};
use crate::headers;
use crate::message::{ClientMessage, Kind};
use crate::out::Out;
use crate::room::Text;
use crate::stream::{follow, listen};

/// Bytes of a line: what the server takes of a message.
const LINE_MAX: usize = 4 << 20;

/// Bytes beyond which a message is a large one, and how many of these may be under way: as on the server.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 4;

/// Requests under way. No client has as many calls at once.
const REQUESTS: usize = 128;

/// Lines that wait until the client reads.
const LINES: usize = 64;

/// How long answers that are under way may take once the client says no more. Whoever pipes in a message wants to see the answer.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// By what the session of this client is known: there is one.
const SESSION: &str = "";

/// Serves the client at the other end of these streams until it says no more, or `stop` resolves.
pub async fn serve_stdio(
    bridge: Arc<Bridge>,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (lines, queue) = mpsc::channel(LINES);
    let mut writing = AbortOnDropHandle::new(tokio::spawn(write(queue, output)));
    let client = Client {
        bridge,
        lines,
        requests: Arc::new(Semaphore::new(REQUESTS)),
        large: Arc::new(Semaphore::new(LARGE)),
        calls: TaskTracker::new(),
        ending: CancellationToken::new(),
        stream: None,
    };
    let _end = client.ending.clone().drop_guard();
    tokio::select! {
        read = read(client, input) => read?,
        () = stop => return Ok(()),
        // The client reads no more, so there is nobody to speak to.
        written = &mut writing => return written.unwrap_or(Ok(())),
    }
    // What is written already goes out.
    let _ = tokio::time::timeout(LAST_ANSWERS, writing).await;
    Ok(())
}

/// Reads messages until there are no more, and waits for the last answers.
async fn read(mut client: Client, input: impl AsyncRead + Send + Unpin) -> io::Result<()> {
    let mut input = BufReader::new(input);
    loop {
        match next_line(&mut input).await? {
            Line::End => break,
            Line::Message(line) if line.trim_ascii().is_empty() => {}
            Line::Message(line) => client.receive(line.into()).await,
            Line::TooLong => {
                let words = format!("a message has more than {LINE_MAX} bytes, which is the most that is passed on");
                client.say(refusal(&Value::Null, &words)).await;
            }
        }
    }
    client.calls.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, client.calls.wait()).await;
    client.ending.cancel();
    Ok(())
}

/// Writes messages, each on a line of its own.
async fn write(mut queue: mpsc::Receiver<Text>, output: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut output = pin!(output);
    while let Some(text) = queue.recv().await {
        output.write_all(&text.bytes).await?;
        output.write_all(b"\n").await?;
        output.flush().await?;
    }
    Ok(())
}

enum Line {
    Message(Vec<u8>),
    TooLong,
    End,
}

/// The next line. One that is too long is read to its end and not kept.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Line> {
    let (mut line, mut is_too_long, mut is_empty) = (Vec::new(), false, true);
    loop {
        let bytes = input.fill_buf().await?;
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        is_empty &= bytes.is_empty();
        is_too_long |= line.len() + part.len() > LINE_MAX;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let (read, is_over) = (part.len() + usize::from(end.is_some()), end.is_some() || bytes.is_empty());
        input.consume(read);
        if is_over {
            return Ok(match (is_empty, is_too_long) {
                (true, _) => Line::End,
                (_, true) => Line::TooLong,
                _ => Line::Message(line),
            });
        }
    }
}

/// The client, as far as it has spoken.
struct Client {
    bridge: Arc<Bridge>,
    lines: mpsc::Sender<Text>,
    requests: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// Requests that have an end of their own.
    calls: TaskTracker,
    /// Ends everything else.
    ending: CancellationToken,
    /// The stream of the session.
    stream: Option<AbortOnDropHandle<()>>,
}

/// The places that a request has until it is answered.
struct Places(#[expect(dead_code, reason = "they are held")] [Option<OwnedSemaphorePermit>; 2]);

impl Client {
    async fn receive(&mut self, line: Bytes) {
        let message = match ClientMessage::read(line) {
            Ok(message) => message,
            Err(refused) => return self.say(Text::of(refused)).await,
        };
        match message.kind.clone() {
            Kind::Request(id) => match self.places(message.body.len()) {
                Ok(places) => self.ask(message, id, places).await,
                Err(words) => self.say(refusal(&id, words)).await,
            },
            Kind::Notification { cancelled } => {
                if let Some(id) = &cancelled {
                    self.bridge.under_way.cancel(SESSION, id);
                    // In the modern era a request is cancelled by closing its answer.
                    if self.bridge.sessions.find(SESSION).is_none() {
                        return;
                    }
                }
                let is_initialized = message.method == "notifications/initialized";
                self.tell(message);
                if is_initialized {
                    self.follow();
                }
            }
            Kind::Response => self.tell(message),
        }
    }

    /// The places for a request of so many bytes.
    fn places(&self, bytes: usize) -> Result<Places, &'static str> {
        let place = self.requests.clone().try_acquire_owned();
        let place = place.map_err(|_| "128 requests are under way already; send this one again when some are answered")?;
        let large = match bytes {
            0..=SMALL => None,
            _ => Some(self.large.clone().try_acquire_owned().map_err(
                |_| "4 requests of more than 16 KiB are under way already; send this one again when one of them is answered",
            )?),
        };
        Ok(Places([Some(place), large]))
    }

    async fn ask(&mut self, message: ClientMessage, id: Value, places: Places) {
        let under_way = self.bridge.under_way.begin(SESSION, &id);
        let opens = message.method == "initialize" && message.era() == Era::Legacy;
        let listens = message.method == "subscriptions/listen";
        let is_modern = message.era() == Era::Modern;
        let session = self.bridge.sessions.find(SESSION).filter(|_| !is_modern && !opens);
        let asked = Asked {
            headers: message.headers(),
            message,
            id,
            session,
            key: Some(SESSION),
            cancelled: under_way.cancelled.clone(),
            has_our_headers: true,
        };
        let (bridge, ending) = (self.bridge.clone(), self.ending.clone());
        let out = Out::Lines { lines: self.lines.clone(), muted: under_way.cancelled.clone() };
        let asking = async move {
            let _held = (under_way, places);
            let answering =
                async { if listens { listen(&bridge, &asked, &out).await } else { converse(&bridge, &asked, &out).await } };
            tokio::select! {
                () = answering => {}
                // Closing the answer cancels the request.
                () = asked.cancelled.cancelled(), if is_modern => {}
                () = ending.cancelled() => {}
            }
        };
        if opens {
            // What follows is said in the session that begins here.
            self.stream = None;
            asking.await;
        } else if listens {
            tokio::spawn(asking);
        } else {
            self.calls.spawn(asking);
        }
    }

    /// Tells the server something that has no answer, if there is a place for it.
    fn tell(&self, message: ClientMessage) {
        let places = match self.places(message.body.len()) {
            Ok(places) => places,
            Err(words) => return tracing::warn!("{} was left out: {words}", message.method),
        };
        let (bridge, ending) = (self.bridge.clone(), self.ending.clone());
        let mut headers = message.headers();
        if message.era() == Era::Legacy
            && let Some(session) = bridge.sessions.find(SESSION)
        {
            session.speak(&mut headers);
        }
        let telling = async move {
            let _held = places;
            let ask = Ask::Message(message.body);
            for _ in 0..2 {
                match bridge.upstream.deliver(&ask, &headers).await {
                    Err(Failure { kind: FailureKind::Lost, .. }) => {}
                    Err(failure) => return tracing::warn!("{} did not reach the server: {}", message.method, failure.words),
                    Ok(_) => return,
                }
            }
        };
        self.calls.spawn(async move {
            tokio::select! {
                () = telling => {}
                () = ending.cancelled() => {}
            }
        });
    }

    /// Opens the stream of the session.
    fn follow(&mut self) {
        let Some(session) = self.bridge.sessions.find(SESSION) else { return };
        let (bridge, out) = (self.bridge.clone(), self.out());
        let following = async move { follow(&bridge, &session, headers::of_stream(), &out).await };
        self.stream = Some(AbortOnDropHandle::new(tokio::spawn(following)));
    }

    fn out(&self) -> Out {
        Out::Lines { lines: self.lines.clone(), muted: CancellationToken::new() }
    }

    async fn say(&self, text: Text) {
        // Whoever does not read any more has ended everything.
        let _ = self.lines.send(text).await;
    }
}
