//! `sandbar man`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use clap_mangen::Man;
use sandbar_text::nearest;

use super::{Cli, Failure, output};

#[derive(Args)]
#[command(after_help = "Examples:\n  sandbar man serve | man -l -\n  sandbar man --dir ~/.local/share/man/man1")]
pub(super) struct Arguments {
    /// The command that the page is about [default: sandbar itself]
    command: Option<String>,
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(folder) = &arguments.dir {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::shown(), folder))
            .with_context(|| format!("the pages cannot be written into {}", folder.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    Man::new(command(arguments.command.as_deref()).map_err(Failure::Usage)?).render(&mut page)?;
    output::text(&String::from_utf8_lossy(&page));
    Ok(ExitCode::SUCCESS)
}

/// The command of this name; without one, the whole.
fn command(name: Option<&str>) -> anyhow::Result<clap::Command> {
    // As of the pages in a folder, which `help` has none in either.
    let mut all = Cli::shown().disable_help_subcommand(true);
    all.build();
    let Some(name) = name else { return Ok(all) };
    all.find_subcommand(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
        match nearest(name, &known) {
            Some(nearest) => anyhow!("there is no command {name:?}; did you mean {nearest:?}?"),
            None => anyhow!("there is no command {name:?}; there are {}", known.join(", ")),
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn each_command_that_help_shows_has_a_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = Arguments { command: None, dir: Some(folder.path().join("man1")) };
        assert!(run(&arguments).is_ok());
        for shown in Cli::command().get_subcommands() {
            let page = folder.path().join(format!("man1/sandbar-{}.1", shown.get_name()));
            assert_eq!(page.exists(), !shown.is_hide_set(), "{}", page.display());
            let Ok(command) = command(Some(shown.get_name())) else {
                assert!(shown.is_hide_set(), "{}", shown.get_name());
                continue;
            };
            let mut printed = Vec::new();
            Man::new(command).render(&mut printed).expect("written");
            assert_eq!(String::from_utf8(printed).expect("text"), std::fs::read_to_string(page).expect("text"));
        }
        assert!(command(Some("serv")).expect_err("misspelt").to_string().contains("\"serve\""));
    }
}
