//! `sandbar tools`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::output::Format;
use super::setup::{Setup, runtime};
use super::{Common, Failure, Output, output};
use crate::catalog::{Served, Source};
use crate::policy::{Namespaces, PolicyRule, Secrets};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let Setup { catalog, problems, .. } = runtime()?.block_on(arguments.common.load(config))?;
    match arguments.output.output {
        Format::Json => output::json(&catalog.components().iter().map(|served| as_json(served)).collect::<Vec<_>>())?,
        Format::Text => output::text(&catalog.components().iter().map(|served| as_text(served)).collect::<String>()),
    }
    for problem in &problems {
        output::error(&format!("not loaded: {problem}"));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(served: &Served) -> Value {
    let limits = served.limits();
    json!({
        "component": served.name(),
        "source": served.source(),
        "digest": format!("sha256:{}", served.artifact().digest()),
        "imports": served.artifact().imports(),
        "tools": served.manifest().tools.iter().map(|tool| tool.object()).collect::<Vec<_>>(),
        "grant": served.grant(),
        "limits": {
            "timeSeconds": limits.time.as_secs_f64(),
            "cpuSeconds": limits.cpu.as_secs_f64(),
            "memoryBytes": limits.memory,
            "requests": limits.requests,
            "readBytes": limits.read,
            "logsBytes": limits.logs,
            "resultBytes": limits.result,
            "page": limits.page,
        },
    })
}

fn as_text(served: &Served) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for tool in &served.manifest().tools {
        let title = tool.object().get("title").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "{}  {title}", tool.name());
    }
    let origin = match served.source() {
        Source::Bundled(_) => "bundled".to_owned(),
        Source::File(path) => path.display().to_string(),
    };
    let digest = served.artifact().digest();
    let _ = writeln!(text, "  component  {origin}, sha256:{}", &digest[..digest.len().min(16)]);
    let grant = served.grant();
    let rules =
        grant.rules.iter().map(describe).chain(grant.cluster_rules.iter().map(|rule| format!("{} (cluster)", describe(rule))));
    let rules: Vec<String> = rules.collect();
    let _ =
        writeln!(text, "  may read   {}", if rules.is_empty() { "nothing of the cluster".to_owned() } else { rules.join("; ") });
    let _ = writeln!(
        text,
        "  namespaces {}",
        match &grant.namespaces {
            Namespaces::All => "all that the server's own rights allow".to_owned(),
            Namespaces::Only(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
        }
    );
    let _ = writeln!(text, "  secrets    {}", if grant.secrets == Secrets::Masked { "masked" } else { "shown" });
    let limits = served.limits();
    let _ = writeln!(
        text,
        "  limits     {:?}, {:?} of processor, {} memory, {} requests, {} read, {} of logs, {} result, {} objects a page\n",
        limits.time,
        limits.cpu,
        size(limits.memory),
        limits.requests,
        size(limits.read),
        size(limits.logs),
        size(limits.result),
        limits.page
    );
    text
}

/// A rule in one line: `get, list codercontrolplanes.coder.com`.
pub(super) fn describe(rule: &PolicyRule) -> String {
    let verbs: Vec<_> = rule.verbs.iter().map(|verb| verb.as_str()).collect();
    let resources = rule.resources.iter().flat_map(|resource| {
        rule.api_groups.iter().map(move |group| if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") })
    });
    let names = if rule.resource_names.is_empty() { String::new() } else { format!(" named {}", rule.resource_names.join(", ")) };
    format!("{} {}{names}", verbs.join(", "), resources.collect::<Vec<_>>().join(", "))
}

/// Bytes as sandbar.yaml writes them.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
    match units.into_iter().find(|&(unit, _)| bytes >= unit && bytes.is_multiple_of(unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}
