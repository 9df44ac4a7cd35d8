//! Whether there is a key that session ids are signed with.

use std::sync::Arc;

use tokio::task::block_in_place;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::session_keys::{self, Given};
use crate::cli::words;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let file = subject.arguments.session_key_file.as_deref();
    vec![match block_in_place(|| session_keys::given(file)) {
        Ok(Some(Given { keys, .. })) => Finding::ok(match keys.count() {
            1 => "session ids are signed with it".to_owned(),
            count => format!("session ids are signed with the first of {count}, and those of all are taken"),
        }),
        Ok(None) => Finding::ok("there is none, so session ids are signed with what is derived from what replicas share anyway"),
        Err(error) if subject.is_elsewhere(&error) => Finding::warn(format!("{}; it was not looked at", words(&error))),
        Err(error) => Finding::fail(words(&error)),
    }]
}
