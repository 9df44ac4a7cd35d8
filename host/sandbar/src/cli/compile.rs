//! `sandbar compile`.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use sandbar_catalog::{Catalog, Contents, Pack, PackNames, Source};
use sandbar_config::{Config, Packs};
use sandbar_registry::Registries;
use sandbar_sandbox::{Binary, Engine, Folder};

use super::registries::{Asker, pulled, registries};
use super::setup::runtime;
use super::{Failure, Loading, output, words};

#[derive(Args)]
#[command(
    after_help = "Components of registries are compiled if the cache has them: run `sandbar pull` first. Exit status 1 where one cannot be compiled.\n\nExample:\n  \
                  sandbar compile --config sandbar.yaml --cache-dir /cache"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Loading,
}

pub(super) fn run(Arguments { common }: Arguments) -> Result<ExitCode, Failure> {
    let config = common.config()?;
    let engine = common.engine(&config)?;
    if !engine.folder().is_some_and(Folder::is_kept) {
        return Err(anyhow!("there is no folder that would keep what is compiled: name one with --cache-dir").into());
    }
    let registries = registries(&config.registries, engine.folder(), Asker::server(&config.registries))?;
    let (sources, absent) = common.sources(&config, &packs(&config), &Catalog::default());
    let mut failed = absent.len();
    for problem in &absent {
        output::error(&problem.to_string());
    }
    let runtime = runtime()?;
    for source in sources {
        match runtime.block_on(compiled(&source, &config, &engine, &registries)) {
            Ok(()) => output::text(&source.to_string()),
            Err(error) => {
                failed += 1;
                output::error(&words(&error));
            }
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The packs that may be served: of `auto` all, since what the cluster has is known when the server starts.
fn packs(config: &Config) -> PackNames {
    match &config.bundled.packs {
        Packs::Auto => Pack::all().iter().map(Pack::name).collect(),
        Packs::Only(names) => names.clone(),
    }
}

async fn compiled(source: &Source, config: &Config, engine: &Engine, registries: &Registries) -> anyhow::Result<()> {
    let integrity = config.terms(source).integrity;
    let binary = match source {
        Source::Registry(reference) => Binary::new(pulled(registries, reference, &integrity).await?.component),
        Source::File(_) | Source::Bundled(_) => {
            let Contents { binary, digest } = source.read().with_context(|| format!("{source} cannot be read"))?;
            integrity.check_contents(source, digest).with_context(|| source.to_string())?;
            binary
        }
    };
    match source.is_ours() {
        true => engine.compile_bundled(vec![binary]).await,
        false => engine.compile(binary).await,
    }
    .with_context(|| format!("{source} cannot be compiled"))
}
