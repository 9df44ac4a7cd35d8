//! What the page is told of a server. Namespaces are counted: which those are is nobody's business there.

use std::collections::BTreeSet;

use sandbar_catalog::{Definition, Problem, Served, Source, asks_for_caller, rights};
use sandbar_config::{Config, written_limits};
use sandbar_http::{ProbedCluster, Readiness};
use sandbar_kubernetes::Health;
use sandbar_metrics::{Readings, resident_memory};
use sandbar_page::{self as page, ClusterState, Component, Granted, ProblemState, Right, Server, Tool};
use sandbar_policy::{Grant, Namespaces, ONLY_CLUSTER, Verb};
use serde_json::Value;

use super::tools::describe;

/// A component that is served, as the page has it.
pub(super) fn component(served: &Served) -> Component {
    let manifest = served.manifest();
    let kind = match served.source() {
        Source::Bundled(_) => format!("bundled in {}", served.source().pack().unwrap_or_default()),
        Source::File(_) if served.artifact().is_script() => "script".to_owned(),
        Source::File(_) => "file".to_owned(),
        Source::Registry(_) => "registry".to_owned(),
    };
    let source = match served.source() {
        Source::Bundled(_) => kind.clone(),
        other => other.to_string(),
    };
    Component {
        name: served.name().clone(),
        kind,
        source,
        digest: served.artifact().digest().clone(),
        signers: served.signers().iter().map(ToString::to_string).collect(),
        tools: manifest.tools.iter().map(tool).collect(),
        beside_tools: (manifest.prompts.len(), manifest.resources.len() + manifest.templates.len()),
        grants: grants(served),
        limits: written_limits(served.limits()).into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// A component that is not served as it is, as the page has it.
pub(super) fn page_problem(config: &Config, problem: &Problem) -> page::Problem {
    let state = match problem {
        _ if problem.reason.is_compiling() => ProblemState::Waiting,
        _ if problem.kept => ProblemState::Kept,
        _ => ProblemState::Failed,
    };
    page::Problem { name: problem.source.name(), state, why: config.described(problem) }
}

/// A server as it is now. `callers` says who can call.
pub(super) fn server(callers: &str, readiness: &Readiness, protocols: Vec<&'static str>, readings: &Readings) -> Server {
    Server {
        version: env!("CARGO_PKG_VERSION"),
        protocols,
        // That depends on who asks.
        tells_all: false,
        callers: callers.to_owned(),
        clusters: readiness.clusters().into_iter().map(cluster).collect(),
        troubles: readiness.troubles(),
        running: (readings.calls_running, readings.slots),
        waiting: readings.calls_waiting,
        connections: (readings.connections_open, readings.connections),
        memory: (resident_memory(), readings.memory_limit),
    }
}

fn cluster(ProbedCluster { name, description, found }: ProbedCluster) -> page::Cluster {
    let state = match found {
        None => ClusterState::Unknown,
        Some((Ok(Health { git_version, ready, .. }), ago)) => {
            ClusterState::Answers { version: git_version, is_ready: ready, ago }
        }
        Some((Err(why), ago)) => ClusterState::Away { why, ago },
    };
    page::Cluster { name: name.to_string(), description, state }
}

fn tool(definition: &Definition) -> Tool {
    let object = definition.object();
    let said = ["title", "description"].into_iter().find_map(|key| object.get(key).and_then(Value::as_str));
    Tool { name: definition.name().into(), title: said.unwrap_or_default().to_owned() }
}

/// What it is granted in each cluster: those in which that is the same are one.
fn grants(served: &Served) -> Vec<Granted> {
    let mut all: Vec<Granted> = Vec::new();
    for (cluster, grant) in served.grants() {
        let clusters = if cluster == ONLY_CLUSTER { Vec::new() } else { vec![cluster.to_owned()] };
        let granted = Granted { clusters, rights: side_by_side(served, grant), namespaces: places(&grant.namespaces) };
        match all.iter_mut().find(|known| known.rights == granted.rights && known.namespaces == granted.namespaces) {
            Some(known) => known.clusters.extend(granted.clusters),
            None => all.push(granted),
        }
    }
    all
}

fn side_by_side(served: &Served, grant: &Grant) -> Vec<Right> {
    let words = |verbs: BTreeSet<Verb>| verbs.into_iter().map(Verb::as_str).collect();
    let mut all: Vec<Right> = rights(served.manifest(), grant)
        .iter()
        .map(|right| Right {
            resource: describe(right),
            granted: words(&right.asked & &right.granted),
            refused: words(right.missing()),
            unasked: words(&right.granted - &right.asked),
        })
        .collect();
    if asks_for_caller(served.artifact().imports()) {
        // Without it, what asks for that is not served.
        all.push(Right { resource: "who calls".to_owned(), granted: vec!["know"], ..Right::default() });
    }
    all
}

fn places(namespaces: &Namespaces) -> String {
    match namespaces {
        Namespaces::All => "all that the server's own rights allow".to_owned(),
        Namespaces::Only(names) => format!("{} that sandbar.yaml names", names.len()),
    }
}
