//! The one way to read a file with an untrusted name: only if it is a regular file, and within a size.
//!
//! Opening a named pipe, a device or a socket can block for ever, or have an effect. So a file is checked before it is opened,
//! opened without blocking, and checked again. A file of a network volume whose server is gone blocks all the same; whoever
//! cannot wait reads it [in time](in_time()).

mod in_time;
mod stamp;

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use sandbar_text::size;

pub use self::in_time::{LOOK_TIME, READ_TIME, canonical, in_time, wait_in_time};
pub use self::stamp::Stamp;

/// Reads a whole regular file of at most `most` bytes. Follows symbolic links.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_stamped(path, most).map(|(bytes, _)| bytes)
}

/// Like [`read`], with the file's stamp before it was read.
pub fn read_stamped(path: &Path, most: u64) -> io::Result<(Vec<u8>, Stamp)> {
    let file = open(path)?;
    let stamp = Stamp::from(&file.metadata()?);
    Ok((read_within(file, most)?, stamp))
}

/// Like [`read_stamped`], for a path that only the operator chooses, where a shell's `<(…)` and `/dev/null` are welcome. Those may
/// be read only once, and have no stamp. Blocks while nobody writes, so use it [in time](in_time()).
pub fn read_any(path: &Path, most: u64) -> io::Result<(Vec<u8>, Option<Stamp>)> {
    let kind = path.metadata()?.file_type();
    if !kind.is_fifo() && !kind.is_char_device() {
        return read_stamped(path, most).map(|(bytes, stamp)| (bytes, Some(stamp)));
    }
    let file = File::options().read(true).custom_flags(OFlags::NOCTTY.bits().cast_signed()).open(path)?;
    Ok((read_within(file, most)?, None))
}

/// Like [`read`], as text.
pub fn read_to_string(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("it is not UTF-8 text: byte {} is not", error.utf8_error().valid_up_to() + 1),
        )
    })
}

/// Reads at most `most` bytes from the beginning of a regular file.
pub fn read_beginning(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_within(file: File, most: u64) -> io::Result<Vec<u8>> {
    let says = file.metadata()?.len();
    if says > most {
        return Err(too_large(most));
    }
    // Reserved, since a growing vector takes up to twice as much as it needs.
    let mut bytes = Vec::with_capacity(usize::try_from(says).unwrap_or_default() + 1);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// Puts a file there as a whole, in the place of one that is there, with that one's permissions: whoever reads it never sees half of it.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    // A link stays one, and leads to the new file.
    let path = canonical(path);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let unfinished = path.with_file_name(format!(".{}.{}.unfinished", name.display(), std::process::id()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).open(&unfinished)?;
        file.write_all(contents)?;
        if let Ok(before) = path.metadata() {
            file.set_permissions(before.permissions())?;
            // Whoever is not root cannot, and owns it anyway.
            let _ = std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()));
        }
        fs::rename(&unfinished, &path)
    };
    let written = write();
    written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {}", size(most)))
}

/// Opens a regular file for reading, and refuses anything else.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened, because that may rewind a tape; afterwards, because the file may have been replaced.
    regular(&path.metadata()?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

fn regular(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {}, not a file", named(kind))))
    }
}

fn named(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};

    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_whatever_has_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").expect("written");
        std::fs::create_dir(at("folder")).expect("made");
        mknodat(CWD, at("pipe"), Kind::Fifo, Mode::from(0o600), 0).expect("made");
        let _socket = UnixListener::bind(at("socket")).expect("bound");
        symlink("pipe", at("link-to-pipe")).expect("linked");
        symlink("file", at("link")).expect("linked");
        symlink("link", at("link-to-link")).expect("linked");
        symlink("loop", at("loop")).expect("linked");
        symlink("nothing", at("dangling")).expect("linked");
        for (name, kind) in
            [("folder", "a folder"), ("pipe", "a named pipe"), ("socket", "a socket"), ("link-to-pipe", "a named pipe")]
        {
            let error = read(&at(name), 100).expect_err(name);
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::InvalidInput, format!("it is {kind}, not a file")),
                "{name}"
            );
        }
        for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
            assert!(read(Path::new(device), 100).is_err(), "{device}");
        }
        for name in ["loop", "dangling", "nothing"] {
            assert!(read(&at(name), 100).is_err(), "{name}");
        }
        for name in ["file", "link", "link-to-link"] {
            assert_eq!(read(&at(name), 100).expect(name), b"text", "{name}");
        }
    }

    #[test]
    fn no_more_is_read_than_it_may_have() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, vec![b'x'; 3000]).expect("written");
        assert_eq!(read(&file, 3000).expect("it fits").len(), 3000);
        let error = read(&file, 2999).expect_err("one too many");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::FileTooLarge, "it has more than 2999 bytes".to_owned()));
        // A file that reports a size of zero, and has content.
        assert!(read(Path::new("/proc/self/smaps"), 100).is_err());
        assert_eq!(read_beginning(&file, 7).expect("read").len(), 7);
        std::fs::write(&file, b"ab\xff").expect("written");
        assert_eq!(read_to_string(&file, 100).expect_err("no text").to_string(), "it is not UTF-8 text: byte 3 is not");
    }

    #[test]
    fn what_the_operator_names_may_be_a_pipe_and_is_bounded_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").expect("written");
        assert_eq!(read_any(&at("file"), 4).expect("a file"), (b"text".to_vec(), Some(Stamp::of(&at("file")))));
        mknodat(CWD, at("pipe"), Kind::Fifo, Mode::from(0o600), 0).expect("made");
        let pipe = at("pipe");
        let writes = std::thread::spawn(move || std::fs::write(pipe, "text"));
        assert_eq!(read_any(&at("pipe"), 4).expect("a pipe"), (b"text".to_vec(), None));
        writes.join().expect("no panic").expect("written");
        assert_eq!(read_any(Path::new("/dev/null"), 4).expect("nothing"), (Vec::new(), None));
        for too_large in [at("file").as_path(), Path::new("/dev/zero")] {
            assert_eq!(read_any(too_large, 3).expect_err("too large").kind(), ErrorKind::FileTooLarge);
        }
        let _socket = UnixListener::bind(at("socket")).expect("bound");
        for other in [folder.path(), &at("socket"), &at("nothing")] {
            assert!(read_any(other, 4).is_err(), "{}", other.display());
        }
    }
}
