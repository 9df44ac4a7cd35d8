//! Who the server is to each API server.

use std::sync::Arc;

use futures::future::join_all;
use sandbar_kubernetes::NamedCluster;

use super::cluster::ANSWER_TIME;
use super::finding::Finding;
use super::subject::Subject;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let servers = subject.api_servers();
    join_all(servers.into_iter().map(|named| of(&subject, named))).await
}

async fn of(subject: &Subject, named: &NamedCluster) -> Finding {
    let prefix = subject.prefix(named);
    match named.cluster.own_identity(ANSWER_TIME).await {
        Ok(Some(user)) => Finding::ok(format!("{prefix}{}", user.shown())),
        Ok(None) => Finding::ok(format!("{prefix}this API server is too old to tell (Kubernetes 1.28 does)")),
        Err(error) => Finding::warn(format!("{prefix}who this server is cannot be found out: {}", error.message)),
    }
}
