//! Whether each API server answers, and runs a version that is known to work.

use std::sync::Arc;

use futures::future::join_all;
use sandbar_config::RightsConfig;
use sandbar_kubernetes::Health;

use super::finding::Finding;
use super::subject::{ApiServer, Subject};

/// The oldest minor version of Kubernetes 1 that is known to work: that of the chart.
const OLDEST: u32 = 27;

/// The first one that knows constrained impersonation, by which tools read in their callers' names.
const IMPERSONATION: u32 = 36;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let servers: Vec<ApiServer<'_>> = subject.api_servers().collect();
    if servers.is_empty() {
        return vec![Finding::ok(format!("{}: files, which need no API server", subject.clusters.describe()))];
    }
    join_all(servers.iter().map(async |server| server.told(of(&subject, server).await))).await
}

async fn of(subject: &Subject, server: &ApiServer<'_>) -> Finding {
    let Health { git_version, platform, ready } = match server.health().await {
        Ok(health) => health,
        Err(error) => return Finding::fail(&*error.message),
    };
    let named = server.named;
    let of_cluster = subject.config.clusters.iter().find(|cluster| *cluster.name == *named.name);
    let needed = match subject.config.rights_in(of_cluster) {
        RightsConfig::Impersonation => Some((IMPERSONATION, "`rights: impersonation` takes")),
        RightsConfig::Server | RightsConfig::Caller => Some((OLDEST, "Sandbar is known to work with")),
    };
    let too_old = needed.filter(|(oldest, _)| minor(git_version).is_some_and(|minor| minor < *oldest));
    let words = format!("{}, {git_version} on {platform}", named.cluster.describe());
    match too_old {
        Some((oldest, why)) => Finding::fail(format!("{words}: {why} Kubernetes 1.{oldest} and later")),
        None if !ready => Finding::fail(format!("{words}: it answers, and says that it is not ready")),
        None => Finding::ok(words),
    }
}

/// The minor version of `v1.37.2-eks-1234567`, for example; none where it is none of Kubernetes 1.
fn minor(version: &str) -> Option<u32> {
    let (minor, _patch) = version.strip_prefix("v1.")?.split_once('.')?;
    minor.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart_by_their_minor_number() {
        for (version, is) in [
            ("v1.37.2", Some(37)),
            ("v1.27.0-eks-1234567", Some(27)),
            ("v1.9.11+k3s1", Some(9)),
            ("v2.0.0", None),
            ("demo", None),
            ("v1.x.0", None),
        ] {
            assert_eq!(minor(version), is, "{version}");
        }
    }
}
