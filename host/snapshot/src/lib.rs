//! A cluster at rest: a directory of gathered files, served in-process as an API server would.
//!
//! It makes a support bundle readable offline; the demo is a snapshot inside the binary. The rest of the program sees an ordinary
//! `kube::Client`. A snapshot may hold:
//!
//! - Objects in `.json`, `.yaml` and `.yml` files anywhere below the directory: one object, several YAML documents, a list, an array.
//!   Of two copies of an object, the one in the later path counts. [`layout`] knows what the paths of some tools say beyond that.
//! - Container logs, in the places where tools put them: [`claims`].
//! - The API server's version; else it is the nodes'.
//!
//! What the files lack is inferred: namespaces that something mentions, and the plural names of kinds. "Now" is the newest time
//! stamp. Only GET is answered, and a watch is refused. What was not gathered is not denied: [`coverage`] says so, in an error or
//! in a `Warning` header.
//!
//! **Everything in a snapshot is untrusted.** Files are found by [`files`] and opened by [`sandbar_files`], documents are read by
//! [`document`], each within bounds, and a log is never in memory as a whole.

mod claims;
mod coverage;
mod discovery;
mod document;
mod files;
mod kinds;
mod layout;
mod lines;
mod list;
mod log;
mod markers;
mod notes;
mod object;
mod pod_log;
mod read;
mod room;
mod selector;
mod service;
mod status;
mod steps;
mod store;
mod table;
mod tail;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use include_dir::{Dir, include_dir};

use files::Tree;
use read::Contents;
use room::Room;
pub use selector::Selector;
use service::SnapshotServer;
use store::Snapshot;

/// The reason in a `Status` of 404 for what was not gathered, which no API server sends: whether there is such an object is not known.
pub const NOT_GATHERED: &str = "NotGathered";

/// The namespace that kubectl gives an object that names none.
const DEFAULT_NAMESPACE: &str = "default";

static DEMO: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/demo");

/// Broken files that an error names; the log has them all.
const NAMED_IN_ERROR: usize = 3;

/// A cluster at rest, as whoever reads it has it.
pub struct AtRest {
    /// A client of it.
    pub client: kube::Client,
    /// Its "now", the newest time in it; none where it holds no time.
    pub now: Option<SystemTime>,
}

/// Why a directory is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The directory cannot be read.
    #[error(
        "cannot read the snapshot directory {path}: {source}; give a directory that \
         `kubectl cluster-info dump --output-directory=DIR` wrote, or an unpacked support bundle"
    )]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The path is a file.
    #[error(
        "the snapshot {path} is a file: unpack it with `mkdir bundle && tar -xzf {path} -C bundle`, and give the directory, \
         `snapshot:bundle`"
    )]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// It has no Kubernetes object.
    #[error(
        "no Kubernetes objects in {path}{}; write some with `kubectl cluster-info dump --output-directory={path}` or \
         `kubectl get pods -A -o yaml > {path}/pods.yaml`",
        named(broken)
    )]
    Empty {
        /// The directory.
        path: PathBuf,
        /// The problems of its files: path, line and problem.
        broken: Vec<String>,
    },
}

fn named(broken: &[String]) -> String {
    if broken.is_empty() {
        return String::new();
    }
    let more = broken.len().saturating_sub(NAMED_IN_ERROR);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!(" ({}{more})", broken.iter().take(NAMED_IN_ERROR).map(String::as_str).collect::<Vec<_>>().join("; "))
}

/// The cluster that `directory` describes. A file that cannot be read is a warning in the log, and so is an object of
/// more than `largest` bytes of JSON, which whoever uses the client cannot read.
///
/// Has to be called within a Tokio runtime, as every client has.
///
/// # Errors
/// If the directory cannot be read, or if it holds no Kubernetes object.
pub fn open(directory: &Path, largest: usize) -> Result<AtRest, SnapshotError> {
    let unreadable = |source| SnapshotError::Unreadable { path: directory.to_owned(), source };
    if directory.is_file() {
        return Err(SnapshotError::Packed { path: directory.to_owned() });
    }
    let tree = Tree::directory(directory).map_err(unreadable)?;
    let contents = Contents::read(&tree, Room::new(largest)).map_err(unreadable)?;
    for note in &contents.notes {
        tracing::warn!(snapshot = %directory.display(), "{note}");
    }
    if contents.is_empty() {
        return Err(SnapshotError::Empty { path: directory.to_owned(), broken: contents.notes });
    }
    Ok(at_rest(contents))
}

/// The demo cluster, whose story host/snapshot/demo/README.md tells.
///
/// Has to be called within a Tokio runtime, as every client has.
pub fn demo() -> AtRest {
    // Reading from memory cannot fail, and a test checks that every file is read without a note.
    at_rest(Contents::read(&Tree::Embedded(&DEMO), Room::new(usize::MAX)).unwrap_or_default())
}

fn at_rest(contents: Contents) -> AtRest {
    let snapshot = Snapshot::new(contents);
    let now = snapshot.clock().map(SystemTime::from);
    AtRest { client: kube::Client::new(SnapshotServer::new(snapshot), "default"), now }
}
