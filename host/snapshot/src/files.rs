//! A tree of files: a directory, or one embedded in the binary. Only this module touches the disk.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use include_dir::Dir;

use super::notes::Notes;

/// Files and directories that are visited: three times those of a large must-gather.
const ENTRIES_MAX: usize = 200_000;

/// Nesting of directories: no tool reaches 16.
const DEPTH_MAX: usize = 32;

/// The files of a snapshot.
#[derive(Clone)]
pub(super) enum Tree {
    /// A directory on disk.
    Directory(Arc<Path>),
    /// A directory that was compiled into the binary.
    Embedded(&'static Dir<'static>),
}

/// One file of a tree.
#[derive(Clone)]
pub(super) struct File {
    tree: Tree,
    path: Arc<str>,
}

/// An open file, for random access.
pub(super) enum Content {
    /// A regular file, with its length when it was opened.
    Disk(fs::File, u64),
    /// In memory.
    Embedded(&'static [u8]),
}

impl Tree {
    /// The directory at `path`.
    ///
    /// # Errors
    /// If there is no directory at `path`.
    pub(super) fn directory(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Tree::Directory(root.into()))
    }

    /// All files, in the order of their paths. Whatever is left out is in `notes`.
    /// Except hidden files and directories, which are left out silently: `.git`, and the `..data` of a mounted ConfigMap. A
    /// symbolic link counts if its target is a file inside the tree; any other could show the host's files to whoever reads the
    /// snapshot.
    ///
    /// # Errors
    /// If the tree itself cannot be read.
    pub(super) fn files(&self, notes: &mut Notes) -> io::Result<Vec<File>> {
        let mut paths = Vec::new();
        match self {
            Tree::Directory(root) => walk(root, ENTRIES_MAX, &mut paths, notes)?,
            Tree::Embedded(directory) => walk_embedded(directory, &mut paths),
        }
        paths.sort();
        Ok(paths.into_iter().map(|path| File { tree: self.clone(), path: path.into() }).collect())
    }
}

impl File {
    /// Its path in the tree, with `/` between its parts.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Opens the file for random access.
    ///
    /// # Errors
    /// If that fails, or if it is no longer a regular file inside the tree.
    pub(super) fn open(&self) -> io::Result<Content> {
        match &self.tree {
            Tree::Directory(root) => {
                let file = sandbar_files::open(&inside(root, &self.path)?)?;
                let length = file.metadata()?.len();
                Ok(Content::Disk(file, length))
            }
            Tree::Embedded(directory) => embedded(directory, &self.path).map(Content::Embedded),
        }
    }

    /// The whole file, if it has at most `most` bytes.
    ///
    /// # Errors
    /// Like [`open`](Self::open), and if it is larger.
    pub(super) fn read(&self, most: u64) -> io::Result<Bytes> {
        match &self.tree {
            Tree::Directory(root) => {
                let path = inside(root, &self.path)?;
                let length = path.metadata()?.len();
                // Avoids reading up to the bound for nothing.
                if length > most {
                    let words = format!("it has {length} bytes, and a file may have {} MiB", most >> 20);
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, words));
                }
                sandbar_files::read(&path, most).map(Bytes::from)
            }
            Tree::Embedded(directory) => embedded(directory, &self.path).map(Bytes::from_static),
        }
    }
}

impl Content {
    /// Its length in bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Content::Disk(_, length) => *length,
            Content::Embedded(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes from `start` to `end`, or to the current end of the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn piece(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(end.saturating_sub(start)).unwrap_or_default();
        match self {
            Content::Disk(file, _) => {
                let mut piece = vec![0; wanted];
                let mut filled = 0;
                while filled < wanted {
                    match file.read_at(&mut piece[filled..], start + filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                piece.truncate(filled);
                Ok(piece)
            }
            Content::Embedded(bytes) => {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[at(start)..at(end)].to_vec())
            }
        }
    }
}

fn embedded(directory: &'static Dir<'static>, path: &str) -> io::Result<&'static [u8]> {
    Ok(directory.get_file(path).ok_or(io::ErrorKind::NotFound)?.contents())
}

/// The path of a file inside the tree, with links resolved.
fn inside(root: &Path, path: &str) -> io::Result<std::path::PathBuf> {
    let target = root.join(path).canonicalize()?;
    if !target.starts_with(root) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is a link that leads out of the folder"));
    }
    Ok(target)
}

fn walk(root: &Path, most: usize, paths: &mut Vec<String>, notes: &mut Notes) -> io::Result<()> {
    let mut folders = vec![(String::new(), 0)];
    let mut entries = 0;
    while let Some((folder, depth)) = folders.pop() {
        let listed = match fs::read_dir(root.join(&folder)) {
            Ok(listed) => listed,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                notes.add(&folder, format_args!("it cannot be read: {error}"));
                continue;
            }
        };
        for entry in listed {
            let entry = entry?;
            entries += 1;
            if entries > most {
                notes.add(
                    &folder,
                    format_args!(
                        "there are more than {most} files and folders, and the others are left out; give a part of them"
                    ),
                );
                return Ok(());
            }
            // Tools for Kubernetes write no names that are not UTF-8.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{folder}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && depth == DEPTH_MAX {
                notes.add(&path, format_args!("it lies in more than {DEPTH_MAX} folders, and is left out"));
            } else if kind.is_dir() {
                folders.push((path + "/", depth + 1));
            } else if kind.is_file() {
                paths.push(path);
            } else if kind.is_symlink() {
                match inside(root, &path) {
                    Ok(target) if target.is_file() => paths.push(path),
                    // Links to directories are not followed: the target is visited at its own place.
                    Ok(target) if target.is_dir() => {}
                    Ok(_) => notes.add(&path, "it is a link to something that is no regular file"),
                    Err(error) => notes.add(&path, error),
                }
            } else {
                notes.add(&path, "it is no regular file");
            }
        }
    }
    Ok(())
}

fn walk_embedded(directory: &Dir<'_>, paths: &mut Vec<String>) {
    paths.extend(directory.files().filter_map(|file| file.path().to_str()).map(|path| path.replace('\\', "/")));
    for inner in directory.dirs() {
        walk_embedded(inner, paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(root: &Path) -> (Vec<File>, Vec<String>) {
        let mut notes = Notes::default();
        let files = Tree::directory(root).unwrap().files(&mut notes).unwrap();
        (files, notes.finish())
    }

    fn paths(files: &[File]) -> Vec<&str> {
        files.iter().map(File::path).collect()
    }

    #[test]
    fn a_directory_is_walked_in_order_without_hidden_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("team-a/web-0")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for path in ["nodes.json", "team-a/web-0/logs.txt", "team-a/pods.json", ".git/config", ".hidden.json"] {
            fs::write(root.join(path), path).unwrap();
        }
        let (files, notes) = files(root);
        assert_eq!(paths(&files), ["nodes.json", "team-a/pods.json", "team-a/web-0/logs.txt"]);
        assert_eq!(files[1].read(100).unwrap(), "team-a/pods.json");
        assert_eq!(files[1].open().unwrap().piece(7, 11).unwrap(), b"pods");
        assert_eq!(files[1].open().unwrap().piece(12, 999).unwrap(), b"json");
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn a_link_counts_only_if_it_leads_to_a_file_inside() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
        fs::create_dir(root.join("..data")).unwrap();
        fs::write(root.join("..data/pods.json"), "{}").unwrap();
        link(Path::new("..data/pods.json"), "pods.json");
        link(outside.path(), "secrets.json");
        link(root, "loop");
        link(Path::new("round"), "round");
        link(Path::new("/dev/zero"), "zero.json");
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo.json"), rustix::fs::Mode::RUSR).unwrap();
        let (files, mut notes) = files(root);
        assert_eq!(paths(&files), ["pods.json"]);
        notes.sort();
        assert_eq!(notes.len(), 4, "{notes:?}");
        assert_eq!(notes[0], "fifo.json: it is no regular file");
        assert!(notes[1].starts_with("round: "), "{notes:?}");
        assert_eq!(notes[2], "secrets.json: it is a link that leads out of the folder");
        assert_eq!(notes[3], "zero.json: it is a link that leads out of the folder");
    }

    #[test]
    fn a_file_that_becomes_a_link_after_it_was_found_is_not_read() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pods.json");
        fs::write(&path, "{}").unwrap();
        let (files, _) = files(directory.path());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(outside.path(), &path).unwrap();
        assert_eq!(files[0].read(100).unwrap_err().to_string(), "it is a link that leads out of the folder");
        assert!(files[0].open().is_err());
    }

    #[test]
    fn folders_inside_of_folders_have_an_end() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d/".repeat(DEPTH_MAX + 5));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("pods.json"), "{}").unwrap();
        let (files, notes) = files(directory.path());
        assert_eq!(paths(&files), Vec::<&str>::new());
        assert!(notes[0].ends_with("it lies in more than 32 folders, and is left out"), "{notes:?}");
    }

    #[test]
    fn a_million_files_are_not_all_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..20 {
            fs::write(directory.path().join(format!("{n}.json")), "{}").unwrap();
        }
        let (mut paths, mut notes) = (Vec::new(), Notes::default());
        walk(directory.path(), 10, &mut paths, &mut notes).unwrap();
        assert_eq!(paths.len(), 10);
        let notes = notes.finish();
        assert!(notes[0].contains("more than 10 files and folders") && notes.len() == 1, "{notes:?}");
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Tree::directory(file.path()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
