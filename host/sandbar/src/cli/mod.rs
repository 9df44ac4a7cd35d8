//! The command line.

mod aggregation;
mod apiservice;
mod authentication;
mod build;
mod call;
mod certificate;
mod compile;
mod compile_process;
mod completions;
mod config_schema;
mod connect;
mod dev;
mod diff;
mod doctor;
mod elsewhere;
mod environment;
mod followed_files;
mod inspect;
mod lock;
mod log;
mod man;
mod metrics;
mod new;
mod observers;
mod oidc;
mod output;
mod packs;
mod page;
mod pull;
mod push;
mod rbac;
mod record;
mod registries;
mod reload;
mod rights;
mod roles;
mod serve;
mod session_keys;
mod setup;
mod table;
mod test;
mod tools;
mod traces;
mod usage;
mod verify;
mod wit;

use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use sandbar_config::{LimitsConfig, Packs};

use output::Format;

/// An MCP server for Kubernetes whose tools are sandboxed WebAssembly components.
#[derive(Parser)]
#[command(
    name = "sandbar",
    version,
    about,
    max_term_width = 100,
    after_help = "SANDBAR_LOG sets the log's filter, `debug` for example; SANDBAR_LOG_FORMAT=json makes it JSON lines."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve MCP over Streamable HTTP
    Serve(serve::Arguments),
    /// Bring an MCP client to a server: behind the API server of a kubeconfig, at an address, or in this process
    Connect(connect::Arguments),
    /// Run one call without a server and print what a model would read
    Call(call::Arguments),
    /// Look for what keeps a server of this configuration from working, before it is started
    Doctor(doctor::Arguments),
    /// Show the tools that are loaded, what they may read and how much they may use
    Tools(tools::Arguments),
    /// Show what a component exports, imports, asks for and is granted, without loading it into a server
    Inspect(inspect::Arguments),
    /// Print the Role or ClusterRole that the loaded tools need
    Rbac(rbac::Arguments),
    /// Print what makes a server a part of the Kubernetes API: its APIService, a certificate, and a ClusterRole for callers
    Apiservice(apiservice::Arguments),
    /// Write a folder to begin a tool from
    New(new::Arguments),
    /// Serve a tool while it is written: build it, and take it up again after each edit
    Dev(dev::Arguments),
    /// Build the component of a tool
    Build(build::Arguments),
    /// Run the cases that a tool has to pass
    Test(test::Arguments),
    /// Show what has changed between two versions of a component: what a model reads, and what it asks for
    Diff(diff::Arguments),
    /// Push a component to an OCI registry
    Push(push::Arguments),
    /// Pull components from OCI registries into the cache, or into a file
    Pull(pull::Arguments),
    /// Check who has signed a component in an OCI registry
    Verify(verify::Arguments),
    /// Write the digests that tags in sandbar.yaml stand for beside them
    Lock(lock::Arguments),
    /// Write the WIT contract for authors of tools
    Wit(wit::Arguments),
    /// Print the JSON Schema of sandbar.yaml, for editors
    #[command(after_help = "Example:\n  sandbar config-schema > sandbar.schema.json")]
    ConfigSchema,
    /// Compile all components into the cache, so that a server that starts on it compiles nothing
    Compile(compile::Arguments),
    /// Print what has a shell complete the command line
    Completions(completions::Arguments),
    /// Print a manual page, or write all of them into a folder
    Man(man::Arguments),
    /// Compile components in a process of its own, as the server has it done
    #[command(hide = true)]
    CompileProcess(compile_process::Arguments),
}

impl Cli {
    /// The command line without what no help shows.
    fn shown() -> clap::Command {
        let all = Self::command();
        let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
        // A command loses no subcommand, so it is made anew; it has no arguments but those of every command.
        clap::Command::new("sandbar")
            .version(env!("CARGO_PKG_VERSION"))
            .about(all.get_about().cloned().unwrap_or_default())
            .after_help(all.get_after_help().cloned().unwrap_or_default())
            .subcommand_required(true)
            .subcommands(shown)
    }
}

/// What most commands share.
#[derive(Args, Clone)]
struct Common {
    /// The configuration file, sandbar.yaml
    #[arg(long, value_name = "FILE", env = "SANDBAR_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Where compiled components are kept, or `none` [default: sandbar/components in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR", env = "SANDBAR_CACHE_DIR", global = true)]
    cache_dir: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitsConfig,
}

/// What commands share that have to do with several components, and what those are granted.
#[derive(Args, Clone)]
struct Loading {
    /// A component, or a directory of components, to load beside the bundled ones; can be given several times
    /// [env: SANDBAR_TOOLS, separated by `:`]
    // Not clap's `env`: its delimiter would cut a path on the command line, too.
    #[arg(
        long = "tools",
        value_name = "FILE|DIR",
        default_values_os_t = tools_of_environment(),
        hide_default_value = true,
        verbatim_doc_comment,
        global = true
    )]
    tools: Vec<PathBuf>,
    /// The namespaces that tools may look into, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        env = "SANDBAR_NAMESPACES",
        value_delimiter = ',',
        value_parser = sandbar_config::namespace,
        global = true
    )]
    namespaces: Option<Vec<String>>,
    /// The packs of bundled tools to serve, separated by commas, or `auto` for those that the cluster has something for [default: coder]
    #[arg(long, value_name = "NAMES", env = "SANDBAR_PACKS", global = true)]
    packs: Option<Packs>,
    /// Whether secrets in what the bundled tools read are masked [default: true]
    #[arg(long, value_name = "BOOL", env = "SANDBAR_MASK_SECRETS", action = clap::ArgAction::Set, global = true)]
    mask_secrets: Option<bool>,
    #[command(flatten)]
    common: Common,
}

/// What commands share that look into a cluster.
#[derive(Args, Clone)]
struct OnCluster {
    /// The cluster to look into: auto, in-cluster, kubeconfig[:CONTEXT], snapshot:DIR or demo [default: auto, but for connect: none, since its server is elsewhere]
    #[arg(long, value_name = "SOURCE", env = "SANDBAR_CLUSTER", global = true)]
    cluster: Option<sandbar_kubernetes::ClusterSource>,
    #[command(flatten)]
    loading: Loading,
}

impl Deref for Loading {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl Deref for OnCluster {
    type Target = Loading;

    fn deref(&self) -> &Loading {
        &self.loading
    }
}

/// What `SANDBAR_TOOLS` names; a flag takes its place.
fn tools_of_environment() -> Vec<PathBuf> {
    let paths = std::env::var_os(environment::TOOLS).unwrap_or_default();
    std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// How data is printed.
#[derive(Args, Clone, Copy)]
struct Output {
    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Why a command did not do what it was asked for. The exit status tells a script which of the two it was.
enum Failure {
    /// It was asked for something that cannot be: exit status 2.
    Usage(anyhow::Error),
    /// It failed: exit status 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Failed(error.into())
    }
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|error| usage::explained(error, &Cli::command(), &arguments).exit());
    let started =
        log::start(matches!(cli.command, Command::Serve(_) | Command::Dev(_) | Command::Connect(_))).map_err(Failure::Usage);
    let outcome = started.and_then(|()| match cli.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Connect(arguments) => connect::run(arguments),
        Command::Call(arguments) => call::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Tools(arguments) => tools::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Rbac(arguments) => rbac::run(arguments),
        Command::Apiservice(arguments) => apiservice::run(arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Dev(arguments) => dev::run(arguments),
        Command::Build(arguments) => build::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Push(arguments) => push::run(arguments),
        Command::Pull(arguments) => pull::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Lock(arguments) => lock::run(arguments),
        Command::Wit(arguments) => wit::run(arguments),
        Command::ConfigSchema => config_schema::run(),
        Command::Compile(arguments) => compile::run(arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        Command::CompileProcess(arguments) => compile_process::run(&arguments),
    });
    let failed = |error: &anyhow::Error, code: u8| {
        output::error(&words(error));
        ExitCode::from(code)
    };
    let code = outcome.unwrap_or_else(|failure| match failure {
        Failure::Usage(error) => failed(&error, 2),
        Failure::Failed(error) => failed(&error, 1),
    });
    log::end();
    code
}

/// An error with its causes, less those that a message quotes already.
fn words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |words, cause| match words.as_str() {
        "" => cause,
        _ if words.contains(&cause) => words,
        _ => format!("{words}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_cause_is_told_twice() {
        let quoted = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(quoted).context("the file cannot be read: disk on fire").context("nothing is served");
        assert_eq!(words(&error), "nothing is served: the file cannot be read: disk on fire");
        assert_eq!(words(&anyhow::anyhow!("b").context("a")), "a: b");
    }

    #[test]
    fn every_flag_that_has_a_variable_is_documented_with_it() {
        let document = include_str!("../../../../docs/reference/configuration.md");
        let command = Cli::command();
        let mut documented = 0;
        for (flag, variable) in environment::flags(&command).filter_map(|(flag, variable)| Some((flag.get_long()?, variable))) {
            let (flag, variable) = match flag.strip_prefix("limit-") {
                // One row stands for all of them.
                Some(key) => {
                    assert_eq!(variable, format!("SANDBAR_LIMIT_{}", key.to_uppercase()));
                    ("limit-KEY", "SANDBAR_LIMIT_KEY")
                }
                None => (flag, variable),
            };
            let row = document.lines().find(|line| line.starts_with(&format!("| `--{flag} ")));
            assert!(row.is_some_and(|row| row.contains(&format!("`{variable}`"))), "--{flag} and {variable}: {row:?}");
            documented += 1;
        }
        assert!(documented > 0);
    }

    #[test]
    fn a_command_that_asks_no_cluster_has_no_flag_for_one() {
        let with = |flag: &str| -> Vec<String> {
            let command = Cli::command();
            let has = |command: &&clap::Command| command.get_arguments().any(|argument| argument.get_long() == Some(flag));
            command.get_subcommands().filter(has).map(|command| command.get_name().to_owned()).collect()
        };
        assert_eq!(with("cluster"), ["serve", "connect", "call", "doctor", "tools", "rbac", "dev", "test"]);
        assert_eq!(
            with("namespaces"),
            ["serve", "connect", "call", "doctor", "tools", "inspect", "rbac", "dev", "test", "compile"]
        );
    }

    #[test]
    fn every_command_is_documented() {
        let document = include_str!("../../../../docs/reference/cli.md");
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(document.contains(&format!("\n## {}\n", command.get_name())), "{}", command.get_name());
        }
    }

    /// The examples in the help of a command: what follows the line that begins them, up to a blank one.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let after = help.lines().skip_while(|line| !matches!(*line, "Example:" | "Examples:")).skip(1);
        after.take_while(|line| !line.is_empty()).map(|line| line.trim_start().to_owned()).collect()
    }

    /// The words of an example as a shell has them, up to what it is piped into, written to or said about.
    fn words_of(example: &str) -> Vec<String> {
        let example = ["   ", " | ", " > "].iter().fold(example, |example, end| example.split(end).next().unwrap_or_default());
        // Within quotes nothing ends a word.
        let pieces = example.split('\'').enumerate();
        let words = pieces.flat_map(|(at, piece)| match at % 2 {
            0 => piece.split_whitespace().collect(),
            _ => vec![piece],
        });
        words.map(str::to_owned).collect()
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_is_one_of_it() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let examples = examples(command);
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples {
                let words = words_of(&example);
                assert_eq!(words[..2], ["sandbar", command.get_name()], "{example}");
                assert!(Cli::try_parse_from(&words).map_err(|error| panic!("{example}: {error}")).is_ok());
            }
        }
    }

    #[test]
    fn what_is_shown_is_all_but_what_is_hidden() {
        let names = |command: &clap::Command| command.get_subcommands().map(|one| one.get_name().to_owned()).collect::<Vec<_>>();
        let all = Cli::command();
        let hidden = all.get_subcommands().filter(|command| command.is_hide_set()).count();
        assert_eq!(names(&Cli::shown()).len() + hidden, names(&all).len());
        assert!(all.get_arguments().next().is_none(), "an argument of all commands would be lost");
        assert_eq!(Cli::shown().get_version(), all.get_version());
    }
}
