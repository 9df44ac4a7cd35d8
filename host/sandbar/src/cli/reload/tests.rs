//! sandbar.yaml that changes at the worst moment. Each look and each load is a step of the test, so nothing depends on a clock.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Parser;
use sandbar_kubernetes::{Cluster, ClusterSource, Clusters};
use sandbar_policy::{Limits, Namespaces};
use sandbar_sandbox::{Engine, EngineOptions, Slots};

use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    common: OnCluster,
}

/// sandbar.yaml with these namespaces. One tool is enough.
fn yaml(namespaces: &str) -> String {
    let others =
        ["get_control_plane_status", "get_events", "get_pod_logs", "list_control_planes", "list_templates", "list_workspaces"];
    let others: String = others.iter().map(|tool| format!("    {tool}: {{ enabled: false }}\n")).collect();
    format!("namespaces: [{namespaces}]\nbundled:\n  tools:\n{others}")
}

/// A server that has started.
struct Started<C> {
    reloader: Reloader<C>,
    files: Files,
    file: PathBuf,
}

/// Starts with these namespaces. What `meanwhile` holds takes the place of sandbar.yaml as soon as that has been read once more.
async fn start<'a>(
    folder: &Path,
    namespaces: &str,
    meanwhile: &'a Mutex<Option<String>>,
) -> Started<impl Fn(Option<&str>) -> anyhow::Result<Config> + use<'a>> {
    let file = folder.join("sandbar.yaml");
    std::fs::write(&file, yaml(namespaces)).expect("written");
    let Flags { common } = Flags::parse_from(["sandbar", &format!("--config={}", file.display())]);
    let text = common.text().expect("readable");
    let config = Arc::new(common.config_of(text.as_deref()).expect("valid"));

    let Limits { memory, stack, .. } = Limits::default();
    let options = EngineOptions { slots: Slots::for_memory(0, memory), memory, stack, compiler: None };
    let clusters = Clusters::only(Cluster::connect(&ClusterSource::Demo).await.expect("the demo"));
    let loader = Loader::new(Arc::new(Engine::new(&options).expect("an engine")), clusters.clone(), memory);
    let packs = ClusterPacks::of(clusters.clone());
    let (sources, _) = common.sources(&config, &packs.on(&config, &Catalog::default()), &Catalog::default());
    let (catalog, problems) = loader.load(crate::cli::setup::on_terms(&config, sources), Duration::ZERO).await;
    assert!(problems.is_empty() && catalog.components().len() == 1, "{problems:?}");

    let files = Files { stamps: common.look(&config), unsettled: None, looks: 0, loading: None };
    let (flags, replaced) = (common.clone(), file.clone());
    let configure = move |text: Option<&str>| {
        if let Some(next) = meanwhile.lock().expect("no panic").take() {
            std::fs::write(&replaced, next)?;
        }
        flags.config_of(text)
    };
    let reloader = Reloader {
        common,
        configure,
        interval: INTERVAL,
        started: config.clone(),
        configs: watch::Sender::new(config.clone()),
        config,
        loader,
        packs,
        catalogs: watch::Sender::new(Arc::new(catalog)),
        readiness: Readiness::new(clusters, false, String::new(), true, Vec::new(), String::new()),
        known: Vec::new(),
        seen: None,
        granted: text,
        broken: None,
        observers: Observers::default(),
    };
    Started { reloader, files, file }
}

impl<C: Fn(Option<&str>) -> anyhow::Result<Config>> Started<C> {
    fn write(&self, namespaces: &str) {
        std::fs::write(&self.file, yaml(namespaces)).expect("written");
    }

    fn look(&mut self) {
        let look = self.reloader.common.look(&self.reloader.config);
        self.react(Occasion::Look(look));
    }

    fn react(&mut self, occasion: Occasion) {
        self.reloader.react(occasion, &mut self.files);
    }

    /// Waits for the load that has begun.
    async fn load(&mut self) {
        let (catalog, failed) = loaded(&mut self.files.loading).await;
        let begun = self.files.loading.take().expect("one has begun");
        assert!(!self.reloader.finish(begun, catalog, failed), "nothing failed");
    }

    /// Where the tool may look.
    fn namespaces(&self) -> Namespaces {
        let current = self.reloader.catalogs.borrow();
        current.components()[0].grants().next().expect("a cluster").1.namespaces.clone()
    }
}

fn only<const N: usize>(namespaces: [&str; N]) -> Namespaces {
    namespaces.map(str::to_owned).into_iter().collect()
}

#[tokio::test]
async fn what_was_compiled_is_loaded_with_no_grant_that_nobody_confirmed() {
    let folder = tempfile::tempdir().expect("a folder");
    let meanwhile = Mutex::default();
    for looks in [0, 1] {
        let mut server = start(folder.path(), "team-a", &meanwhile).await;
        server.write("team-a, team-b");
        (0..looks).for_each(|_| server.look());
        server.react(Occasion::Compiled);
        server.load().await;
        assert_eq!(server.namespaces(), only(["team-a"]), "after {looks} looks");
        // Nor is it forgotten: it takes two looks, as always.
        (looks..2).for_each(|_| server.look());
        assert_eq!(server.namespaces(), only(["team-a", "team-b"]), "after {looks} looks");
    }
}

#[tokio::test]
async fn what_changes_once_it_has_been_read_is_found_by_the_next_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let meanwhile = Mutex::default();
    for is_hangup in [true, false] {
        let mut server = start(folder.path(), "team-a", &meanwhile).await;
        server.write("team-a, team-b");
        if is_hangup {
            *meanwhile.lock().expect("no panic") = Some(yaml("team-c"));
            server.react(Occasion::Hangup);
        } else {
            server.look();
            *meanwhile.lock().expect("no panic") = Some(yaml("team-c"));
            server.look();
        }
        assert_eq!(*meanwhile.lock().expect("no panic"), None, "it was read, and then changed");
        server.load().await;
        assert_eq!(server.namespaces(), only(["team-a", "team-b"]), "what was read is in force");
        (0..2).for_each(|_| server.look());
        assert_eq!(server.namespaces(), only(["team-c"]), "on SIGHUP: {is_hangup}");
    }
}

#[tokio::test]
async fn what_could_not_be_read_for_a_moment_is_no_trouble_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let meanwhile = Mutex::default();
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    std::fs::create_dir(&here).expect("a folder");
    let mut server = start(&here, "team-a", &meanwhile).await;
    std::fs::rename(&here, &away).expect("moved");
    server.look();
    assert!(server.reloader.broken.is_some());
    std::fs::rename(&away, &here).expect("moved back");
    server.look();
    assert_eq!(server.reloader.broken, None);
    assert_eq!(server.namespaces(), only(["team-a"]));
}
