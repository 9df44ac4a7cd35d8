//! A row for each tool: its calls of the last hour, how long they took, and how those ended that were not answered.

use maud::{Markup, html};

use super::plot::{bars, ranges};
use super::words::{count, line, outcome, percentile};
use super::{View, fitting, rest};
use crate::hour::{Calls, is_bad};
use crate::served::Tool;

/// Bytes of what a tool says of itself.
const TITLE_BYTES: usize = 100;

/// Minutes of one bar.
const BAR: usize = 2;

/// The section, with rows of so many bytes at most.
pub(super) fn section(view: &View<'_>, most: usize) -> Markup {
    let mut tools: Vec<&Tool> = view.told.components.iter().flat_map(|component| &component.tools).collect();
    tools.sort_by_key(|tool| &tool.name);
    let row = |tool: &Tool| row(&tool.name, &tool.title, &view.calls.of_tool(&tool.name, view.minute(), BAR));
    let (rows, left_out) = fitting(most, tools.into_iter().map(row));
    html! {
        section aria-labelledby="tools" {
            h2 #tools { "Tools" }
            @if rows.is_empty() && left_out == 0 {
                p.note { "None is served." }
            } @else {
                table.tools {
                    thead {
                        tr { @for head in ["Tool", "Calls", "Latency, p50 – p99", "Not answered"] { th scope="col" { (head) } } }
                    }
                    tbody { @for row in &rows { (row) } }
                }
            }
            (rest(left_out, "tool", "their metrics are at /metrics"))
        }
    }
}

fn row(name: &str, title: &str, spans: &[Calls]) -> Markup {
    let all: Calls = spans.iter().sum();
    let calls = all.count();
    let (half, most) = (percentile(&all, 50), percentile(&all, 99));
    html! {
        tr {
            th scope="row" { (name) @if says_more(title, name) { small { (line(title, TITLE_BYTES)) } } }
            @if calls == 0 {
                td.none colspan="3" { "no calls" }
            } @else {
                td { (bars(spans, None)) (count(calls)) }
                td { (ranges(spans)) (half) @if half != most { " – " (most) } }
                (not_answered(&all))
            }
        }
    }
}

/// Whether a title is other words than the name.
fn says_more(title: &str, name: &str) -> bool {
    !title.is_empty() && !title.eq_ignore_ascii_case(&name.replace('_', " "))
}

/// How the others ended.
fn not_answered(calls: &Calls) -> Markup {
    let ended: Vec<_> = calls.unanswered().collect();
    html! {
        @if ended.is_empty() {
            td.ok { "–" }
        } @else {
            td {
                @for (at, (how, number)) in ended.iter().enumerate() {
                    @if at > 0 { ", " }
                    span.b[is_bad(*how)] { (count(u64::from(*number))) " " (outcome(*how)) }
                }
            }
        }
    }
}
