//! Batches on their way: what is sent together, again, and not at all. The clock is paused, so that it goes on when nothing else does.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderMap, StatusCode};
use prost::Message as _;
use sandbar_catalog::{Offer, Outcome};
use sandbar_kubernetes::Receipt;
use sandbar_policy::{Caller, Identity};

use super::otlp::{ExportTraceServiceRequest, Span};
use super::*;

/// What a made-up collector does with one message after the other, and with all after the last like with that one; none: it never answers.
type Script = VecDeque<Option<u16>>;

/// Traces of all calls, what sends them, and the messages that the collector has taken.
struct World {
    traces: Arc<Traces>,
    export: Export,
    taken: Arc<Mutex<Vec<Vec<Span>>>>,
    asked: Arc<AtomicU64>,
}

impl World {
    fn new(script: impl Into<Script>) -> Self {
        Self::asking_to_wait(None, script)
    }

    /// With this in the header `Retry-After` of every answer.
    fn asking_to_wait(wait: Option<&'static str>, script: impl Into<Script>) -> Self {
        let headers = HeaderMap::from_iter(wait.map(|wait| (http::header::RETRY_AFTER, http::HeaderValue::from_static(wait))));
        let script = Mutex::new(script.into());
        let (taken, asked) = (Arc::<Mutex<Vec<Vec<Span>>>>::default(), Arc::<AtomicU64>::default());
        let (taking, asking) = (taken.clone(), asked.clone());
        let post = move |message: Bytes| {
            asking.fetch_add(1, Ordering::Relaxed);
            let mut script = script.lock().expect("not poisoned");
            let status = if script.len() > 1 { script.pop_front().flatten() } else { script.front().copied().flatten() };
            if status == Some(200) {
                let message = ExportTraceServiceRequest::decode(message).expect("OTLP");
                let spans = message.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
                taking.lock().expect("not poisoned").push(spans.collect());
            }
            let headers = headers.clone();
            async move {
                let Some(status) = status else { return std::future::pending().await };
                let status = StatusCode::from_u16(status).map_err(|_| "no way".to_owned())?;
                Ok(Receipt { status, headers, body: None })
            }
            .boxed()
        };
        let (queue, ended) = mpsc::channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let exporter = Exporter::new(ended, dropped.clone(), Vec::new(), Box::new(post));
        let traces = Arc::new(Traces { sampler: Sampler::default(), queue, dropped });
        Self { traces, export: Export::start(exporter), taken, asked }
    }

    fn call(&self) {
        let trace = self.traces.trace(None).expect("random numbers");
        self.traces.ended(&EndedCall {
            caller: &Caller::new(Identity::Anonymous),
            version: None,
            offer: Offer::Tool,
            name: "get_events",
            component: None,
            argument_bytes: 2,
            is_let_in: true,
            run: None,
            outcome: Outcome::Refused,
            error: None,
            began: Instant::now(),
            took: Duration::ZERO,
            trace: Some(&trace),
        });
    }

    /// How many spans were in each message that was taken.
    fn batches(&self) -> Vec<usize> {
        self.taken.lock().expect("not poisoned").iter().map(Vec::len).collect()
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Lets as much time go by.
async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn spans_wait_for_each_other_a_while_and_no_longer_than_until_there_are_many() {
    let world = World::new([Some(200)]);
    (0..3).for_each(|_| world.call());
    tokio::task::yield_now().await;
    assert_eq!(world.batches(), Vec::<usize>::new());
    after(2).await;
    assert_eq!(world.batches(), [3]);
    (0..600).for_each(|_| world.call());
    after(2).await;
    assert_eq!(world.batches(), [3, 512, 88]);
    assert_eq!(world.traces.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_taken_later_is_sent_again() {
    // A status that there is not stands for a connection that fails.
    let world = World::new([Some(503), Some(1), None, Some(429), Some(200)]);
    world.call();
    after(40).await;
    assert_eq!((world.batches(), world.asked(), world.traces.dropped()), (vec![1], 5, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_lost_at_once_and_what_is_not_taken_after_a_while() {
    let world = World::new([Some(400)]);
    world.call();
    after(2).await;
    assert_eq!((world.asked(), world.traces.dropped()), (1, 1));

    let world = World::new([Some(503)]);
    world.call();
    after(20).await;
    assert_eq!(world.traces.dropped(), 0);
    after(20).await;
    assert_eq!(world.traces.dropped(), 1);
    let asked = world.asked();
    assert!((4..=10).contains(&asked), "{asked}");
    after(100).await;
    assert_eq!(world.asked(), asked, "nothing is left to send");
}

#[tokio::test(start_paused = true)]
async fn a_collector_can_ask_for_more_time_and_neither_for_less_nor_for_all_of_it() {
    let world = World::asking_to_wait(Some("0"), [Some(503)]);
    world.call();
    after(60).await;
    assert!((4..=10).contains(&world.asked()), "{}", world.asked());
    assert_eq!(world.traces.dropped(), 1);

    // More than any clock has: that batch is given up, and the next one sent.
    let world = World::asking_to_wait(Some("18446744073709551615"), [None, Some(503), Some(200)]);
    world.call();
    after(60).await;
    assert_eq!((world.asked(), world.traces.dropped()), (2, 1));
    world.call();
    after(2).await;
    assert_eq!(world.batches(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_the_queue_is_lost_and_counted() {
    let world = World::new([None, Some(200)]);
    // The first is on its way, and its collector says nothing.
    world.call();
    after(2).await;
    (0..QUEUE + 5).for_each(|_| world.call());
    assert_eq!(world.traces.dropped(), 5);
    after(30).await;
    assert_eq!(world.batches().iter().sum::<usize>(), QUEUE + 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_left_is_sent_or_given_up_in_a_moment() {
    let world = World::new([Some(200)]);
    (0..3).for_each(|_| world.call());
    let (taken, began) = (world.taken.clone(), tokio::time::Instant::now());
    world.export.end().await;
    assert_eq!(taken.lock().expect("not poisoned").iter().map(Vec::len).collect::<Vec<_>>(), [3]);
    assert_eq!(began.elapsed(), Duration::ZERO);

    let world = World::new([None]);
    world.call();
    let began = tokio::time::Instant::now();
    world.export.end().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
