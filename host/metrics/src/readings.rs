//! What is under way, read when somebody scrapes.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// What is under way at a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Calls that run.
    pub calls_running: usize,
    /// Calls that wait for a turn or a slot.
    pub calls_waiting: usize,
    /// Calls that may run at once.
    pub slots: usize,
    /// Slots that are taken, by calls and by the compiler.
    pub slots_taken: usize,
    /// Calls that may be let in at once.
    pub places: usize,
    /// Calls that are let in.
    pub places_taken: usize,
    /// Connections that may be open.
    pub connections: usize,
    /// Connections that are.
    pub connections_open: usize,
    /// Connections beyond them, which are told to come back.
    pub connections_overflow: usize,
    /// Streams that may be open.
    pub streams: usize,
    /// Streams that are.
    pub streams_open: usize,
    /// Bytes of answers that wait for their readers.
    pub backlog: usize,
    /// Bytes of memory that the server may use.
    pub memory_limit: u64,
    /// How often somebody's rights were known.
    pub access_reviews: Lookups,
    /// How often it was known whose a token is that the API server reviews.
    pub token_reviews: Lookups,
    /// The same of the tokens of issuers.
    pub oidc_tokens: Lookups,
    /// Spans that no collector has taken; none where calls have none.
    pub spans_dropped: Option<u64>,
    /// When the certificate of the listener expires; none where it has none.
    pub certificate_expires: Option<SystemTime>,
}

/// How often something was known from before, and how often it had to be found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// It was known.
    pub hits: u64,
    /// It was not.
    pub misses: u64,
}

/// Where it is read.
pub(super) type Read = OnceLock<Box<dyn Fn() -> Readings + Send + Sync>>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    review: &'static str,
}

pub(super) struct Reading(pub(super) Arc<Read>);

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(read) = self.0.get() else { return Ok(()) };
        // All by name, so that another one has to be thought of here.
        let Readings {
            calls_running,
            calls_waiting,
            slots,
            slots_taken,
            places,
            places_taken,
            connections,
            connections_open,
            connections_overflow,
            streams,
            streams_open,
            backlog,
            memory_limit,
            access_reviews,
            token_reviews,
            oidc_tokens,
            spans_dropped,
            certificate_expires,
        } = read();
        for (name, help, value) in [
            ("sandbar_calls_running", "Calls that run.", calls_running),
            ("sandbar_calls_waiting", "Calls that wait for a turn among those of their component, or for a slot.", calls_waiting),
            ("sandbar_slots", "Calls that may run at once.", slots),
            (
                "sandbar_slots_taken",
                "Slots that are taken: by calls, and by the compiler, which borrows their memory.",
                slots_taken,
            ),
            ("sandbar_places", "Calls that may be let in at once.", places),
            (
                "sandbar_places_taken",
                "Calls that are let in: they run, wait, or their answers wait for their readers.",
                places_taken,
            ),
            ("sandbar_connections", "Connections that may be open.", connections),
            ("sandbar_connections_open", "Connections that are open.", connections_open),
            ("sandbar_connections_overflow", "Connections beyond those, which are told to come back.", connections_overflow),
            ("sandbar_streams", "Streams of notifications that may be open.", streams),
            ("sandbar_streams_open", "Streams of notifications that are open.", streams_open),
            ("sandbar_backlog_bytes", "Bytes of large answers that wait for their readers.", backlog),
        ] {
            gauge(&mut encoder, name, help, f64_of(value))?;
        }
        let help = "Bytes of memory that the server may use: the limit of its container, or what the machine has.";
        gauge(&mut encoder, "sandbar_memory_limit_bytes", help, memory_limit as f64)?;
        let reviews = [("access", access_reviews), ("token", token_reviews), ("oidc", oidc_tokens)];
        let help = "Questions about rights and tokens whose answers were known.";
        counters(&mut encoder, "sandbar_review_cache_hits", help, reviews.map(|(review, known)| (review, known.hits)))?;
        let help = "Questions about rights and tokens that had to be answered anew.";
        counters(&mut encoder, "sandbar_review_cache_misses", help, reviews.map(|(review, known)| (review, known.misses)))?;
        if let Some(spans) = spans_dropped {
            let help = "Spans of calls that no collector has taken.";
            let encoder = encoder.encode_descriptor("sandbar_spans_dropped", help, None, MetricType::Counter)?;
            ConstCounter::new(spans).encode(encoder)?;
        }
        if let Some(expires) = certificate_expires {
            let seconds = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            let help = "When the certificate of the listener expires, in seconds since 1970.";
            gauge(&mut encoder, "sandbar_certificate_expiry_timestamp_seconds", help, seconds)?;
        }
        Ok(())
    }
}

/// As whole as anybody counts: up to 2^53.
fn f64_of(value: usize) -> f64 {
    value as f64
}

fn counters<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: [(&'static str, u64); N],
) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    values.into_iter().try_for_each(|(review, value)| {
        let labels = ReviewLabels { review };
        ConstCounter::new(value).encode(encoder.encode_family(&labels)?)
    })
}

/// A gauge without labels.
pub(super) fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
