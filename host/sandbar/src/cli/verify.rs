//! `sandbar verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use sandbar_config::Config;
use sandbar_registry::{Policy, Reference};
use serde_json::json;

use super::registries::reference;
use super::setup::runtime;
use super::{Common, Failure, output};

/// Bytes of a key or a policy.
const FILE_BYTES: u64 = 1024 * 1024;

#[derive(Args)]
#[command(
    after_help = "Exit status: 0 it is signed as it has to be, 1 it is not.\n\nExamples:\n  sandbar verify oci://registry.example.com/team/restarts:1.2.0 --key cosign.pub\n  \
                  sandbar verify oci://registry.example.com/team/restarts:1.2.0 --config sandbar.yaml"
)]
pub(super) struct Arguments {
    /// The component
    #[arg(value_name = "REFERENCE", value_parser = reference)]
    reference: Reference,
    /// A public key whose owner has to have signed it, as PEM; with several, all of them [default: `signatures` of sandbar.yaml]
    #[arg(long = "key", value_name = "FILE", conflicts_with = "policy")]
    keys: Vec<PathBuf>,
    /// A file with `allOf` and `anyOf`, as `signatures` of sandbar.yaml has them
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { reference, keys, policy, common } = arguments;
    let config = common.config()?;
    let policy = match policy {
        Some(file) => read(&file).and_then(|text| of_file(&text).with_context(|| format!("{} is no policy", file.display())))?,
        None if keys.is_empty() => of_config(&config, &reference)?,
        None => of_keys(&keys)?,
    };
    let registries = common.registries(&config)?;
    let (pinned, met) = runtime()?.block_on(async {
        let pinned = registries.resolve(&reference).await?;
        let met = registries.verify(&pinned, &policy).await?;
        Ok::<_, anyhow::Error>((pinned, met))
    })?;
    output::text(&pinned.to_string());
    output::say(&met.to_string());
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let read = sandbar_files::in_time(file, sandbar_files::READ_TIME, |file| sandbar_files::read_to_string(file, FILE_BYTES));
    read.with_context(|| format!("{} cannot be read", file.display()))
}

fn of_file(text: &str) -> anyhow::Result<Policy> {
    Ok(serde_saphyr::from_str(text)?)
}

fn of_keys(keys: &[PathBuf]) -> anyhow::Result<Policy> {
    let rule = |file: &PathBuf| Ok(json!({ "kind": "pubKey", "owner": file.display().to_string(), "key": read(file)? }));
    let rules = keys.iter().map(rule).collect::<anyhow::Result<Vec<_>>>()?;
    serde_json::from_value(json!({ "allOf": rules })).map_err(|error| anyhow!("--key: {error}"))
}

fn of_config(config: &Config, reference: &Reference) -> Result<Policy, Failure> {
    let policy = config.integrity_of(reference).signatures;
    let none = "who has to have signed it? Say it with --key or --policy, or with `signatures` in a configuration";
    policy.map(|policy| Policy::clone(&policy)).ok_or_else(|| Failure::Usage(anyhow!(none)))
}
