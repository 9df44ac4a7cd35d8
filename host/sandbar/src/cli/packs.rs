//! Which packs the clusters have something for, which decides what `bundled.packs: auto` serves. It is found out from what each of them
//! serves, at start and again and again after that; an answer counts until there is another one from the same cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sandbar_catalog::{Catalog, Pack, PackNames};
use sandbar_config::{Config, Packs};
use sandbar_kubernetes::Clusters;
use tokio::time::{Instant, sleep_until, timeout};

/// Time between two looks: one request for a few kilobytes, unless a call has had the same looked up meanwhile.
const INTERVAL: Duration = Duration::from_secs(60);

/// Time until another attempt after one that failed.
const AGAIN: Duration = Duration::from_secs(2);

/// The packs that the clusters have something for, as far as it is known.
pub(super) struct ClusterPacks {
    clusters: Clusters,
    /// Which of the packs' API groups each cluster serves, by its last answer.
    served: BTreeMap<Arc<str>, Vec<&'static str>>,
    /// None before a cluster has said anything.
    suited: Option<PackNames>,
    /// Why the last look has found nothing out.
    trouble: Option<String>,
    /// How old an answer may be for the next look, and when that is.
    age: Duration,
    due: Instant,
}

impl ClusterPacks {
    /// Nothing is known yet.
    pub(super) fn of(clusters: Clusters) -> Self {
        Self { clusters, served: BTreeMap::new(), suited: None, trouble: None, age: INTERVAL, due: Instant::now() }
    }

    /// The packs that are on with this configuration, where this was served `before`. Whatever is not known yet leaves on what is, and
    /// what needs nothing that others have brought into the cluster.
    pub(super) fn on(&self, config: &Config, before: &Catalog) -> PackNames {
        let not_known = || &before.packs() | &Pack::suited(|_| false);
        config.packs(&self.suited.clone().unwrap_or_else(not_known))
    }

    /// The same in words, for the operator.
    pub(super) fn describe(&self, config: &Config, on: &PackNames) -> String {
        let names = if on.is_empty() { "none".to_owned() } else { Vec::from_iter(on.iter().copied()).join(", ") };
        match (&config.bundled.packs, self.unknown(config)) {
            (Packs::Only(_), _) => names,
            (Packs::Auto, None) => format!("{names} (auto)"),
            (Packs::Auto, Some(trouble)) => format!("{names} (auto: {trouble})"),
        }
    }

    /// Looks what the cluster serves, if the configuration asks for it, and waits for no longer than `patience`.
    pub(super) async fn find(&mut self, config: &Config, patience: Duration) {
        if config.bundled.packs == Packs::Auto {
            let looking = async {
                // Before the look's own time begins, as for a call.
                join_all(self.clusters.iter().map(|named| named.cluster.log_in())).await;
                self.look().await
            };
            let _late = timeout(patience, looking).await;
            if self.suited.is_none() && self.trouble.is_none() {
                self.failed(format!("the cluster has not said within {} s what it serves", patience.as_secs()));
            }
        }
    }

    /// Why it is not known what `auto` stands for.
    pub(super) fn unknown(&self, config: &Config) -> Option<&str> {
        (config.bundled.packs == Packs::Auto && self.suited.is_none()).then_some(self.trouble.as_deref()?)
    }

    /// Has the next look not wait, and take no answer of before.
    pub(super) fn look_anew(&mut self) {
        (self.age, self.due) = (Duration::ZERO, Instant::now());
    }

    /// Waits until the cluster has something for other packs than before. Cancel-safe: a look goes on by itself.
    pub(super) async fn changed(&mut self) {
        loop {
            sleep_until(self.due).await;
            if self.look().await {
                return;
            }
        }
    }

    /// Whether the clusters have something for other packs than before.
    async fn look(&mut self) -> bool {
        let foreign: BTreeSet<&str> = Pack::all().iter().flat_map(Pack::foreign_groups).collect();
        let (foreign, age) = (Vec::from_iter(foreign), self.age);
        let looks =
            self.clusters.iter().map(async |named| (named.name.clone(), named.cluster.serves_groups(&foreign, age).await));
        let mut troubles = Vec::new();
        for (name, outcome) in join_all(looks).await {
            match outcome {
                Ok(served) => drop(self.served.insert(name, served)),
                Err(error) if self.clusters.are_several() => troubles.push(format!("{name}: {}", error.message)),
                Err(error) => troubles.push(error.message),
            }
        }
        let served: Vec<&str> = self.served.values().flatten().copied().collect();
        // What one cluster says counts while another says nothing.
        let has_changed = !self.served.is_empty() && self.found(&served);
        if !troubles.is_empty() {
            self.failed(troubles.join("; "));
        }
        has_changed
    }

    fn found(&mut self, served: &[&str]) -> bool {
        (self.age, self.due, self.trouble) = (INTERVAL, Instant::now() + INTERVAL, None);
        let suited = Pack::suited(|group| served.contains(&group));
        if self.suited.as_ref() == Some(&suited) {
            return false;
        }
        for pack in Pack::all() {
            let (there, missing): (Vec<&str>, Vec<&str>) = pack.foreign_groups().partition(|group| served.contains(group));
            let why = match (there.is_empty(), missing.is_empty()) {
                (false, _) => format!("the cluster serves {}", there.join(", ")),
                (true, false) => format!("the cluster does not serve {}", missing.join(", ")),
                (true, true) => "it needs no API group that others bring into a cluster".to_owned(),
            };
            let state = if suited.contains(pack.name()) { "on" } else { "off" };
            tracing::info!("`bundled.packs: auto`: {} is {state}, because {why}", pack.name());
        }
        self.suited = Some(suited);
        true
    }

    fn failed(&mut self, trouble: String) {
        self.due = Instant::now() + AGAIN;
        if self.trouble.as_ref() != Some(&trouble) {
            let meanwhile = if self.suited.is_some() {
                "what was found before counts"
            } else {
                "packs that need what others bring into a cluster wait"
            };
            tracing::warn!("`bundled.packs: auto`: what the cluster serves is not known now: {trouble}; {meanwhile}");
        }
        self.trouble = Some(trouble);
    }
}

#[cfg(test)]
mod tests {
    use sandbar_kubernetes::{Cluster, ClusterSource};

    use super::*;

    async fn packs() -> ClusterPacks {
        ClusterPacks::of(Clusters::only(Cluster::connect(&ClusterSource::Demo).await.expect("the demo")))
    }

    fn auto() -> Config {
        let mut config = Config::default();
        config.bundled.packs = Packs::Auto;
        config
    }

    #[tokio::test]
    async fn auto_is_what_the_cluster_has_something_for() {
        let (mut packs, config) = (packs().await, auto());
        packs.find(&config, Duration::MAX).await;
        let on = packs.on(&config, &Catalog::default());
        assert!(on.contains("coder"), "{on:?}");
        assert!(packs.describe(&config, &on).ends_with(" (auto)"));
        assert!(packs.found(&[]), "another cluster");
        assert!(!packs.on(&config, &Catalog::default()).contains("coder"));
        assert!(!packs.found(&[]) && packs.found(&["coder.com"]), "only what differs is told");
        assert_eq!(packs.on(&Config::default(), &Catalog::default()), PackNames::from(["coder"]), "a list is a list");
    }

    #[tokio::test]
    async fn what_cannot_be_found_out_changes_nothing() {
        let (mut packs, config) = (packs().await, auto());
        assert_eq!(packs.unknown(&config), None, "nobody has looked yet");
        packs.failed("gone".to_owned());
        assert_eq!(packs.unknown(&config), Some("gone"));
        let on = packs.on(&config, &Catalog::default());
        assert_eq!(on, Pack::suited(|_| false), "it begins with what needs nothing of others");
        assert!(packs.describe(&config, &on).ends_with("(auto: gone)"));
        packs.found(&["coder.com"]);
        packs.failed("gone again".to_owned());
        assert!(packs.on(&config, &Catalog::default()).contains("coder") && packs.unknown(&config).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_cluster_is_asked_now_and_then_and_at_once_where_somebody_wants_it() {
        let mut packs = packs().await;
        packs.changed().await;
        let looked = Instant::now();
        assert_eq!((packs.age, packs.due), (INTERVAL, looked + INTERVAL));
        packs.failed("gone".to_owned());
        assert_eq!(packs.due, looked + AGAIN);
        packs.look_anew();
        assert_eq!((packs.age, packs.due), (Duration::ZERO, looked));
    }
}
