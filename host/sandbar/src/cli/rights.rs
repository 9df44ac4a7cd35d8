//! What the server itself may do in each cluster, held against what its tools and it have to be allowed: for `sandbar doctor`, and for
//! `/readyz?verbose`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sandbar_catalog::Catalog;
use sandbar_config::Config;
use sandbar_http::{Check, Readiness};
use sandbar_kubernetes::{Clusters, NamedCluster, OwnRights, Permission};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::roles::{grants, roles};
use super::words;
use crate::rbac::{Account, permissions};

/// How long one look may take, and how much of that is for what it found before its time was up.
const TIME: Duration = Duration::from_secs(8);
const MARGIN: Duration = Duration::from_millis(500);

/// The least time between two looks of a server. They are made only while somebody asks.
const INTERVAL: Duration = Duration::from_secs(60);

/// The same after one that has not found everything out, which ends with the first question that has no answer.
const AGAIN: Duration = Duration::from_secs(10);

/// Permissions that are named; the others are counted.
const NAMED: usize = 12;

/// What is known of the server's rights in one cluster.
pub(super) enum Standing {
    /// So many are needed, and all are there.
    All(usize),
    /// These are not there.
    Missing(Vec<Permission>),
    /// Why it cannot be found out.
    Unknown(String),
}

impl Standing {
    /// In words, for the cluster of this name; without one, for the only one.
    pub(super) fn describe(&self, cluster: Option<&str>) -> String {
        match self {
            Self::All(0) => "the tools that are loaded need none".to_owned(),
            Self::All(number) => format!("all {number} that the tools need are there"),
            Self::Missing(missing) => {
                let named: Vec<String> = missing.iter().take(NAMED).map(ToString::to_string).collect();
                let others = match missing.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    others => format!(" and {others} more"),
                };
                let flag = cluster.map(|name| format!(" --for-cluster {name}")).unwrap_or_default();
                format!("this server may not {}{others}; `sandbar rbac{flag}` prints the roles that it needs", named.join(", "))
            }
            Self::Unknown(why) => format!("what this server may do cannot be found out: {why}"),
        }
    }
}

/// Asks one of the clusters what the server may do there of what these tools, and this configuration, need.
pub(super) async fn look(config: &Config, clusters: &Clusters, named: &NamedCluster, catalog: &Catalog) -> Standing {
    let is_home = clusters.iter().next().is_some_and(|home| home.name == named.name);
    let began = Instant::now();
    let found = timeout(TIME, async {
        let roles = roles(config, named, is_home, grants(catalog, &named.name), &Account::default()).await?;
        let needed = Vec::from_iter(permissions(&roles.objects));
        let number = needed.len();
        let left = (TIME - MARGIN).saturating_sub(began.elapsed());
        Ok::<_, anyhow::Error>((number, named.cluster.own_rights(needed, left).await))
    });
    match found.await {
        // What is known to be missing is worth more than why the rest is not known.
        Ok(Ok((_, OwnRights { missing, .. }))) if !missing.is_empty() => Standing::Missing(missing),
        Ok(Ok((_, OwnRights { trouble: Some(trouble), .. }))) => Standing::Unknown(trouble.message),
        Ok(Ok((number, _))) => Standing::All(number),
        Ok(Err(error)) => Standing::Unknown(words(&error)),
        Err(_late) => Standing::Unknown(format!("no answer within {} s", TIME.as_secs())),
    }
}

/// Finds out for `/readyz?verbose` what the server may do.
pub(super) struct RightsFollower {
    /// The configuration in force.
    pub(super) configs: watch::Receiver<Arc<Config>>,
    /// The catalog in force.
    pub(super) catalogs: watch::Receiver<Arc<Catalog>>,
    pub(super) clusters: Clusters,
}

impl RightsFollower {
    /// Goes on for ever.
    pub(super) async fn follow(self, readiness: Readiness) {
        loop {
            readiness.rights_asked().await;
            let (config, catalog) = (self.configs.borrow().clone(), self.catalogs.borrow().clone());
            let standings = self.look(&config, &catalog).await;
            let is_known = standings.iter().all(|(_, standing)| !matches!(standing, Standing::Unknown(_)));
            let pause = if is_known { INTERVAL } else { AGAIN };
            readiness.rights(standings.iter().map(|(named, standing)| self.check(named, standing)).collect(), pause);
            sleep(pause).await;
        }
    }

    /// Asks all clusters that are API servers, and not files, in which nobody has to allow anything.
    async fn look(&self, config: &Config, catalog: &Catalog) -> Vec<(&NamedCluster, Standing)> {
        let at_rest: BTreeSet<Arc<str>> =
            config.clusters().filter(|settings| settings.source.is_at_rest()).map(|settings| settings.name).collect();
        let asked = self.clusters.iter().filter(|named| !at_rest.contains(&named.name));
        join_all(asked.map(async |named| (named, look(config, &self.clusters, named, catalog).await))).await
    }

    fn check(&self, named: &NamedCluster, standing: &Standing) -> Check {
        let name = self.clusters.are_several().then_some(&*named.name);
        let prefix = name.map(|name| format!("{name}: ")).unwrap_or_default();
        let words = format!("{prefix}rights: {}", standing.describe(name));
        if matches!(standing, Standing::All(_)) { Ok(words) } else { Err(words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(number: usize) -> Vec<Permission> {
        let permission = |at| Permission {
            namespace: None,
            group: String::new(),
            resource: format!("kind{at}"),
            name: None,
            verb: "list".to_owned(),
        };
        (0..number).map(permission).collect()
    }

    #[test]
    fn what_is_missing_is_told_with_what_grants_it() {
        let words = |standing: Standing, cluster| standing.describe(cluster);
        assert_eq!(
            words(Standing::Missing(missing(2)), Some("east")),
            "this server may not list kind0, list kind1; `sandbar rbac --for-cluster east` prints the roles that it needs"
        );
        let many = words(Standing::Missing(missing(NAMED + 3)), None);
        assert!(many.contains("list kind11 and 3 more; `sandbar rbac` prints"), "{many}");
        assert_eq!(words(Standing::All(7), None), "all 7 that the tools need are there");
    }
}
