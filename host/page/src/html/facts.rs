//! The clusters, the limits, and the server itself.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sandbar_catalog::Outcome;

use super::components::common_limits;
use super::words::{count, duration, line, memory, number_of, time};
use super::{View, fitting, rest};
use crate::hour::MINUTES;
use crate::served::{Cluster, ClusterState};

/// Bytes of the clusters.
const CLUSTERS_BYTES: usize = 4_000;

/// Bytes of a name, and of a longer text.
const NAME_BYTES: usize = 120;
const TEXT_BYTES: usize = 300;

/// Components that are named of those that have reached a limit.
const NAMED: usize = 3;

pub(super) fn sections(view: &View<'_>) -> Markup {
    html! {
        div.facts {
            (clusters(view))
            (limits(view))
            (server(view))
        }
    }
}

fn clusters(view: &View<'_>) -> Markup {
    let (rows, left_out) = fitting(CLUSTERS_BYTES, view.server.clusters.iter().map(|one| cluster(one, view.server.tells_all)));
    html! {
        section aria-labelledby="clusters" {
            h2 #clusters { "Clusters" }
            dl.rows { @for row in &rows { (row) } }
            (rest(left_out, "cluster", "/readyz?verbose has them"))
        }
    }
}

fn cluster(cluster: &Cluster, tells_all: bool) -> Markup {
    let name = if cluster.name.is_empty() { "The cluster" } else { &cluster.name };
    html! {
        div {
            dt { (line(name, NAME_BYTES)) @if tells_all { small { (line(&cluster.description, TEXT_BYTES)) } } }
            @match &cluster.state {
                ClusterState::Unknown => dd { "not asked yet" },
                ClusterState::Answers { version, is_ready, ago } => dd {
                    @if *is_ready { "answers" } @else { span.b { "is not ready" } }
                    small { (line(version, NAME_BYTES)) ", " (duration(*ago)) " ago" }
                },
                ClusterState::Away { ago, .. } => dd { span.b { "does not answer" } small { (duration(*ago)) " ago" } },
            }
        }
    }
}

fn limits(view: &View<'_>) -> Markup {
    let reached = reached(view);
    html! {
        section aria-labelledby="limits" {
            h2 #limits { "Limits of a call" }
            dl.rows {
                @for (key, value) in common_limits(&view.told.components) {
                    div {
                        dt {
                            (key)
                            @if let Some(by) = reached.get(key.as_str()) {
                                @let times = by.iter().map(|(_, number)| u64::from(*number)).sum();
                                small.b { "reached " (number_of(times, "time")) " by " (by_whom(by)) }
                            }
                        }
                        dd { (value) }
                    }
                }
            }
        }
    }
}

/// Who has reached which limit in the last hour, and how often.
fn reached<'v>(view: &View<'v>) -> BTreeMap<&'static str, Vec<(&'v str, u32)>> {
    let mut reached: BTreeMap<&'static str, Vec<(&str, u32)>> = BTreeMap::new();
    for component in view.told.components.iter() {
        let of_tools = component.tools.iter().flat_map(|tool| view.calls.of_tool(&tool.name, view.minute(), MINUTES));
        let all: Vec<_> = of_tools.chain([view.calls.beside_tools(&component.name, view.minute())]).collect();
        for outcome in Outcome::ALL {
            let number: u32 = all.iter().map(|calls| calls.of(outcome)).fold(0, u32::saturating_add);
            if let Some(limit) = outcome.limit().filter(|_| number > 0) {
                reached.entry(limit).or_default().push((&component.name, number));
            }
        }
    }
    reached
}

fn by_whom(by: &[(&str, u32)]) -> Markup {
    html! {
        @for (at, (name, _)) in by.iter().take(NAMED).enumerate() {
            @if at > 0 { ", " }
            (line(name, NAME_BYTES))
        }
        @if by.len() > NAMED { " and " (by.len() - NAMED) " more" }
    }
}

fn server(view: &View<'_>) -> Markup {
    let server = view.server;
    let of = |(some, most): (usize, usize)| html! { (count(some as u64)) " of " (count(most as u64)) };
    let (used, most) = server.memory;
    let is_in_force = view.told.refused.is_none();
    html! {
        section aria-labelledby="server" {
            h2 #server { "Server" }
            dl.rows {
                div { dt { "Calls that run" } dd { (of(server.running)) } }
                div { dt { "Calls that wait" } dd { (count(server.waiting as u64)) } }
                div { dt { "Connections" } dd { (of(server.connections)) } }
                div { dt { "Memory" } dd { @if let Some(used) = used { (memory(used)) " of " } (memory(most)) } }
                div { dt { "sandbar.yaml" } dd { @if is_in_force { "in force as it is" } @else { span.b { "not in force as it is" } } } }
                @if server.tells_all { div { dt { "Callers" } dd { (line(&server.callers, TEXT_BYTES)) } } }
                div { dt { "Started" } dd { (time(view.started)) } }
                div { dt { "MCP" } dd { (server.protocols.join(", ")) } }
            }
        }
    }
}
