//! Whether there is a folder for what components are compiled to, and room in it.

use std::path::Path;
use std::sync::Arc;

use tokio::task::block_in_place;

use super::finding::{Finding, about};
use super::subject::Subject;

/// Bytes that should be free: all that is ever kept of components, and what they are compiled to.
const ROOM: u64 = 768 * 1024 * 1024;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    vec![block_in_place(|| match subject.arguments.common.kept_folder() {
        Ok(Some((path, _folder))) => of(&path),
        Ok(None) => Finding::ok("there is none, as --cache-dir says: each start compiles all components anew"),
        Err(why) => Finding::warn(format!("{why}. Without it each start compiles all components anew")),
    })]
}

fn of(path: &Path) -> Finding {
    let folder = path.display();
    match rustix::fs::statvfs(path) {
        Ok(disk) => match disk.f_bavail.saturating_mul(disk.f_frsize) {
            free if free < ROOM => Finding::warn(format!(
                "{folder} can be written to, and has {} free: components and what they are compiled to can take {}; make room there, or name \
                 another folder with --cache-dir",
                about(free),
                about(ROOM)
            )),
            free => Finding::ok(format!("{folder} can be written to, and has {} free", about(free))),
        },
        Err(error) => Finding::warn(format!("{folder} can be written to, and how much is free there is not known: {error}")),
    }
}
