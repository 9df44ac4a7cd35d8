//! Where the time of calls goes, for a collector of OpenTelemetry: OTLP over HTTP, as Protobuf.
//!
//! [`Traces`] is told of calls as an observer, decides which of them have spans, and puts those into a queue. What is there is made into
//! messages (`message`) and sent (`export`) beside everything, to where `settings` and `environment` say.
//!
//! Invariant: a call waits for nothing here. Whatever the collector does, the queue is bounded, and what does not fit is dropped and counted.
//!
//! Invariant: what a span says comes from the catalog, from discovery and from closed sets of our own, but for the ids and the state of its
//! caller's trace. Nothing of arguments, answers, namespaces, names of objects, callers and sessions.

mod collector;
mod ended;
mod environment;
mod export;
mod message;
mod otlp;
mod sampler;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sandbar_catalog::{EndedCall, Observer};
use sandbar_spans::{Trace, TraceParent};
use tokio::sync::mpsc;

use self::collector::Collector;
use self::ended::TracedCall;
pub use self::environment::Environment;
pub use self::export::Export;
use self::export::Exporter;
pub use self::sampler::Sampler;
pub use self::settings::Settings;

/// Calls that wait until they are sent: at most some 16 MiB, where each has made as many requests as have spans, and 1 MiB as a rule.
const QUEUE: usize = 1024;

/// Who traces calls.
pub struct Traces {
    sampler: Sampler,
    queue: mpsc::Sender<TracedCall>,
    dropped: Arc<AtomicU64>,
}

impl Traces {
    /// Traces calls from now on, and sends what there is. An error says which of the settings cannot be used. Must be called on a tokio runtime.
    pub fn start(settings: Settings) -> Result<(Arc<Self>, Export), String> {
        let (sampler, resource) = (settings.sampler, settings.resource.clone());
        let collector = Collector::new(settings);
        // What is wrong with files and addresses is told at the start, and not once something is to be sent.
        collector.connect()?;
        let (queue, ended) = mpsc::channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let exporter = Exporter::new(ended, dropped.clone(), resource, collector.into_post());
        Ok((Arc::new(Self { sampler, queue, dropped }), Export::start(exporter)))
    }

    /// Spans that no collector has taken.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Settings {
    /// Whether files and address can be used; what is wrong otherwise. It reads them, so it may take a moment.
    pub fn check(&self) -> Result<(), String> {
        Collector::new(self.clone()).connect()
    }

    /// Sends the collector no spans, and says why it does not take them.
    pub async fn reach(&self) -> Result<(), String> {
        export::ask(&Collector::new(self.clone()).into_post()).await
    }
}

impl Observer for Traces {
    fn ended(&self, call: &EndedCall<'_>) {
        let Some(trace) = call.trace.filter(|trace| trace.is_sampled()) else { return };
        let ended = TracedCall::new(call, trace);
        let spans = ended.spans();
        if self.queue.try_send(ended).is_err() {
            self.dropped.fetch_add(spans, Ordering::Relaxed);
        }
    }

    fn trace(&self, parent: Option<&TraceParent>) -> Option<Trace> {
        Trace::begin(parent, |id, decided| self.sampler.decide(id, decided))
    }
}
