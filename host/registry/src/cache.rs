//! Contents by their digest, in a folder: what is there needs no registry.
//!
//! Nothing in the folder is trusted. Contents are hashed when they are read, and what is kept of signatures proves itself. A folder that
//! cannot be read or written is a warning: the registry has it all.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use sandbar_files::READ_TIME;
use tracing::warn;

use super::digest::Digest;

/// Files of the folder that are looked at when room is made.
const FILES: usize = 10_000;

/// The end of a name of what is kept beside contents: who signed them.
const SIGNATURES: &str = ".signatures.json";

/// A folder with contents by their digest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    bytes: u64,
}

impl Cache {
    /// A cache in a folder, which is made when something is kept, with room for so many bytes: what was used last stays.
    pub fn new(folder: impl Into<PathBuf>, bytes: u64) -> Self {
        Self { folder: folder.into(), bytes }
    }

    /// The contents with a digest, of at most `most` bytes, if they are there.
    pub(crate) async fn contents(&self, digest: &Digest, most: u64) -> Option<Bytes> {
        let digest = *digest;
        self.look(&digest.to_string().replace(':', "-"), move |file| {
            let bytes = sandbar_files::read(file, most)?;
            if Digest::of(&bytes) == digest {
                return Ok(bytes);
            }
            // It would be in the way of the right one.
            fs::remove_file(file)?;
            Err(io::Error::new(ErrorKind::InvalidData, "it has other contents than its name says, and is deleted"))
        })
        .await
    }

    /// How many bytes the contents with a digest have, if they are there.
    pub(crate) async fn size(&self, digest: &Digest) -> Option<u64> {
        let file = self.folder.join(digest.to_string().replace(':', "-"));
        let found = sandbar_files::wait_in_time(&file, READ_TIME, |file| file.symlink_metadata());
        found.await.ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len())
    }

    /// Keeps contents.
    pub(crate) async fn keep(&self, digest: &Digest, contents: Bytes) {
        self.write(digest.to_string().replace(':', "-"), contents).await;
    }

    /// What was kept of the signatures of contents.
    pub(crate) async fn signatures(&self, of: &Digest, most: u64) -> Option<Bytes> {
        let name = format!("{}{SIGNATURES}", of.to_string().replace(':', "-"));
        self.look(&name, move |file| sandbar_files::read(file, most)).await
    }

    /// Keeps what there is of signatures of contents, in place of what was kept before.
    pub(crate) async fn keep_signatures(&self, of: &Digest, found: Bytes) {
        self.write(format!("{}{SIGNATURES}", of.to_string().replace(':', "-")), found).await;
    }

    /// Reads a file, and notes that it was used.
    async fn look(&self, name: &str, read: impl FnOnce(&Path) -> io::Result<Vec<u8>> + Send + 'static) -> Option<Bytes> {
        let file = self.folder.join(name);
        let found = sandbar_files::wait_in_time(&file, READ_TIME, |file| {
            let bytes = read(file)?;
            // A folder that is read only keeps its order.
            let _ = sandbar_files::open(file).and_then(|file| file.set_modified(SystemTime::now()));
            Ok(bytes)
        });
        match found.await {
            Ok(bytes) => Some(bytes.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                warn!(file = %file.display(), %error, "a file of the cache of components cannot be used");
                None
            }
        }
    }

    async fn write(&self, name: String, contents: Bytes) {
        let bytes = self.bytes;
        let written = sandbar_files::wait_in_time(&self.folder, READ_TIME, move |folder| {
            fs::create_dir_all(folder)?;
            // Whole or not at all: it gets its name when it is written.
            let mut file = tempfile::Builder::new().prefix("unfinished-").tempfile_in(folder)?;
            file.write_all(&contents)?;
            file.persist(folder.join(name))?;
            make_room(folder, bytes)
        });
        if let Err(error) = written.await {
            warn!(folder = %self.folder.display(), %error, "the cache of components cannot be written; they are pulled anew next time");
        }
    }
}

/// Deletes what was not used for the longest time, until the rest fits. Another process may do the same.
fn make_room(folder: &Path, most: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.take(FILES) {
        let entry = entry?;
        // What is somebody else's stays.
        let is_ours =
            entry.file_name().to_str().is_some_and(|name| name.starts_with("sha256-") || name.starts_with("unfinished-"));
        if let Some(metadata) = unless_gone(entry.metadata())?.filter(|metadata| metadata.is_file() && is_ours) {
            // A time that has not come yet says nothing: such a file goes first.
            let used = metadata.modified().ok().filter(|used| *used <= SystemTime::now()).unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((used, metadata.len(), entry.path()));
        }
    }
    files.sort();
    let mut sum: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    // What was written last stays, however large it is.
    files.pop();
    for (_, bytes, path) in files {
        if sum <= most {
            break;
        }
        unless_gone(fs::remove_file(path))?;
        sum -= bytes;
    }
    Ok(())
}

fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MOST: u64 = 1000;

    fn named(folder: &Path, digest: &Digest) -> PathBuf {
        folder.join(format!("sha256-{}", digest.hex()))
    }

    #[tokio::test]
    async fn what_is_kept_is_there_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().join("made"), MOST);
        let digest = Digest::of(b"contents");
        assert_eq!(cache.contents(&digest, MOST).await, None);
        cache.keep(&digest, Bytes::from_static(b"contents")).await;
        assert_eq!(cache.contents(&digest, MOST).await.as_deref(), Some(&b"contents"[..]));
        assert_eq!(cache.contents(&digest, 3).await, None, "no more is read than was asked for");
        let file = named(&folder.path().join("made"), &digest);
        fs::write(&file, "others").expect("written");
        assert_eq!(cache.contents(&digest, MOST).await, None);
        assert!(!file.exists(), "it makes room for the right one");
        cache.keep_signatures(&digest, Bytes::from_static(b"{}")).await;
        assert_eq!(cache.signatures(&digest, MOST).await.as_deref(), Some(&b"{}"[..]));
        assert_eq!(cache.contents(&digest, MOST).await, None);
    }

    #[tokio::test]
    async fn what_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path(), 25);
        fs::write(folder.path().join("notes"), [0; 100]).expect("written");
        let texts = ["old, used", "old, alone", "new, alone"];
        let digests = texts.map(|text| Digest::of(text.as_bytes()));
        for (text, digest) in texts.iter().zip(&digests).take(2) {
            cache.keep(digest, Bytes::from_static(text.as_bytes())).await;
            let file = fs::File::open(named(folder.path(), digest)).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("set");
        }
        assert!(cache.contents(&digests[0], MOST).await.is_some());
        cache.keep(&digests[2], Bytes::from_static(texts[2].as_bytes())).await;
        let there = digests.map(|digest| named(folder.path(), &digest).exists());
        assert_eq!(there, [true, false, true]);
        assert!(folder.path().join("notes").exists(), "nobody else's files are touched");
        let large = Digest::of(&[1; 500]);
        cache.keep(&large, Bytes::from_static(&[1; 500])).await;
        assert!(cache.contents(&large, MOST).await.is_some(), "what was just pulled stays, however large");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_no_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("written");
        let cache = Cache::new(folder.path().join("file/below"), MOST);
        cache.keep(&Digest::of(b"x"), Bytes::from_static(b"x")).await;
        assert_eq!(cache.contents(&Digest::of(b"x"), MOST).await, None);
    }
}
