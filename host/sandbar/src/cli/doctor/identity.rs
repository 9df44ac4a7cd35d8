//! Who the server is to each API server.

use std::sync::Arc;

use super::finding::Finding;
use super::subject::{ANSWER_TIME, ApiServer, Subject};

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    subject.of_each(of).await
}

async fn of(server: ApiServer<'_>) -> Finding {
    match server.named.cluster.own_identity(ANSWER_TIME).await {
        Ok(Some(user)) => Finding::ok(user.shown()),
        Ok(None) => Finding::ok("this API server is too old to tell (Kubernetes 1.28 does)"),
        Err(error) => Finding::warn(format!("who this server is cannot be found out: {}", error.message)),
    }
}
