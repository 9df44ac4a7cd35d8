//! `sandbar new`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use sandbar_author::{Language, Name, Template};

use super::{Failure, output};

#[derive(Args)]
#[command(after_help = "Examples:\n  sandbar new list-restarts\n  sandbar new list-restarts --lang python")]
pub(super) struct Arguments {
    /// The folder to write, which is the name of the tool: small letters, digits and dashes
    name: Name,
    /// What the tool is written in: `script` is one file of JavaScript, which takes no toolchain
    #[arg(long = "lang", value_name = "script|rust|python|js|ts|go", default_value_t = Language::Script)]
    language: Language,
    /// Where the library for tools in Rust is, unpacked, in the place of the one of the registry
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { name, language, sdk } = arguments;
    let folder = PathBuf::from(name.to_string());
    if let Some(sdk) = sdk {
        check(sdk, *language).map_err(Failure::Usage)?;
    }
    let sdk = sdk.as_deref().map(std::path::absolute).transpose()?;
    let files = Template::of(*language).write(&folder, name, sdk.as_deref())?;
    output::text(&files.iter().map(|file| format!("{}\n", folder.join(file).display())).collect::<String>());
    output::say(&format!("next: `cd {name}`, then `sandbar dev` serves it on a demo cluster, and `sandbar test` runs its cases"));
    Ok(ExitCode::SUCCESS)
}

/// What --sdk names has to be there, and has to be of use.
fn check(sdk: &Path, language: Language) -> anyhow::Result<()> {
    if language != Language::Rust {
        bail!("--sdk is about the library for tools in Rust: add --lang rust, or leave it out");
    }
    if !sdk.join("Cargo.toml").is_file() {
        bail!("--sdk: {} has no Cargo.toml: name the folder that the library for tools in Rust was unpacked into", sdk.display());
    }
    Ok(())
}
