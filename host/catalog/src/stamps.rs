//! What the components behind some paths look like from outside, to see whether they have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbar_files::{LOOK_TIME, Stamp};

use super::source::Source;

/// The files behind some paths, each with what changes when the file does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStamps(BTreeMap<PathBuf, Stamp>);

impl FileStamps {
    /// Looks at each path: at the file itself, or at all components of a directory.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut stamps = BTreeMap::new();
        for path in paths {
            match sandbar_files::in_time(path, LOOK_TIME, at) {
                Ok(found) => stamps.extend(found),
                Err(error) => drop(stamps.insert(path.to_owned(), Stamp::Unreadable(error.kind()))),
            }
        }
        Self(stamps)
    }

    /// Has for one file what was seen of it `earlier`: before it was read, so that a change since then is one.
    pub fn keep(&mut self, earlier: &Self, file: &Path) {
        match earlier.0.get(file) {
            Some(stamp) => drop(self.0.insert(file.to_owned(), *stamp)),
            None => drop(self.0.remove(file)),
        }
    }
}

fn at(path: &Path) -> std::io::Result<Vec<(PathBuf, Stamp)>> {
    let sources = Source::files_at(path)?.into_iter();
    Ok(sources
        .filter_map(|source| match source {
            Source::File(file) => Some((file.clone(), Stamp::of(&file))),
            Source::Bundled(_) | Source::Registry(_) => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn stamps(path: &Path) -> FileStamps {
        FileStamps::of([path])
    }

    #[test]
    fn a_file_that_comes_changes_or_goes_shows_and_another_kind_of_file_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.wasm");
        let empty = stamps(folder.path());
        fs::write(&file, "1").expect("written");
        let there = stamps(folder.path());
        assert_ne!(there, empty);
        assert_eq!(stamps(folder.path()), there);
        fs::write(folder.path().join("README.md"), "1").expect("written");
        assert_eq!(stamps(folder.path()), there);
        fs::remove_file(&file).expect("removed");
        assert_eq!(stamps(folder.path()), empty);
        fs::remove_dir_all(folder.path()).expect("removed");
        assert_ne!(stamps(folder.path()), empty, "an empty folder is not the same as none");
    }

    #[test]
    fn a_link_that_is_turned_shows_although_size_and_time_are_kept() {
        // As the kubelet does it: FILE -> ..data/FILE, ..data -> a folder with the time in its name.
        let mount = tempfile::tempdir().expect("a folder");
        let at = |name: &str| mount.path().join(name);
        let time = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        for version in ["..1", "..2"] {
            fs::create_dir(at(version)).expect("made");
            fs::write(at(version).join("a.wasm"), version).expect("written");
            fs::File::options().write(true).open(at(version).join("a.wasm")).and_then(|file| file.set_times(time)).expect("set");
        }
        symlink("..1", at("..data")).expect("linked");
        symlink("..data/a.wasm", at("a.wasm")).expect("linked");
        let before = stamps(mount.path());
        symlink("..2", at("..new")).expect("linked");
        fs::rename(at("..new"), at("..data")).expect("turned");
        assert_ne!(stamps(mount.path()), before);
    }

    #[test]
    fn what_was_seen_before_a_file_was_read_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.wasm");
        let missing = stamps(&file);
        std::fs::write(&file, "1").expect("written");
        let (before, mut after) = (stamps(&file), stamps(folder.path()));
        std::fs::write(&file, "other").expect("written");
        let now = stamps(folder.path());
        after.keep(&before, &file);
        assert_ne!(after, now, "it was read before it was another");
        let mut kept = now.clone();
        kept.keep(&stamps(&file), &file);
        assert_eq!(kept, now);
        kept.keep(&FileStamps::default(), &file);
        assert_ne!(kept, now, "what nobody has seen is to be looked at");
        assert_ne!(kept, missing);
    }
}
