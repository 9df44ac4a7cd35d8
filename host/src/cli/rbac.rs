//! `sandbar rbac`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::setup::{Setup, runtime};
use super::{Common, Failure, output};
use crate::policy::Namespaces;
use crate::rbac::{Account, objects};

#[derive(Args)]
#[command(after_help = "With `namespaces` in the configuration it prints a Role for each, else a ClusterRole.")]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The name of the roles and their bindings
    #[arg(long, default_value = "coder-k8s-mcp")]
    name: String,
    /// The ServiceAccount that the server runs as
    #[arg(long, default_value = "coder-k8s-mcp")]
    service_account: String,
    /// The namespace of that ServiceAccount
    #[arg(long, default_value = "coder-system")]
    namespace: String,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let Setup { config, catalog, cluster, problems } = runtime()?.block_on(arguments.common.load(config))?;
    if let Some(problem) = problems.first() {
        // Roles for some of the tools would look complete.
        return Err(Failure::Failed(anyhow::anyhow!("a component is not loaded, so its rules are unknown: {problem}")));
    }
    let _ = cluster;
    let grants: Vec<_> = catalog.components().iter().map(|served| served.grant().clone()).collect();
    let account = Account { name: arguments.name, service_account: arguments.service_account, namespace: arguments.namespace };
    let namespaces = config.namespaces_of(None);
    if let Namespaces::Only(names) = &namespaces
        && names.is_empty()
    {
        return Err(Failure::Failed(anyhow::anyhow!("`namespaces` in the configuration is empty, so no tool may read anything")));
    }
    let documents = objects(&grants, &namespaces, &account)?;
    let mut text = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&serde_saphyr::to_string(document).context("the roles cannot be written as YAML")?);
    }
    if text.is_empty() {
        bail_no_rules()?;
    }
    output::text(&text);
    Ok(ExitCode::SUCCESS)
}

fn bail_no_rules() -> anyhow::Result<()> {
    bail!("the loaded tools read nothing that needs a role")
}
