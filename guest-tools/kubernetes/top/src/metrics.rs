//! What metrics-server has measured.

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::lenient;
use sandbar_tool::{Code, Error, Metadata, Resource, Scope};
use serde::Deserialize;

use crate::READ_MAX;
use crate::amount::{self, Amounts, Written};

/// What was measured of pods or nodes. It may be nothing.
pub(crate) struct Measured {
    by_name: BTreeMap<(String, String), Metrics>,
    /// Why it is nothing, or not all.
    pub(crate) warnings: Vec<String>,
}

/// PodMetrics have containers, and NodeMetrics a usage of their own.
#[derive(Deserialize)]
pub(crate) struct Metrics {
    metadata: Metadata,
    #[serde(default, deserialize_with = "lenient::each")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    usage: Written,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    usage: Written,
}

impl Measured {
    /// What there is of `nodes` or `pods`.
    pub(crate) fn of(plural: &'static str, within: Scope, labels: Option<&str>) -> Self {
        let mut list = Resource::new("metrics.k8s.io", "", plural).list::<Metrics>().within(within);
        if let Some(labels) = labels {
            list = list.with_labels(labels);
        }
        let mut by_name = BTreeMap::new();
        let warnings = match list.up_to(READ_MAX) {
            Ok(page) => {
                for one in page.items {
                    by_name.insert((one.metadata.namespace.clone(), one.metadata.name.clone()), one);
                }
                page.warnings
            }
            Err(error) => vec![unknown(&error)],
        };
        Self { by_name, warnings }
    }

    pub(crate) fn get(&self, of: &Metadata) -> Option<&Metrics> {
        self.by_name.get(&(of.namespace.clone(), of.name.clone()))
    }
}

impl Metrics {
    /// All of it.
    pub(crate) fn sum(&self) -> Amounts {
        self.containers.iter().fold(self.usage.into(), |all: Amounts, one| all.with(one.usage.into(), amount::sum))
    }

    /// That of each container.
    pub(crate) fn by_container(&self) -> BTreeMap<&str, Amounts> {
        self.containers.iter().map(|container| (&*container.name, container.usage.into())).collect()
    }
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
