//! A client that has started this process, and speaks over its standard streams: a message a line, and nothing else on standard output.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandbar_mcp::{Era, RequestId};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::bridge::Bridge;
use crate::conversation::{Asked, converse};
use crate::failure::refusal;
use crate::headers;
use crate::message::{ClientMessage, Kind};
use crate::out::Out;
use crate::room::Text;
use crate::stream::{follow, listen};
use crate::telling::tell;

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
        opening: None,
        waiting: VecDeque::new(),
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

/// Reads messages until there are no more, and waits for the last answers. Nothing of the server's keeps it from reading on.
async fn read(mut client: Client, input: impl AsyncRead + Send + Unpin) -> io::Result<()> {
    let mut input = BufReader::new(input);
    loop {
        match client.while_reading(next_line(&mut input)).await? {
            Line::End => break,
            Line::Message(line) if line.trim_ascii().is_empty() => {}
            Line::Message(line) => client.receive(line.into()).await,
            Line::TooLong => {
                let words = format!("a message has more than {LINE_MAX} bytes, which is the most that is passed on");
                client.say(refusal(&Value::Null, &words)).await;
            }
        }
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, client.last_answers()).await;
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
    /// The `initialize` that is not answered yet. What follows it is said in the session that it begins, so it waits.
    opening: Option<JoinHandle<()>>,
    /// What waits for that, in order: no more than there are places.
    waiting: VecDeque<(ClientMessage, Places)>,
}

/// The places that a message has until it is answered, or told.
#[derive(Default)]
struct Places {
    _one: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// What is read, while what waits goes on once it can.
    async fn while_reading<T>(&mut self, reading: impl Future<Output = T>) -> T {
        let mut reading = pin!(reading);
        loop {
            tokio::select! {
                read = &mut reading => return read,
                () = self.opened() => self.go_on(),
            }
        }
    }

    /// Resolves once there is an answer to the `initialize`, if one is asked.
    async fn opened(&mut self) {
        match &mut self.opening {
            Some(opening) => drop(opening.await),
            None => std::future::pending().await,
        }
        self.opening = None;
    }

    /// Does what has waited.
    fn go_on(&mut self) {
        while self.opening.is_none()
            && let Some((message, places)) = self.waiting.pop_front()
        {
            self.pass_on(message, places);
        }
    }

    /// Waits until everything is answered that was read.
    async fn last_answers(&mut self) {
        while self.opening.is_some() {
            self.opened().await;
            self.go_on();
        }
        self.calls.close();
        self.calls.wait().await;
    }

    async fn receive(&mut self, line: Bytes) {
        let message = match ClientMessage::read(line) {
            Ok(message) => message,
            Err(refused) => return self.say(Text::of(refused)).await,
        };
        let cancels = match &message.kind {
            Kind::Notification { cancelled: Some(id) } => {
                let was_waiting = self.forget(id);
                let was_under_way = self.bridge.in_flight.cancel(SESSION, id);
                // In the modern era a request is cancelled by closing its answer.
                if was_waiting || self.bridge.sessions.find(SESSION).is_none() {
                    return;
                }
                was_under_way
            }
            _ => false,
        };
        match self.places(message.body.len()) {
            // What is taken back gives up a place, and is told whether there is one or not: once for each request.
            _ if cancels && message.body.len() <= SMALL => self.tell(message, Places::default()),
            Ok(places) if self.opening.is_some() => self.waiting.push_back((message, places)),
            Ok(places) => self.pass_on(message, places),
            Err(words) => self.turn_away(&message, &words).await,
        }
    }

    /// Says that there is no place for a message.
    async fn turn_away(&self, message: &ClientMessage, words: &str) {
        match &message.kind {
            Kind::Request(id) => self.say(refusal(&id.clone().into_json_value(), words)).await,
            Kind::Notification { .. } | Kind::Response => tracing::warn!("{} was left out: {words}", message.method),
        }
    }

    /// Leaves out a request that waits; whether there was one.
    fn forget(&mut self, id: &RequestId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(message, _)| !matches!(&message.kind, Kind::Request(waiting) if waiting == id));
        self.waiting.len() < before
    }

    fn pass_on(&mut self, message: ClientMessage, places: Places) {
        if let Kind::Request(id) = message.kind.clone() {
            return self.ask(message, id, places);
        }
        let is_initialized = message.method == "notifications/initialized";
        self.tell(message, places);
        if is_initialized {
            self.follow();
        }
    }

    /// The places for a message of so many bytes.
    fn places(&self, bytes: usize) -> Result<Places, String> {
        let place = |of: &Arc<Semaphore>, those: String| {
            let refused = |_| format!("{those} are under way already; send this one again when some are answered");
            of.clone().try_acquire_owned().map_err(refused)
        };
        let one = place(&self.requests, format!("{REQUESTS} requests"))?;
        let large = match bytes {
            0..=SMALL => None,
            _ => Some(place(&self.large, format!("{LARGE} requests of more than {} KiB", SMALL >> 10))?),
        };
        Ok(Places { _one: Some(one), _large: large })
    }

    fn ask(&mut self, message: ClientMessage, id: RequestId, places: Places) {
        let in_flight = self.bridge.in_flight.begin(SESSION, &id);
        let cancelled = in_flight.cancellation().clone();
        let opens = message.method == "initialize" && message.era() == Era::Legacy;
        let listens = message.is_subscription();
        let is_modern = message.era() == Era::Modern;
        let session = self.bridge.sessions.find(SESSION).filter(|_| !is_modern && !opens);
        let asked = Asked {
            headers: message.headers(),
            message,
            id: id.into_json_value(),
            session,
            key: Some(SESSION),
            cancelled: cancelled.clone(),
            has_our_headers: true,
        };
        let (bridge, ending) = (self.bridge.clone(), self.ending.clone());
        let out = Out::Lines { lines: self.lines.clone(), muted: cancelled };
        let asking = async move {
            let _held = (in_flight, places);
            let answering =
                async { if listens { listen(&bridge, &asked, &out).await } else { converse(&bridge, &asked, &out).await } };
            tokio::select! {
                () = answering => {}
                // Closing the answer cancels the request. Before its session is there, a server cannot be told of it in any other way.
                () = asked.cancelled.cancelled(), if is_modern || opens => {}
                () = ending.cancelled() => {}
            }
        };
        if opens {
            self.stream = None;
            self.opening = Some(self.calls.spawn(asking));
        } else if listens {
            tokio::spawn(asking);
        } else {
            self.calls.spawn(asking);
        }
    }

    /// Tells the server something that has no answer.
    fn tell(&self, message: ClientMessage, places: Places) {
        let (bridge, ending) = (self.bridge.clone(), self.ending.clone());
        let session = self.bridge.sessions.find(SESSION).filter(|_| message.era() == Era::Legacy);
        let headers = message.headers();
        self.calls.spawn(async move {
            let _held = places;
            tokio::select! {
                _told = tell(&bridge.upstream, &message, &headers, session.as_deref()) => {}
                () = ending.cancelled() => {}
            }
        });
    }

    /// Opens the stream of the session.
    fn follow(&mut self) {
        let Some(session) = self.bridge.sessions.find(SESSION) else { return };
        let (bridge, out) = (self.bridge.clone(), self.out());
        let following = async move { follow(&bridge, SESSION, &session, headers::of_stream(), &out).await };
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
