//! Whether the server may do what its tools need.

use std::sync::Arc;

use super::finding::Finding;
use super::subject::{ApiServer, Subject};
use crate::cli::rights::{self, Standing};
use crate::cli::setup::Setup;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let setup = match subject.setup().await {
        Ok(setup) => setup,
        Err(_why) => return vec![Finding::warn("they were not looked at, since the tools cannot be loaded")],
    };
    match subject.of_each(|server| of(setup, server)).await {
        none if none.is_empty() => vec![Finding::ok("nobody has to allow anything, since all clusters are files")],
        found => found,
    }
}

async fn of(Setup { config, clusters, catalog, .. }: &Setup, server: ApiServer<'_>) -> Finding {
    let standing = rights::look(config, clusters, server.named, catalog).await;
    let words = standing.describe(clusters.are_several().then_some(&*server.named.name));
    match standing {
        Standing::All(_) => Finding::ok(words),
        Standing::Unknown(_) => Finding::warn(words),
        Standing::Missing(_) => Finding::fail(words),
    }
}
