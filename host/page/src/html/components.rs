//! What is loaded: where each component comes from, what it asks for, and what of that it is granted.

use maud::{Markup, html};

use super::words::{line, number_of};
use super::{View, fitting, rest};
use crate::served::{Component, Granted, Right};

/// Bytes of all of them.
const BYTES: usize = 30_000;

/// Bytes of a name, and of a longer text.
const NAME_BYTES: usize = 120;
const TEXT_BYTES: usize = 300;

/// Resources that are named, of those for which the same is granted.
const NAMED: usize = 40;

/// Bytes of one card. One whose rights take more is shown without them, so that the author of a component cannot push the others off the page.
const CARD_BYTES: usize = 4_000;

/// Letters of a digest where it stands for what it is of.
const SHORT_DIGEST: usize = 12;

pub(super) fn section(view: &View<'_>) -> Markup {
    let common = common_limits(&view.told.components);
    let card = |component| {
        let whole = card(component, view, &common, true);
        if whole.0.len() <= CARD_BYTES { whole } else { card(component, view, &common, false) }
    };
    let (all, left_out) = fitting(BYTES, view.told.components.iter().map(card));
    html! {
        section aria-labelledby="components" {
            h2 #components { "Components" }
            @if view.told.components.is_empty() { p.note { "None is served." } }
            div.cards { @for card in &all { (card) } }
            (rest(left_out, "component", "`sandbar tools` prints them"))
        }
    }
}

/// The limits that most components have.
pub(super) fn common_limits(components: &[Component]) -> Vec<(String, String)> {
    let most = components.iter().max_by_key(|one| components.iter().filter(|other| other.limits == one.limits).count());
    most.map(|component| component.limits.clone()).unwrap_or_default()
}

fn card(component: &Component, view: &View<'_>, common: &[(String, String)], tells_rights: bool) -> Markup {
    let asked = |is_meant: fn(&Right) -> bool| {
        component.grants.iter().flat_map(|granted| &granted.rights).filter(|right| is_meant(right)).count()
    };
    let (all, refused) =
        (asked(|right| !right.granted.is_empty() || !right.refused.is_empty()), asked(|right| !right.refused.is_empty()));
    let (prompts, resources) = component.beside_tools;
    let beside = view.calls.beside_tools(&component.name, view.minute());
    let own = component.limits.iter().filter(|limit| !common.contains(limit)).map(|(key, value)| format!("{key} {value}"));
    let own: Vec<String> = own.collect();
    let digest = &*component.digest;
    html! {
        details open[refused > 0] {
            summary {
                b { (line(&component.name, NAME_BYTES)) }
                span { (line(&component.kind, NAME_BYTES)) }
                code title=(digest) { (&digest[..digest.floor_char_boundary(SHORT_DIGEST)]) }
                span.b[refused > 0] {
                    @match (all, refused) {
                        (0, _) => "reads nothing",
                        (_, 0) => "reads all that it asks for",
                        _ => { (refused) " of " (all) " refused" }
                    }
                }
            }
            dl {
                @if component.source != component.kind { div { dt { "From" } dd { (line(&component.source, TEXT_BYTES)) } } }
                @for signer in component.signers.iter().take(4) { div { dt { "Signed by" } dd { (line(signer, TEXT_BYTES)) } } }
                @if component.tools.len() > 1 { div { dt { "Tools" } dd { (names(component.tools.iter().map(|tool| &*tool.name))) } } }
                @if prompts + resources > 0 {
                    div {
                        dt { "Beside tools" }
                        dd {
                            (number_of(prompts as u64, "prompt")) ", " (number_of(resources as u64, "resource"))
                            @if beside.count() > 0 { ": " (number_of(beside.count(), "call")) ", " (number_of(beside.bad(), "failure")) }
                        }
                    }
                }
                @if tells_rights {
                    @for granted in &component.grants { (reads(granted)) }
                } @else {
                    div { dt { "Rights" } dd { "too many to be shown here: `sandbar tools` prints them" } }
                }
                @if !own.is_empty() { div { dt { "Own limits" } dd { (names(own.iter().map(String::as_str))) } } }
            }
        }
    }
}

/// What it may read in some clusters.
fn reads(granted: &Granted) -> Markup {
    let of = |verbs: fn(&Right) -> &Vec<&'static str>| {
        let mut by_verbs: Vec<(&Vec<&'static str>, Vec<&str>)> = Vec::new();
        for right in granted.rights.iter().filter(|right| !verbs(right).is_empty()) {
            match by_verbs.iter_mut().find(|(known, _)| *known == verbs(right)) {
                Some((_, resources)) => resources.push(right.resource.as_str()),
                None => by_verbs.push((verbs(right), vec![right.resource.as_str()])),
            }
        }
        by_verbs
    };
    let line_of = |term: &str, class: &str, all: Vec<(&Vec<&'static str>, Vec<&str>)>, why: &str| {
        html! {
            @for (verbs, resources) in all {
                div class=(class) {
                    dt { (term) " " (verbs.join(", ")) }
                    dd { (names(resources.into_iter())) (why) }
                }
            }
        }
    };
    html! {
        @if !granted.clusters.is_empty() { div { dt { "In" } dd { (names(granted.clusters.iter().map(String::as_str))) } } }
        (line_of("May", "", of(|right| &right.granted), ""))
        (line_of("Refused", "b", of(|right| &right.refused), " – it asks for that, and sandbar.yaml does not grant it"))
        (line_of("Unasked", "", of(|right| &right.unasked), " – granted, and it does not ask for that"))
        @if !granted.rights.is_empty() { div { dt { "Namespaces" } dd { (line(&granted.namespaces, TEXT_BYTES)) } } }
    }
}

/// Names of others, one after the other.
fn names<'n>(all: impl Iterator<Item = &'n str> + Clone) -> Markup {
    let more = all.clone().skip(NAMED).count();
    html! {
        @for (at, name) in all.take(NAMED).enumerate() {
            @if at > 0 { ", " }
            (line(name, NAME_BYTES))
        }
        @if more > 0 { " and " (more) " more" }
    }
}
