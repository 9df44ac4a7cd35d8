//! One connection: its requests one after the other, and the time that its client may take.
//!
//! hyper has one time limit for a request's head and for the pause before it. Here they are two. A head has to come quickly once it has
//! begun. A pause may be long, longer than clients and proxies keep an idle connection: if the server closed first, a request that
//! is on its way in that moment would be lost, and some MCP clients do not survive that.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::HttpResponse;
use super::connections::Connections;
use super::peer::Peer;

/// How long a client may take to begin its first request, and how long any request's head may take from its first byte on.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection may be idle between two requests: more than the 600 s of the most patient load balancers.
const IDLE_TIME: Duration = Duration::from_secs(620);

/// How often an idle connection looks whether it should make room for others.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// How long a client may leave an answer unread. With the megabytes that the kernel keeps for a connection, a reader of 50 kB/s is in
/// time; one that has gone away without a word, or that means harm, holds an answer's memory no longer than this.
const STALL_TIME: Duration = Duration::from_secs(60);

/// How long something may be left to write, beside what [`SLOWEST_READER`] makes of its size. A reader that takes a little now and then
/// would otherwise hold its place, and the memory of its answer, for hours.
const BEHIND_TIME: Duration = Duration::from_secs(60);

/// Bytes a second of the slowest client that is waited for: a bad mobile network. It gets 5 MiB in some three minutes.
const SLOWEST_READER: u64 = 50_000;

/// Bytes of a request's head. Tokens of some identity providers have 16 KiB.
const HEAD_BYTES: usize = 32 * 1024;

/// Headers of a request.
const HEADERS: usize = 100;

/// How large a request's head may be.
#[derive(Clone, Copy)]
pub(super) struct HeadLimits {
    bytes: usize,
    headers: usize,
}

impl HeadLimits {
    pub(super) const OF_ANYBODY: Self = Self { bytes: HEAD_BYTES, headers: HEADERS };

    /// A front proxy has a header for each group of a user, of which a directory has many. The largest user that is known fits in, so that one
    /// who is larger is told so.
    const OF_PROXY: Self = Self { bytes: 256 * 1024, headers: 4_096 };

    /// Those of a client: whoever has shown a certificate may be a proxy.
    pub(super) fn of(peer: &Peer) -> Self {
        if peer.certificate.is_some() { Self::OF_PROXY } else { Self::OF_ANYBODY }
    }
}

/// Serves a connection, whose requests may have heads of this size, until its client ends it, is too slow, or the server stops.
pub(super) async fn serve<S, A, F>(stream: S, head: HeadLimits, answer: A, connections: Connections, stop: Watcher)
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = HttpResponse> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let turns = Turns::default();
    let timed = Timed::new(stream, turns.clone(), connections);
    let service = service_fn(move |request: Request<Incoming>| {
        let turn = turns.begin();
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await.map(|body| body.on(turn))) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // Never reached; without it hyper would not read, and so not run our timers, while a connection is idle.
        .header_read_timeout(2 * IDLE_TIME)
        .max_buf_size(head.bytes)
        .max_header_size(head.bytes)
        .max_headers(head.headers)
        .serve_connection(TokioIo::new(timed), service);
    if let Err(error) = stop.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// What a connection and its answers know of each other.
#[derive(Clone, Default)]
struct Turns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The beginnings and ends of requests: an odd number while one is answered.
    count: AtomicUsize,
    /// The client is gone, or so slow that it counts as gone.
    lost: AtomicBool,
}

/// From a request's head until its answer has been sent.
pub(super) struct Turn(Turns);

impl Turns {
    fn begin(&self) -> Turn {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Turn(self.clone())
    }

    fn count(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    fn lose(&self) {
        self.0.lost.store(true, Ordering::Release);
    }
}

impl Turn {
    /// Whether the connection has ended before the answer could be sent.
    pub(super) fn is_lost(&self) -> bool {
        self.0.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.count.fetch_add(1, Ordering::AcqRel);
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Awaiting {
    /// The rest of a head, or the first byte of the first one.
    Head,
    /// An answer of ours, which has its own limits, and the body of its request, too.
    Answer,
    /// The next request.
    Request { since: Instant },
}

/// A stream that fails when its client is too slow.
struct Timed<S> {
    stream: S,
    turns: Turns,
    /// The count that was there at the last read.
    seen: usize,
    connections: Connections,
    awaiting: Awaiting,
    timer: Pin<Box<Sleep>>,
    /// Runs while there is something to write and the client does not take it.
    stalled: Option<Pin<Box<Sleep>>>,
    behind: Option<Behind>,
    /// Runs while the connection ends and the client does not take it.
    ending: Option<Pin<Box<Sleep>>>,
}

/// Something is being written. Where an answer has no end, as a stream of events, this is about what has come of it so far: it is over
/// once the client has caught up, and begins anew with the next event.
struct Behind {
    since: Instant,
    /// Bytes that the client, or the kernel for it, has taken since.
    written: u64,
}

impl Behind {
    /// When the client has been too slow.
    fn deadline(&self) -> Instant {
        self.since + BEHIND_TIME + Duration::from_secs(self.written / SLOWEST_READER)
    }
}

impl<S> Timed<S> {
    fn new(stream: S, turns: Turns, connections: Connections) -> Self {
        let timer = Box::pin(sleep(HEAD_TIME));
        Self { stream, turns, seen: 0, connections, awaiting: Awaiting::Head, timer, stalled: None, behind: None, ending: None }
    }

    fn wait_for(&mut self, awaiting: Awaiting, time: Duration) {
        self.awaiting = awaiting;
        self.timer.as_mut().reset(Instant::now() + time);
    }

    /// Notices what has happened since the last read.
    fn catch_up(&mut self) {
        let turns = self.turns.count();
        if turns % 2 == 1 {
            self.awaiting = Awaiting::Answer;
        } else if turns != self.seen {
            self.wait_for(Awaiting::Request { since: Instant::now() }, IDLE_LOOK);
        }
        self.seen = turns;
    }

    /// Ready once the client has taken too long.
    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.awaiting == Awaiting::Answer {
                return Poll::Pending;
            }
            ready!(self.timer.as_mut().poll(context));
            match self.awaiting {
                // hyper still writes the last answer; that has a time limit of its own.
                Awaiting::Request { .. } if self.stalled.is_some() => {
                    self.wait_for(Awaiting::Request { since: Instant::now() }, IDLE_LOOK);
                }
                Awaiting::Request { since } if since.elapsed() < IDLE_TIME && !self.connections.is_crowded() => {
                    self.wait_for(Awaiting::Request { since }, IDLE_LOOK);
                }
                // Nothing read: the end of a connection in peace.
                Awaiting::Request { .. } => return Poll::Ready(Ok(())),
                _ => return Poll::Ready(Err(too_slow("no request came in time"))),
            }
        }
    }

    /// Passes on what has come of a write or a flush, or fails where the client has not taken anything for too long, or too little
    /// in all. `bytes` of it count as written.
    fn taken<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let behind = self.behind.get_or_insert_with(|| Behind { since: Instant::now(), written: 0 });
        if let Poll::Ready(outcome) = outcome {
            self.stalled = None;
            match &outcome {
                Ok(taken) => behind.written += bytes(taken) as u64,
                Err(_) => self.turns.lose(),
            }
            return Poll::Ready(outcome);
        }
        let deadline = behind.deadline().min(Instant::now() + STALL_TIME);
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep_until(deadline))).as_mut().poll(context));
        self.turns.lose();
        Poll::Ready(Err(too_slow("the client does not read its answer, or too slowly")))
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.catch_up();
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.poll_time(context),
            ready => {
                if buffer.filled().len() == before {
                    self.turns.lose();
                } else if matches!(self.awaiting, Awaiting::Request { .. }) {
                    self.wait_for(Awaiting::Head, HEAD_TIME);
                }
                ready
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(outcome, |&bytes| bytes, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.taken(outcome, |&bytes| bytes, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // hyper comes here once it has written all that it has. TLS may still hold a record of it.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        let outcome = ready!(self.taken(outcome, |()| 0, context));
        self.behind = None;
        Poll::Ready(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS says goodbye, which a client has to take, too.
        if let Poll::Ready(outcome) = Pin::new(&mut self.stream).poll_shutdown(context) {
            return Poll::Ready(outcome);
        }
        // A clock of its own: hyper flushes once more before each attempt.
        ready!(self.ending.get_or_insert_with(|| Box::pin(sleep(STALL_TIME))).as_mut().poll(context));
        Poll::Ready(Err(too_slow("the client does not take the end of the connection")))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper_util::server::graceful::GracefulShutdown;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream};
    use tokio_util::task::AbortOnDropHandle;

    use super::super::lease::{Lease, Outgoing};
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A connection to a server that answers with so many bytes. What is written is there at once, up to 4 KiB.
    struct Client {
        stream: DuplexStream,
        server: AbortOnDropHandle<()>,
        /// Dropping it would stop the server.
        running: GracefulShutdown,
        began: Instant,
    }

    impl Client {
        fn of(connections: &Connections, answer: usize) -> Self {
            Self::answered(connections, whole(answer))
        }

        /// One whose answer is a stream of events without end.
        fn of_events(bytes: usize, pause: Duration) -> Self {
            let events = move || {
                futures::stream::unfold((), move |()| async move {
                    tokio::time::sleep(pause).await;
                    Some((Bytes::from("x".repeat(bytes)).into(), ()))
                })
            };
            Self::answered(&Connections::new(64, None), move || Outgoing::parts(events(), ""))
        }

        fn answered(connections: &Connections, answer: impl Fn() -> Outgoing + Send + Sync + 'static) -> Self {
            Self::through(|far| far, connections, answer)
        }

        /// One whose bytes go through something on the server's side.
        fn through<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
            what: impl FnOnce(DuplexStream) -> S,
            connections: &Connections,
            answer: impl Fn() -> Outgoing + Send + Sync + 'static,
        ) -> Self {
            let (stream, far) = tokio::io::duplex(4096);
            let far = what(far);
            let answer = move |_| std::future::ready(HttpResponse::new(answer()));
            let running = GracefulShutdown::new();
            let served = serve(far, HeadLimits::OF_ANYBODY, answer, connections.clone(), running.watcher());
            Self { stream, server: AbortOnDropHandle::new(tokio::spawn(served)), running, began: Instant::now() }
        }

        async fn read_answer(&mut self) {
            let mut text = Vec::new();
            while !text.ends_with(b"\r\n\r\nx") {
                text.push(self.stream.read_u8().await.expect("an answer"));
            }
        }

        /// When the server has ended the connection.
        async fn ended(self) -> Duration {
            let Self { stream, server, began, running: _running } = self;
            server.await.expect("no panic");
            drop(stream);
            began.elapsed()
        }
    }

    /// Keeps something of what is written, as TLS does, and ends only when its client wants it to.
    struct Keeping(BufWriter<DuplexStream>);

    /// Bytes that it keeps.
    const KEPT: usize = 16 * 1024;

    impl Keeping {
        fn on(stream: DuplexStream) -> Self {
            Self(BufWriter::with_capacity(KEPT, stream))
        }
    }

    impl AsyncRead for Keeping {
        fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Keeping {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    fn near(time: Duration, expected: Duration) {
        assert!(time >= expected && time < expected + Duration::from_secs(1), "{time:?}, not {expected:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_given_up() {
        near(Client::of(&Connections::new(64, None), 1).ended().await, HEAD_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_byte_by_byte_is_given_up() {
        let mut client = Client::of(&Connections::new(64, None), 1);
        client.stream.write_all(GET).await.expect("sent");
        client.read_answer().await;
        // The second request too: the long pause is for connections on which nothing has begun.
        let began = Instant::now();
        for byte in GET {
            if client.stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        client.ended().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_stays_open_between_requests_for_longer_than_any_client_keeps_it() {
        let mut client = Client::of(&Connections::new(64, None), 1);
        for _ in 0..3 {
            client.stream.write_all(GET).await.expect("sent");
            client.read_answer().await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        client.began = Instant::now();
        let left = client.ended().await;
        assert!(left > Duration::ZERO && left < Duration::from_secs(30), "{left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_make_room_in_a_crowd() {
        let connections = Connections::new(8, None);
        let mut client = Client::of(&connections, 1);
        client.stream.write_all(GET).await.expect("sent");
        client.read_answer().await;
        let mut crowd = Vec::new();
        while !connections.is_crowded() {
            crowd.push(connections.seat().await);
        }
        client.began = Instant::now();
        near(client.ended().await, IDLE_LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let mut client = Client::of(&Connections::new(64, None), 1 << 20);
        client.stream.write_all(GET).await.expect("sent");
        near(client.ended().await, STALL_TIME);
    }

    fn whole(bytes: usize) -> impl Fn() -> Outgoing + Send + Sync + 'static {
        move || Outgoing::whole("x".repeat(bytes), Lease::default())
    }

    #[tokio::test(start_paused = true)]
    async fn what_tls_keeps_of_an_answer_waits_no_longer_for_its_reader() {
        let mut client = Client::through(Keeping::on, &Connections::new(64, None), whole(KEPT - 1000));
        client.stream.write_all(GET).await.expect("sent");
        near(client.ended().await, STALL_TIME);

        let mut slow = Client::through(Keeping::on, &Connections::new(64, None), whole(60_000));
        assert!(read_slowly(&mut slow, Duration::from_secs(3), 60_000).await >= 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_goodbye_of_tls_waits_no_longer_for_its_reader() {
        let mut client = Client::through(Keeping::on, &Connections::new(64, None), whole(1));
        client.stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sent");
        client.read_answer().await;
        near(client.ended().await, STALL_TIME);
    }

    /// Reads 4 KiB after each pause, until so many bytes have come or the server has cut it off; how many have come.
    async fn read_slowly(client: &mut Client, pause: Duration, most: usize) -> usize {
        client.stream.write_all(GET).await.expect("sent");
        let mut buffer = vec![0; 4096];
        let mut read = 0;
        while read < most {
            tokio::time::sleep(pause).await;
            match client.stream.read(&mut buffer).await {
                Ok(bytes) if bytes > 0 => read += bytes,
                _ => break,
            }
        }
        read
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_slowly_is_not_given_up() {
        // Far below the slowest rate, and over soon.
        let mut small = Client::of(&Connections::new(64, None), 100_000);
        assert!(read_slowly(&mut small, Duration::from_secs(2), 100_000).await >= 100_000);
        // Little more than the slowest rate, for many minutes.
        let mut large = Client::of(&Connections::new(64, None), 32 << 20);
        assert!(read_slowly(&mut large, Duration::from_millis(80), 32 << 20).await >= 32 << 20);
        assert!(large.began.elapsed() > 5 * BEHIND_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_a_little_now_and_then_is_given_up() {
        let mut client = Client::of(&Connections::new(64, None), 1 << 20);
        let read = read_slowly(&mut client, STALL_TIME / 2, 1 << 20).await;
        assert!(read < 32 * 1024, "{read}");
        // What the pipe still held has been read after the end.
        let lasted = client.began.elapsed();
        assert!(lasted <= BEHIND_TIME + STALL_TIME, "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_lasts_as_long_as_its_reader_keeps_up() {
        // A whole hour of rare events, read at a rate that would be too slow for one answer.
        let mut rare = Client::of_events(1000, Duration::from_secs(30));
        assert!(read_slowly(&mut rare, Duration::from_secs(20), 120_000).await >= 120_000);
        assert!(rare.began.elapsed() > 10 * BEHIND_TIME);
        let mut flood = Client::of_events(4096, Duration::from_secs(1));
        let read = read_slowly(&mut flood, STALL_TIME / 2, 1 << 20).await;
        assert!(read < 64 * 1024, "{read}");
    }
}
