//! The last failures.

use maud::{Markup, html};

use super::View;
use super::words::{count, outcome, time, took};

pub(super) fn section(view: &View<'_>) -> Markup {
    let failures = view.calls.failures();
    html! {
        section aria-labelledby="failures" {
            h2 #failures { "Last failures" }
            @if failures.is_empty() {
                p.note { "No call has failed." }
            } @else {
                table.failures {
                    thead {
                        tr { @for head in ["Last, UTC", "Asked for", "How", "Took", "Times"] { th scope="col" { (head) } } }
                    }
                    tbody {
                        @for of_a_kind in &failures {
                            @let failure = &of_a_kind.failure;
                            tr {
                                td { (time(of_a_kind.last)) }
                                th scope="row" {
                                    (failure.asked)
                                    @if is_another(&failure.component, &failure.asked) { small { (failure.component) } }
                                }
                                td { (outcome(failure.outcome)) @if let Some(code) = failure.code { " (" (code) ")" } }
                                td { (took(of_a_kind.took.as_secs_f64() * 1_000.0)) }
                                td { (count(of_a_kind.count)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a component is called otherwise than its tool.
fn is_another(component: &str, tool: &str) -> bool {
    component != tool && component != tool.replace('_', "-")
}
