//! `sandbar inspect`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use sandbar_author::Described;
use sandbar_catalog::{Manifest, Missing, Settings, Source, manifest_of};
use sandbar_config::Config;
use sandbar_policy::{Grant, Limits, ONLY_CLUSTER};
use sandbar_sandbox::{Artifact, Binary, Engine};
use serde_json::{Value, json};

use super::registries::{Asker, component, registries};
use super::setup::runtime;
use super::tools::{asked, by_cluster, side_by_side};
use super::{Failure, Loading, Output, output};

/// What it is granted in each cluster, by the cluster's name.
type Grants = BTreeMap<Arc<str>, Grant>;

#[derive(Args)]
#[command(after_help = "Examples:\n  sandbar inspect restarts.wasm\n  \
                  sandbar inspect oci://registry.example.com/team/restarts:1.2.0 --config sandbar.yaml")]
pub(super) struct Arguments {
    /// The component's file, a script's, or oci://HOST/NAME@sha256:DIGEST or oci://HOST/NAME:TAG
    #[arg(value_name = "COMPONENT", value_parser = component)]
    component: Source,
    #[command(flatten)]
    common: Loading,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = &arguments.component;
    let config = arguments.common.config()?;
    let engine = arguments.common.engine(&config)?;
    let grants = config.terms(source).grants;
    let examined = runtime()?.block_on(examine(source, &config, &engine))?;
    let for_a_person = || {
        let mut text = as_text(&examined, &grants);
        if let Some(missing) = examined.missing(grants.values()) {
            let _ = writeln!(text, "\nit asks for more than it is granted; {}", config.how_to_grant(source, &missing));
        }
        text
    };
    output::value(arguments.output.output, || as_json(&examined, &grants), for_a_person)?;
    Ok(ExitCode::SUCCESS)
}

/// What a component says of itself: what a model reads of it, and what it asks for.
pub(super) fn described(manifest: &Manifest) -> Value {
    json!({
        "tools": manifest.tools.iter().map(|tool| tool.object()).collect::<Vec<_>>(),
        "prompts": manifest.prompts.iter().map(|prompt| prompt.object()).collect::<Vec<_>>(),
        "resources": manifest.resources.iter().map(|resource| resource.object()).collect::<Vec<_>>(),
        "resourceTemplates": manifest.templates.iter().map(|template| template.object()).collect::<Vec<_>>(),
        "settings": manifest.settings.as_ref().map(Settings::object),
        "rules": manifest.rules,
        "clusterRules": manifest.cluster_rules,
    })
}

/// A component that was looked at.
pub(super) struct Examined {
    pub(super) artifact: Artifact,
    pub(super) manifest: Manifest,
    /// What its file says without being run. Of a script nothing.
    pub(super) described: Described,
}

impl Examined {
    /// What it is missing where one of these grants is all that it has.
    pub(super) fn missing<'g>(&self, grants: impl IntoIterator<Item = &'g Grant>) -> Option<Missing> {
        Missing::gravest(grants.into_iter().map(|grant| Missing::of(&self.manifest, self.artifact.imports(), grant)))
    }
}

/// A component, read from where it is, compiled, and asked for its manifest. One in a registry is pulled, whoever has signed it.
pub(super) async fn examine(source: &Source, config: &Config, engine: &Engine) -> anyhow::Result<Examined> {
    let binary = match source {
        Source::Registry(reference) => {
            let registries = registries(&config.registries, engine.folder(), Asker::Command)?;
            Binary::new(registries.load(reference, None).await?.0.component)
        }
        Source::File(_) | Source::Bundled(_) => source.read().with_context(|| format!("{source} cannot be read"))?.binary,
    };
    examined(source, binary, engine, &config.terms(source).limits).await
}

/// A component that was read, compiled and asked for its manifest.
pub(super) async fn examined(source: &Source, binary: Binary, engine: &Engine, limits: &Limits) -> anyhow::Result<Examined> {
    let artifact = Artifact::compile(engine, &source.name(), &binary, limits.stack).await;
    let artifact = artifact.with_context(|| format!("{source} cannot be loaded"))?;
    let manifest = manifest_of(&artifact, engine, limits).await.with_context(|| format!("{source} has no usable manifest"))?;
    let described = if artifact.is_script() { Described::default() } else { Described::of(&binary)? };
    Ok(Examined { artifact, manifest, described })
}

fn as_json(Examined { artifact, manifest, described }: &Examined, grants: &Grants) -> Value {
    let by_name = || grants.iter().map(|(name, grant)| (&**name, grant));
    json!({
        "component": artifact.name(),
        "version": described.version,
        "revision": described.revision,
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

fn as_text(Examined { artifact, manifest, described }: &Examined, grants: &Grants) -> String {
    let imports = artifact.imports();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  sha256:{}", artifact.name(), artifact.digest());
    for (what, said) in [("version ", &described.version), ("revision", &described.revision)] {
        if let Some(said) = said {
            let _ = writeln!(text, "  {what} {said}");
        }
    }
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
