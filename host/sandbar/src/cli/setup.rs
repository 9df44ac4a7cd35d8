//! From the shared flags to a loaded catalog.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use sandbar_catalog::{Catalog, FileStamps, Loader, PackNames, Problem, Source, Terms};
use sandbar_config::{Config, ConfigError};
use sandbar_kubernetes::Clusters;
use sandbar_policy::Limits;
use sandbar_processor::Processors;
use sandbar_sandbox::{Compiler, Engine, EngineOptions, Folder, Slots, available_memory};
use tokio::runtime::Runtime;

use super::observers::Observers;
use super::packs::ClusterPacks;
use super::registries::{Asker, registries};
use super::{Common, Loading, OnCluster};

/// Everything that a command needs to call tools.
pub(super) struct Setup {
    pub(super) config: Arc<Config>,
    pub(super) clusters: Clusters,
    pub(super) loader: Loader,
    pub(super) catalog: Catalog,
    pub(super) problems: Vec<Problem>,
    /// What is named and cannot be looked at.
    pub(super) absent: Vec<Problem>,
    /// The packs that are on.
    pub(super) on: PackNames,
    /// What `auto` goes by.
    pub(super) packs: ClusterPacks,
    /// What calls compute on.
    pub(super) processors: Processors,
}

impl Setup {
    /// The same, or an error where a path of some component is not there.
    pub(super) fn complete(self) -> anyhow::Result<Self> {
        match self.absent.into_iter().next() {
            Some(Problem { source, reason, .. }) => {
                Err(reason).with_context(|| format!("the tools in {source} cannot be loaded"))
            }
            None => Ok(Self { absent: Vec::new(), ..self }),
        }
    }
}

/// How long a start waits, at most.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For components that have to be compiled.
    pub(super) compiling: Duration,
    /// For what `bundled.packs: auto` stands for, which the cluster says.
    pub(super) packs: Duration,
}

impl Patience {
    /// That of a command, which is of no use without what it waits for.
    pub(super) const ENDLESS: Self = Self { compiling: Duration::MAX, packs: Duration::MAX };

    /// That of a server. What is there later is served then, and who knows the list of tools by then is told that it has changed; but many
    /// clients ask for it once.
    pub(super) const OF_SERVER: Self = Self { compiling: Duration::from_secs(15), packs: Duration::from_secs(3) };
}

impl Common {
    /// The configuration, with the flags over it.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        self.config_of(self.text()?.as_deref())
    }

    /// What is in sandbar.yaml; none without one.
    pub(super) fn text(&self) -> Result<Option<String>, ConfigError> {
        self.config.as_deref().map(Config::text).transpose()
    }

    /// The configuration that sandbar.yaml is with this text, with the flags over it.
    pub(super) fn config_of(&self, text: Option<&str>) -> anyhow::Result<Config> {
        let mut config = match self.config.as_deref().zip(text) {
            Some((path, text)) => Config::of(text, path)?,
            None => Config::default(),
        };
        config.limits = self.limits.over(&config.limits);
        Ok(config)
    }

    /// The engine, sized for this machine.
    pub(super) fn engine(&self, config: &Config) -> anyhow::Result<Engine> {
        let memory = config.largest_memory();
        let slots = Slots::for_memory(available_memory(), memory);
        // Address space for more, so that a component that begins with more than its limit is told of that limit, and not of the pool.
        let memory = memory.max(Limits::default().memory);
        Engine::new(&EngineOptions { slots, memory, stack: config.limits.stack, compiler: self.compiler() })
    }

    /// The folder where compiled components are kept, and its path: none if that is what the operator wants. The error says why there is none
    /// that can be used, and what to do.
    pub(super) fn kept_folder(&self) -> Result<Option<(PathBuf, Folder)>, String> {
        let path = match &self.cache_dir {
            Some(folder) if folder.as_os_str() == "none" => return Ok(None),
            Some(folder) => folder.clone(),
            None => default_cache().ok_or(
                "neither HOME nor XDG_CACHE_HOME names a folder: name one with --cache-dir, or `none`, which says that it is meant",
            )?,
        };
        let folder = Folder::kept(&path).map_err(|error| {
            format!("{} cannot be used ({error}): name another folder with --cache-dir, or `none`", path.display())
        })?;
        Ok(Some((path, folder)))
    }

    /// Compiling takes a process of its own, and a folder for what that leaves: one that is kept, or else a temporary one. Says what
    /// is missing, since everything works without.
    pub(super) fn compiler(&self) -> Option<Compiler> {
        let kept = self.kept_folder().unwrap_or_else(|why| {
            tracing::warn!("compiled components are not kept, since {why}; each start compiles them again");
            None
        });
        let temporary = || {
            let failed = |error| {
                tracing::warn!(
                    "there is no folder for temporary files either ({error}): no components but bundled ones can be served"
                );
            };
            Folder::temporary().map_err(failed).ok()
        };
        kept.map(|(_, folder)| folder)
            .or_else(temporary)
            .map(|folder| Compiler { program: this_program(), folder: Arc::new(folder) })
    }
}

/// This program, to start it once more. On Linux not by its path, since the binary may have been replaced by then.
fn this_program() -> PathBuf {
    let path = if cfg!(target_os = "linux") { None } else { std::env::current_exe().ok() };
    path.unwrap_or_else(|| "/proc/self/exe".into())
}

impl Loading {
    /// As [`Common::config`].
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        self.config_of(self.text()?.as_deref())
    }

    /// As [`Common::config_of`].
    pub(super) fn config_of(&self, text: Option<&str>) -> anyhow::Result<Config> {
        let mut config = self.common.config_of(text)?;
        if let Some(namespaces) = &self.namespaces {
            config.namespaces = Some(namespaces.clone());
        }
        if let Some(packs) = &self.packs {
            config.bundled.packs = packs.clone();
        }
        config.bundled.mask_secrets = self.mask_secrets.or(config.bundled.mask_secrets);
        Ok(config)
    }

    /// Bundled components of these packs first, then those of the configuration, then those of the flags. A path that cannot be looked at is a
    /// problem; where something is there, what was served from it `before` is still a source.
    pub(super) fn sources(&self, config: &Config, on: &PackNames, before: &Catalog) -> (Vec<Source>, Vec<Problem>) {
        let mut sources: Vec<Source> = Source::bundled().filter(|source| config.serves(source, on)).collect();
        let (mut problems, mut files) = (Vec::new(), HashSet::new());
        for named in self.named(config) {
            let path = match &named {
                Source::File(path) => path,
                Source::Registry(_) | Source::Bundled(_) => {
                    sources.push(named);
                    continue;
                }
            };
            let found = Source::files(path).unwrap_or_else(|error| {
                let gone = error.kind() == std::io::ErrorKind::NotFound;
                let within = before.components().iter().map(|served| served.source()).filter(|source| source.is_named_by(path));
                let kept: Vec<Source> = within.filter(|_| !gone).cloned().collect();
                problems.push(Problem { source: Source::File(path.to_owned()), reason: error.into(), kept: !kept.is_empty() });
                kept
            });
            // A component of the configuration may also lie in a directory of the flags.
            sources.extend(found.into_iter().filter(|source| source.file().is_none_or(|file| files.insert(file))));
        }
        (sources, problems)
    }

    /// Whether the configuration or the flags still name what is served, where these packs are on. The disk is not looked at.
    pub(super) fn names(&self, config: &Config, on: &PackNames, served: &Source) -> bool {
        match served {
            Source::Bundled(_) => config.serves(served, on),
            Source::File(_) => self.tool_paths(config).any(|path| served.is_named_by(path)),
            Source::Registry(_) => self.named(config).any(|named| named == *served),
        }
    }

    /// The files that decide what is served, as they are now.
    pub(super) fn look(&self, config: &Config) -> FileStamps {
        FileStamps::of(self.config.as_deref().into_iter().chain(self.tool_paths(config)))
    }

    /// The files that are about to be loaded, but for sandbar.yaml, which is as it was before it was read: what changes while it is read is
    /// found by the next look.
    pub(super) fn look_after_reading(&self, config: &Config, before: &FileStamps) -> FileStamps {
        let mut stamps = self.look(config);
        if let Some(file) = &self.config {
            stamps.keep(before, file);
        }
        stamps
    }

    /// What the configuration and the flags name, in the order in which it is loaded: components, and directories of components.
    fn named(&self, config: &Config) -> impl Iterator<Item = Source> {
        config.tools.iter().map(|tool| tool.component.clone()).chain(self.tools.iter().cloned().map(Source::File))
    }

    /// The files and directories among that.
    fn tool_paths<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'a Path> {
        let of_config = config.tools.iter().filter_map(|tool| match &tool.component {
            Source::File(path) => Some(path),
            Source::Registry(_) | Source::Bundled(_) => None,
        });
        of_config.chain(&self.tools).map(PathBuf::as_path)
    }
}

impl OnCluster {
    /// As [`Common::config`].
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        self.config_of(self.text()?.as_deref())
    }

    /// As [`Common::config_of`].
    pub(super) fn config_of(&self, text: Option<&str>) -> anyhow::Result<Config> {
        let mut config = self.loading.config_of(text)?;
        if let Some(cluster) = &self.cluster {
            if !config.clusters.is_empty() {
                bail!(
                    "the configuration has `clusters`, and --cluster or SANDBAR_CLUSTER names another: what is granted in \
                    those would be lost. Leave out one of the two"
                );
            }
            config.cluster = Some(cluster.clone());
        }
        Ok(config)
    }

    /// Connects to the clusters and loads all components. Fails where a path of some is not there.
    pub(super) async fn load(&self, config: Config, patience: Patience) -> anyhow::Result<Setup> {
        self.load_observed(config, patience, &Observers::default()).await
    }

    /// The same, where these are told of calls and requests.
    pub(super) async fn load_observed(&self, config: Config, patience: Patience, observers: &Observers) -> anyhow::Result<Setup> {
        let clusters = Clusters::connect(config.clusters(), observers.of_requests()).await?;
        self.set_up(config, clusters, patience, observers).await?.complete()
    }

    /// The clusters for a command that most often needs none. One on the command line is meant; one that sandbar.yaml names, or that `auto`
    /// finds, may be elsewhere, and whoever asks it after all is told why it is not here.
    pub(super) async fn clusters_if_needed(&self, config: &Config) -> anyhow::Result<Clusters> {
        match self.cluster {
            Some(_) => Ok(Clusters::connect(config.clusters(), None).await?),
            None => Ok(Clusters::connect_if_there(config.clusters()).await),
        }
    }

    /// Loads all components for these clusters, where some may be elsewhere.
    pub(super) async fn load_what_is_there(
        &self,
        config: Config,
        clusters: Clusters,
        patience: Patience,
    ) -> anyhow::Result<Setup> {
        self.set_up(config, clusters, patience, &Observers::default()).await
    }

    async fn set_up(
        &self,
        config: Config,
        clusters: Clusters,
        patience: Patience,
        observers: &Observers,
    ) -> anyhow::Result<Setup> {
        let config = Arc::new(config);
        let engine = Arc::new(self.engine(&config)?);
        let processors = engine.processors().clone();
        let registries = registries(&config.registries, engine.folder(), Asker::server(&config.registries))?;
        let loader = Loader::new(engine, clusters.clone(), config.largest_memory()).with_registries(registries);
        let loader = observers.told_by(loader);
        let mut packs = ClusterPacks::of(clusters.clone());
        packs.find(&config, patience.packs).await;
        let on = packs.on(&config, &Catalog::default());
        let (sources, absent) = self.sources(&config, &on, &Catalog::default());
        let (catalog, problems) = loader.load(on_terms(&config, sources), patience.compiling).await;
        Ok(Setup { config, clusters, loader, catalog, problems, absent, on, packs, processors })
    }
}

/// The XDG base directory specification's cache directory.
fn default_cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))).map(|caches| caches.join("sandbar/components"))
}

/// The runtime of a command: HTTP, API traffic, deadlines, and guests while they compute little.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

/// Each with the terms that the configuration has for it.
pub(super) fn on_terms(config: &Config, sources: Vec<Source>) -> Vec<(Source, Terms)> {
    sources.into_iter().map(|source| (source.clone(), config.terms(&source))).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        common: Loading,
    }

    #[test]
    fn a_file_is_one_component_however_often_and_however_it_is_named() {
        let files = tempfile::tempdir().expect("a folder");
        let folder = files.path().join("tools");
        std::fs::create_dir(&folder).expect("made");
        let [one, other, third] = ["a.wasm", "b.wasm", "c.wasm"].map(|name| folder.join(name));
        [&one, &other].into_iter().for_each(|file| std::fs::write(file, "").expect("written"));
        std::os::unix::fs::symlink(&one, &third).expect("linked");
        let roundabout = folder.join("../tools/a.wasm");
        let missing = folder.join("d.wasm");
        let flags = [&folder, &roundabout, &one, &missing].map(|path| format!("--tools={}", path.display()));
        let Flags { common } = Flags::parse_from(std::iter::once("sandbar".to_owned()).chain(flags));
        let config = Config::default();
        let on = PackNames::new();
        let (sources, problems) = common.sources(&config, &on, &Catalog::default());
        let found: Vec<&Source> = sources.iter().filter(|source| matches!(source, Source::File(_))).collect();
        assert_eq!(found, [&Source::File(one.clone()), &Source::File(other.clone())]);
        assert!(matches!(&problems[..], [Problem { source: Source::File(path), .. }] if *path == missing), "{problems:?}");
        for (path, is_named) in [(&one, true), (&other, true), (&missing, true), (&files.path().join("e.wasm"), false)] {
            assert_eq!(common.names(&config, &on, &Source::File(path.clone())), is_named, "{}", path.display());
        }
    }
}
