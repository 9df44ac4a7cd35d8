//! `sandbar wit`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use sandbar_sandbox::PACKAGES;

use super::{Failure, output};

/// A world to start from. Importing an interface is asking for it, so it imports what most tools need.
const WORLD: &str = "\
package example:my-tool;

world my-tool {
  include sandbar:tool/tool@0.1.0;
  import sandbar:kubernetes/read@0.1.0;
}
";

#[derive(Args)]
#[command(after_help = "Example:\n  sandbar wit wit")]
pub(super) struct Arguments {
    /// The directory to write to, usually `wit`
    directory: PathBuf,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    for (file, text) in PACKAGES {
        let path = arguments.directory.join("deps").join(format!("sandbar-{file}"));
        let directory = path.parent().unwrap_or(&arguments.directory);
        std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        output::say(&format!("wrote {}", path.display()));
    }
    // A world of the author's own stays as it is.
    let world = arguments.directory.join("world.wit");
    if !world.exists() {
        std::fs::write(&world, WORLD).with_context(|| format!("{} cannot be written", world.display()))?;
        output::say(&format!("wrote {}", world.display()));
    }
    Ok(ExitCode::SUCCESS)
}
