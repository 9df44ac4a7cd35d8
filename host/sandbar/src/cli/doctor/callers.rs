//! Whether it can be found out who calls, as the configuration has it.

use std::sync::Arc;

use tokio::task::block_in_place;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::aggregation::AggregatorFollower;
use crate::cli::authentication::{authentication, who_may_call};
use crate::cli::certificate::CertificateFollower;
use crate::cli::words;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let config = &subject.config;
    // What is wrong with the certificate, its own check says.
    let files = config.tls.clone();
    let mut certificate = files.and_then(|files| block_in_place(|| CertificateFollower::start(files, Vec::new())).ok());
    match authentication(config, subject.clusters.home(), certificate.as_mut()).await {
        Ok((_, aggregation)) => {
            let through_api_server = aggregation.as_ref().map(AggregatorFollower::check).and_then(Result::err);
            match through_api_server {
                Some(words) => vec![Finding::fail(words)],
                None => vec![Finding::ok(who_may_call(config))],
            }
        }
        Err(error) => vec![Finding::fail(words(&error))],
    }
}
