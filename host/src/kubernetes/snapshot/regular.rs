//! The one door to files that others put there: only regular ones are opened, and no more of one is read than may be.
//!
//! A FIFO would wait for ever for whoever writes to it, a device can do something when it is opened, and neither says how long it is.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// A regular file, and its length in bytes. The last part of `path` must not be a symbolic link: resolve it first.
///
/// # Errors
/// If it cannot be opened, or is something else than a regular file, which the error then names.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    // Looked at before it is opened, since that alone can wait or do something; and again after, since it may be another file by then.
    check(fs::symlink_metadata(path)?.file_type())?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    check(metadata.file_type())?;
    Ok((file, metadata.len()))
}

/// All of a regular file that has `most` bytes or fewer.
///
/// # Errors
/// As [`open`] does, and if it is larger.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length > most {
        return Err(too_large(length, most));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64, most));
    }
    Ok(bytes)
}

fn too_large(length: u64, most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {length} bytes, and a file may have {} MiB", most >> 20))
}

fn check(kind: FileType) -> io::Result<()> {
    let other = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {other}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_none_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(open(&at("file")).unwrap().1, 4);
        for (path, what) in [
            (at("link"), "a symbolic link"),
            (at("fifo"), "a FIFO"),
            (at("socket"), "a socket"),
            (folder.path().to_owned(), "a directory"),
            ("/dev/zero".into(), "a device"),
        ] {
            let error = read(&path, 10).unwrap_err();
            assert_eq!(error.to_string(), format!("it is {what}, not a regular file"));
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_bound_and_not_beyond() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(file.path(), 1 << 20).unwrap().len(), 1 << 20);
        fs::write(file.path(), vec![b'x'; (1 << 20) + 1]).unwrap();
        let error = read(file.path(), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it has 1048577 bytes, and a file may have 1 MiB");
        // It says that it has none, and has some.
        assert!(read(Path::new("/proc/self/status"), 10).unwrap_err().to_string().starts_with("it has 11 bytes"));
    }
}
