//! Calls that have ended, by the tools and components that the catalog has.
//!
//! What a call adds to is looked up when the catalog is loaded, so that the end of a call costs two look-ups and a few additions. All of
//! that is done under one lock that a reload takes for a moment and a scrape, but for the list of components, not at all: a call that ends
//! late finds that its component is gone, and brings nothing of it back.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sandbar_catalog::{Catalog, EndedCall, Offer, Outcome};

use super::OTHER;
use super::cells::Cells;
use super::label::Label;

/// Seconds, by OpenTelemetry's conventions for MCP.
const DURATIONS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// What [`EndedCall::error_type`] can be.
const ERRORS: [Option<&str>; 9] = [
    None,
    Some("tool_error"),
    Some("-32602"),
    Some("-32603"),
    Some("-32002"),
    Some("-32000"),
    Some("cancelled"),
    Some("undelivered"),
    Some("_OTHER"),
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    mcp_method_name: &'static str,
    gen_ai_tool_name: Option<Label>,
    error_type: Option<&'static str>,
    mcp_protocol_version: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tool: Option<Label>,
    component: Label,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    component: Label,
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComponentLabels {
    component: Label,
}

/// What a component is, as its own series has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct InfoLabels {
    component: Label,
    digest: Label,
    source: Label,
}

/// A component that is served, and the names of its tools.
pub(super) struct Served {
    pub(super) component: Arc<str>,
    pub(super) digest: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) tools: Vec<Arc<str>>,
}

type Seconds = Counter<f64, AtomicU64>;

/// All calls.
pub(super) struct Calls {
    families: Families,
    /// The versions of MCP.
    protocols: Box<[&'static str]>,
    known: Arc<RwLock<Known>>,
}

struct Families {
    durations: Family<OperationLabels, Histogram>,
    calls: Family<CallLabels, Counter>,
    limits: Family<LimitLabels, Counter>,
    processor: Family<ComponentLabels, Seconds>,
    read: Family<ComponentLabels, Counter>,
    answered: Family<ComponentLabels, Counter>,
}

/// What calls add to.
struct Known {
    tools: HashMap<Arc<str>, ToolSeries>,
    components: HashMap<Arc<str>, ComponentSeries>,
    prompts: Durations,
    resources: Durations,
    /// Of tools that nothing has, and of the rest that nothing has.
    other_tool: ToolSeries,
    other: Outcomes,
}

struct ToolSeries {
    durations: Durations,
    outcomes: Outcomes,
}

struct ComponentSeries {
    /// Of its prompts and resources.
    outcomes: Outcomes,
    limits: Cells<Counter>,
    processor: Seconds,
    read: Counter,
    answered: Counter,
    /// What is served under this name: one component as a rule.
    served: Vec<InfoLabels>,
}

/// How long the calls of one method took, for tools of one tool.
struct Durations {
    method: &'static str,
    tool: Option<Arc<str>>,
    /// By version and error.
    cells: Cells<Histogram>,
}

/// How the calls of one tool ended, or of what one component has beside tools.
struct Outcomes {
    tool: Option<Arc<str>>,
    component: Arc<str>,
    /// In the order of [`Outcome::ALL`].
    cells: Cells<Counter>,
}

impl Calls {
    pub(super) fn new(registry: &mut Registry, protocols: Box<[&'static str]>) -> Self {
        let families = Families {
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            calls: Family::default(),
            limits: Family::default(),
            processor: Family::default(),
            read: Family::default(),
            answered: Family::default(),
        };
        let Families { durations, calls, limits, processor, read, answered } = &families;
        let help = "Time of a call from its arrival at the component to its end, waiting for a slot included";
        registry.register("mcp_server_operation_duration_seconds", help, durations.clone());
        registry.register("sandbar_calls", "Calls that have ended, by how, as the audit trail has it", calls.clone());
        registry.register("sandbar_limits_reached", "Calls that the host ended at a limit", limits.clone());
        registry.register(
            "sandbar_call_cpu_seconds",
            "Processor time of calls, the host's work for them included",
            processor.clone(),
        );
        registry.register("sandbar_call_read_bytes", "Bytes that calls have read from API servers", read.clone());
        registry.register("sandbar_call_result_bytes", "Bytes that components have returned", answered.clone());
        let durations = |offer, tool| Durations::new(offer, tool, &protocols);
        let known = Known {
            tools: HashMap::new(),
            components: HashMap::new(),
            prompts: durations(Offer::Prompt, None),
            resources: durations(Offer::Resource, None),
            other_tool: ToolSeries {
                durations: durations(Offer::Tool, Some(OTHER.into())),
                outcomes: Outcomes::new(Some(OTHER.into()), &OTHER.into()),
            },
            other: Outcomes::new(None, &OTHER.into()),
        };
        let known = Arc::new(RwLock::new(known));
        registry.register_collector(Box::new(ComponentInfo(known.clone())));
        Self { families, protocols, known }
    }

    /// Knows what this catalog has, and forgets what it has not.
    pub(super) fn serves(&self, catalog: &Catalog) {
        self.knows(catalog.components().iter().map(|served| Served {
            component: served.name().clone(),
            digest: served.artifact().digest().clone(),
            source: served.source().to_string().into(),
            tools: served.manifest().tools.iter().map(|tool| tool.name().into()).collect(),
        }));
    }

    /// The same of components by themselves.
    pub(super) fn knows(&self, all: impl Iterator<Item = Served>) {
        let Self { families, protocols, known } = self;
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        let (mut before, mut before_tools) = (std::mem::take(&mut known.components), std::mem::take(&mut known.tools));
        for Served { component: name, digest, source, tools } in all {
            let series = known.components.entry(name.clone()).or_insert_with(|| match before.remove(&name) {
                Some(series) => ComponentSeries { served: Vec::new(), ..series },
                None => ComponentSeries::new(families, &name),
            });
            series.served.push(InfoLabels { component: name.clone().into(), digest: digest.into(), source: source.into() });
            for tool in tools {
                let series = match before_tools.remove(&tool) {
                    Some(series) if series.outcomes.component == name => series,
                    Some(ToolSeries { durations, outcomes }) => {
                        outcomes.remove_from(families);
                        ToolSeries { durations, outcomes: Outcomes::new(Some(tool.clone()), &name) }
                    }
                    None => ToolSeries {
                        durations: Durations::new(Offer::Tool, Some(tool.clone()), protocols),
                        outcomes: Outcomes::new(Some(tool.clone()), &name),
                    },
                };
                known.tools.insert(tool, series);
            }
        }
        for ToolSeries { durations, outcomes } in before_tools.into_values() {
            durations.remove_from(families, protocols);
            outcomes.remove_from(families);
        }
        before.iter().for_each(|(name, series)| series.remove_from(families, name));
    }

    pub(super) fn ended(&self, call: &EndedCall<'_>) {
        let Self { families, protocols, known } = self;
        let known = read(known);
        let component = call.component.and_then(|name| known.components.get(name));
        let (durations, outcomes) = match call.offer {
            Offer::Tool => {
                let has_it = |series: &&ToolSeries| call.component == Some(&series.outcomes.component);
                let ToolSeries { durations, outcomes } = known.tools.get(call.name).filter(has_it).unwrap_or(&known.other_tool);
                (durations, outcomes)
            }
            Offer::Prompt => (&known.prompts, component.map_or(&known.other, |component| &component.outcomes)),
            Offer::Resource => (&known.resources, component.map_or(&known.other, |component| &component.outcomes)),
        };
        // How long it took to turn one away says nothing of how long the others take.
        if call.is_let_in {
            durations.observe(families, protocols, call);
        }
        outcomes.count(families, call.outcome);
        let Some((component, name)) = component.zip(call.component) else { return };
        component.add(families, name, call);
    }
}

impl Durations {
    fn new(offer: Offer, tool: Option<Arc<str>>, protocols: &[&str]) -> Self {
        // One more version: none, or one that is not known.
        Self { method: offer.method(), tool, cells: Cells::new((protocols.len() + 1) * ERRORS.len()) }
    }

    fn labels(&self, protocols: &[&'static str], at: usize) -> OperationLabels {
        OperationLabels {
            mcp_method_name: self.method,
            gen_ai_tool_name: self.tool.clone().map(Label::from),
            error_type: ERRORS[at % ERRORS.len()],
            mcp_protocol_version: protocols.get(at / ERRORS.len()).copied(),
        }
    }

    fn observe(&self, families: &Families, protocols: &[&'static str], call: &EndedCall<'_>) {
        let version = protocols.iter().position(|known| call.version == Some(known)).unwrap_or(protocols.len());
        let at = version * ERRORS.len() + error_of(call);
        self.cells.get(at, &families.durations, |at| self.labels(protocols, at)).observe(call.took.as_secs_f64());
    }

    fn remove_from(&self, families: &Families, protocols: &[&'static str]) {
        self.cells.remove_from(&families.durations, |at| self.labels(protocols, at));
    }
}

/// The place of a call's error in [`ERRORS`].
fn error_of(call: &EndedCall<'_>) -> usize {
    let error = call.error_type();
    ERRORS.iter().position(|known| *known == error).unwrap_or(ERRORS.len() - 1)
}

impl Outcomes {
    fn new(tool: Option<Arc<str>>, component: &Arc<str>) -> Self {
        Self { tool, component: component.clone(), cells: Cells::new(Outcome::ALL.len()) }
    }

    fn labels(&self, at: usize) -> CallLabels {
        CallLabels {
            tool: self.tool.clone().map(Label::from),
            component: self.component.clone().into(),
            outcome: Outcome::ALL[at].as_str(),
        }
    }

    fn count(&self, families: &Families, outcome: Outcome) {
        if let Some(at) = place(outcome) {
            self.cells.get(at, &families.calls, |at| self.labels(at)).inc();
        }
    }

    fn remove_from(&self, families: &Families) {
        self.cells.remove_from(&families.calls, |at| self.labels(at));
    }
}

fn place(outcome: Outcome) -> Option<usize> {
    Outcome::ALL.iter().position(|known| *known == outcome)
}

impl ComponentSeries {
    fn new(families: &Families, component: &Arc<str>) -> Self {
        let labels = ComponentLabels { component: component.clone().into() };
        Self {
            outcomes: Outcomes::new(None, component),
            limits: Cells::new(Outcome::ALL.len()),
            processor: families.processor.get_or_create_owned(&labels),
            read: families.read.get_or_create_owned(&labels),
            answered: families.answered.get_or_create_owned(&labels),
            served: Vec::new(),
        }
    }

    fn add(&self, families: &Families, name: &Arc<str>, call: &EndedCall<'_>) {
        if call.outcome.limit().is_some()
            && let Some(at) = place(call.outcome)
        {
            self.limits.get(at, &families.limits, |at| limit_labels(name, at)).inc();
        }
        let Some(run) = call.run else { return };
        self.processor.inc_by(run.budget.meter().last_spent().as_secs_f64());
        self.read.inc_by(run.budget.read());
        self.answered.inc_by(run.result_bytes as u64);
    }

    fn remove_from(&self, families: &Families, component: &Arc<str>) {
        self.outcomes.remove_from(families);
        self.limits.remove_from(&families.limits, |at| limit_labels(component, at));
        let labels = ComponentLabels { component: component.clone().into() };
        families.processor.remove(&labels);
        families.read.remove(&labels);
        families.answered.remove(&labels);
    }
}

fn limit_labels(component: &Arc<str>, at: usize) -> LimitLabels {
    // Of an outcome that is none there is no series.
    LimitLabels { component: component.clone().into(), limit: Outcome::ALL[at].limit().unwrap_or(OTHER) }
}

fn read(known: &RwLock<Known>) -> RwLockReadGuard<'_, Known> {
    // It is whole after every step, so a panic elsewhere leaves nothing broken.
    known.read().unwrap_or_else(PoisonError::into_inner)
}

/// The components that are served now.
struct ComponentInfo(Arc<RwLock<Known>>);

impl fmt::Debug for ComponentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComponentInfo")
    }
}

impl Collector for ComponentInfo {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Not while it is written: calls end meanwhile.
        let mut served: Vec<InfoLabels> = read(&self.0).components.values().flat_map(|series| series.served.clone()).collect();
        served.sort_unstable();
        served.dedup();
        let help = "A component that is served, with the digest of its bytes and where it comes from; always 1.";
        let mut encoder = encoder.encode_descriptor("sandbar_component_info", help, None, MetricType::Gauge)?;
        served.iter().try_for_each(|labels| ConstGauge::new(1_i64).encode(encoder.encode_family(labels)?))
    }
}
