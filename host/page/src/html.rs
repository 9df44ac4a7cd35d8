//! The page, from its head to its foot. What there may be many of has so many bytes, and what does not fit is counted.

mod components;
mod facts;
mod failures;
mod last_hour;
mod plot;
mod tools;
mod trouble;
mod words;

use std::time::{Duration, SystemTime};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::calls::LastCalls;
use super::served::Server;
use super::{ICON, PAGE_BYTES, STYLE, Told};

/// What the page shows.
pub(super) struct View<'v> {
    pub(super) server: &'v Server,
    pub(super) told: &'v Told,
    pub(super) calls: &'v LastCalls,
    pub(super) started: SystemTime,
    pub(super) up: Duration,
    pub(super) now: SystemTime,
}

impl View<'_> {
    /// The minute that has begun.
    fn minute(&self) -> u64 {
        super::calls::minutes(self.up)
    }
}

/// Bytes of what stands around the sections, and around the rows of tools.
const FRAME_BYTES: usize = 2_500;

pub(super) fn page(view: &View<'_>) -> String {
    let above = [trouble::section(view), last_hour::section(view)];
    let below = [failures::section(view), components::section(view), facts::sections(view)];
    // All of the others have a number of bytes of their own, and tools what these leave.
    let taken: usize = above.iter().chain(&below).map(|section| section.0.len()).sum();
    let left = PAGE_BYTES.saturating_sub(taken + STYLE.len() + ICON.len() + FRAME_BYTES);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Sandbar" }
                link rel="icon" href=(PreEscaped(ICON));
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(view))
                main {
                    @for section in &above { (section) }
                    (tools::section(view, left))
                    @for section in &below { (section) }
                }
                footer { "Of this replica alone, since it was started. Nothing here is what a call said, read or was called with." }
            }
        }
    };
    page.into_string()
}

fn head(view: &View<'_>) -> Markup {
    html! {
        header {
            h1 { "Sandbar" span { (view.server.version) } }
            p {
                "Up " (words::duration(view.up)) ", as of " (words::time(view.now)) " UTC "
                a href="/" { "Reload" }
            }
        }
    }
}

/// The rows of these that fit into so many bytes, and how many do not.
fn fitting(most: usize, rows: impl Iterator<Item = Markup>) -> (Vec<Markup>, usize) {
    let (mut fit, mut left, mut left_out) = (Vec::new(), most, 0);
    for row in rows {
        // A long one keeps none of those behind it away.
        match left.checked_sub(row.0.len()) {
            Some(rest) => {
                left = rest;
                fit.push(row);
            }
            None => left_out += 1,
        }
    }
    (fit, left_out)
}

/// What is said of those that do not fit.
fn rest(left_out: usize, what: &str, elsewhere: &str) -> Markup {
    html! {
        @if left_out > 0 {
            p.note { "and " (words::number_of(left_out as u64, what)) " more: " (elsewhere) }
        }
    }
}
