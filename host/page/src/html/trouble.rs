//! What needs somebody: a configuration that is not in force, components that are not served, clusters that are away. And what only needs
//! time.

use maud::{Markup, html};

use super::words::{duration, line, lines, number_of, time};
use super::{View, fitting, rest};
use crate::served::{Cluster, ClusterState, Problem, ProblemState};

/// Bytes of all of it.
const BYTES: usize = 9_000;

/// Bytes of one reason. It may have lines to paste.
const REASON_BYTES: usize = 1_200;

/// What others than operators hear in the place of a reason.
const WHY_ELSEWHERE: &str =
    "Why is in the server's log, and here for whoever comes from its own machine or through a port-forward.";

/// Bytes of a name.
const NAME_BYTES: usize = 120;

pub(super) fn section(view: &View<'_>) -> Markup {
    let (waiting, broken): (Vec<&Problem>, Vec<&Problem>) =
        view.told.problems.iter().partition(|problem| problem.state == ProblemState::Waiting);
    let item = |(class, name, what, why): (&str, &str, Markup, &str)| {
        let why = if view.server.tells_all || why.is_empty() { why } else { WHY_ELSEWHERE };
        item(class, name, what, why)
    };
    let refused = view.told.refused.iter().map(|(why, since)| {
        ("b", "Configuration", html! { "sandbar.yaml is not what is in force, since " (time(*since)) " UTC" }, &**why)
    });
    let away = view.server.clusters.iter().filter_map(away);
    let of_server = view.server.troubles.iter().map(|why| ("b", "Server", html! {}, why.as_str()));
    let not_served = broken.into_iter().map(|problem| {
        let state = match problem.state {
            ProblemState::Kept => "is not replaced: the one from before is still served",
            ProblemState::Failed | ProblemState::Waiting => "is not served",
        };
        ("b", &*problem.name, html! { (state) }, &*problem.why)
    });
    let notices = view.told.notices.iter().map(|notice| ("w", "Notice", html! {}, notice.as_str()));
    let (troubles, left_out) = fitting(BYTES, refused.chain(of_server).chain(away).chain(not_served).chain(notices).map(item));
    let count = troubles.len() + left_out;
    let waiting = waiting.into_iter().map(|problem| ("", &*problem.name, html! { "is not served yet" }, &*problem.why));
    let (waiting, more_waiting) = fitting(BYTES / 4, waiting.map(item));
    let tools: usize = view.told.components.iter().map(|component| component.tools.len()).sum();
    html! {
        section aria-label="State" {
            p.state.b[count > 0] {
                i {}
                @match count {
                    0 => "All is well",
                    1 => "1 thing needs a look",
                    _ => { (count) " things need a look" }
                }
                span { (number_of(tools as u64, "tool")) " of " (number_of(view.told.components.len() as u64, "component")) }
            }
            @if count > 0 || !waiting.is_empty() {
                ul.look {
                    @for item in troubles.iter().chain(&waiting) { (item) }
                }
                (rest(left_out + more_waiting, "thing", "the server's log has them"))
            }
        }
    }
}

/// What is wrong with a cluster: how bad that is, its name, what it is, and why.
fn away(cluster: &Cluster) -> Option<(&str, &str, Markup, &str)> {
    let name = if cluster.name.is_empty() { "Cluster" } else { &cluster.name };
    match &cluster.state {
        ClusterState::Away { why, ago } => {
            Some(("b", name, html! { "the API server did not answer " (duration(*ago)) " ago" }, why))
        }
        ClusterState::Answers { is_ready: false, ago, .. } => {
            Some(("w", name, html! { "the API server said " (duration(*ago)) " ago that it is not ready" }, ""))
        }
        ClusterState::Answers { .. } | ClusterState::Unknown => None,
    }
}

fn item(class: &str, name: &str, what: Markup, why: &str) -> Markup {
    html! {
        li class=(class) {
            b { (line(name, NAME_BYTES)) } " " (what)
            @if !why.is_empty() { div.why { (lines(why, REASON_BYTES)) } }
        }
    }
}
