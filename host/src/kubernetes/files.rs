//! Small files of others: read whole, up to a bound, and told apart from what they were.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, oneshot};

use super::kubeconfig::Fault;

/// How long reading the files of a configuration may take: a pipe that nobody writes to, or a file system that is gone, has no end.
const READ_TIME: Duration = Duration::from_secs(10);

/// How many threads may wait for files at once. One that is stuck cannot be ended.
static PLACES: Semaphore = Semaphore::const_new(8);

/// What a regular file looked like when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    #[cfg(unix)]
    inode: u64,
}

/// The bytes of a file, and its stamp. That is none for what is not a regular file, which can perhaps be read only once.
pub(super) type Content = (Vec<u8>, Option<Stamp>);

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Option<Self> {
        metadata.is_file().then(|| Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(metadata),
        })
    }
}

/// What some files look like now, in their order; none for one that is not there.
pub(super) fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| std::fs::metadata(path).ok().as_ref().and_then(Stamp::of)).collect()
}

/// Reads a file of `most` bytes at most.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Fault> {
    match read_if_there(path, most)? {
        Some((bytes, _)) => Ok(bytes),
        None => Err(Fault::new("there is no such file")),
    }
}

/// The same; none where it is not there.
pub(super) fn read_if_there(path: &Path, most: usize) -> Result<Option<Content>, Fault> {
    match open_and_read(path, most) {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::new(match error.kind() {
            io::ErrorKind::PermissionDenied => "this server's user may not read it".to_owned(),
            io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            io::ErrorKind::FileTooLarge => format!("it is over {} KiB", most >> 10),
            // The words of the standard library for a kind say nothing of the file.
            kind => format!("it cannot be read ({kind})"),
        })),
    }
}

fn open_and_read(path: &Path, most: usize) -> io::Result<Content> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok((bytes, stamp)) }
}

/// Runs what reads files in a thread of its own, and gives it up where it takes too long. Not one of the runtime's threads: those are
/// waited for when the runtime ends.
pub(super) async fn off_thread<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let Ok(place) = PLACES.try_acquire() else {
        return Err(Fault::new("its files have not answered for a while; does their disk or network answer?"));
    };
    let (sender, receiver) = oneshot::channel();
    let started = std::thread::Builder::new().name("configuration".to_owned()).spawn(move || {
        let outcome = read();
        drop(place);
        let _nobody_waits = sender.send(outcome);
    });
    if started.is_err() {
        return Err(Fault::new("this machine starts no more threads"));
    }
    match tokio::time::timeout(READ_TIME, receiver).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_panicked)) => Err(Fault::new("reading it has failed, which is a fault of this server")),
        Err(_late) => Err(Fault::new(format!("reading its files takes over {} s", READ_TIME.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_bound_and_no_words_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        assert!(read(&path, 9).unwrap_err().to_string().contains("over"));
        assert_eq!(read(&folder.path().join("none"), 9), Err(Fault::new("there is no such file")));
        assert_eq!(read(folder.path(), 9), Err(Fault::new("it is a directory")));
        assert!(read(Path::new("/dev/zero"), 1 << 20).unwrap_err().to_string().contains("over"));
    }

    #[test]
    fn another_content_is_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let paths = [path.clone()];
        assert_eq!(stamps(&paths), [None]);
        std::fs::write(&path, "one").unwrap();
        let one = stamps(&paths);
        assert_eq!(one, stamps(&paths));
        std::fs::write(folder.path().join("next"), "two").unwrap();
        std::fs::rename(folder.path().join("next"), &path).unwrap();
        assert_ne!(one, stamps(&paths));
        assert_eq!(stamps(&[folder.path().to_owned(), "/dev/null".into()]), [None, None], "only files have stamps");
    }
}
