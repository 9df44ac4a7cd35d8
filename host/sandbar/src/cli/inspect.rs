//! `sandbar inspect`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use sandbar_catalog::{Manifest, Missing, Settings, Source, Terms, manifest_of};
use sandbar_policy::{Grant, ONLY_CLUSTER};
use sandbar_sandbox::Artifact;
use serde_json::{Value, json};

use super::output::Format;
use super::setup::runtime;
use super::tools::{asked, by_cluster, side_by_side};
use super::{Common, Failure, Output, output};

/// What it is granted in each cluster, by the cluster's name.
type Grants = BTreeMap<Arc<str>, Grant>;

#[derive(Args)]
pub(super) struct Arguments {
    /// The component's file
    file: PathBuf,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let file = &arguments.file;
    let source = Source::File(file.clone());
    let binary = source.read().with_context(|| format!("{} cannot be read", file.display()))?;
    let config = arguments.common.config()?;
    let engine = arguments.common.engine(&config)?;
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    let Terms { grants, limits, .. } = config.terms(&source);
    let runtime = runtime()?;
    let artifact = runtime
        .block_on(Artifact::compile(&engine, &name, &binary, limits.stack))
        .with_context(|| format!("{} cannot be loaded", file.display()))?;
    let manifest = runtime
        .block_on(manifest_of(&artifact, &engine, &limits))
        .with_context(|| format!("{} has no usable manifest", file.display()))?;
    match arguments.output.output {
        Format::Json => output::json(&as_json(&artifact, &manifest, &grants))?,
        Format::Text => {
            let mut text = as_text(&artifact, &manifest, &grants);
            let missing = |grant| Missing::of(&manifest, artifact.imports(), grant);
            if let Some(missing) = grants.values().map(missing).find(|missing| !missing.is_empty()) {
                let _ = writeln!(text, "\nit asks for more than it is granted; {}", config.how_to_grant(file, &missing));
            }
            output::text(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(artifact: &Artifact, manifest: &Manifest, grants: &Grants) -> Value {
    let by_name = || grants.iter().map(|(name, grant)| (&**name, grant));
    json!({
        "component": artifact.name(),
        "digest": format!("sha256:{}", artifact.digest()),
        "imports": artifact.imports(),
        "tools": manifest.tools.iter().map(|tool| tool.object()).collect::<Vec<_>>(),
        "prompts": manifest.prompts.iter().map(|prompt| prompt.object()).collect::<Vec<_>>(),
        "resources": manifest.resources.iter().map(|resource| resource.object()).collect::<Vec<_>>(),
        "resourceTemplates": manifest.templates.iter().map(|template| template.object()).collect::<Vec<_>>(),
        "asked": asked(manifest, artifact),
        "granted": by_cluster(by_name(), |grant| json!(grant)),
        "missing": by_cluster(by_name(), |grant| json!(Missing::of(manifest, artifact.imports(), grant))),
        "settings": manifest.settings.as_ref().map(Settings::object),
    })
}

fn as_text(artifact: &Artifact, manifest: &Manifest, grants: &Grants) -> String {
    let imports = artifact.imports();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  sha256:{}", artifact.name(), artifact.digest());
    for export in &imports.exports {
        let _ = writeln!(text, "  exports  {export}");
    }
    for (interface, functions) in &imports.interfaces {
        let functions: Vec<_> = functions.iter().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "  imports  {} ({})",
            interface,
            if functions.is_empty() { "types".to_owned() } else { functions.join(", ") }
        );
    }
    if !imports.wasi.is_empty() {
        let _ = writeln!(text, "  imports  {} interfaces of WASI, which are empty here", imports.wasi.len());
    }
    for tool in &manifest.tools {
        let _ = writeln!(text, "  tool     {}", tool.name());
    }
    for prompt in &manifest.prompts {
        let _ = writeln!(text, "  prompt   {}", prompt.name());
    }
    let resources = manifest.resources.iter().map(|resource| &resource.object().uri);
    for uri in resources.chain(manifest.templates.iter().map(|template| &template.object().uri_template)) {
        let _ = writeln!(text, "  uri      {uri}");
    }
    if let Some(settings) = &manifest.settings {
        let _ = writeln!(text, "  settings {}", settings.object());
    }
    for (cluster, grant) in grants {
        if &**cluster != ONLY_CLUSTER {
            let _ = writeln!(text, "  cluster  {cluster}");
        }
        text.push_str(&side_by_side(manifest, artifact, grant));
    }
    text
}
