//! `sandbar completions`.

use std::process::ExitCode;

use clap::Args;
use clap_complete::{Shell, generate};

use super::{Cli, Failure, output};

#[derive(Args)]
#[command(after_help = "Examples:\n  sandbar completions bash > ~/.local/share/bash-completion/completions/sandbar\n  \
                  sandbar completions zsh > ~/.zfunc/_sandbar\n  \
                  sandbar completions fish > ~/.config/fish/completions/sandbar.fish")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    output::text(&script(arguments.shell));
    Ok(ExitCode::SUCCESS)
}

/// What the shell reads.
fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut Cli::shown(), "sandbar", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;

    #[test]
    fn each_shell_completes_each_command_that_help_shows() {
        for &shell in Shell::value_variants() {
            let script = script(shell);
            let words: BTreeSet<&str> = script.split(|letter: char| letter != '-' && !letter.is_ascii_alphanumeric()).collect();
            for command in Cli::command().get_subcommands() {
                assert_eq!(words.contains(command.get_name()), !command.is_hide_set(), "{shell}: {}", command.get_name());
            }
            assert_eq!(sandbar_text::clean(&script), script, "{shell}: it is printed as it is");
        }
    }

    #[test]
    fn bash_reads_its_script() {
        let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
        bash.stdin.take().expect("a pipe").write_all(script(Shell::Bash).as_bytes()).expect("written");
        let read = bash.wait_with_output().expect("it ends");
        assert!(read.status.success() && read.stderr.is_empty(), "{}", String::from_utf8_lossy(&read.stderr));
    }
}
