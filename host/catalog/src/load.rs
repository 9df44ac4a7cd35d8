//! Loading components: ask for the manifest, compare with the grant, link. One that cannot be loaded is named with the reason, and
//! the rest still serves. Loading anew keeps what has not changed, and what cannot be replaced.
//!
//! Nothing waits for a component that has to be compiled first, unless it is a bundled one: it is left out, or its predecessor stays,
//! until it is ready.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbar_kubernetes::{Cluster, Clusters};
use sandbar_policy::{Grant, Limits};
use sandbar_registry::{Digest, Policy, Registries, Signatures};
use sandbar_sandbox::{Artifact, Binary, Engine, LoadError, check_header};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::asking::Asking;
use super::audit::AuditLog;
use super::compiling::Compiling;
use super::fetching::Fetching;
use super::integrity::Integrity;
use super::located::{Contents, Located};
use super::manifest::Manifest;
use super::names::{Claim, Taken, settle};
use super::observer::{Observer, Observers};
use super::offer::Offer;
use super::problem::{MANIFEST_TIME, MANIFEST_TIME_OF_OURS, Problem, Reason};
use super::reach::{QueuedCluster, Reach};
use super::served::Served;
use super::source::Source;
use super::terms::Terms;
use super::{Catalog, NameTaken};

/// What is needed to load a component.
#[derive(Clone)]
pub struct Loader {
    /// What runs it.
    engine: Arc<Engine>,
    /// What tools look into, home first.
    clusters: Arc<[QueuedCluster]>,
    /// The cluster that says who may call what.
    home: Cluster,
    /// The largest memory that the engine has room for, in bytes.
    room: u64,
    /// What is not in the compile cache.
    compiling: Arc<Compiling>,
    /// Whose turn it is to have a component's file in memory.
    reading: Arc<Mutex<()>>,
    /// What components have said of themselves.
    asking: Arc<Asking>,
    /// What is on its way from registries.
    fetching: Arc<Fetching>,
    /// Who is told of calls.
    observers: Observers,
}

impl Loader {
    /// A loader for an engine whose calls have `room` for so many bytes of memory at most. A limit beyond that is cut to it. The audit log
    /// alone is told of calls.
    pub fn new(engine: Arc<Engine>, clusters: Clusters, room: u64) -> Self {
        let observers = Observers::default().and(Arc::new(AuditLog));
        let compiling = Compiling::new(engine.clone(), observers.clone());
        let home = clusters.home().clone();
        let queue = || clusters.are_several().then(|| engine.queue_of_cluster());
        let clusters = clusters.iter().map(|named| QueuedCluster { named: named.clone(), queue: queue() }).collect();
        let fetching = Fetching::new(Registries::default());
        Self { engine, clusters, home, room, compiling, reading: Arc::default(), asking: Arc::default(), fetching, observers }
    }

    /// The same, where another one is told of calls, too.
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        let observers = self.observers.and(observer);
        Self { compiling: Compiling::new(self.engine.clone(), observers.clone()), observers, ..self }
    }

    /// The same with registries that components come from. Without, there are none.
    pub fn with_registries(self, registries: Registries) -> Self {
        Self { fetching: Fetching::new(registries), ..self }
    }

    /// The largest memory that a call may have, in bytes.
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Has tags looked up anew by the next load, and what failed in a registry tried at once, with registries as they are configured now.
    pub fn look_anew(&self, registries: Registries) {
        self.fetching.look_anew(registries);
    }

    /// What runs components.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Changes whenever loading again finds more than before, because components have been fetched or compiled meanwhile.
    pub fn compiled(&self) -> watch::Receiver<u64> {
        self.compiling.progress()
    }

    /// Loads these sources; returns the catalog and a `Problem` for each component that is not served. On a name conflict the one that is
    /// ready first wins, and of those ready together the earlier source. Components still being fetched, compiled or asked are awaited up
    /// to `patience`.
    pub async fn load(&self, wanted: Vec<(Source, Terms)>, patience: Duration) -> (Catalog, Vec<Problem>) {
        let mut over = std::pin::pin!(tokio::time::sleep(patience));
        let mut compiled = self.compiled();
        let (mut catalog, mut problems) = self.reload(wanted.clone(), &Catalog::default()).await;
        while problems.iter().any(|problem| problem.reason.is_compiling()) {
            tokio::select! {
                () = &mut over => break,
                _ = compiled.changed() => (catalog, problems) = self.reload(wanted.clone(), &catalog).await,
            }
        }
        (catalog, problems)
    }

    /// Loads all of them where some are served already: what has not changed is taken over, and what is there but cannot be served
    /// leaves its predecessor in force, with what it is granted now.
    pub async fn reload(&self, wanted: Vec<(Source, Terms)>, before: &Catalog) -> (Catalog, Vec<Problem>) {
        self.compile_bundled(wanted.iter().map(|(source, _)| source), before).await;
        self.compiling.start_over();
        self.asking.begin();
        self.fetching.begin();
        let mut tasks = JoinSet::new();
        for (index, (source, terms)) in wanted.iter().cloned().enumerate() {
            let (loader, before) = (self.clone(), before.component(&source).cloned());
            tasks.spawn(async move { (index, loader.load_one(source, &terms, before).await) });
        }
        let mut outcomes: Vec<_> = wanted.iter().map(|_| None).collect();
        while let Some(finished) = tasks.join_next().await {
            match finished {
                Ok((index, outcome)) => outcomes[index] = Some(outcome),
                Err(failure) => tracing::error!(%failure, "the host failed while it loaded a component"),
            }
        }
        self.asking.end();
        self.fetching.end();
        let outcomes =
            outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(Reason::Host("its log says why".to_owned()))));
        let contenders = wanted.into_iter().zip(outcomes).map(|((source, terms), outcome)| {
            let held = before.component(&source).filter(|_| !outcome.as_ref().is_err_and(Reason::is_absence));
            let differs = |held: &&Arc<Served>| outcome.as_ref().is_ok_and(|served| !Arc::ptr_eq(served, held));
            let kept = held.filter(|held| outcome.is_err() || differs(held)).and_then(|held| self.kept(held, &terms));
            Contender { source, outcome, held, kept }
        });
        catalog_of(Catalog::observed_by(self.observers.clone()), contenders.collect())
    }

    /// The components of `before` for which `terms` returns terms that they still meet, re-linked with them. Reads no file, so a revoked
    /// right is gone at once.
    pub fn granted_anew(&self, terms: impl Fn(&Source) -> Option<Terms>, before: &Catalog) -> Catalog {
        let mut catalog = Catalog::observed_by(self.observers.clone());
        for served in before.components() {
            if let Some(kept) = terms(served.source()).and_then(|terms| self.kept(served, &terms)) {
                // Each has the names that it had.
                let _ = catalog.add(kept);
            }
        }
        catalog
    }

    async fn load_one(&self, source: Source, terms: &Terms, before: Option<Arc<Served>>) -> Result<Arc<Served>, Reason> {
        let limits = self.limits(terms);
        let located = self.located(&source, terms).await?;
        let served = before.as_ref().filter(|before| before.artifact.stack() == limits.stack);
        let (artifact, digest) =
            match served.filter(|served| located.digest().is_some_and(|digest| served.digest == Some(digest))) {
                Some(served) => (served.artifact.clone(), served.digest),
                None => {
                    // Bundled ones are in memory anyway.
                    let _turn = if matches!(source, Source::Bundled(_)) { None } else { Some(self.reading.lock().await) };
                    let Contents { binary, digest } = located.read(self.compiling.telling()).await?;
                    terms.integrity.check_contents(&source, digest)?;
                    let artifact = match served.filter(|served| served.artifact.digest() == binary.digest()) {
                        Some(served) => served.artifact.clone(),
                        None => {
                            self.asking.check(binary.digest(), &limits, patience(&source))?;
                            self.artifact(&located, binary, limits.stack).await?
                        }
                    };
                    (artifact, digest)
                }
            };
        let manifest = match &before {
            Some(before) if before.artifact.digest() == artifact.digest() => before.parsed.clone(),
            _ => {
                let late = self.compiling.telling();
                self.asking.manifest(&artifact, &self.engine, &limits, patience(&source), late).await?
            }
        };
        let settings = settings(&manifest, terms)?;
        let (integrity, signatures) = (terms.integrity.clone(), located.signatures());
        let found = Found { source, artifact, digest, integrity, signatures, manifest };
        let served = self.serve(found, terms, settings, before.as_deref())?;
        Ok(before.filter(|before| before.is_same(&served)).unwrap_or_else(|| Arc::new(served)))
    }

    /// Where it can be read. What is in a registry is in the cache, and signed as it has to be, before it is anywhere.
    async fn located(&self, source: &Source, terms: &Terms) -> Result<Located, Reason> {
        let Source::Registry(reference) = source else { return Ok(Located::Here(source.clone())) };
        let fetched = self.fetching.ready(reference, &terms.integrity, self.compiling.telling()).await?;
        Ok(Located::Cached(source.clone(), Box::new(fetched), self.fetching.clone()))
    }

    /// What was served before, on other terms, if it is still what it has to be, and granted what it asks for.
    fn kept(&self, before: &Arc<Served>, terms: &Terms) -> Option<Arc<Served>> {
        let known = before.digest.zip(before.signatures.as_deref());
        let is_admitted =
            |policy: &Policy| known.is_some_and(|(digest, signatures)| self.fetching.admits(policy, &digest, signatures));
        if !terms.integrity.still_takes(&before.source, before.digest, &before.integrity, is_admitted) {
            return None;
        }
        // Settings that do not fit are no right that was taken back, and may be those of the component that follows.
        let settings = settings(&before.parsed, terms).unwrap_or_else(|_| before.settings.clone());
        let found = Found {
            source: before.source.clone(),
            artifact: before.artifact.clone(),
            digest: before.digest,
            integrity: before.integrity.clone(),
            signatures: before.signatures.clone(),
            manifest: before.parsed.clone(),
        };
        let served = self.serve(found, terms, settings, Some(before)).ok()?;
        Some(if before.is_same(&served) { before.clone() } else { Arc::new(served) })
    }

    /// Compares what a component asks for with what it is granted, and links it with that. Its calls stand in the queue of the one
    /// `before`: those of it that still run count.
    fn serve(
        &self,
        found: Found,
        terms: &Terms,
        settings: Arc<BTreeMap<String, String>>,
        before: Option<&Served>,
    ) -> Result<Served, Reason> {
        let Found { source, artifact, digest, integrity, signatures, manifest } = found;
        // Bundled ones are granted what they ask, because they ship with the host.
        let gets_what_it_asks = terms.grants_what_is_asked || matches!(source, Source::Bundled(_));
        let granted = |said: &Grant| match gets_what_it_asks {
            true => Grant {
                rules: manifest.rules.clone(),
                cluster_rules: manifest.cluster_rules.clone(),
                caller: said.caller || terms.grants_what_is_asked,
                ..said.clone()
            },
            false => said.clone(),
        };
        let reads = match artifact.is_script() {
            true => !manifest.rules.is_empty() || !manifest.cluster_rules.is_empty(),
            false => artifact.imports().interfaces.keys().any(|interface| sandbar_capability::reads_cluster(interface)),
        };
        let reach = Reach::of(&self.clusters, terms, reads, granted).ok_or(Reason::NoCluster)?;
        let missing = reach.missing(&manifest, artifact.imports());
        // There is no part of knowing who calls, so without it a component cannot be linked.
        if missing.caller || !missing.is_empty() && !terms.accepts_partial_grant {
            return Err(Reason::NotGranted(missing));
        }
        // One that is kept in force has the stack that it was compiled for.
        let limits = Limits { stack: artifact.stack(), ..self.limits(terms) };
        let queue = self.engine.queue(limits.calls, before.map(|before| before.component.queue()));
        let reach = reach.queued(&self.engine, &queue, before.map(|before| &before.reach));
        // A script's engine needs all of them: what is not granted is denied when it is asked for.
        let open = match artifact.is_script() {
            true => sandbar_capability::interfaces(),
            false => sandbar_capability::open_to(reach.grants().map(|(_, grant)| grant)),
        };
        let component = artifact.link(&open, queue)?;
        let signed = integrity.signatures.as_deref().zip(digest).zip(signatures.as_deref());
        let signers = signed.map(|((policy, digest), signatures)| self.fetching.signers(policy, &digest, signatures));
        let hands_on = !matches!(source, Source::Bundled(_)) && reach.is_open();
        let parsed = manifest.clone();
        let manifest = if hands_on { manifest.marked_untrusted() } else { manifest };
        let manifest = manifest.asking_for(&reach).map_err(Reason::ClusterArgument)?;
        Ok(Served {
            source,
            artifact,
            component,
            parsed,
            manifest,
            reach,
            limits,
            settings,
            ignored_arguments: terms.ignored_arguments.clone(),
            callers: terms.callers.clone(),
            integrity,
            digest,
            signatures,
            signers: signers.unwrap_or_default(),
            engine: self.engine.clone(),
            home: self.home.clone(),
        })
    }

    fn limits(&self, terms: &Terms) -> Limits {
        Limits { memory: terms.limits.memory.min(self.room), ..terms.limits.clone() }
    }

    /// The component as it was compiled before. One that was not is compiled now if it is bundled, and else when it is its turn.
    async fn artifact(&self, located: &Located, binary: Binary, stack: u64) -> Result<Artifact, Reason> {
        check_header(&binary)?;
        let source = located.source();
        if let Some(artifact) = self.load_on_thread(source, binary.clone(), stack).await? {
            self.compiling.loaded(binary.digest());
            return Ok(artifact);
        }
        match source.is_ours() {
            true => {
                self.compiling.bundled(binary.clone(), source).await.map_err(LoadError::from)?;
                let lost = || Reason::Host("what it was compiled to is gone again".to_owned());
                self.load_on_thread(source, binary, stack).await?.ok_or_else(lost)
            }
            false => {
                self.compiling.want(binary.digest(), located).map_err(LoadError::from)?;
                Err(Reason::Compiling)
            }
        }
    }

    /// What was compiled is unpacked, which takes milliseconds of processor time, or a second for an interpreter.
    async fn load_on_thread(&self, source: &Source, binary: Binary, stack: u64) -> Result<Option<Artifact>, Reason> {
        let (engine, source) = (self.engine.clone(), source.clone());
        let loading = tokio::task::spawn_blocking(move || match source.is_ours() {
            true => Artifact::load_bundled(&engine, &source.name(), &binary, stack),
            false => Artifact::load(&engine, &source.name(), &binary, stack),
        });
        Ok(loading.await??)
    }

    /// All bundled components that are new are compiled by one process, before anything else is looked at.
    async fn compile_bundled(&self, sources: impl Iterator<Item = &Source>, before: &Catalog) {
        let new: Vec<&Source> = sources.filter(|source| source.is_ours() && before.component(source).is_none()).collect();
        let engine = new.iter().any(|source| source.is_script()).then(|| Source::engine().clone());
        let new = new
            .iter()
            .filter(|source| !source.is_script())
            .filter_map(|source| source.read().ok())
            .map(|read| read.binary)
            .chain(engine);
        let new = new.filter(|binary| self.compiling.check(binary.digest()).is_ok());
        if let Err(error) = self.engine.compile_bundled(new.collect()).await {
            tracing::debug!(%error, "not all bundled components are compiled at once; each is tried by itself");
        }
    }
}

/// How long a component may take for its manifest. One of ours cannot be asked again by changing its file, and a server without it is not
/// ready, so it may wait out a machine that has no time.
fn patience(source: &Source) -> Duration {
    if matches!(source, Source::Bundled(_)) { MANIFEST_TIME_OF_OURS } else { MANIFEST_TIME }
}

/// A component as it was found, before it is linked.
struct Found {
    source: Source,
    artifact: Artifact,
    digest: Option<Digest>,
    /// What it was checked to be.
    integrity: Integrity,
    signatures: Option<Arc<Signatures>>,
    manifest: Manifest,
}

/// A component that may be served.
struct Contender<'a> {
    source: Source,
    outcome: Result<Arc<Served>, Reason>,
    /// What is served from there, unless nothing is there any more.
    held: Option<&'a Arc<Served>>,
    /// The same with what it is granted now, if it can do with that.
    kept: Option<Arc<Served>>,
}

impl Contender<'_> {
    fn claim(&self) -> Claim<(Offer, &str)> {
        Claim {
            new: self.outcome.as_ref().ok().map(|served| served.manifest().names()),
            held: self.held.map(|served| served.manifest().names()).unwrap_or_default(),
            stays: self.kept.is_some(),
        }
    }
}

/// A catalog with those that can be served, each with its names or else with those that it had; and those that cannot.
fn catalog_of(mut catalog: Catalog, contenders: Vec<Contender<'_>>) -> (Catalog, Vec<Problem>) {
    let claims: Vec<_> = contenders.iter().map(Contender::claim).collect();
    let name_of = |at: usize| -> Arc<str> { contenders[at].source.name().into() };
    let taken = settle(&claims).into_iter().map(|taken| taken.map(|Taken { name, by }| NameTaken::new(name, name_of(by))));
    let taken: Vec<_> = taken.collect();
    let mut problems = Vec::new();
    for (Contender { source, outcome, kept, .. }, taken) in contenders.into_iter().zip(taken) {
        let outcome = match taken {
            Some(taken) => Err(taken.into()),
            None => outcome,
        };
        if let Err(reason) = outcome.and_then(|component| Ok(catalog.add(component)?)) {
            let kept = kept.is_some_and(|kept| catalog.add(kept).is_ok());
            problems.push(Problem { source, reason, kept });
        }
    }
    (catalog, problems)
}

/// The options of a component as it reads them, JSON text by key. They are for components that have some, and have to fit what they say
/// of them.
fn settings(manifest: &Manifest, terms: &Terms) -> Result<Arc<BTreeMap<String, String>>, Reason> {
    if !terms.settings.is_empty() {
        let none = || Reason::Settings("the component has no options; remove `settings`".to_owned());
        let settings = manifest.settings.as_ref().ok_or_else(none)?;
        settings.accepts(&Value::Object(terms.settings.clone())).map_err(Reason::Settings)?;
    }
    Ok(Arc::new(terms.settings.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()))
}
