//! What changes while `sandbar serve` serves: on SIGHUP, and whenever sandbar.yaml or a component is another than before, a new catalog
//! takes the place of the old one. Calls that run end on the old one; whatever is broken leaves in force what there was.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sandbar_author::changes;
use sandbar_catalog::{Catalog, Definition, FileStamps, Loader, PackNames, Problem, Served, Source, Terms};
use sandbar_config::{AuthorizationConfig, Config, Packs};
use sandbar_http::Readiness;
use sandbar_policy::ONLY_CLUSTER;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::block_in_place;

use super::inspect::described;
use super::observers::Observers;
use super::packs::ClusterPacks;
use super::registries::{Asker, registries};
use super::setup::Setup;
use super::{OnCluster, words};

/// Time between two looks at the files of a server. A look costs a few microseconds for each file, and the kubelet takes a minute to bring a
/// changed ConfigMap.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at files of which some is another each time, after which they are loaded nevertheless: a file that is written to without end
/// keeps no other one from being served, and most copies take less.
const MOST_LOOKS: u32 = 5;

/// Puts another catalog in force when there is one.
pub(super) struct Reloader<C> {
    /// The flags.
    pub(super) common: OnCluster,
    /// The configuration that sandbar.yaml is with a text, with the flags over it.
    pub(super) configure: C,
    /// Time between two looks at the files.
    pub(super) interval: Duration,
    /// What the server was started with. Some of it stays for good.
    pub(super) started: Arc<Config>,
    /// What is in force.
    pub(super) config: Arc<Config>,
    pub(super) loader: Loader,
    /// What `bundled.packs: auto` goes by.
    pub(super) packs: ClusterPacks,
    /// Where the catalog in force is, for all that ask.
    pub(super) catalogs: watch::Sender<Arc<Catalog>>,
    /// Where the configuration in force is, for all that go by it.
    pub(super) configs: watch::Sender<Arc<Config>>,
    /// Where problems are shown.
    pub(super) readiness: Readiness,
    /// The problems that were logged already.
    pub(super) known: Vec<String>,
    /// What sandbar.yaml was at the last look that found something changed.
    pub(super) seen: Option<String>,
    /// What it was when its grants were put in force.
    pub(super) granted: Option<String>,
    /// Why what it is now is not in force.
    pub(super) broken: Option<String>,
    /// Who is told of all that.
    pub(super) observers: Observers,
}

/// What makes the files be loaded anew.
enum Occasion {
    /// SIGHUP: whatever is there now is meant.
    Hangup,
    /// Components have been compiled.
    Compiled,
    /// The cluster has something for other packs than before.
    Packs,
    /// A look at the files.
    Look(FileStamps),
}

/// The files, as far as they are followed.
struct Files {
    /// What those look like that are loaded, or are being loaded.
    stamps: FileStamps,
    /// What the last look has seen, if another has to see the same.
    unsettled: Option<FileStamps>,
    /// How many looks have seen something new.
    looks: u32,
    loading: Option<Loading>,
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
    pub(super) async fn follow(mut self, stamps: FileStamps, mut hangup: Signal) {
        let mut files = Files { stamps, unsettled: None, looks: 0, loading: None };
        let mut compiled = self.loader.compiled();
        if *compiled.borrow() > 0 {
            // Since the start, perhaps.
            compiled.mark_changed();
        }
        loop {
            let occasion = tokio::select! {
                (catalog, failed) = loaded(&mut files.loading) => {
                    if let Some(begun) = files.loading.take() && self.finish(begun, catalog, failed) {
                        files.stamps = FileStamps::default();
                    }
                    continue;
                }
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading the configuration and the components anew");
                    self.packs.look_anew();
                    self.registries_anew();
                    Occasion::Hangup
                }
                Ok(()) = compiled.changed(), if files.loading.is_none() => Occasion::Compiled,
                () = self.packs.changed(), if self.config.bundled.packs == Packs::Auto => Occasion::Packs,
                () = tokio::time::sleep(self.interval) => Occasion::Look(block_in_place(|| self.common.look(&self.config))),
            };
            block_in_place(|| self.react(occasion, &mut files));
        }
    }

    /// Has the credentials and certificates of registries read anew, and all that depends on them asked again.
    fn registries_anew(&self) {
        let config = &self.started.registries;
        match block_in_place(|| registries(config, self.loader.engine().folder(), Asker::server(config))) {
            Ok(registries) => self.loader.look_anew(registries),
            Err(error) => tracing::error!("registries are asked as before: {}", words(&error)),
        }
    }

    /// Puts in force what is confirmed, and begins to load where something has changed. Takes as long as the files do.
    fn react(&mut self, occasion: Occasion, files: &mut Files) {
        // Of sandbar.yaml, what was seen before it was read: what changes while it is read is another look's.
        let before_reading = match occasion {
            Occasion::Look(look) => {
                let is_as_before = look == files.stamps;
                // A sandbar.yaml that cannot be read may be out of reach for a moment, and the same afterwards.
                let is_granted = (!is_as_before || self.broken.is_some()) && self.grant_what_is_confirmed();
                if is_granted {
                    // What is being loaded has the grants of before, and the files are to be loaded by the new ones even if they are as
                    // before.
                    (files.loading, files.stamps) = (None, FileStamps::default());
                } else if is_as_before {
                    (files.unsettled, files.looks) = (None, 0);
                    return;
                }
                files.looks += 1;
                // What changes from look to look is still being written.
                let has_settled = files.unsettled.as_ref() == Some(&look);
                if !has_settled && (files.looks < MOST_LOOKS || files.loading.is_some()) {
                    files.unsettled = Some(look);
                    return;
                }
                if has_settled { look } else { FileStamps::default() }
            }
            Occasion::Hangup => {
                let now = self.common.look(&self.config);
                self.grant_what_is_there();
                now
            }
            Occasion::Compiled | Occasion::Packs => files.stamps.clone(),
        };
        // What is being loaded is loaded again, by what the configuration says now.
        *files = self.begin(&before_reading);
    }

    /// Begins to load what the configuration in force names.
    fn begin(&self, before_reading: &FileStamps) -> Files {
        let granted = self.catalogs.borrow().clone();
        let stamps = self.common.look_after_reading(&self.config, before_reading);
        let (sources, failed) = self.common.sources(&self.config, &self.on(), &granted);
        let (loader, terms) = (self.loader.clone(), self.terms());
        let wanted = sources.into_iter().map(|source| (source.clone(), terms(&source))).collect();
        let outcome = async move { loader.reload(wanted, &granted).await }.boxed();
        let loading = Loading { outcome, problems: self.broken.iter().cloned().collect(), failed };
        Files { stamps, unsettled: None, looks: 0, loading: Some(loading) }
    }

    /// Puts in force what sandbar.yaml grants, once two looks in a row have read the same and it is valid: a file that is just being
    /// written in its place may be empty, and so grant more than was ever meant. No other file is waited for. Whether it did.
    fn grant_what_is_confirmed(&mut self) -> bool {
        match self.common.text() {
            Ok(text) => {
                let is_confirmed = text.is_some() && text == self.seen;
                self.seen.clone_from(&text);
                if text == self.granted && self.broken.take().is_some() {
                    self.observers.unchanged();
                }
                is_confirmed && text != self.granted && self.grant_text(text)
            }
            Err(error) => {
                self.seen = None;
                self.refuse(&error.into());
                false
            }
        }
    }

    /// Puts in force what sandbar.yaml grants now.
    fn grant_what_is_there(&mut self) {
        self.seen = None;
        match self.common.text() {
            Ok(text) => {
                self.grant_text(text);
            }
            Err(error) => self.refuse(&error.into()),
        }
    }

    /// Puts in force what this text of sandbar.yaml grants to what is served already, if it is valid. Whether it is.
    fn grant_text(&mut self, text: Option<String>) -> bool {
        let config = match (self.configure)(text.as_deref()) {
            Ok(config) => config,
            Err(error) => {
                self.refuse(&error);
                return false;
            }
        };
        (self.config, self.granted, self.broken) = (Arc::new(config), text, None);
        self.configs.send_replace(self.config.clone());
        self.observers.applied();
        let on = self.on();
        let terms = self.terms();
        let terms = |source: &Source| self.common.names(&self.config, &on, source).then(|| terms(source));
        let before = self.catalogs.borrow().clone();
        self.put_in_force(self.loader.granted_anew(terms, &before));
        true
    }

    /// Notes why sandbar.yaml as it is now is not in force. Each look may find the same.
    fn refuse(&mut self, error: &anyhow::Error) {
        let broken = not_reloaded(error);
        if self.broken.as_ref() != Some(&broken) {
            self.observers.refused(&broken);
        }
        self.broken = Some(broken);
    }

    /// Puts in force what was loaded. Whether another attempt may help where it failed.
    fn finish(&mut self, begun: Loading, catalog: Catalog, more: Vec<Problem>) -> bool {
        let Loading { mut problems, mut failed, .. } = begun;
        failed.extend(more);
        let fixed: Vec<String> = self.fixed().map(|key| format!("configuration: a changed `{key}` needs a restart")).collect();
        let (compiling, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|problem| problem.reason.is_compiling());
        problems.extend(failed.iter().map(|problem| named(&self.config, problem)));
        let unknown = match compiling.is_empty() {
            true => self.config.unknown_tools(catalog.definitions().map(Definition::name), &self.on()),
            false => Vec::new(),
        };
        let notices = unknown.iter().chain(&fixed).cloned().collect();
        self.observers.not_served(&self.config, failed.iter().chain(&compiling), notices);
        problems.extend(unknown);
        let compiling: Vec<String> = compiling.iter().map(|problem| named(&self.config, problem)).collect();
        self.report(&catalog, problems, fixed, compiling);
        self.put_in_force(catalog);
        let tools = self.catalogs.borrow().definitions().count();
        tracing::info!(tools, problems = self.known.len(), "read anew");
        failed.iter().any(|problem| problem.reason.may_pass())
    }

    /// The terms on which components are served: of several clusters in those that are what they were at the start. Another one may have the
    /// name of one by now, and what is granted there is not meant for that.
    fn terms(&self) -> impl Fn(&Source) -> Terms {
        let started: Vec<_> = self.started.clusters().collect();
        let same = self.config.clusters().filter(|cluster| started.contains(cluster)).map(|cluster| cluster.name);
        let kept: BTreeSet<Arc<str>> = same.chain([ONLY_CLUSTER.into()]).collect();
        let config = self.config.clone();
        move |source| {
            let mut terms = config.terms(source);
            terms.grants.retain(|name, _| kept.contains(name));
            terms
        }
    }

    /// The packs that are on.
    fn on(&self) -> PackNames {
        self.packs.on(&self.config, &self.catalogs.borrow())
    }

    /// Makes a catalog the current one, unless it is no other.
    fn put_in_force(&self, catalog: Catalog) {
        let before = self.catalogs.borrow().clone();
        if !catalog.is_same(&before) {
            log_changes(&before, &catalog);
            // First: calls of the new one may end at once.
            self.observers.serves(&catalog);
            self.catalogs.send_replace(Arc::new(catalog));
        }
    }

    /// The keys whose new values have no effect.
    fn fixed(&self) -> impl Iterator<Item = &'static str> {
        // All keys by name, so that another one has to be thought of here.
        let Config {
            listen,
            tls,
            cluster,
            clusters,
            hosts,
            origins,
            calls_per_second,
            connections,
            drain,
            metrics,
            traces,
            authentication,
            api_service,
            authorization,
            allow_anonymous,
            namespaces: _,
            limits: _,
            bundled: _,
            ignored_arguments: _,
            grants_what_is_asked: _,
            signatures: _,
            registries,
            tools: _,
        } = &*self.config;
        // Who may call which tool is a part of each component's terms.
        let AuthorizationConfig { rights, extra, tools: _ } = authorization;
        let memory = self.config.largest_memory();
        let are_several = !clusters.is_empty() || !self.started.clusters.is_empty();
        let keys = [
            ("listen", *listen != self.started.listen),
            ("tls", *tls != self.started.tls),
            ("cluster", *cluster != self.started.cluster),
            // But for their namespaces.
            ("clusters", are_several && !self.config.clusters().eq(self.started.clusters())),
            ("hosts", *hosts != self.started.hosts),
            ("origins", *origins != self.started.origins),
            ("callsPerSecond", *calls_per_second != self.started.calls_per_second),
            ("connections", *connections != self.started.connections),
            ("drain", *drain != self.started.drain),
            ("metrics", *metrics != self.started.metrics),
            ("traces", *traces != self.started.traces),
            ("authentication", *authentication != self.started.authentication),
            ("apiService", *api_service != self.started.api_service),
            ("authorization.rights", *rights != self.started.authorization.rights),
            ("authorization.extra", *extra != self.started.authorization.extra),
            ("registries", *registries != self.started.registries),
            ("allowAnonymous", *allow_anonymous != self.started.allow_anonymous),
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
        let packs = self.packs.describe(&self.config, &self.on());
        self.readiness.loaded(served(catalog.definitions().count(), &packs), problems.clone());
        self.known = problems;
    }
}

/// What is served, in words.
pub(super) fn served(tools: usize, packs: &str) -> String {
    format!("{tools} loaded; packs: {packs}")
}

/// Why sandbar.yaml is not what is in force.
fn not_reloaded(error: &anyhow::Error) -> String {
    format!("configuration not reloaded, the one before stays in force: {}", words(error))
}

/// A component's problem as it stands in the log and in /readyz.
fn named(config: &Config, problem: &Problem) -> String {
    format!("component not {}: {}", if problem.kept { "replaced" } else { "served" }, config.described(problem))
}

/// Logs what is wrong with what was loaded first, and names all of it. While something is being compiled, which tools there are is not known.
pub(super) fn problems_at_start(Setup { config, catalog, problems, on, .. }: &Setup, observers: &Observers) -> Vec<String> {
    let (mut named_all, mut is_compiling) = (Vec::new(), false);
    for problem in problems {
        let words = named(config, problem);
        if problem.reason.is_compiling() {
            is_compiling = true;
            tracing::info!("{words}");
        } else {
            tracing::error!("{words}");
        }
        named_all.push(words);
    }
    let unknown = match is_compiling {
        true => Vec::new(),
        false => config.unknown_tools(catalog.definitions().map(Definition::name), on),
    };
    unknown.iter().for_each(|unknown| tracing::error!("{unknown}"));
    observers.not_served(config, problems.iter(), unknown.clone());
    named_all.extend(unknown);
    named_all
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
            Some(older) => {
                say("replaced", served);
                let (before, after) = (described(older.manifest()), described(served.manifest()));
                let changed = changes(&before, &after);
                changed.iter().for_each(
                    |change| tracing::info!(component = %served.source(), "what it says of itself has changed: {change}"),
                );
            }
        }
    }
    for served in before.components().iter().filter(|served| after.component(served.source()).is_none()) {
        say("removed", served);
    }
}
