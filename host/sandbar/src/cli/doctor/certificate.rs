//! Whether the listener's certificate can be used, and for how long.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::block_in_place;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::certificate::CertificateFollower;
use crate::cli::words;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let Some(files) = subject.config.tls.clone() else {
        return vec![Finding::ok("there is none: the port speaks plain HTTP")];
    };
    let now = SystemTime::now();
    match block_in_place(|| CertificateFollower::start(files, Vec::new())) {
        Ok(mut follower) => {
            let is_over = follower.is_over(now);
            let found = follower.checks(now).into_iter().map(|check| match check {
                Ok(words) => Finding::ok(words),
                Err(words) if is_over => Finding::fail(words),
                Err(words) => Finding::warn(words),
            });
            found.collect()
        }
        Err(error) if subject.is_elsewhere(&error) => {
            vec![Finding::warn(format!("{}; it was not looked at", words(&error)))]
        }
        Err(error) => vec![Finding::fail(words(&error))],
    }
}
