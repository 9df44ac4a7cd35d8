//! What a server counts, for Prometheus.
//!
//! `calls` and `requests` are told of what ends, and count it; `readings` and `process` are read when somebody scrapes. Nothing else of the
//! host knows how Prometheus has its numbers.
//!
//! Invariant: the values of labels come from the catalog, from what discovery has found, and from closed sets of our own; whatever else
//! somebody asks for is [`OTHER`]. So there are no more series than the catalog has reason for, whoever calls, and those of components that
//! are gone go with them.

mod calls;
mod cells;
mod label;
mod process;
mod readings;
mod requests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sandbar_catalog::{Catalog, EndedCall, Observer};
use sandbar_kubernetes::{RequestObserver, SentRequest};

use self::calls::Calls;
use self::process::Process;
pub use self::process::resident_memory;
pub use self::readings::{Lookups, Readings};
use self::readings::{Read, Reading};
use self::requests::Requests;

/// Stands for whatever is not known by its name.
const OTHER: &str = "_other";

/// Seconds of compiling, as far as the compiler may go: it has a minute of processor time.
const COMPILING: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// Everything that a server counts.
pub struct Metrics {
    registry: Registry,
    calls: Arc<Calls>,
    requests: Requests,
    compiling: Histogram,
    reloads: Family<ReloadLabels, Counter>,
    config_valid: Gauge,
    components: Family<StateLabels, Gauge>,
    read: Arc<Read>,
}

/// What became of a configuration that was found changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It is in force.
    Applied,
    /// It is not valid, or cannot be read; the one before stays in force.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

/// How it stands with a component that the configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentState {
    /// It is served.
    Loaded,
    /// It cannot be served as it is now. Where the one from before still is, that one is loaded.
    Failed,
    /// It is being fetched or compiled.
    Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

impl Metrics {
    /// For a server of this version that speaks these versions of MCP, and has a valid configuration.
    pub fn new(version: &'static str, protocols: impl IntoIterator<Item = &'static str>) -> Self {
        let mut registry = Registry::default();
        let calls = Arc::new(Calls::new(&mut registry, protocols.into_iter().collect()));
        let requests = Requests::new(&mut registry);
        let compiling = Histogram::new(COMPILING);
        let help = "Time that the compiler took for one component of the operator's, whether it succeeded or not";
        registry.register("sandbar_compile_seconds", help, compiling.clone());
        let reloads = Family::<ReloadLabels, Counter>::default();
        for outcome in [Reload::Applied, Reload::Refused] {
            drop(reloads.get_or_create(&outcome.into()));
        }
        registry.register(
            "sandbar_config_reloads",
            "Changes of sandbar.yaml that were seen, by what became of them",
            reloads.clone(),
        );
        let config_valid = Gauge::default();
        config_valid.set(1);
        let help = "Whether sandbar.yaml as it is now is what is in force";
        registry.register("sandbar_config_valid", help, config_valid.clone());
        let components = Family::<StateLabels, Gauge>::default();
        for state in [ComponentState::Loaded, ComponentState::Failed, ComponentState::Waiting] {
            drop(components.get_or_create(&state.into()));
        }
        registry.register(
            "sandbar_components",
            "Components that the configuration names, by how it stands with them",
            components.clone(),
        );
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version }).set(1);
        registry.register("sandbar_build_info", "The version of Sandbar; always 1", build);
        let read = Arc::new(OnceLock::new());
        registry.register_collector(Box::new(Reading(read.clone())));
        registry.register_collector(Box::new(Process));
        Self { registry, calls, requests, compiling, reloads, config_valid, components, read }
    }

    /// From now on this catalog is served. Said before the first call of it ends.
    pub fn serves(&self, catalog: &Catalog) {
        self.calls.serves(catalog);
        self.components(ComponentState::Loaded, catalog.components().len());
    }

    /// So many components are in this state.
    pub fn components(&self, state: ComponentState, number: usize) {
        self.components.get_or_create(&state.into()).set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Sets the callback that returns the current gauges on each scrape; it must be fast. A second call is ignored and logged.
    pub fn read_from(&self, readings: impl Fn() -> Readings + Send + Sync + 'static) {
        if self.read.set(Box::new(readings)).is_err() {
            tracing::error!("what is under way is read from somewhere already");
        }
    }

    /// A changed configuration was found.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads.get_or_create(&outcome.into()).inc();
        self.config_valid(outcome == Reload::Applied);
    }

    /// Whether sandbar.yaml as it is now is what is in force.
    pub fn config_valid(&self, valid: bool) {
        self.config_valid.set(valid.into());
    }

    /// All of it as OpenMetrics 1.0.
    pub fn openmetrics(&self) -> String {
        let mut written = String::new();
        complete(text::encode(&mut written, &self.registry), written)
    }

    /// All of it in Prometheus' own text format, 0.0.4.
    pub fn text(&self) -> String {
        let mut written = String::new();
        complete(prometheus_text::encode(&mut written, &self.registry), written)
    }
}

/// Half of an exposition would be taken for all of it.
fn complete(written: fmt::Result, text: String) -> String {
    match written {
        Ok(()) => text,
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            String::new()
        }
    }
}

impl From<Reload> for ReloadLabels {
    fn from(outcome: Reload) -> Self {
        let outcome = match outcome {
            Reload::Applied => "applied",
            Reload::Refused => "refused",
        };
        Self { outcome }
    }
}

impl From<ComponentState> for StateLabels {
    fn from(state: ComponentState) -> Self {
        let state = match state {
            ComponentState::Loaded => "loaded",
            ComponentState::Failed => "failed",
            ComponentState::Waiting => "waiting",
        };
        Self { state }
    }
}

impl Observer for Metrics {
    fn ended(&self, call: &EndedCall<'_>) {
        self.calls.ended(call);
    }

    fn compiled(&self, took: Duration) {
        self.compiling.observe(took.as_secs_f64());
    }
}

impl RequestObserver for Metrics {
    fn attempted(&self, request: &SentRequest<'_>) {
        self.requests.attempted(request);
    }
}
