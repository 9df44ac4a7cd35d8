//! What changes while `sandbar serve` serves: on SIGHUP, and whenever sandbar.yaml or a component is another than before, a new catalog
//! takes the place of the old one. Calls that run end on the old one; whatever is broken leaves in force what there was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sandbar_catalog::{Catalog, FileStamps, Loader, Problem, Served, Source};
use sandbar_config::Config;
use sandbar_http::Readiness;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::setup::on_terms;
use super::{Common, words};

/// Time between two looks at the files. A look costs a few microseconds for each file, and the kubelet takes a minute to bring a
/// changed ConfigMap.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at files of which some is another each time, after which they are loaded nevertheless: a file that is written to without end
/// keeps no other one from being served, and most copies take less.
const MOST_LOOKS: u32 = 5;

/// Puts another catalog in force when there is one.
pub(super) struct Reloader<C> {
    /// The flags.
    pub(super) common: Common,
    /// The configuration that sandbar.yaml is with a text, with the flags over it.
    pub(super) configure: C,
    /// What the server was started with. Some of it stays for good.
    pub(super) started: Arc<Config>,
    /// What is in force.
    pub(super) config: Arc<Config>,
    pub(super) loader: Loader,
    /// Where the catalog in force is, for all that ask.
    pub(super) catalogs: watch::Sender<Arc<Catalog>>,
    /// Where problems are shown.
    pub(super) readiness: Readiness,
    /// The problems that were logged already.
    pub(super) known: Vec<String>,
    /// What sandbar.yaml was at the last look that found something changed.
    pub(super) seen: Option<String>,
    /// What it was when its grants were put in force.
    pub(super) granted: Option<String>,
}

/// A load that has begun.
struct Loading {
    outcome: BoxFuture<'static, (Catalog, Vec<Problem>)>,
    /// What is wrong with the configuration.
    problems: Vec<String>,
    /// What cannot be found.
    failed: Vec<Problem>,
}

/// What was loaded, once it is. Without a load it never is.
async fn loaded(loading: &mut Option<Loading>) -> (Catalog, Vec<Problem>) {
    match loading {
        Some(loading) => (&mut loading.outcome).await,
        None => std::future::pending().await,
    }
}

impl<C: Fn(Option<&str>) -> anyhow::Result<Config>> Reloader<C> {
    /// Goes on for ever. `stamps` are those of the files that were loaded at start.
    pub(super) async fn follow(mut self, mut stamps: FileStamps, mut hangup: Signal) {
        let (mut unsettled, mut looks) = (None, 0);
        let mut loading = None::<Loading>;
        let mut compiled = self.loader.compiled();
        if *compiled.borrow() > 0 {
            // Since the start, perhaps.
            compiled.mark_changed();
        }
        loop {
            let look = tokio::select! {
                (catalog, failed) = loaded(&mut loading) => {
                    if let Some(begun) = loading.take() && self.finish(begun, catalog, failed) {
                        stamps = FileStamps::default();
                    }
                    continue;
                }
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading the configuration and the components anew");
                    None
                }
                Ok(()) = compiled.changed(), if loading.is_none() => None,
                () = tokio::time::sleep(INTERVAL) => Some(block_in_place(|| self.stamps())),
            };
            if look.is_some() && look.as_ref() == Some(&stamps) {
                (unsettled, looks) = (None, 0);
                continue;
            }
            if look.is_some() {
                if block_in_place(|| self.grant_what_is_confirmed()) {
                    // What is being loaded has the grants of before, and the files are to be loaded by the new one even if they are as before.
                    (loading, stamps) = (None, FileStamps::default());
                }
                looks += 1;
                // What changes from look to look is still being written.
                let has_settled = look == unsettled;
                unsettled = look;
                if !has_settled && (looks < MOST_LOOKS || loading.is_some()) {
                    continue;
                }
            }
            (unsettled, looks) = (None, 0);
            // What is being loaded is loaded again, by what the configuration says now.
            (stamps, loading) = self.begin();
        }
    }

    /// Reads the configuration anew, puts in force what it grants to what is served already, and begins to load what it names. Returns
    /// what the files looked like before they were read.
    fn begin(&mut self) -> (FileStamps, Option<Loading>) {
        let mut problems = Vec::new();
        self.seen = None;
        match block_in_place(|| self.read()) {
            Ok((config, text)) => block_in_place(|| self.grant(config, text)),
            Err(error) => problems.push(format!("configuration not reloaded, the one before stays in force: {}", words(&error))),
        }
        let granted = self.catalogs.borrow().clone();
        let (stamps, (sources, failed)) = block_in_place(|| (self.stamps(), self.common.sources(&self.config, &granted)));
        let (loader, wanted) = (self.loader.clone(), on_terms(&self.config, sources));
        let outcome = async move { loader.reload(wanted, &granted).await }.boxed();
        (stamps, Some(Loading { outcome, problems, failed }))
    }

    /// Puts in force what sandbar.yaml grants, once two looks in a row have read the same and it is valid: a file that is just being
    /// written in its place may be empty, and so grant more than was ever meant. No other file is waited for. Whether it did.
    fn grant_what_is_confirmed(&mut self) -> bool {
        let text = self.common.text().ok().flatten();
        let is_new = text.is_some() && text == self.seen && text != self.granted;
        self.seen.clone_from(&text);
        match is_new.then(|| (self.configure)(text.as_deref())) {
            Some(Ok(config)) => self.grant(config, text),
            // Why it is not valid is said when the files are loaded.
            Some(Err(_)) | None => return false,
        }
        true
    }

    /// Puts in force what a configuration grants to what is served already. `text` is what it was read from.
    fn grant(&mut self, config: Config, text: Option<String>) {
        self.config = Arc::new(config);
        self.granted = text;
        let terms = |source: &Source| self.common.names(&self.config, source).then(|| self.config.terms(source));
        let before = self.catalogs.borrow().clone();
        self.put_in_force(self.loader.granted_anew(terms, &before));
    }

    /// The configuration, and what it was read from.
    fn read(&self) -> anyhow::Result<(Config, Option<String>)> {
        let text = self.common.text()?;
        Ok(((self.configure)(text.as_deref())?, text))
    }

    /// Puts in force what was loaded. Whether another attempt may help where it failed.
    fn finish(&mut self, begun: Loading, catalog: Catalog, more: Vec<Problem>) -> bool {
        let Loading { mut problems, mut failed, .. } = begun;
        failed.extend(more);
        let fixed: Vec<String> = self.fixed().map(|key| format!("configuration: a changed `{key}` needs a restart")).collect();
        let (compiling, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|problem| problem.reason.is_compiling());
        problems.extend(failed.iter().map(|problem| named(&self.config, problem)));
        let compiling: Vec<String> = compiling.iter().map(|problem| named(&self.config, problem)).collect();
        self.report(&catalog, problems, fixed, compiling);
        self.put_in_force(catalog);
        let tools = self.catalogs.borrow().definitions().count();
        tracing::info!(tools, problems = self.known.len(), "read anew");
        failed.iter().any(|problem| problem.reason.may_pass())
    }

    /// Makes a catalog the current one, unless it is no other.
    fn put_in_force(&self, catalog: Catalog) {
        let before = self.catalogs.borrow().clone();
        if !catalog.is_same(&before) {
            log_changes(&before, &catalog);
            self.catalogs.send_replace(Arc::new(catalog));
        }
    }

    /// The files of the configuration in force.
    fn stamps(&self) -> FileStamps {
        FileStamps::of(self.common.watched(&self.config).iter().map(PathBuf::as_path))
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
        } = &*self.config;
        let memory = self.config.largest_memory();
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
pub(super) fn named(config: &Config, problem: &Problem) -> String {
    format!("component not {}: {}", if problem.kept { "replaced" } else { "served" }, config.described(problem))
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
