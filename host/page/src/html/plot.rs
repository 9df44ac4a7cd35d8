//! Plots: a path of vertical lines each, as wide as its place. What a plot shows is said in words as well.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use crate::hour::Calls;

/// Units of a plot's height.
const HEIGHT: u64 = 24;

/// Where the axis of times ends, in milliseconds.
const LONGEST: f64 = 60_000.0;

/// How many calls there were in each span: bars, those that ended badly below in a colour of their own.
pub(super) fn bars(spans: &[Calls], words: Option<&str>) -> Markup {
    let most = spans.iter().map(Calls::count).max().unwrap_or_default().max(1);
    let height = |count: u64| if count == 0 { 0 } else { (count * HEIGHT / most).max(2) };
    let (mut good, mut bad) = (String::new(), String::new());
    for (at, span) in spans.iter().enumerate().filter(|(_, span)| span.count() > 0) {
        let (all, of_bad) = (height(span.count()), height(span.bad()));
        // Writing to a string cannot fail.
        if of_bad < all {
            let _ = write!(good, "M{} {}V{}", 2 * at + 1, HEIGHT - of_bad, HEIGHT - all);
        }
        if of_bad > 0 {
            let _ = write!(bad, "M{} {HEIGHT}v-{of_bad}", 2 * at + 1);
        }
    }
    svg(spans.len(), words, &[("", good.as_str()), ("b", bad.as_str())])
}

/// How long the calls of each span took, on an axis of powers of ten: a line from the time that half of them took to that of all but one
/// in a hundred.
pub(super) fn ranges(spans: &[Calls]) -> Markup {
    let y = |ms: f64| HEIGHT - ((ms.clamp(1.0, LONGEST).ln() / LONGEST.ln()) * (HEIGHT - 2) as f64).round() as u64;
    let mut path = String::new();
    for (at, span) in spans.iter().enumerate() {
        if let Some((half, most)) = span.percentile(50).zip(span.percentile(99)) {
            let (low, high) = (y(half), y(most));
            let _ = write!(path, "M{} {low}V{}", 2 * at + 1, high.min(low - 2));
        }
    }
    svg(spans.len(), None, &[("", path.as_str())])
}

/// A plot; without words for it where they stand beside it.
fn svg(spans: usize, words: Option<&str>, paths: &[(&str, &str)]) -> Markup {
    html! {
        svg viewBox=(PreEscaped(format!("0 0 {} {HEIGHT}", 2 * spans))) preserveAspectRatio="none"
            role=[words.map(|_| "img")] aria-label=[words] aria-hidden=[words.is_none().then_some("true")] {
            @for (class, path) in paths.iter().filter(|(_, path)| !path.is_empty()) {
                path class=[(!class.is_empty()).then_some(class)] d=(path) {}
            }
        }
    }
}
