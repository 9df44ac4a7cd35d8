//! A file's metadata, to detect that it has changed.
//!
//! Polled instead of watched: an operating system's notifications do not arrive from network volumes, and follow a file rather
//! than its path, while Kubernetes changes a mounted ConfigMap by replacing a symbolic link.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Differs whenever the file at a path does. Symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// An existing file. `ctime` changes with every write, even by a tool that restores `mtime`.
    File {
        /// Its volume.
        device: u64,
        /// Its number on that volume.
        inode: u64,
        /// Its size, in bytes.
        size: u64,
        /// The last change of its content, in seconds and nanoseconds.
        mtime: (i64, i64),
        /// The last change of content or metadata, likewise.
        ctime: (i64, i64),
    },
    /// Its metadata cannot be read, for example because it does not exist.
    Unreadable(ErrorKind),
}

impl Stamp {
    /// The stamp of the file at a path.
    pub fn of(path: &Path) -> Self {
        match path.metadata() {
            Ok(metadata) => Self::from(&metadata),
            Err(error) => Self::Unreadable(error.kind()),
        }
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::*;

    /// How long a test waits for something that never comes.
    const HANGS: Duration = Duration::from_secs(60);

    #[test]
    fn a_file_that_comes_changes_is_replaced_or_goes_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, next) = (folder.path().join("file"), folder.path().join("next"));
        let absent = Stamp::of(&file);
        assert_eq!(absent, Stamp::Unreadable(ErrorKind::NotFound));
        fs::write(&file, "one").expect("written");
        let one = Stamp::of(&file);
        assert_ne!(one, absent);
        assert_eq!(one, Stamp::of(&file));
        fs::write(&next, "two").expect("written");
        fs::rename(&next, &file).expect("renamed");
        assert_ne!(one, Stamp::of(&file), "of the same size");
        fs::remove_file(&file).expect("removed");
        assert_eq!(Stamp::of(&file), absent);
    }

    #[test]
    fn a_write_that_keeps_size_and_time_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "1").expect("written");
        let before = Stamp::of(&file);
        let modified = file.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        // A file system's clock may tick in milliseconds: write until it has.
        let began = Instant::now();
        while Stamp::of(&file) == before {
            assert!(began.elapsed() < HANGS, "a write does not show");
            fs::write(&file, "2").expect("written");
            let time = fs::FileTimes::new().set_modified(modified);
            fs::File::options().write(true).open(&file).and_then(|file| file.set_times(time)).expect("set");
        }
        assert_eq!(file.metadata().and_then(|metadata| metadata.modified()).expect("a time"), modified);
    }
}
