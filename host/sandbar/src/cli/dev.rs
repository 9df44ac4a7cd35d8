//! `sandbar dev`: a tool while it is written.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::Args;
use sandbar_author::{Language, Project};
use sandbar_catalog::Source;
use sandbar_config::{Config, Packs};
use sandbar_kubernetes::ClusterSource;
use sandbar_policy::PolicyRule;

use super::inspect::examine;
use super::serve::{self, Manner};
use super::setup::runtime;
use super::test::CONFIGURATION;
use super::{Failure, OnCluster, output, words};

/// Time between two looks at the files: an edit answers well within a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// Files of a tool that are looked at. More are no tool of a person's.
const MOST_FILES: usize = 10_000;

// Its group would have the name of that of `serve`, which is a part of it.
#[derive(Args)]
#[group(skip)]
#[command(after_help = "Examples:\n  sandbar dev\n  sandbar dev restarts.js --cluster kubeconfig")]
pub(super) struct Arguments {
    /// The folder of a tool, or a script
    #[arg(value_name = "DIR", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    serve: serve::Arguments,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { path, mut serve } = arguments;
    let project = Project::at(&path).map_err(|error| Failure::Usage(error.into()))?;
    let common = &mut serve.common;
    let beside = project.folder().join(CONFIGURATION);
    common.loading.common.config = common.config.clone().or_else(|| beside.is_file().then_some(beside));
    let config = common.config()?;
    if config.cluster.is_none() && config.clusters.is_empty() {
        common.cluster = Some(ClusterSource::Demo);
    }
    // The tool alone, unless others are asked for.
    common.loading.packs = common.packs.clone().or_else(|| Some(Packs::Only([].into())));
    common.loading.tools.push(project.component());

    let mut seen = look(&project);
    while let Err(error) = project.build(true) {
        output::error(&format!("{}; it is built again once it has changed", words(&error.into())));
        seen = changed_since(&project, seen);
    }
    let component = Source::File(project.component());
    let granted = granted(&serve.common, &component)?;
    if project.language() != Language::Script {
        std::thread::Builder::new().name("build".to_owned()).spawn(move || build_again(&project, seen))?;
    }
    let configure = move |config: &mut Config| {
        config.take_files_as_they_are();
        match &granted {
            Granted::WhatIsAsked => config.grants_what_is_asked = true,
            Granted::These { rules, cluster_rules } => config.grant(&component, rules.clone(), cluster_rules.clone()),
            Granted::AsConfigured => {}
        }
    };
    serve::run_as(serve, Manner { interval: INTERVAL, configure: Box::new(configure) })
}

/// What the tool is granted while it is written.
enum Granted {
    /// Whatever it asks for, also after an edit: nothing of a real cluster can be given away.
    WhatIsAsked,
    /// What the person at the terminal has said yes to, once.
    These { rules: Vec<PolicyRule>, cluster_rules: Vec<PolicyRule> },
    /// What sandbar.yaml grants, which is enough.
    AsConfigured,
}

/// Asks the person at the terminal, where the cluster is a real one.
fn granted(common: &OnCluster, component: &Source) -> anyhow::Result<Granted> {
    let config = common.config()?;
    let is_at_rest = |source: &ClusterSource| matches!(source, ClusterSource::Demo | ClusterSource::Snapshot(_));
    if config.clusters().all(|cluster| is_at_rest(&cluster.source)) {
        return Ok(Granted::WhatIsAsked);
    }
    let grants = config.terms(component).grants;
    let engine = common.engine(&config)?;
    let examined = runtime()?.block_on(examine(component, &config, &engine))?;
    let Some(missing) = examined.missing(grants.values()) else { return Ok(Granted::AsConfigured) };
    let how = config.how_to_grant(component, &missing).to_string();
    if !std::io::stdin().is_terminal() {
        bail!("it asks for more than it is granted on this cluster, and there is nobody to ask; {how}");
    }
    output::say(&format!("it asks for more than it is granted on this cluster; {how}\nGrant it that while this runs? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the answer cannot be read")?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("it was not granted what it asks for");
    }
    Ok(Granted::These { rules: examined.manifest.rules, cluster_rules: examined.manifest.cluster_rules })
}

/// Builds the tool each time that it has changed. What is served from the file is the server's own business.
fn build_again(project: &Project, mut seen: Look) {
    loop {
        seen = changed_since(project, seen);
        match project.build(true) {
            Ok(file) => output::say(&format!("built {}", file.display())),
            Err(error) => output::error(&words(&error.into())),
        }
    }
}

/// What the sources look like: how many files, and when the last was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    files: usize,
    bytes: u64,
    newest: SystemTime,
}

/// Waits until the sources look otherwise, and twice the same: what changes from look to look is still being written.
fn changed_since(project: &Project, before: Look) -> Look {
    let mut last = before;
    loop {
        std::thread::sleep(INTERVAL);
        let now = look(project);
        if now != before && now == last {
            return now;
        }
        last = now;
    }
}

fn look(project: &Project) -> Look {
    let mut look = Look { files: 0, bytes: 0, newest: SystemTime::UNIX_EPOCH };
    let mut waiting = project.sources();
    while let Some(path) = waiting.pop().filter(|_| look.files < MOST_FILES) {
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()));
            continue;
        }
        look.files += 1;
        look.bytes += metadata.len();
        look.newest = look.newest.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    }
    look
}
