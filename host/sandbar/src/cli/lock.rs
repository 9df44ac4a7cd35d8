//! `sandbar lock`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use sandbar_author::changes;
use sandbar_catalog::Source;
use sandbar_config::{Config, ToolConfig, with_digests};
use sandbar_registry::{Digest, NotLoaded, Pinned, Reference, Registries, Version};
use sandbar_sandbox::{Binary, Engine};

use super::diff::compared;
use super::inspect::examined;
use super::registries::{Asker, registries};
use super::setup::runtime;
use super::{Common, Failure, output, words};

/// The exit status of a check that could not be made, as of a command line that means nothing: what is to be looked into is not the component.
const NOT_FOUND_OUT: u8 = 2;

#[derive(Args)]
#[command(
    after_help = "What a tag leads to is taken up if it is signed as `signatures` says and asks for no more than it is granted; else the digest \
                  that is there stays, and what is different is printed.\n\nExit status: 0 every tag has its digest, 1 some do not: with --check some \
                  have another by now, and without what they lead to is not taken up. With --check 2: of some it could not be found out.\n\nExample:\n  sandbar lock --config sandbar.yaml"
)]
pub(super) struct Arguments {
    /// Change nothing, and say where something would change
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { check, common } = arguments;
    let file = common.config.clone().ok_or_else(|| Failure::Usage(anyhow!("which configuration? Name it with --config")))?;
    let text = Config::text(&file)?;
    let config = common.config_of(Some(&text))?;
    let engine = common.engine(&config)?;
    let lock = Lock { registries: registries(&config.registries, engine.folder(), Asker::Command)?, engine, config };
    let (mut digests, mut refused, mut not_found_out) = (BTreeMap::new(), 0, 0);
    let runtime = runtime()?;
    for (entry, tool) in lock.config.tools.iter().enumerate() {
        let Source::Registry(reference @ Reference { version: Version::Tag(_), .. }) = &tool.component else { continue };
        match runtime.block_on(lock.digest(reference, tool)) {
            Ok(digest) if tool.digest == Some(digest) => output::text(&format!("{reference}: {digest}, as before")),
            Ok(digest) => {
                let before = tool.digest.map(|before| format!(" (was {before})")).unwrap_or_default();
                output::text(&format!("{reference}: {digest}{before}"));
                digests.insert(entry, digest);
            }
            Err(error) => {
                *if is_of_registry(&error) { &mut not_found_out } else { &mut refused } += 1;
                let stays = if tool.digest.is_some() { "the digest that is there stays: " } else { "" };
                output::error(&format!("{stays}{}", words(&error)));
            }
        }
    }
    if !digests.is_empty() && !check {
        let new = with_digests(&text, &digests)?;
        if Config::text(&file)? != text {
            return Err(anyhow!("{} has changed meanwhile, and is left as it is: run this again", file.display()).into());
        }
        sandbar_files::replace(&file, new.as_bytes()).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(match refused + not_found_out {
        0 if digests.is_empty() || !check => ExitCode::SUCCESS,
        _ if check && not_found_out > 0 => ExitCode::from(NOT_FOUND_OUT),
        _ => ExitCode::FAILURE,
    })
}

/// Whether it is the registry that has not said what a tag leads to, or has not given it.
fn is_of_registry(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(NotLoaded::Registry(_))) || error.is::<sandbar_registry::Error>()
}

/// What is needed to find out what a tag stands for, and whether that may be taken up.
struct Lock {
    config: Config,
    engine: Engine,
    registries: Registries,
}

impl Lock {
    /// What a tag leads to now, if it is signed as it has to be, and asks for no more than it is granted.
    async fn digest(&self, reference: &Reference, tool: &ToolConfig) -> anyhow::Result<Digest> {
        let terms = self.config.terms(&tool.component);
        let (artifact, _) = self.registries.load(reference, terms.integrity.signatures.as_deref()).await?;
        let digest = artifact.pinned.digest;
        if tool.digest == Some(digest) {
            return Ok(digest);
        }
        let new = examined(&tool.component, Binary::new(artifact.component), &self.engine, &terms.limits).await?;
        let missing = new.missing(terms.grants.values());
        let Some(missing) = missing.filter(|missing| missing.caller || !terms.accepts_partial_grant) else {
            return Ok(digest);
        };
        let how = self.config.how_to_grant(&tool.component, &missing);
        let Some(before) = tool.digest else { bail!("{reference}: it asks for more than it is granted; {how}") };
        let pinned = Pinned { repository: reference.repository.clone(), digest: before };
        let old = self.registries.pull(&pinned).await?;
        let old = examined(&tool.component, Binary::new(old.component), &self.engine, &terms.limits).await?;
        let different = changes(&compared(&old), &compared(&new)).join("\n  ");
        bail!("{reference}: {digest} asks for more than it is granted. What is different from {before}:\n  {different}\n{how}")
    }
}
