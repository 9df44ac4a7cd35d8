//! `sandbar diff`.

use std::process::ExitCode;

use clap::Args;
use sandbar_author::changes;
use sandbar_catalog::Source;
use serde_json::{Value, json};

use super::inspect::{Examined, described, examine};
use super::registries::component;
use super::setup::runtime;
use super::{Common, Failure, output};

#[derive(Args)]
#[command(
    after_help = "Exit status: 0 both say the same of themselves, 1 they do not.\n\nExamples:\n  sandbar diff old.wasm new.wasm\n  \
                  sandbar diff oci://registry.example.com/team/restarts:1.2.0 restarts.wasm"
)]
pub(super) struct Arguments {
    /// The component or script of before: its file, or where it is in a registry
    #[arg(value_name = "OLD", value_parser = component)]
    old: Source,
    /// The one that is to take its place
    #[arg(value_name = "NEW", value_parser = component)]
    new: Source,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { old, new, common } = arguments;
    let config = common.config()?;
    let engine = common.engine(&config)?;
    let (before, after) = runtime()?.block_on(async {
        let before = examine(&old, &config, &engine).await?;
        Ok::<_, anyhow::Error>((before, examine(&new, &config, &engine).await?))
    })?;
    let changed = changes(&compared(&before), &compared(&after));
    if changed.is_empty() {
        output::say("both say the same of themselves, and ask for the same");
        return Ok(ExitCode::SUCCESS);
    }
    output::text(&changed.join("\n"));
    Ok(ExitCode::FAILURE)
}

/// What it says of itself, and what it imports.
pub(super) fn compared(Examined { artifact, manifest, .. }: &Examined) -> Value {
    let mut compared = described(manifest);
    compared["imports"] = json!(artifact.imports().interfaces);
    compared
}
