//! What metrics-server has measured.

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::lenient;
use sandbar_tool::{Code, Error, Resource, Scope};
use serde::Deserialize;

use crate::READ_MAX;
use crate::amount::{Amounts, Written};

/// What is measured of a pod, by the names of its containers.
pub(crate) type Containers = BTreeMap<String, Amounts>;

/// What was measured, by namespace and name. It may be nothing.
pub(crate) struct Measured<T> {
    pub(crate) by_name: BTreeMap<(String, String), T>,
    /// Why it is nothing, or not all.
    pub(crate) warnings: Vec<String>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: sandbar_tool::Metadata,
    #[serde(default, deserialize_with = "lenient::each")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    usage: Written,
}

#[derive(Deserialize)]
struct NodeMetrics {
    metadata: sandbar_tool::Metadata,
    #[serde(default, deserialize_with = "lenient::or_default")]
    usage: Written,
}

pub(crate) fn of_pods(within: Scope, labels: Option<&str>) -> Measured<Containers> {
    let mut list = Resource::new("metrics.k8s.io", "", "pods").list::<PodMetrics>().within(within);
    if let Some(labels) = labels {
        list = list.with_labels(labels);
    }
    let page = match list.up_to(READ_MAX) {
        Ok(page) => page,
        Err(error) => return Measured { by_name: BTreeMap::new(), warnings: vec![unknown(&error)] },
    };
    let containers = |of: Vec<Container>| of.into_iter().map(|container| (container.name, container.usage.into())).collect();
    let pods = page.items.into_iter().map(|pod| ((pod.metadata.namespace, pod.metadata.name), containers(pod.containers)));
    Measured { by_name: pods.collect(), warnings: page.warnings }
}

pub(crate) fn of_nodes() -> Measured<Amounts> {
    let list = Resource::new("metrics.k8s.io", "", "nodes").list::<NodeMetrics>().within(Scope::Cluster);
    let page = match list.up_to(READ_MAX) {
        Ok(page) => page,
        Err(error) => return Measured { by_name: BTreeMap::new(), warnings: vec![unknown(&error)] },
    };
    let nodes = page.items.into_iter().map(|node| ((String::new(), node.metadata.name), node.usage.into()));
    Measured { by_name: nodes.collect(), warnings: page.warnings }
}

/// Use is not known, and why.
fn unknown(error: &Error) -> String {
    if error.code() == Code::NotServed {
        return "use is not known, since this cluster does not serve metrics.k8s.io: its operator can install metrics-server \
                (https://github.com/kubernetes-sigs/metrics-server)"
            .to_owned();
    }
    format!("use is not known: metrics.k8s.io cannot be read: {error}")
}
