//! Whether the address can be listened on.

use std::sync::Arc;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::serve::listen;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let address = subject.config.listen;
    vec![match listen(address).await {
        Ok(_listener) => Finding::ok(format!("{address} can be listened on")),
        // Whoever looks beside a running server finds that server there.
        Err(error) if error.is_taken => Finding::warn(format!("{error}. If that program is this server, all is well")),
        Err(error) => Finding::fail(error.to_string()),
    }]
}
