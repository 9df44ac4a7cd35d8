//! `sandbar push`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use sandbar_author::Described;
use sandbar_catalog::Source;
use sandbar_registry::{Package, Reference};

use super::registries::reference;
use super::setup::runtime;
use super::{Common, Failure, output};

#[derive(Args)]
#[command(
    after_help = "Prints the reference by digest, for `cosign sign` and for sandbar.yaml. Credentials are those of docker's configuration, or of \
                  `registries.credentials`.\n\nExample:\n  sandbar push restarts.wasm oci://registry.example.com/team/restarts:1.2.0"
)]
pub(super) struct Arguments {
    /// The component's file
    file: PathBuf,
    /// Where it goes: oci://HOST/NAME:TAG
    #[arg(value_name = "REFERENCE", value_parser = destination)]
    reference: Reference,
    /// Something to say about it, `org.opencontainers.image.source=https://…` for example; can be given several times
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { file, reference, annotations, common } = arguments;
    let shown = file.display();
    if file.extension().is_some_and(|end| end == "js") {
        let words = "a script is a text that runs in an engine of the server: keep it in a repository and a ConfigMap, registries have components";
        return Err(Failure::Usage(anyhow!("{shown}: {words}")));
    }
    let registries = common.registries(&common.config()?)?;
    let binary = Source::File(file.clone()).read().with_context(|| format!("{shown} cannot be read"))?.binary;
    let described = Described::of(&binary).with_context(|| format!("{shown} is no component"))?;
    if described.rights.is_none() {
        let words = "it does not say what it asks for, and so nobody can read that without running it: `sandbar build` adds that to a component";
        output::say(&format!("sandbar: {shown}: {words}"));
    }
    let mut all: BTreeMap<String, String> = described.annotations();
    all.extend(annotations);
    let package =
        Package { component: binary.to_vec().into(), imports: described.imports, exports: described.exports, annotations: all };
    let pinned = runtime()?.block_on(registries.push(&reference, &package))?;
    output::text(&pinned.to_string());
    Ok(ExitCode::SUCCESS)
}

/// Where a component goes: `oci://HOST/NAME:TAG`.
fn destination(text: &str) -> Result<Reference, String> {
    let is_named = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if text.starts_with("oci://") && !is_named {
        return Err(
            "it has no tag, and `latest` is not assumed: write the version that this is behind it, as `:1.2.0`".to_owned()
        );
    }
    reference(text)
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("it is none: write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
