//! Whether the server may do what its tools need.

use std::sync::Arc;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::rights::{self, RightsIn, Standing};

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let setup = match subject.setup().await {
        Ok(setup) => setup,
        Err(_why) => return vec![Finding::warn("they were not looked at, since the tools cannot be loaded")],
    };
    rights::look(&setup.config, &setup.clusters, &setup.catalog).await.iter().map(told).collect()
}

fn told(rights: &RightsIn) -> Finding {
    match rights.standing {
        Standing::AtRest | Standing::All(_) => Finding::ok(rights.to_string()),
        Standing::Unknown(_) => Finding::warn(rights.to_string()),
        Standing::Missing(_) => Finding::fail(rights.to_string()),
    }
}
