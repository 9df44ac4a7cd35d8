//! Pods: what they use, request and may use.

use sandbar_tool::columns::cell;
use sandbar_tool::kubernetes::lenient;
use sandbar_tool::read::List;
use sandbar_tool::{Error, Metadata, Page, Resource, Scope};
use serde::Deserialize;

use crate::amount::{self, Amounts, Written};
use crate::metrics::{Measured, Metrics};
use crate::share::Share;
use crate::{READ_MAX, Row, Rows};

const PODS: Resource = Resource::new("", "v1", "pods");

/// What is done uses nothing, and holds nothing of its node.
const NOT_DONE: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Bytes of a name: Kubernetes has no longer one.
const NAME_MAX: usize = 253;

#[derive(Deserialize)]
pub(crate) struct Pod {
    pub(crate) metadata: Metadata,
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub(crate) spec: Spec,
    #[serde(default, deserialize_with = "lenient::or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub(crate) node_name: String,
    #[serde(default, deserialize_with = "lenient::each")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "lenient::each")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    overhead: Written,
    /// Those of the pod as a whole come before those of its containers.
    #[serde(default, deserialize_with = "lenient::or_default")]
    resources: Resources,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "lenient::or_default")]
    phase: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    resources: Resources,
    #[serde(default, deserialize_with = "lenient::or_default")]
    restart_policy: String,
}

#[derive(Default, Deserialize)]
struct Resources {
    #[serde(default, deserialize_with = "lenient::or_default")]
    requests: Written,
    #[serde(default, deserialize_with = "lenient::or_default")]
    limits: Written,
}

impl Spec {
    /// Those that run as long as the pod does: its containers and its sidecars.
    fn lasting(&self) -> impl Iterator<Item = &Container> {
        self.init_containers.iter().filter(|container| container.is_sidecar()).chain(&self.containers)
    }

    /// What the scheduler counts: the most that is needed at once, while the initial containers run one after the other beside the
    /// sidecars that are there by then, or afterwards, and the overhead.
    pub(crate) fn requests(&self) -> Amounts {
        let (mut sidecars, mut most) = (Amounts::default(), Amounts::default());
        for container in &self.init_containers {
            let needed = sidecars.with(container.resources.requests.into(), amount::sum);
            most = most.with(needed, amount::larger);
            if container.is_sidecar() {
                sidecars = needed;
            }
        }
        let requests = self.containers.iter().map(|container| container.resources.requests.into());
        let lasting = requests.fold(sidecars, |all: Amounts, one| all.with(one, amount::sum));
        let needed = most.with(lasting, amount::larger);
        Amounts::from(self.resources.requests).with(needed, Option::or).with(self.overhead.into(), amount::sum)
    }

    /// None where a container has none.
    fn limits(&self) -> Amounts {
        let limits = self.lasting().map(|container| Amounts::from(container.resources.limits));
        let limits = limits.fold(Amounts::NOTHING, |all, one| all.with(one, amount::sum_of_known));
        Amounts::from(self.resources.limits).with(limits, Option::or)
    }
}

impl Container {
    fn is_sidecar(&self) -> bool {
        self.restart_policy == "Always"
    }
}

/// Pods that are not done, and what is said of them.
pub(crate) fn read(within: Scope, labels: Option<&str>) -> Result<Page<Pod>, Error> {
    let mut list: List<Pod> = PODS.list().within(within).with_field_selector(NOT_DONE).called("pods that run");
    if let Some(labels) = labels {
        list = list.with_labels(labels).called(format!("pods with labels {labels} that run"));
    }
    let mut page = list.up_to(READ_MAX)?;
    // An API may not know selectors.
    page.items.retain(|pod| !matches!(&*pod.status.phase, "Succeeded" | "Failed"));
    Ok(page)
}

pub(crate) fn rows(within: Scope, labels: Option<String>) -> Result<Rows, Error> {
    let page = read(within.clone(), labels.as_deref())?;
    let mut measured = Measured::of("pods", within.clone(), labels.as_deref());
    let mut warnings = std::mem::take(&mut measured.warnings);
    warnings.extend(page.warnings);
    warnings.extend(page.hint);

    let first = page.items.first().map(|pod| pod.metadata.namespace.clone()).unwrap_or_default();
    let differ = page.items.iter().any(|pod| pod.metadata.namespace != first);
    if !differ && within == Scope::EveryNamespace && !first.is_empty() {
        warnings.push(format!("all in namespace {first}"));
    }
    let row = |pod: Pod| {
        let mut row = row(&pod.spec, measured.get(&pod.metadata));
        let namespace = if differ { cell(&pod.metadata.namespace, NAME_MAX) } else { String::new() };
        row.cells.splice(0..0, [namespace, cell(&pod.metadata.name, NAME_MAX)]);
        row
    };
    Ok(Rows {
        columns: vec!["Namespace", "Pod", "CPU use/request/limit", "%", "Memory use/request/limit", "%"],
        rows: page.items.into_iter().map(row).collect(),
        warnings,
    })
}

/// Its share is that of the container that is nearest to its own limit: that is the one which is throttled or killed.
fn row(spec: &Spec, used: Option<&Metrics>) -> Row {
    let used_by_all = used.map(Metrics::sum).unwrap_or_default();
    let (requests, limits) = (spec.requests(), spec.limits());
    let by_container = used.map(Metrics::by_container).unwrap_or_default();
    let mut nearest = (Share::default(), Share::default());
    for container in spec.lasting() {
        let used = by_container.get(&*container.name).copied().unwrap_or_default();
        let limit = Amounts::from(container.resources.limits);
        nearest.0 = nearest.0.max(Share::of(used.cpu, limit.cpu));
        nearest.1 = nearest.1.max(Share::of(used.memory, limit.memory));
    }
    let three = |write: fn(Option<i128>) -> String, amounts: [Option<i128>; 3]| {
        if amounts == [None; 3] { String::new() } else { amounts.map(write).join("/") }
    };
    let share = |share: Share| share.to_string();
    Row {
        cells: vec![
            three(amount::cpu, [used_by_all.cpu, requests.cpu, limits.cpu]),
            share(nearest.0),
            three(amount::memory, [used_by_all.memory, requests.memory, limits.memory]),
            share(nearest.1),
        ],
        nearest: nearest.0.max(nearest.1),
        cpu: used_by_all.cpu.or(requests.cpu).unwrap_or_default(),
        memory: used_by_all.memory.or(requests.memory).unwrap_or_default(),
    }
}
