//! All calls of the last hour, minute by minute.

use maud::{Markup, html};

use super::View;
use super::plot::bars;
use super::words::{count, number_of, percentile, share};
use crate::hour::Calls;

pub(super) fn section(view: &View<'_>) -> Markup {
    let spans = view.calls.all(view.minute(), 1);
    let all: Calls = spans.iter().sum();
    let (calls, bad) = (all.count(), all.bad());
    let words = format!("Calls of each minute of the last hour: {} in all, {bad} of them failed", count(calls));
    html! {
        section.hour aria-labelledby="hour" {
            h2 #hour { "Last hour" }
            dl {
                div { dt { "Calls" } dd { (count(calls)) } }
                div { dt { "Failed" } dd.b[bad * 100 >= calls.max(1)] { (share(bad, calls)) } }
                div { dt { "p50" } dd { (percentile(&all, 50)) } }
                div { dt { "p99" } dd { (percentile(&all, 99)) } }
            }
            @if calls == 0 {
                p.note { "No call has ended in the last hour." }
            } @else {
                (bars(&spans, Some(&words)))
                p.axis aria-hidden="true" { span { "60 min ago" } span { "now" } }
            }
            @let of_nothing = view.calls.of_nothing(view.minute()).count();
            @if of_nothing > 0 {
                p.note { (number_of(of_nothing, "call")) " asked for what nothing here has." }
            }
        }
    }
}
