//! `sandbar rbac`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use sandbar_catalog::{Problem, Reason};
use sandbar_config::{Config, Packs};
use sandbar_kubernetes::NamedCluster;
use sandbar_registry::{Kind, NotLoaded};

use super::roles::{Roles, grants, roles};
use super::setup::{Patience, Setup, runtime};
use super::{Failure, OnCluster, output};
use crate::rbac::Account;

#[derive(Args)]
#[command(
    after_help = "It prints a ClusterRole for the tools that may look into all namespaces, and a Role in each namespace for those that have \
                  `namespaces` in the configuration, or all of them where that has it.\n\nExamples:\n  \
                  sandbar rbac --config sandbar.yaml -o rbac.yaml\n  sandbar rbac --name sandbar-reader | kubectl apply --server-side -f -"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: OnCluster,
    /// The name of the roles and their bindings
    #[arg(long, default_value = "coder-k8s-mcp")]
    name: String,
    /// The ServiceAccount that the server runs as
    #[arg(long, default_value = "coder-k8s-mcp")]
    service_account: String,
    /// The cluster that the roles are for, where `clusters` in the configuration names several [default: the first]
    #[arg(long, value_name = "NAME")]
    for_cluster: Option<String>,
    /// Write to this file, once everything is known: a command that fails leaves what is there
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The namespace of that ServiceAccount
    #[arg(short, long, default_value = "coder-system")]
    namespace: String,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if let Some(format) =
        arguments.output.as_deref().and_then(Path::to_str).filter(|name| ["json", "yaml", "table"].contains(name))
    {
        return Err(anyhow!("--output is a file, and {format} a format: the roles are YAML, printed without it").into());
    }
    let config = arguments.common.config()?;
    let (config, is_home) = chosen(config, arguments.for_cluster.as_deref())?;
    let runtime = runtime()?;
    let Setup { config, clusters, catalog, problems, absent, packs, .. } = runtime.block_on(async {
        let clusters = arguments.common.clusters_if_needed(&config).await?;
        arguments.common.load_what_is_there(config, clusters, Patience::ENDLESS).await
    })?;
    let mut elsewhere = Vec::new();
    // What may not look into that cluster has no rules there.
    for problem in absent.iter().chain(&problems).filter(|problem| !matches!(problem.reason, Reason::NoCluster)) {
        if !is_elsewhere(problem) || !config.has_entry(&problem.source) {
            // Roles for some of the tools would look complete.
            return Err(anyhow!("a component is not loaded, so its rules are unknown: {}", config.described(problem)).into());
        }
        elsewhere.push(&problem.source);
    }
    if let Some(trouble) = packs.unknown(&config) {
        let way_out = "name the packs with --packs";
        return Err(anyhow!("which packs `auto` stands for is unknown, and so are their rules: {trouble}; {way_out}").into());
    }
    let is_meant = |cluster: &&NamedCluster| arguments.for_cluster.as_deref().is_none_or(|name| *cluster.name == *name);
    let cluster = clusters.iter().find(is_meant).context("the cluster is not there any more")?;
    let mut grants = grants(&catalog, &cluster.name);
    for source in elsewhere {
        output::say(&format!("sandbar: {source} is not here; the roles have what its entry grants it"));
        grants.extend(config.terms(source).grants.remove(&cluster.name));
    }
    let account = Account { name: arguments.name, service_account: arguments.service_account, namespace: arguments.namespace };
    let Roles { objects, are_of_today } = runtime.block_on(roles(&config, cluster, is_home, grants, &account))?;
    if are_of_today {
        output::say(&format!(
            "sandbar: the wildcards stand for what {} serves today; print the roles anew when that changes",
            cluster.cluster.describe()
        ));
    }
    if objects.is_empty() {
        return Err(anyhow!("the loaded tools may read nothing that needs a role").into());
    }
    let text = output::yaml(&objects)?;
    match &arguments.output {
        Some(file) => {
            sandbar_files::replace(file, text.as_bytes()).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        None => output::text(&text),
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a component is where the server will be, and not on this machine: a path in a pod, or what its cache will have.
pub(super) fn is_elsewhere(problem: &Problem) -> bool {
    match &problem.reason {
        Reason::Read(error) => error.kind() == ErrorKind::NotFound,
        Reason::Registry(NotLoaded::Registry(error)) => {
            matches!(error.kind, Kind::Offline | Kind::Unreachable | Kind::Absent | Kind::Denied)
        }
        _ => false,
    }
}

/// The configuration for the roles in one cluster, and whether it is the first. Where it is known which packs are served, no other is asked,
/// or has to be there.
fn chosen(mut config: Config, name: Option<&str>) -> Result<(Config, bool), Failure> {
    let Some(name) = name else { return Ok((config, true)) };
    let at = config.clusters.iter().position(|cluster| cluster.name == name).ok_or_else(|| {
        let known: Vec<&str> = config.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        Failure::Usage(match known.is_empty() {
            true => anyhow!("--for-cluster: there is one cluster; `clusters` in the configuration names several"),
            false => anyhow!("--for-cluster: {name:?} is none of the clusters, which are {}", known.join(", ")),
        })
    })?;
    if config.bundled.packs != Packs::Auto {
        config.clusters = vec![config.clusters.swap_remove(at)];
    }
    Ok((config, at == 0))
}
