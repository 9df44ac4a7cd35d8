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
    let mut all = Cli::shown().disable_help_subcommand(true);
    all.build();
    match &arguments.dir {
        Some(folder) => {
            let write = |command: &clap::Command| page(command).generate_to(folder);
            std::fs::create_dir_all(folder)
                .and_then(|()| {
                    std::iter::once(&all).chain(all.get_subcommands()).try_for_each(|command| write(command).map(drop))
                })
                .with_context(|| format!("the pages cannot be written into {}", folder.display()))?;
        }
        None => {
            let command = named(&all, arguments.command.as_deref()).map_err(Failure::Usage)?;
            output::text(&rendered(command)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: &clap::Command) -> Man {
    Man::new(command.clone()).source(concat!("sandbar ", env!("CARGO_PKG_VERSION"))).manual("Sandbar")
}

fn rendered(command: &clap::Command) -> anyhow::Result<String> {
    let mut text = Vec::new();
    page(command).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The command of this name; without one, the whole.
fn named<'c>(all: &'c clap::Command, name: Option<&str>) -> anyhow::Result<&'c clap::Command> {
    let Some(name) = name else { return Ok(all) };
    all.find_subcommand(name).ok_or_else(|| {
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
        let all = Cli::command();
        for command in all.get_subcommands() {
            let page = folder.path().join(format!("man1/sandbar-{}.1", command.get_name()));
            let text = std::fs::read_to_string(&page).ok();
            assert_eq!(text.is_some(), !command.is_hide_set(), "{}", page.display());
            assert!(text.is_none_or(|text| text.contains("Examples:") || text.contains("Example:")), "{}", page.display());
        }
        assert!(folder.path().join("man1/sandbar.1").exists());
    }

    #[test]
    fn a_page_is_that_of_the_command_that_is_named() {
        let mut all = Cli::shown();
        all.build();
        let page = rendered(named(&all, Some("serve")).expect("there")).expect("written");
        assert!(page.contains(".TH sandbar-serve 1") && page.contains("SANDBAR_LISTEN"), "{page}");
        assert_eq!(sandbar_text::clean(&page), page, "it is printed as it is");
        for (name, said) in [("serv", "did you mean \"serve\"?"), ("compile-process", "did you mean"), ("x", "there are serve, ")]
        {
            let words = named(&all, Some(name)).expect_err("no such command").to_string();
            assert!(words.contains(said) && !words.contains("\"compile-process\"?"), "{words}");
        }
    }
}
