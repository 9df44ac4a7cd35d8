//! A tree of files: a directory, or one embedded in the binary. The only place here that touches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use include_dir::Dir;

/// Where a snapshot's files are.
pub(super) enum Tree {
    /// A directory on disk.
    Directory(PathBuf),
    /// A directory that was compiled into the binary.
    Embedded(&'static Dir<'static>),
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
        Ok(Tree::Directory(root))
    }

    /// The paths of all files, in order, relative to the root and with `/` between their parts.
    ///
    /// Hidden files and directories are left out: `.git`, and the `..data` of a mounted ConfigMap. A symbolic link counts if it
    /// leads to a file inside the tree; any other could show the host's files to whoever reads the snapshot.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub(super) fn paths(&self) -> io::Result<Vec<String>> {
        let mut paths = Vec::new();
        match self {
            Tree::Directory(root) => walk(root, "", root, &mut paths)?,
            Tree::Embedded(directory) => walk_embedded(directory, &mut paths),
        }
        paths.sort();
        Ok(paths)
    }

    /// What the file at one of [`paths`](Self::paths) holds.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read(&self, path: &str) -> io::Result<Bytes> {
        match self {
            Tree::Directory(root) => fs::read(root.join(path)).map(Bytes::from),
            Tree::Embedded(directory) => {
                let file = directory.get_file(path).ok_or(io::ErrorKind::NotFound)?;
                Ok(Bytes::from_static(file.contents()))
            }
        }
    }
}

fn walk(root: &Path, prefix: &str, directory: &Path, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A name that is not UTF-8 is no name that kubectl writes.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &format!("{path}/"), &entry.path(), paths)?;
        } else if kind.is_file() || (kind.is_symlink() && leads_inside(root, &entry.path())) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Whether a link leads to a regular file inside of `root`.
fn leads_inside(root: &Path, link: &Path) -> bool {
    link.canonicalize().is_ok_and(|target| target.starts_with(root) && target.is_file())
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

    #[test]
    fn a_directory_is_walked_in_order_without_hidden_files() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("team-a/web-0")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for path in ["nodes.json", "team-a/web-0/logs.txt", "team-a/pods.json", ".git/config", ".hidden.json"] {
            fs::write(root.join(path), path).unwrap();
        }
        let tree = Tree::directory(root).unwrap();
        assert_eq!(tree.paths().unwrap(), ["nodes.json", "team-a/pods.json", "team-a/web-0/logs.txt"]);
        assert_eq!(tree.read("team-a/pods.json").unwrap(), "team-a/pods.json");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_counts_only_if_it_leads_inside() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("..data")).unwrap();
        fs::write(root.join("..data/pods.json"), "{}").unwrap();
        std::os::unix::fs::symlink("..data/pods.json", root.join("pods.json")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("secrets.json")).unwrap();
        std::os::unix::fs::symlink(root, root.join("loop")).unwrap();
        assert_eq!(Tree::directory(root).unwrap().paths().unwrap(), ["pods.json"]);
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Tree::directory(file.path()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
