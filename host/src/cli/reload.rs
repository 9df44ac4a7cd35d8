//! What changes while `sandbar serve` serves: on SIGHUP, and whenever sandbar.yaml or a component is another than before, a new catalog
//! takes the place of the old one. Calls that run end on the old one; whatever is broken leaves in force what there was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::{Common, words};
use crate::catalog::{Catalog, Loader, Problem, Served, Stamps};
use crate::config::Config;
use crate::http::Readiness;

/// Time between two looks at the files. A look costs a few microseconds for each file, and the kubelet takes a minute to bring a
/// changed ConfigMap.
const INTERVAL: Duration = Duration::from_secs(1);

/// Puts another catalog in force when there is one.
pub(super) struct Reloader<R> {
    /// The flags.
    pub(super) common: Common,
    /// Reads the configuration anew, with the flags over it.
    pub(super) read: R,
    /// What the server was started with. Some of it stays for good.
    pub(super) started: Arc<Config>,
    /// With the configuration that is in force.
    pub(super) loader: Loader,
    /// Where the catalog in force is, for all that ask.
    pub(super) catalogs: watch::Sender<Arc<Catalog>>,
    /// Where problems are shown.
    pub(super) readiness: Readiness,
    /// The problems that were logged already.
    pub(super) known: Vec<String>,
}

impl<R: Fn() -> anyhow::Result<Config>> Reloader<R> {
    /// Goes on for ever. `stamps` are those of the files that were loaded at start.
    pub(super) async fn follow(mut self, mut stamps: Stamps, mut hangup: Signal) {
        let mut unsettled = None;
        let mut compiled = self.loader.compiled();
        if *compiled.borrow() > 0 {
            // Since the start, perhaps.
            compiled.mark_changed();
        }
        loop {
            let look = tokio::select! {
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading the configuration and the components anew");
                    None
                }
                Ok(()) = compiled.changed() => None,
                () = tokio::time::sleep(INTERVAL) => Some(block_in_place(|| self.stamps())),
            };
            // What changes from look to look is still being written.
            if look.is_some() && (look.as_ref() == Some(&stamps) || look != unsettled) {
                unsettled = look;
                continue;
            }
            unsettled = None;
            stamps = self.reload().await;
        }
    }

    /// Loads everything anew. Returns what the files looked like before they were read; none of it where another attempt may help.
    async fn reload(&mut self) -> Stamps {
        let mut problems = Vec::new();
        match block_in_place(&self.read) {
            Ok(config) => self.loader = self.loader.with(Arc::new(config)),
            Err(error) => problems.push(format!("configuration not reloaded, the one before stays in force: {}", words(&error))),
        }
        let fixed: Vec<String> = self.fixed().map(|key| format!("configuration: a changed `{key}` needs a restart")).collect();

        let before = self.catalogs.borrow().clone();
        let (stamps, (sources, mut failed)) =
            block_in_place(|| (self.stamps(), self.common.sources(self.loader.config(), &before)));
        let (catalog, more) = self.loader.reload(sources, &before).await;
        failed.extend(more);
        let (compiling, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|problem| problem.reason.is_compiling());
        let may_pass = failed.iter().any(|problem| problem.reason.may_pass());
        problems.extend(failed.iter().map(named));
        let compiling: Vec<String> = compiling.iter().map(named).collect();
        self.report(&catalog, problems, fixed, compiling);
        log_changes(&before, &catalog);
        tracing::info!(tools = catalog.definitions().count(), problems = self.known.len(), "read anew");
        self.catalogs.send_replace(Arc::new(catalog));
        if may_pass { Stamps::default() } else { stamps }
    }

    /// The files of the configuration in force.
    fn stamps(&self) -> Stamps {
        Stamps::of(self.common.watched(self.loader.config()).iter().map(PathBuf::as_path))
    }

    /// The keys whose new values have no effect.
    fn fixed(&self) -> impl Iterator<Item = &'static str> {
        // All keys by name, so that another one has to be thought of here.
        let Config {
            listen,
            cluster,
            hosts,
            origins,
            calls_per_second,
            connections,
            drain,
            namespaces: _,
            limits: _,
            bundled: _,
            ignored_arguments: _,
            tools: _,
        } = self.loader.config();
        let memory = self.loader.config().largest_memory();
        let keys = [
            ("listen", *listen != self.started.listen),
            ("cluster", *cluster != self.started.cluster),
            ("hosts", *hosts != self.started.hosts),
            ("origins", *origins != self.started.origins),
            ("callsPerSecond", *calls_per_second != self.started.calls_per_second),
            ("connections", *connections != self.started.connections),
            ("drain", *drain != self.started.drain),
            // The pool of instances has its size from the start on.
            ("limits.memory", memory > self.loader.room()),
        ];
        keys.into_iter().filter_map(|(key, differs)| differs.then_some(key))
    }

    /// Logs what is new of the problems, and shows all of them.
    fn report(&mut self, catalog: &Catalog, mut problems: Vec<String>, fixed: Vec<String>, compiling: Vec<String>) {
        for problem in problems.iter().filter(|problem| !self.known.contains(problem)) {
            tracing::error!("{problem}");
        }
        for key in fixed.iter().filter(|key| !self.known.contains(key)) {
            tracing::warn!("{key}");
        }
        for component in compiling.iter().filter(|component| !self.known.contains(component)) {
            tracing::info!("{component}");
        }
        problems.extend(fixed);
        problems.extend(compiling);
        self.readiness.loaded(catalog.definitions().count(), problems.clone());
        self.known = problems;
    }
}

/// A component's problem as it stands in the log and in /readyz.
pub(super) fn named(problem: &Problem) -> String {
    format!("component not {}: {problem}", if problem.kept { "replaced" } else { "served" })
}

/// Says which components are other than before.
fn log_changes(before: &Catalog, after: &Catalog) {
    let say = |what: &str, served: &Served| {
        let tools = served.manifest().tools.len();
        tracing::info!(component = %served.source(), digest = %served.artifact().digest(), tools, "a component was {what}");
    };
    for served in after.components() {
        match before.component(served.source()) {
            None => say("added", served),
            Some(older) if Arc::ptr_eq(older, served) => {}
            Some(older) if older.artifact().digest() == served.artifact().digest() => say("granted or limited anew", served),
            Some(_) => say("replaced", served),
        }
    }
    for served in before.components().iter().filter(|served| after.component(served.source()).is_none()) {
        say("removed", served);
    }
}
