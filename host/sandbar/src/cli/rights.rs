//! What the server itself may do in each cluster, held against what its tools and it have to be allowed: for `sandbar doctor`, and for
//! `/readyz?verbose`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sandbar_catalog::Catalog;
use sandbar_config::Config;
use sandbar_http::{Check, Readiness};
use sandbar_kubernetes::{Clusters, NamedCluster, OwnRights, Permission};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::roles::{grants, roles};
use super::words;
use crate::rbac::{Account, permissions};

/// How long one look may take.
pub(super) const TIME: Duration = Duration::from_secs(8);

/// The least time between two looks of a server. They are made only while somebody asks.
const INTERVAL: Duration = Duration::from_secs(60);

/// Permissions that are named; the others are counted.
const NAMED: usize = 12;

/// What is known of the server's rights in one cluster.
pub(super) enum Standing {
    /// Nobody has to allow anything: it is files.
    AtRest,
    /// So many are needed, and all are there.
    All(usize),
    /// These are not there.
    Missing(Vec<Permission>),
    /// Why it cannot be found out.
    Unknown(String),
}

/// The server's rights in one cluster.
pub(super) struct RightsIn {
    /// The cluster, where there are several.
    cluster: Option<Arc<str>>,
    pub(super) standing: Standing,
}

impl fmt::Display for RightsIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match &self.cluster {
            Some(cluster) => format!("sandbar rbac --for-cluster {cluster}"),
            None => "sandbar rbac".to_owned(),
        };
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}: ")?;
        }
        match &self.standing {
            Standing::AtRest => f.write_str("nobody has to allow anything, since it is files"),
            Standing::All(0) => f.write_str("the tools that are loaded need none"),
            Standing::All(number) => write!(f, "all {number} that the tools need are there"),
            Standing::Missing(missing) => {
                let named: Vec<String> = missing.iter().take(NAMED).map(ToString::to_string).collect();
                write!(f, "this server may not {}", named.join(", "))?;
                match missing.len().saturating_sub(NAMED) {
                    0 => {}
                    others => write!(f, " and {others} more")?,
                }
                write!(f, "; `{command}` prints the roles that it needs")
            }
            Standing::Unknown(why) => write!(f, "what this server may do cannot be found out: {why}"),
        }
    }
}

/// Asks each cluster what the server may do there of what these tools, and this configuration, need.
pub(super) async fn look(config: &Config, clusters: &Clusters, catalog: &Catalog) -> Vec<RightsIn> {
    let at_rest: BTreeSet<Arc<str>> =
        config.clusters().filter(|settings| settings.source.is_at_rest()).map(|settings| settings.name).collect();
    let look = async |(at, named): (usize, &NamedCluster)| RightsIn {
        cluster: clusters.are_several().then(|| named.name.clone()),
        standing: match at_rest.contains(&named.name) {
            true => Standing::AtRest,
            false => look_into(config, named, at == 0, catalog).await,
        },
    };
    join_all(clusters.iter().enumerate().map(look)).await
}

async fn look_into(config: &Config, named: &NamedCluster, is_home: bool, catalog: &Catalog) -> Standing {
    let found = timeout(TIME, async {
        let roles = roles(config, named, is_home, grants(catalog, &named.name), &Account::default()).await?;
        let needed = Vec::from_iter(permissions(&roles.objects));
        let number = needed.len();
        Ok::<_, anyhow::Error>((number, named.cluster.own_rights(needed, TIME).await))
    });
    match found.await {
        Ok(Ok((number, OwnRights { missing, trouble: None }))) if missing.is_empty() => Standing::All(number),
        // What is known to be missing is worth more than why the rest is not known.
        Ok(Ok((_, OwnRights { missing, .. }))) if !missing.is_empty() => Standing::Missing(missing),
        Ok(Ok((_, OwnRights { trouble, .. }))) => Standing::Unknown(trouble.map(|error| error.message).unwrap_or_default()),
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
            let found = look(&config, &self.clusters, &catalog).await;
            let told = found.iter().filter(|rights| !matches!(rights.standing, Standing::AtRest));
            readiness.rights(told.map(check).collect());
            sleep(INTERVAL).await;
        }
    }
}

fn check(rights: &RightsIn) -> Check {
    let words = format!("rights: {rights}");
    if matches!(rights.standing, Standing::All(_)) { Ok(words) } else { Err(words) }
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
        let words = |standing, cluster: Option<&str>| RightsIn { cluster: cluster.map(Arc::from), standing }.to_string();
        assert_eq!(
            words(Standing::Missing(missing(2)), Some("east")),
            "east: this server may not list kind0, list kind1; `sandbar rbac --for-cluster east` prints the roles that it needs"
        );
        let many = words(Standing::Missing(missing(NAMED + 3)), None);
        assert!(many.contains("list kind11 and 3 more; `sandbar rbac` prints"), "{many}");
        assert_eq!(words(Standing::All(7), None), "all 7 that the tools need are there");
    }
}
