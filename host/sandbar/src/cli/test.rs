//! `sandbar test`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use sandbar_author::{Case, CaseFile, Outcome, Project, Used};
use sandbar_catalog::{Answer, Answered, Arrival, Asked, Catalog, Loader, Progress, Source, Terms};
use sandbar_config::Config;
use sandbar_kubernetes::{Cluster, ClusterSettings, ClusterSource, Clusters, Noted, WhoseRights};
use sandbar_policy::{Budget, Caller, Identity, Namespaces, ONLY_CLUSTER};
use sandbar_text::clean_line;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::record::Recorder;
use super::registries::{Asker, registries};
use super::setup::runtime;
use super::{Failure, OnCluster, output};

/// The name of the configuration beside a tool.
pub(super) const CONFIGURATION: &str = "sandbar.yaml";

/// Bytes of the name of a file.
const NAME_BYTES: usize = 256;

#[derive(Args)]
#[command(after_help = "Exit status: 0 all cases have passed, 1 one has not, 2 there are none.\n\nExamples:\n  sandbar test\n  \
                  sandbar test list-restarts --only restarting\n  sandbar test --cluster kubeconfig --record recorded")]
pub(super) struct Arguments {
    /// Files of cases, or folders with `*.test.yaml` files in them or in their `tests`
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write what the cases read of the cluster into this folder, masked, and run them against that
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Only the cases whose names have this in them
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    #[command(flatten)]
    common: OnCluster,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        files.extend(CaseFile::found(path).map_err(|error| Failure::Usage(error.into()))?);
    }
    let wanted = |case: &&Case| arguments.only.as_ref().is_none_or(|only| case.name.contains(only));
    let read = |path: &PathBuf| Ok((path.clone(), CaseFile::read(path).map_err(|error| Failure::Usage(error.into()))?));
    let files = files.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    let (mut passed, mut failed) = (0, 0);
    let runtime = runtime()?;
    let common = match &arguments.record {
        Some(folder) => runtime.block_on(recorded(&files, wanted, &arguments.common, folder))?,
        None => arguments.common.clone(),
    };
    for (path, file) in &files {
        runtime.block_on(async {
            let mut bench = Bench::of(file, path, &common, None).await?;
            for case in file.cases.iter().filter(wanted) {
                let outcome = bench.run(case).await;
                let faults = outcome.as_ref().map_or_else(|problem| vec![problem.clone()], |outcome| case.faults(outcome));
                if faults.is_empty() {
                    passed += 1
                } else {
                    failed += 1
                }
                output::text(&line(path, case, outcome.ok().as_ref(), &faults));
            }
            Ok::<_, anyhow::Error>(())
        })?;
    }
    if passed + failed == 0 {
        let words =
            "there are no cases to run: write them into a file NAME.test.yaml beside the tool, and say with --only what is there";
        return Err(Failure::Usage(anyhow!(words)));
    }
    output::say(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the cases for the sake of what they read, and writes what the cluster has answered. The flags that come back name that.
async fn recorded(
    files: &[(PathBuf, CaseFile)],
    wanted: impl Fn(&&Case) -> bool,
    common: &OnCluster,
    folder: &Path,
) -> anyhow::Result<OnCluster> {
    let named: BTreeSet<_> = files.iter().map(|(path, file)| (path.parent(), file.cluster.as_deref())).collect();
    if common.cluster.is_none() && named.len() > 1 {
        return Err(anyhow!("the files of cases name several clusters: record them one by one, or name one with --cluster"));
    }
    let (noted, mut grants, mut cluster) = (Arc::new(Noted::default()), Vec::new(), None);
    for (path, file) in files {
        let mut bench = Bench::of(file, path, common, Some(noted.clone())).await?;
        for case in file.cases.iter().filter(&wanted) {
            if let Err(problem) = bench.run(case).await {
                output::error(&format!("{}: {problem}", case.name));
            }
            let components = bench.catalog.components().iter();
            grants.extend(
                components
                    .filter_map(|served| served.grant_in(ONLY_CLUSTER).cloned())
                    .filter(|grant| !grants.contains(grant))
                    .collect::<Vec<_>>(),
            );
        }
        cluster = Some(bench.cluster);
    }
    let cluster = cluster.context("there are no cases, so nothing is read that could be recorded")?;
    let reads =
        noted.reads().context("the cases make more different reads than a record has room for: choose some with --only")?;
    let (recording, missing) = Recorder::new(&cluster, grants).await?.record(&reads).await?;
    recording.write(folder)?;
    for missing in &missing {
        output::error(&format!("not recorded: {missing}"));
    }
    let (objects, logs) = recording.counts();
    output::say(&format!(
        "{objects} objects and {logs} logs are in {}, with their secrets masked; names and texts of the cluster are as they were: look at \
         them before you commit them. `cluster: {}` in a file of cases has it run against them",
        folder.display(),
        folder.display()
    ));
    Ok(OnCluster { cluster: Some(ClusterSource::Snapshot(folder.to_owned())), ..common.clone() })
}

/// A line for a case, and one for each fault.
fn line(path: &Path, case: &Case, outcome: Option<&Outcome>, faults: &[String]) -> String {
    let name = clean_line(path.file_name().unwrap_or_default().display(), NAME_BYTES);
    let used = outcome.map(|Outcome { used: Used { requests, bytes, cpu, .. }, .. }| {
        format!(" ({requests} requests, {bytes} bytes, {:.1} ms of a processor)", cpu.as_secs_f64() * 1000.0)
    });
    let verdict = if faults.is_empty() { "ok  " } else { "FAIL" };
    let faults: String = faults.iter().map(|fault| format!("\n      {}", fault.replace('\n', "\n      "))).collect();
    format!("{verdict}  {name}: {}{}{faults}", case.name, used.unwrap_or_default())
}

/// Where the cases of one file are run: the component, the cluster, and what the component is granted.
struct Bench {
    config: Config,
    loader: Loader,
    sources: Vec<Source>,
    settings: Map<String, Value>,
    cluster: Cluster,
    /// What was loaded for the last case.
    catalog: Catalog,
}

impl Bench {
    async fn of(file: &CaseFile, path: &Path, common: &OnCluster, noted: Option<Arc<Noted>>) -> anyhow::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = [folder.to_owned(), folder.join("..")]
            .map(|folder| folder.join(CONFIGURATION))
            .into_iter()
            .find(|file| file.is_file());
        let mut common = common.clone();
        common.loading.common.config = common.config.clone().or(beside);
        let mut config = common.config()?;
        config.take_files_as_they_are();
        let sources = match &file.component {
            Some(component) => vec![Source::File(folder.join(component))],
            None => tested(&config, folder)?,
        };
        // What is granted where it is served is what it is tried with; without that, what it asks for.
        config.grants_what_is_asked = !sources.iter().any(|source| config.has_entry(source));
        let source = match &common.cluster {
            Some(cluster) => cluster.clone(),
            None => cluster(file.cluster.as_deref(), folder)?,
        };
        let settings = ClusterSettings { name: ONLY_CLUSTER.into(), source, rights: WhoseRights::Server };
        let clusters = Clusters::connect(std::iter::once(settings), None).await?;
        clusters.home().log_in().await;
        let cluster = clusters.home().clone();
        let clusters = noted.map_or(clusters, |noted| Clusters::only(cluster.clone().noting(noted)));
        let engine = Arc::new(common.engine(&config)?);
        let registries = registries(&config.registries, engine.folder(), Asker::server(&config.registries))?;
        let loader = Loader::new(engine, clusters, config.largest_memory()).with_registries(registries);
        Ok(Self { config, loader, sources, settings: file.settings.clone(), cluster, catalog: Catalog::default() })
    }

    /// What comes of a case; else why the component cannot be loaded for it.
    async fn run(&mut self, case: &Case) -> Result<Outcome, String> {
        let wanted = self.sources.iter().map(|source| (source.clone(), self.terms(source, case))).collect();
        let (catalog, problems) = self.loader.load(wanted, Duration::MAX).await;
        self.catalog = catalog;
        if let Some(problem) = problems.first() {
            return Err(format!("it is not loaded: {}", self.config.described(problem)));
        }
        let caller = Caller::new(Identity::Operator);
        let asked = Asked::Tool { name: case.call.clone(), arguments: case.arguments.clone().into() };
        let (progress, _) = watch::channel(Progress::default());
        let (answer, event) = self.catalog.call(&caller, Arrival::default(), asked, progress, |answered| answered).await;
        let used = event.budget().map(used).unwrap_or_default();
        Ok(match answer {
            Ok(Answered::Tool(answer)) => outcome(&answer, used),
            Ok(_) => return Err("the answer is none of a tool".to_owned()),
            Err(refusal) => Outcome { is_error: true, text: refusal.to_string(), structured: None, used },
        })
    }

    fn terms(&self, source: &Source, case: &Case) -> Terms {
        let mut terms = self.config.terms(source);
        for settings in [&self.settings, &case.settings] {
            terms.settings.extend(settings.clone());
        }
        if let Some(namespaces) = &case.namespaces {
            let only = Namespaces::Only(namespaces.iter().cloned().collect());
            terms.grants.values_mut().for_each(|grant| grant.namespaces = grant.namespaces.intersection(&only));
        }
        terms
    }
}

/// The components of a configuration; without any, the tool of the folder, or of the one around it.
fn tested(config: &Config, folder: &Path) -> anyhow::Result<Vec<Source>> {
    if !config.tools.is_empty() {
        return Ok(config.tools.iter().map(|tool| tool.component.clone()).collect());
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let project = Project::at(here).or_else(|error| Project::at(&here.join("..")).map_err(|_| error));
    let project = project.context("it is not known which component the cases are for: name it under `component`")?;
    Ok(vec![Source::File(project.component())])
}

/// The cluster that a file of cases names.
fn cluster(named: Option<&str>, folder: &Path) -> anyhow::Result<ClusterSource> {
    match named {
        None | Some("demo") => Ok(ClusterSource::Demo),
        Some(named) if folder.join(named).is_dir() => Ok(ClusterSource::Snapshot(folder.join(named))),
        Some(named) => Err(anyhow!(
            "`cluster: {named}` is neither `demo` nor a folder beside the cases; to run them against a real cluster, say so with --cluster"
        )),
    }
}

fn used(budget: &Budget) -> Used {
    Used { requests: budget.requests().into(), bytes: 0, read: budget.read(), cpu: budget.meter().last_spent() }
}

fn outcome(answer: &Answer, used: Used) -> Outcome {
    let texts =
        answer.content.iter().map(|block| block.as_text().map_or_else(|| json!(block).to_string(), |block| block.text.clone()));
    let text = texts.collect::<Vec<_>>().join("\n");
    let used = Used { bytes: text.len() as u64, ..used };
    Outcome { is_error: answer.is_error, text, structured: answer.structured_value(), used }
}
