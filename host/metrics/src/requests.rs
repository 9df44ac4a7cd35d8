//! Requests to API servers, each attempt by itself.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sandbar_kubernetes::{RequestVerb, SentRequest};

use super::OTHER;
use super::cells::Cells;
use super::label::Label;

/// Seconds to the head of an answer, which is waited for as long as 12 s.
const DURATIONS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// Resources that are told apart. A cluster may have hundreds of kinds, and its users may add some without end.
const RESOURCES: usize = 200;

/// The statuses that API servers answer with.
const CODES: [&str; 21] = [
    "200", "201", "301", "302", "400", "401", "403", "404", "405", "406", "409", "410", "413", "415", "422", "429", "500", "502",
    "503", "504", "none",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    resource: Label,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    verb: &'static str,
    resource: Label,
}

pub(super) struct Requests {
    counts: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    known: RwLock<HashMap<Arc<str>, Arc<ResourceSeries>>>,
    other: Arc<ResourceSeries>,
}

/// The requests for one resource.
struct ResourceSeries {
    resource: Arc<str>,
    /// By verb and code.
    counts: Cells<Counter>,
    /// By verb.
    durations: Cells<Histogram>,
}

impl ResourceSeries {
    fn new(resource: &str) -> Arc<Self> {
        let verbs = RequestVerb::ALL.len();
        // One more code: any other.
        let (counts, durations) = (Cells::new(verbs * (CODES.len() + 1)), Cells::new(verbs));
        Arc::new(Self { resource: resource.into(), counts, durations })
    }

    fn labels(&self, at: usize) -> RequestLabels {
        RequestLabels {
            verb: RequestVerb::ALL[at / (CODES.len() + 1)].as_str(),
            resource: self.resource.clone().into(),
            code: CODES.get(at % (CODES.len() + 1)).copied().unwrap_or(OTHER),
        }
    }
}

impl Requests {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let counts = Family::default();
        let durations = Family::<DurationLabels, Histogram>::new_with_constructor(|| Histogram::new(DURATIONS));
        let help = "Requests to API servers, each attempt by itself, by the status of the answer; `none` where there was none";
        registry.register("sandbar_api_requests", help, Family::clone(&counts));
        let help = "Time of such an attempt to the head of its answer, or to its end without one";
        registry.register("sandbar_api_request_duration_seconds", help, durations.clone());
        Self { counts, durations, known: RwLock::default(), other: ResourceSeries::new(OTHER) }
    }

    pub(super) fn attempted(&self, request: &SentRequest<'_>) {
        let Some(verb) = RequestVerb::ALL.iter().position(|verb| *verb == request.verb) else { return };
        let code = match request.status {
            Some(status) => CODES.iter().position(|code| *code == status.as_str()).unwrap_or(CODES.len()),
            None => CODES.len() - 1,
        };
        let series = self.series(request.resource);
        series.counts.get(verb * (CODES.len() + 1) + code, &self.counts, |at| series.labels(at)).inc();
        let labels = |at: usize| DurationLabels { verb: RequestVerb::ALL[at].as_str(), resource: series.resource.clone().into() };
        series.durations.get(verb, &self.durations, labels).observe(request.took.as_secs_f64());
    }

    fn series(&self, resource: &str) -> Arc<ResourceSeries> {
        if let Some(series) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(resource) {
            return series.clone();
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= RESOURCES && !known.contains_key(resource) {
            return self.other.clone();
        }
        known.entry(resource.into()).or_insert_with(|| ResourceSeries::new(resource)).clone()
    }
}
