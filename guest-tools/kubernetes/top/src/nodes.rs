//! Nodes: what is used and requested of what they have for pods.

use std::collections::BTreeMap;

use sandbar_tool::columns::cell;
use sandbar_tool::kubernetes::lenient;
use sandbar_tool::{Error, Metadata, Resource, Scope};
use serde::Deserialize;

use crate::amount::{self, Amounts, Written};
use crate::metrics::{Measured, Metrics};
use crate::share::Share;
use crate::{READ_MAX, Row, Rows, pods};

/// Bytes of a name: Kubernetes has no longer one.
const NAME_MAX: usize = 253;

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
    #[serde(default, deserialize_with = "lenient::or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "lenient::or_default")]
    allocatable: Written,
}

pub(crate) fn rows(labels: Option<String>) -> Result<Rows, Error> {
    let mut list = Resource::new("", "v1", "nodes").list::<Node>().within(Scope::Cluster).called("nodes");
    if let Some(labels) = labels {
        list = list.with_labels(&labels).called(format!("nodes with labels {labels}"));
    }
    let page = list.up_to(READ_MAX)?;
    let mut measured = Measured::of("nodes", Scope::Cluster, None);
    let (requested, of_pods) = requested();
    let warnings =
        std::mem::take(&mut measured.warnings).into_iter().chain(page.warnings).chain(of_pods).chain(page.hint).collect();
    let row = |Node { metadata, status }: Node| {
        let used = measured.get(&metadata).map(Metrics::sum).unwrap_or_default();
        let requested = requested.as_ref().map(|all| all.get(&metadata.name).copied().unwrap_or(Amounts::NOTHING));
        row(&metadata.name, used, requested.unwrap_or_default(), status.allocatable.into())
    };
    Ok(Rows {
        columns: vec![
            "Node",
            "CPU use/requests/allocatable",
            "% use/requests",
            "Memory use/requests/allocatable",
            "% use/requests",
        ],
        rows: page.items.into_iter().map(row).collect(),
        warnings,
    })
}

/// What the pods of each node request, none where pods cannot be read, and what is said of it.
fn requested() -> (Option<BTreeMap<String, Amounts>>, Vec<String>) {
    let page = match pods::read(Scope::EveryNamespace, None) {
        Ok(page) => page,
        Err(error) => return (None, vec![format!("requests are not known: pods cannot be read: {error}")]),
    };
    let mut requested: BTreeMap<String, Amounts> = BTreeMap::new();
    for pod in page.items {
        let of_node = requested.entry(pod.spec.node_name.clone()).or_insert(Amounts::NOTHING);
        *of_node = of_node.with(pod.spec.requests(), amount::sum);
    }
    let missing = |warning: String| format!("requests are not all: {warning}");
    (Some(requested), page.warnings.into_iter().map(missing).collect())
}

fn row(name: &str, used: Amounts, requested: Amounts, allocatable: Amounts) -> Row {
    let shares = |used, requested, all| (Share::of(used, all), Share::of(requested, all));
    let cpu = shares(used.cpu, requested.cpu, allocatable.cpu);
    let memory = shares(used.memory, requested.memory, allocatable.memory);
    let percent = |(used, requested): (Share, Share)| format!("{used}/{requested}");
    Row {
        cells: vec![
            cell(name, NAME_MAX),
            [used.cpu, requested.cpu, allocatable.cpu].map(amount::cpu).join("/"),
            percent(cpu),
            [used.memory, requested.memory, allocatable.memory].map(amount::memory).join("/"),
            percent(memory),
        ],
        // A node without measurements is as near as its pods may make it.
        nearest: cpu.0.max(memory.0).max(if used == Amounts::default() { cpu.1.max(memory.1) } else { Share::default() }),
        cpu: used.cpu.or(requested.cpu).unwrap_or_default(),
        memory: used.memory.or(requested.memory).unwrap_or_default(),
    }
}
