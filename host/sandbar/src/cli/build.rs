//! `sandbar build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use sandbar_author::{Described, Language, Project};
use sandbar_catalog::Source;
use sandbar_sandbox::{Artifact, Binary};

use super::inspect::{Examined, examine};
use super::setup::runtime;
use super::tools::asked;
use super::{Common, Failure, output};

#[derive(Args)]
#[command(
    after_help = "The component says its name, its version, the revision of its source and what it asks for without being run: `sandbar inspect` and \
                  registries show it.\n\nExamples:\n  sandbar build\n  sandbar build list-restarts"
)]
pub(super) struct Arguments {
    /// The folder of a tool, or a script
    #[arg(value_name = "DIR", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { path, common } = arguments;
    let project = Project::at(&path)?;
    let file = project.build(false)?;
    if project.language() == Language::Script {
        output::say("a script is served as it is: there is nothing to build");
    } else {
        describe(&file, project.described(), &common).context("it was built, and cannot be used")?;
    }
    output::text(&file.display().to_string());
    Ok(ExitCode::SUCCESS)
}

/// Adds to a component what it says of itself. What it asks for it has to say when it is run, as a server has it done: so one that a server
/// could not load is found here.
fn describe(file: &Path, described: Described, common: &Common) -> anyhow::Result<()> {
    let config = common.config()?;
    let engine = common.engine(&config)?;
    let source = Source::File(file.to_owned());
    let Examined { artifact, manifest, .. } = runtime()?.block_on(examine(&source, &config, &engine))?;
    let described = Described { rights: Some(asked(&manifest, &artifact)), ..described };
    let component = source.read()?.binary;
    let described = Binary::new(described.added_to(&component));
    sandbar_files::replace(file, &described)?;
    // Where it is not, whoever loads it compiles it.
    let _serves = Artifact::serves_for(&engine, &component, &described, config.terms(&source).limits.stack);
    Ok(())
}
