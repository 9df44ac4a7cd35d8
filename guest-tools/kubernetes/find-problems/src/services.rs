//! Services whose selector matches nothing.

mod selecting;

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::view::one_line;
use sandbar_tool::kubernetes::{Trouble, View, selectors};
use sandbar_tool::read::list_many;
use sandbar_tool::{Resource, read::List};
use serde_json::Value;

use crate::PODS;
use crate::problem::{Object, Problem, Rank};
use crate::reading::Missing;
use crate::services::selecting::Selecting;

pub(crate) const FIELDS: [&str; 4] = ["metadata.name", "metadata.namespace", "spec.selector", "spec.type"];

const SLICES: Resource = Resource::new("discovery.k8s.io", "v1", "endpointslices");

/// Services whose EndpointSlices are looked at.
const LOOKED_AT: usize = 24;

/// Bytes of a selector that is shown.
const SELECTOR_MAX: usize = 120;

/// Services that no pod was seen for yet, by namespace.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) count: usize,
    waiting: BTreeMap<String, Selecting<Service>>,
}

/// A Service, and the first workload without pods that its selector is about.
struct Service {
    name: String,
    workload: Option<Empty>,
}

/// A workload without pods, and whether it is meant to have none, or is named as a problem already.
struct Empty {
    object: Object,
    is_meant: bool,
}

impl Services {
    pub(crate) fn add(&mut self, service: View<'_>) {
        self.count += 1;
        if service.text("spec.type") != "ExternalName" && service.members("spec.selector").next().is_some() {
            let waiting = self.waiting.entry(service.namespace().to_owned()).or_default();
            waiting.add(service.at("spec.selector"), Service { name: service.name().to_owned(), workload: None });
        }
    }

    /// Here is a pod: Services that select it have something.
    pub(crate) fn see(&mut self, pod: View<'_>) {
        if let Some(waiting) = self.waiting.get_mut(pod.namespace()) {
            waiting.retain(pod.at("metadata.labels"), |_| false);
        }
    }

    /// Here is a workload without pods.
    pub(crate) fn see_empty(&mut self, workload: View<'_>, object: &Object, is_meant: bool) {
        if let Some(waiting) = self.waiting.get_mut(&object.namespace) {
            waiting.retain(workload.at("spec.template.metadata.labels"), |service| {
                service.workload.get_or_insert_with(|| Empty { object: object.clone(), is_meant });
                true
            });
        }
    }

    /// Those that are left have no pods, as far as these were read. They may have endpoints that somebody else wrote.
    pub(crate) fn problems(self, missing: &mut Missing) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        let mut asked: Vec<List<Value>> = Vec::new();
        let mut pods: Vec<List<Value>> = Vec::new();
        let mut unknown: Vec<(String, usize)> = Vec::new();
        for (namespace, waiting) in self.waiting {
            if waiting.given_up > 0 {
                unknown.push((namespace, waiting.given_up));
                continue;
            }
            for (selector, service) in waiting.left() {
                let Some(problem) = problem(&namespace, service, View::of(&selector)) else { continue };
                let slices = SLICES.list::<Value>().within(namespace.as_str()).fields(&["endpoints.addresses"]);
                if asked.len() < LOOKED_AT
                    && let Ok(slices) = slices.with_label("kubernetes.io/service-name", &problem.object.name)
                {
                    let labels = selectors::written(View::of(&selector));
                    pods.push(
                        PODS.list::<Value>()
                            .within(namespace.as_str())
                            .with_labels(labels)
                            .fields(&["metadata.name"])
                            .limit(Some(1)),
                    );
                    asked.push(slices);
                    problems.push(problem);
                } else if missing.nothing_of("Pods") {
                    problems.push(problem);
                }
            }
        }
        if let Some((namespace, count)) = unknown.first() {
            let others = if unknown.len() > 1 { format!(" and {} other namespaces", unknown.len() - 1) } else { String::new() };
            missing.add("pods of Services", &format!("{count} in {namespace}{others}: too many labels are alike"));
        }
        // Where they cannot be read, the pods are what is known. Those of the Service's own namespace may be, though those of others are not.
        let mut slices = list_many(asked).unwrap_or_default().into_iter();
        let are_known = missing.nothing_of("Pods");
        let mut pods = if are_known { Vec::new() } else { list_many(pods).unwrap_or_default() }.into_iter();
        problems.retain(|_| match (slices.next(), pods.next()) {
            (Some(Ok(page)), _) => !page.items.iter().any(|slice| View::of(slice).list("endpoints").next().is_some()),
            (_, Some(Ok(page))) => page.items.is_empty() && page.continue_.is_none() && page.warnings.is_empty(),
            _ => are_known,
        });
        problems
    }
}

fn problem(namespace: &str, service: Service, selector: View<'_>) -> Option<Problem> {
    let object = Object::new("Service", namespace, &service.name);
    let (rank, cause) = match service.workload {
        Some(Empty { is_meant: false, .. }) => return None,
        Some(empty) => (Rank::Rest, format!("its {} {} is scaled to 0", empty.object.kind, empty.object.name)),
        None => {
            let wanted = one_line(&selectors::written(selector), SELECTOR_MAX);
            (Rank::Down, format!("its selector {wanted} matches no pod, so it has no endpoints"))
        }
    };
    Some(Problem { size: 0, ..Problem::new(rank, object, Trouble::new("NoEndpoints", cause, None)) })
}
