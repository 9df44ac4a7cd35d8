//! The files that a configuration was read from, and whether one of them is another by now.

use std::path::{Path, PathBuf};

use sandbar_files::Stamp;

use super::fault::Fault;

/// Bytes of a file of a configuration, or of a credential plugin's answer. A kubeconfig with the certificates of a thousand clusters has some
/// 5 MiB.
pub(super) const TEXT_MAX: usize = 8 << 20;

/// Files, each with what it looked like when it was read; that it was not there, for example.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Vec<(PathBuf, Stamp)>);

impl Watched {
    /// Reads one more.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, Fault> {
        let (bytes, stamp) = sandbar_files::read_stamped(path, TEXT_MAX as u64).map_err(|error| Fault::of_file(&error))?;
        self.note(path, stamp);
        Ok(bytes)
    }

    /// Adds one that was read elsewhere.
    pub(super) fn note(&mut self, path: &Path, stamp: Stamp) {
        self.0.push((path.to_owned(), stamp));
    }

    /// The first of them, which stands for the disk that they are on.
    pub(super) fn first(&self) -> Option<&Path> {
        self.0.first().map(|(path, _)| path.as_path())
    }

    /// Whether one has changed, has come or has gone. Blocks.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, stamp)| Stamp::of(path) != *stamp)
    }
}
