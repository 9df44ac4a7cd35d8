//! Whether each component loads, as it would into a server.

use std::collections::BTreeSet;
use std::sync::Arc;

use sandbar_catalog::{Definition, Integrity, Problem, Served, Source};
use sandbar_config::Config;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::rbac::is_elsewhere;
use crate::cli::setup::Setup;
use crate::cli::words;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let Setup { config, catalog, problems, absent, on, packs, .. } = match subject.setup().await {
        Ok(setup) => setup,
        Err(error) if subject.is_elsewhere(error) => {
            return vec![Finding::warn(format!("{}; they were not looked at", words(error)))];
        }
        Err(error) => return vec![Finding::fail(words(error))],
    };
    let (bundled, others): (Vec<_>, Vec<_>) =
        catalog.components().iter().partition(|served| matches!(served.source(), Source::Bundled(_)));
    let mut findings = Vec::new();
    if !bundled.is_empty() {
        let packs: BTreeSet<&str> = bundled.iter().filter_map(|served| served.source().pack()).collect();
        findings.push(Finding::ok(format!("{} bundled in {}", bundled.len(), Vec::from_iter(packs).join(", "))));
    }
    findings.extend(others.iter().map(|served| Finding::ok(described(served, config))));
    findings.extend(absent.iter().chain(problems).map(|problem| of_problem(problem, config, subject.is_offline)));
    if let Some(trouble) = packs.unknown(config) {
        findings.push(Finding::warn(format!("which packs `bundled.packs: auto` stands for is not known: {trouble}")));
    } else {
        let unknown = config.unknown_tools(catalog.definitions().map(Definition::name), on);
        findings.extend(unknown.into_iter().map(Finding::warn));
    }
    if findings.is_empty() {
        findings.push(Finding::warn("there are none: `bundled.packs` names no pack, and `tools` no component"));
    }
    findings
}

/// A component that is not ours, and by what it is known to be the right one.
fn described(served: &Served, config: &Config) -> String {
    let Integrity { digest, signatures } = config.terms(served.source()).integrity;
    let known = match (digest.is_some(), signatures.is_some()) {
        (true, true) => "; it has the digest, and is signed, as sandbar.yaml wants it",
        (true, false) => "; it has the digest that sandbar.yaml wants",
        (false, true) => "; it is signed as sandbar.yaml wants it",
        (false, false) => "",
    };
    format!("{}, sha256:{}{known}", served.source(), served.artifact().digest())
}

fn of_problem(problem: &Problem, config: &Config, is_offline: bool) -> Finding {
    let words = config.described(problem);
    if problem.reason.is_compiling() {
        return Finding::warn(format!(
            "{words}; until then a server does without it, unless `sandbar compile` has done that before"
        ));
    }
    match is_offline && is_elsewhere(problem) && config.has_entry(&problem.source) {
        true => Finding::warn(format!("{}: it is not on this machine, and was not looked at", problem.source)),
        false => Finding::fail(words),
    }
}
