//! Sends what there is, some at a time and one batch after the other, by the rules of OTLP: what may be there later is tried again for a
//! while, and what a collector refuses is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use prost::Message as _;
use sandbar_kubernetes::Receipt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::collector::Post;
use super::ended::TracedCall;
use super::message::message;
use super::otlp::ExportTraceServiceResponse;

/// Spans of a batch, as SDKs have it. The last call of one may bring some more.
const BATCH: u64 = 512;

/// How long a span waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// How long a collector may take for a batch, as SDKs have it.
const POST_TIME: Duration = Duration::from_secs(10);

/// The pauses before a batch is sent again: twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How long a batch is tried again: meanwhile those behind it wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last spans may take when the server ends. All that it does before takes up to 29 s of a pod's 30 s, the last answers of the
/// metrics' port beside this.
const FLUSH: Duration = Duration::from_millis(800);

/// How long it is not said again that a collector is too slow.
const SAID_FOR: Duration = Duration::from_secs(60);

/// What sends spans while this is there.
pub struct Export {
    stop: watch::Sender<bool>,
    sending: JoinHandle<()>,
}

impl Export {
    pub(super) fn start(exporter: Exporter) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, sending: tokio::spawn(exporter.run(stopped)) }
    }

    /// Sends what is left, as far as that takes no longer than a moment.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        if timeout(FLUSH, &mut self.sending).await.is_err() {
            self.sending.abort();
            tracing::warn!("the last spans are lost: the collector has not taken them within {} ms", FLUSH.as_millis());
        }
    }
}

/// The other end of the queue.
pub(super) struct Exporter {
    queue: mpsc::Receiver<TracedCall>,
    dropped: Arc<AtomicU64>,
    /// Of those, the ones that were in a batch.
    unsent: u64,
    resource: Vec<(String, String)>,
    post: Post,
    /// What is wrong, as it was said.
    trouble: Option<String>,
    /// How many had no room in the queue, and when that was said.
    overflow: u64,
    overflow_said: Option<Instant>,
}

/// What has become of a batch that was sent.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is there, but for so many spans.
    Taken(u64),
    /// It is not, and sending it again changes nothing.
    Refused(String),
    /// It may be taken later, after this pause if the collector names one.
    Later(String, Option<Duration>),
}

/// Sends one message without spans, and says why it is not taken.
pub(super) async fn ask(post: &Post) -> Result<(), String> {
    match attempt(post, Bytes::from(message(&[], &[]).encode_to_vec())).await {
        Verdict::Taken(_) => Ok(()),
        Verdict::Refused(why) | Verdict::Later(why, _) => Err(why),
    }
}

async fn attempt(post: &Post, body: Bytes) -> Verdict {
    match timeout(POST_TIME, post(body)).await {
        Ok(answer) => Verdict::of(answer),
        Err(_late) => Verdict::Later(format!("the collector has not answered within {} s", POST_TIME.as_secs()), None),
    }
}

impl Exporter {
    pub(super) fn new(
        queue: mpsc::Receiver<TracedCall>,
        dropped: Arc<AtomicU64>,
        resource: Vec<(String, String)>,
        post: Post,
    ) -> Self {
        Self { queue, dropped, unsent: 0, resource, post, trouble: None, overflow: 0, overflow_said: None }
    }

    /// Sends until it is stopped, and then what is left.
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        while let Some(batch) = self.next(&mut stopped).await {
            self.deliver(batch, &mut stopped).await;
        }
    }

    /// The next batch. Once it is stopped, of what is there; none where nothing is.
    async fn next(&mut self, stopped: &mut watch::Receiver<bool>) -> Option<Vec<TracedCall>> {
        let first = tokio::select! {
            biased;
            call = self.queue.recv() => call?,
            () = stop(stopped) => {
                self.queue.close();
                self.queue.recv().await?
            }
        };
        let (mut spans, due) = (first.spans(), Instant::now() + DELAY);
        let mut batch = vec![first];
        while spans < BATCH {
            tokio::select! {
                biased;
                call = self.queue.recv() => {
                    let Some(call) = call else { break };
                    spans += call.spans();
                    batch.push(call);
                }
                () = stop(stopped) => self.queue.close(),
                () = sleep_until(due) => break,
            }
        }
        Some(batch)
    }

    /// Sends a batch, again and again if need be.
    async fn deliver(&mut self, batch: Vec<TracedCall>, stopped: &mut watch::Receiver<bool>) {
        let spans = batch.iter().map(TracedCall::spans).sum();
        let body = Bytes::from(message(&self.resource, &batch).encode_to_vec());
        let jitter = batch.first().map_or(0, |call| call.trace.randomness());
        drop(batch);
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match attempt(&self.post, body.clone()).await {
                Verdict::Taken(0) => return self.is_well(),
                Verdict::Taken(rejected) => {
                    self.lose(rejected.min(spans));
                    return self.is_not_well("the collector rejects some; its own log says why".to_owned());
                }
                Verdict::Refused(why) => {
                    self.lose(spans);
                    return self.is_not_well(why);
                }
                Verdict::Later(why, named) => {
                    self.is_not_well(why);
                    // A collector may ask for more time, and not for less.
                    let wait = named.unwrap_or_default().max(part_of(pause, jitter));
                    if *stopped.borrow() || began.elapsed().saturating_add(wait) > PATIENCE {
                        return self.lose(spans);
                    }
                    // Once it is stopped there is one more attempt.
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = stop(stopped) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn lose(&mut self, spans: u64) {
        self.unsent += spans;
        self.dropped.fetch_add(spans, Ordering::Relaxed);
    }

    /// The collector has taken all of a batch.
    fn is_well(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let overflow = dropped.saturating_sub(self.unsent);
        let grows = overflow > std::mem::replace(&mut self.overflow, overflow);
        if self.trouble.take().is_some() {
            tracing::info!(dropped, "spans are taken again");
        } else if grows && self.overflow_said.is_none_or(|at| at.elapsed() >= SAID_FOR) {
            self.overflow_said = Some(Instant::now());
            tracing::warn!(
                dropped,
                "spans are lost, since calls make them faster than the collector takes them: have a smaller `sample`"
            );
        }
    }

    /// Says what is wrong, once.
    fn is_not_well(&mut self, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!("spans are not taken, and lost if that goes on: {why}");
            self.trouble = Some(why);
        }
    }
}

impl Verdict {
    fn of(answer: Result<Receipt, String>) -> Self {
        let Receipt { status, headers, body } = match answer {
            Ok(receipt) => receipt,
            Err(why) => return Self::Later(why, None),
        };
        match status {
            _ if status.is_success() => Self::Taken(body.as_deref().and_then(rejected).unwrap_or_default()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Later(format!("the collector answers {status}"), retry_after(&headers)),
            _ => Self::Refused(format!("the collector answers {status}")),
        }
    }
}

/// How much the collector has not taken of a batch. It says why, in words that may hold whatever it was sent, headers included: so they are
/// not passed on.
fn rejected(body: &[u8]) -> Option<u64> {
    let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
    u64::try_from(partial.rejected_spans).ok()
}

/// The seconds that a collector asks for. The other form of this header, a date, goes by its clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// From half of a pause to all of it, so that servers of one collector do not come back all at once.
fn part_of(pause: Duration, jitter: u64) -> Duration {
    let thousandth = u32::try_from(jitter % 1000).unwrap_or_default();
    pause / 2 + pause / 2 * thousandth / 1000
}

/// Waits until it is stopped, or nobody can stop it any more.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(status: u16, headers: &[(header::HeaderName, &'static str)], body: Vec<u8>) -> Result<Receipt, String> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value))).collect();
        Ok(Receipt { status: StatusCode::from_u16(status).expect("a status"), headers, body: Some(body.into()) })
    }

    #[test]
    fn what_may_be_taken_later_is_what_otlp_says() {
        for (status, later) in
            [(429, true), (502, true), (503, true), (504, true), (400, false), (401, false), (404, false), (500, false)]
        {
            assert_eq!(matches!(Verdict::of(receipt(status, &[], Vec::new())), Verdict::Later(..)), later, "{status}");
        }
        let after = |value| match Verdict::of(receipt(503, &[(header::RETRY_AFTER, value)], Vec::new())) {
            Verdict::Later(_, pause) => pause,
            other => panic!("{other:?}"),
        };
        assert_eq!((after("7"), after("Wed, 21 Oct 2026 07:28:00 GMT"), after("-1")), (Some(Duration::from_secs(7)), None, None));
        assert!(matches!(Verdict::of(Err("no way".to_owned())), Verdict::Later(_, None)));
        assert_eq!(Verdict::of(receipt(200, &[], b"no Protobuf".to_vec())), Verdict::Taken(0));
    }

    #[test]
    fn what_is_rejected_is_counted() {
        use super::super::otlp::ExportTracePartialSuccess;
        let of = |rejected_spans| {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: "a hint".to_owned() });
            Verdict::of(receipt(200, &[], ExportTraceServiceResponse { partial_success }.encode_to_vec()))
        };
        assert_eq!([0, -1, 3].map(of), [0, 0, 3].map(Verdict::Taken));
    }

    #[test]
    fn pauses_differ_within_their_half() {
        let pause = Duration::from_secs(8);
        assert_eq!((part_of(pause, 0), part_of(pause, 999)), (Duration::from_secs(4), Duration::from_millis(7996)));
    }
}
