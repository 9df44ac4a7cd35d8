//! `sandbar pull`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use sandbar_catalog::{Integrity, NotTaken, Source};
use sandbar_registry::{Pinned, Reference, Registries};
use sandbar_sandbox::Folder;

use super::registries::{Asker, pulled, reference, registries};
use super::setup::runtime;
use super::{Common, Failure, output, words};

#[derive(Args)]
#[command(
    after_help = "What is pulled is kept in the cache, where `sandbar serve` finds it without asking a registry. `signatures` in sandbar.yaml \
                  says who has to have signed it.\n\nExamples:\n  sandbar pull --config sandbar.yaml\n  sandbar pull oci://registry.example.com/team/restarts:1.2.0 -o restarts.wasm"
)]
pub(super) struct Arguments {
    /// The component [default: all of sandbar.yaml]
    #[arg(value_name = "REFERENCE", value_parser = reference)]
    reference: Option<Reference>,
    /// Write it to this file, too
    #[arg(short, long, value_name = "FILE", requires = "reference")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { reference, output, common } = arguments;
    let config = common.config()?;
    let compiler = common.compiler();
    let folder = compiler.as_ref().map(|compiler| &*compiler.folder);
    if output.is_none() && !folder.is_some_and(Folder::is_kept) {
        return Err(anyhow!("there is no folder that would keep what is pulled: name one with --cache-dir").into());
    }
    let registries = registries(&config.registries, folder, Asker::Command)?;
    let runtime = runtime()?;
    if let Some(reference) = reference {
        let integrity = config.integrity_of(&reference);
        // A tag that nothing pins is what whoever types it means.
        let exact =
            integrity.exact(&reference).or_else(|why| if why == NotTaken::Tag { Ok(reference.clone()) } else { Err(why) });
        let exact = exact.with_context(|| reference.to_string())?;
        let (artifact, met) = runtime.block_on(registries.load(&exact, integrity.signatures.as_deref()))?;
        if let Some(met) = met {
            output::say(&met.to_string());
        }
        match output {
            Some(file) => sandbar_files::replace(&file, &artifact.component)
                .with_context(|| format!("{} cannot be written", file.display()))?,
            None => runtime.block_on(kept(&registries, &artifact.pinned))?,
        }
        output::text(&artifact.pinned.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = config.tools.iter().filter_map(|tool| match &tool.component {
        Source::Registry(reference) => Some((reference, config.terms(&tool.component).integrity)),
        Source::File(_) | Source::Bundled(_) => None,
    });
    let pull = |(reference, integrity): (&Reference, Integrity)| runtime.block_on(pulled(&registries, reference, &integrity));
    let pulled: Vec<_> = wanted.map(|wanted| pull(wanted).map(|artifact| artifact.pinned)).collect();
    if pulled.is_empty() {
        let words = "nothing to pull: name a reference, or a configuration with components of registries, with --config";
        return Err(Failure::Usage(anyhow!(words)));
    }
    // When all of them are there, since those that came last may have taken the room of others.
    let mut failed = Vec::new();
    for pulled in pulled {
        let kept = pulled.and_then(|pinned| runtime.block_on(kept(&registries, &pinned)).map(|()| pinned));
        match kept {
            Ok(pinned) => output::text(&pinned.to_string()),
            Err(error) => failed.push(error),
        }
    }
    for error in &failed {
        output::error(&words(error));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fails where a server would not find it.
async fn kept(registries: &Registries, pinned: &Pinned) -> anyhow::Result<()> {
    let kept = registries.kept(pinned).await;
    kept.context(
        "it was pulled, and the cache has not kept it, so a server would not find it; --cache-dir names another folder",
    )?;
    Ok(())
}
