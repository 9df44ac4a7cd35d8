//! `sandbar tools`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use sandbar_catalog::{Manifest, Missing, Right, Served, Source, asks_for_caller, rights};
use sandbar_config::written_limits;
use sandbar_policy::{Grant, Namespaces, ONLY_CLUSTER, Verb};
use sandbar_sandbox::Artifact;
use sandbar_secrets::Secrets;
use sandbar_text::clean_line;
use serde_json::{Map, Value, json};

use super::output::Format;
use super::setup::{Patience, Setup, runtime};
use super::table::table;
use super::{Failure, OnCluster, Output, output};

/// Bytes of a tool's title.
const TITLE_BYTES: usize = 256;

#[derive(Args)]
#[command(after_help = "Examples:\n  sandbar tools --config sandbar.yaml\n  sandbar tools --packs coder,kubernetes -o table")]
pub(super) struct Arguments {
    #[command(flatten)]
    common: OnCluster,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let Setup { config, catalog, problems, .. } = runtime()?.block_on(async {
        let clusters = arguments.common.clusters_if_needed(&config).await?;
        arguments.common.load_what_is_there(config, clusters, Patience::ENDLESS).await?.complete()
    })?;
    let all = || catalog.components().iter();
    let format = arguments.output.output;
    output::value(
        format,
        || all().map(|served| as_json(served)).collect(),
        || match table(&all().flat_map(|served| rows(served)).collect()) {
            Some(table) if format == Format::Table => table,
            _ => all().map(|served| as_text(served)).collect(),
        },
    )?;
    for problem in &problems {
        output::error(&format!("not loaded: {}", config.described(problem)));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(served: &Served) -> Value {
    json!({
        "component": served.name(),
        "source": served.source(),
        "pack": served.source().pack(),
        "digest": format!("sha256:{}", served.artifact().digest()),
        "imports": served.artifact().imports(),
        "tools": served.manifest().tools.iter().map(|tool| tool.object()).collect::<Vec<_>>(),
        "prompts": served.manifest().prompts.iter().map(|prompt| prompt.object()).collect::<Vec<_>>(),
        "resources": served.manifest().resources.iter().map(|resource| resource.object()).collect::<Vec<_>>(),
        "resourceTemplates": served.manifest().templates.iter().map(|template| template.object()).collect::<Vec<_>>(),
        "asked": asked(served.manifest(), served.artifact()),
        "granted": by_cluster(served.grants(), |grant| json!(grant)),
        "missing": by_cluster(served.grants(), |grant| json!(Missing::of(served.manifest(), served.artifact().imports(), grant))),
        "namespaces": by_cluster(served.grants(), |grant| json!(places(&grant.namespaces))),
        "limits": written_limits(served.limits()).into_iter().collect::<BTreeMap<_, _>>(),
    })
}

/// A row of a table for each tool and prompt, and for a component that has neither.
fn rows(served: &Served) -> Vec<Value> {
    let manifest = served.manifest();
    let tools = manifest.tools.iter().map(|tool| ("tool", tool.name()));
    let mut offers: Vec<(&str, &str)> = tools.chain(manifest.prompts.iter().map(|prompt| ("prompt", prompt.name()))).collect();
    if offers.is_empty() {
        offers.push(("-", "-"));
    }
    let row = |(offer, name)| {
        json!({
            "name": name,
            "offer": offer,
            "component": served.name(),
            "from": served.source().pack().map_or_else(|| served.source().to_string(), |pack| format!("pack {pack}")),
            "reads": by_cluster(served.grants(), |grant| json!(summary(&rights(manifest, grant)))),
            "namespaces": by_cluster(served.grants(), |grant| json!(places(&grant.namespaces))),
        })
    };
    offers.into_iter().map(row).collect()
}

/// The resources that may be read.
fn summary(rights: &[Right]) -> String {
    let granted: Vec<String> = rights.iter().filter(|right| !right.granted.is_empty()).map(describe).collect();
    if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") }
}

fn as_text(served: &Served) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for tool in &served.manifest().tools {
        let title = tool.object().get("title").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "{}  {}", tool.name(), clean_line(title, TITLE_BYTES));
    }
    for prompt in &served.manifest().prompts {
        let title = prompt.object().title.as_deref().unwrap_or_default();
        let _ = writeln!(text, "prompt {}  {}", prompt.name(), clean_line(title, TITLE_BYTES));
    }
    let origin = match served.source() {
        Source::Bundled(_) => format!("bundled in {}", served.source().pack().unwrap_or_default()),
        other => other.to_string(),
    };
    let digest = served.artifact().digest();
    let _ = writeln!(text, "  component  {origin}, sha256:{}", &digest[..digest.len().min(16)]);
    for (cluster, grant) in served.grants() {
        if cluster != ONLY_CLUSTER {
            let _ = writeln!(text, "  cluster    {cluster}");
        }
        text.push_str(&side_by_side(served.manifest(), served.artifact(), grant));
        let _ = writeln!(text, "  namespaces {}", places(&grant.namespaces));
        let _ = writeln!(text, "  secrets    {}", if grant.secrets == Secrets::Masked { "masked" } else { "shown" });
    }
    let limits: Vec<_> = written_limits(served.limits()).iter().map(|(key, value)| format!("{key} {value}")).collect();
    let _ = writeln!(text, "  limits     {}\n", limits.join(", "));
    text
}

/// Something about what is granted: where there is one cluster that itself, else by the names of the clusters.
pub(super) fn by_cluster<'a>(grants: impl Iterator<Item = (&'a str, &'a Grant)>, of: impl Fn(&Grant) -> Value) -> Value {
    let mut all: Map<String, Value> = grants.map(|(name, grant)| (name.to_owned(), of(grant))).collect();
    all.remove(ONLY_CLUSTER).unwrap_or(Value::Object(all))
}

/// What a component asks for, in the keys of sandbar.yaml.
pub(super) fn asked(manifest: &Manifest, artifact: &Artifact) -> Value {
    json!({
        "rules": manifest.rules,
        "clusterRules": manifest.cluster_rules,
        "caller": asks_for_caller(artifact.imports()),
    })
}

pub(super) fn places(namespaces: &Namespaces) -> String {
    match namespaces {
        Namespaces::All => "all that the server's own rights allow".to_owned(),
        Namespaces::Only(names) if names.is_empty() => "none".to_owned(),
        Namespaces::Only(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

/// A table of what is asked for, granted and missing, a line for each resource; and whether the component is told who calls, if
/// that is a question.
pub(super) fn side_by_side(manifest: &Manifest, artifact: &Artifact, grant: &Grant) -> String {
    let caller = match (asks_for_caller(artifact.imports()), grant.caller) {
        (true, true) => "  caller     told: asked and granted\n",
        (true, false) => "  caller     not told: asked, and not granted\n",
        (false, true) => "  caller     not told: granted, and not asked\n",
        (false, false) => "",
    };
    in_columns(&rights(manifest, grant)) + caller
}

fn in_columns(rights: &[Right]) -> String {
    if rights.is_empty() {
        return "  may read   nothing of the cluster\n".to_owned();
    }
    let mut lines = vec![["resource", "asked", "granted", "missing"].map(str::to_owned)];
    lines.extend(
        rights.iter().map(|right| [describe(right), verbs(&right.asked), verbs(&right.granted), verbs(&right.missing())]),
    );
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let line = |[resource, asked, granted, missing]: &[String; 4]| {
        let [first, second, third] = widths;
        format!("  {resource:first$}  {asked:second$}  {granted:third$}  {missing}\n")
    };
    lines.iter().map(line).collect()
}

/// A resource as kubectl writes it: `codercontrolplanes.coder.com`.
pub(super) fn describe(right: &Right) -> String {
    let mut text = right.resource.clone();
    if !right.group.is_empty() {
        let _ = write!(text, ".{}", right.group);
    }
    if !right.names.is_empty() {
        let _ = write!(text, " named {}", right.names.join(", "));
    }
    if right.of_cluster {
        text.push_str(" (cluster)");
    }
    text
}

fn verbs(verbs: &BTreeSet<Verb>) -> String {
    let words: Vec<_> = verbs.iter().map(|verb| verb.as_str()).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}
