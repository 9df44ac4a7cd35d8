//! The one way to read a file whose name comes from somebody else: only if it is a regular one, and no more of it than it may have.
//!
//! A named pipe, a device or a socket is a name like any other until it is opened, which can take for ever, or do something. So it is
//! looked at before it is opened, opened in a way that does not wait, and looked at again. A file of a network volume whose server is
//! gone waits all the same; who cannot wait reads it [in time](in_time).

use std::collections::BTreeMap;
use std::fs::{File, FileType, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rustix::fs::OFlags;

/// How many threads wait at once for what is at one path.
const THREADS_FOR_A_PATH: u32 = 4;

/// All of a regular file, if it has at most so many bytes. Symbolic links are followed.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let bytes = read_beginning(path, most.saturating_add(1))?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {}", size(most))));
    }
    Ok(bytes)
}

/// The same as text.
pub fn read_to_string(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| {
        io::Error::new(
            ErrorKind::InvalidData,
            format!("it is not UTF-8 text: byte {} is not", error.utf8_error().valid_up_to() + 1),
        )
    })
}

/// At most so many bytes of a regular file.
pub fn read_beginning(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file for reading, and nothing else.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened, because that may wind a tape back; afterwards, because it may be another by then.
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

fn size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mib => format!("{mib} MiB"),
    }
}

/// Does something with what is at `path`, on a thread of its own, and gives it up after so long: a network volume whose server is gone
/// keeps a thread for as long as it wants, and nothing can stop it. So that only a few are lost to one path, the next ones fail at once
/// until those have come back.
pub fn in_time<T: Send + 'static>(
    path: &Path,
    time: Duration,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let Some(place) = Place::at(path) else { return Err(too_late("its disk or network has not answered yet")) };
    let (done, waits) = mpsc::sync_channel(1);
    let working = move || {
        let outcome = work(&place.0);
        // Before anybody hears of the outcome and comes again.
        drop(place);
        // Nobody takes it any more where it was given up.
        let _ = done.send(outcome);
    };
    std::thread::Builder::new().name("files".to_owned()).spawn(working)?;
    waits.recv_timeout(time).unwrap_or_else(|_| Err(too_late("does its disk or network answer?")))
}

/// A thread's place among those at one path, until it is done, has panicked or could not be started.
struct Place(PathBuf);

impl Place {
    /// None: there are as many already as may be.
    fn at(path: &Path) -> Option<Self> {
        let mut stuck = stuck();
        let threads = stuck.entry(path.to_owned()).or_default();
        (*threads < THREADS_FOR_A_PATH).then(|| {
            *threads += 1;
            Self(path.to_owned())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut stuck = stuck();
        if let Some(threads) = stuck.get_mut(&self.0) {
            *threads -= 1;
            if *threads == 0 {
                stuck.remove(&self.0);
            }
        }
    }
}

/// How many threads are at each path.
fn stuck() -> MutexGuard<'static, BTreeMap<PathBuf, u32>> {
    static STUCK: Mutex<BTreeMap<PathBuf, u32>> = Mutex::new(BTreeMap::new());
    // Each change is one step, so a panic elsewhere leaves nothing broken.
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_late(why: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("it takes too long to be read; {why}"))
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
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::FileTooLarge, "it has more than 2 KiB".to_owned()));
        // One that says it has nothing, and has more.
        assert!(read(Path::new("/proc/self/smaps"), 100).is_err());
        assert_eq!(read_beginning(&file, 7).expect("read").len(), 7);
        std::fs::write(&file, b"ab\xff").expect("written");
        assert_eq!(read_to_string(&file, 100).expect_err("no text").to_string(), "it is not UTF-8 text: byte 3 is not");
    }

    #[test]
    fn what_does_not_end_is_given_up_and_takes_few_threads() {
        let path = Path::new("/a/volume/that/hangs");
        let (ends, waits) = mpsc::channel::<()>();
        let waits = std::sync::Arc::new(Mutex::new(waits));
        let hang = || {
            let waits = waits.clone();
            in_time(path, Duration::from_millis(1), move |_| Ok(waits.lock().expect("no panic").recv()))
        };
        for _ in 0..THREADS_FOR_A_PATH {
            assert_eq!(hang().expect_err("it waits").kind(), ErrorKind::TimedOut);
        }
        let time = Duration::from_secs(600);
        let refused = in_time(path, time, |_| Ok(7)).expect_err("there are enough that wait");
        assert!(refused.to_string().contains("has not answered yet"), "{refused}");
        assert_eq!(in_time(Path::new("/elsewhere"), time, |_| Ok(7)).expect("another path"), 7);
        drop(ends);
        while stuck().contains_key(path) {
            std::thread::yield_now();
        }
        assert_eq!(in_time(path, time, |_| Ok(7)).expect("it answers again"), 7);
    }
}
