//! `sandbar inspect`.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use sandbar_catalog::{Manifest, Missing, Settings, Source, Terms, manifest_of, rights};
use sandbar_policy::Grant;
use sandbar_sandbox::Artifact;
use serde_json::{Value, json};

use super::output::Format;
use super::setup::runtime;
use super::tools::{asked, side_by_side};
use super::{Common, Failure, Output, output};

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
    let Terms { grant, limits, .. } = config.terms(&source);
    let runtime = runtime()?;
    let artifact = runtime
        .block_on(Artifact::compile(&engine, &name, &binary, limits.stack))
        .with_context(|| format!("{} cannot be loaded", file.display()))?;
    let manifest = runtime
        .block_on(manifest_of(&artifact, &engine, &limits))
        .with_context(|| format!("{} has no usable manifest", file.display()))?;
    match arguments.output.output {
        Format::Json => output::json(&as_json(&artifact, &manifest, &grant))?,
        Format::Text => {
            let mut text = as_text(&artifact, &manifest, &grant);
            let missing = Missing::of(&manifest, &grant);
            if !missing.is_empty() {
                let _ = writeln!(text, "\nit asks for more than it is granted; {}", config.how_to_grant(file, &missing));
            }
            output::text(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(artifact: &Artifact, manifest: &Manifest, grant: &Grant) -> Value {
    json!({
        "component": artifact.name(),
        "digest": format!("sha256:{}", artifact.digest()),
        "imports": artifact.imports(),
        "tools": manifest.tools.iter().map(|tool| tool.object()).collect::<Vec<_>>(),
        "asked": asked(manifest),
        "granted": grant,
        "missing": Missing::of(manifest, grant),
        "settings": manifest.settings.as_ref().map(Settings::object),
    })
}

fn as_text(artifact: &Artifact, manifest: &Manifest, grant: &Grant) -> String {
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
    if let Some(settings) = &manifest.settings {
        let _ = writeln!(text, "  settings {}", settings.object());
    }
    text.push_str(&side_by_side(&rights(manifest, grant)));
    text
}
