//! File I/O with a time limit, on threads that can be abandoned: a network volume whose server is gone blocks a thread for as
//! long as it likes, and nothing can interrupt it.
//!
//! The threads are not the runtime's, which waits for its own when it ends. To lose only a few to one path, further attempts fail
//! at once until those have returned.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Threads that may be blocked at one path.
const THREADS_FOR_A_PATH: u32 = 4;

/// The time for reading a file: long enough for a network volume to recover.
pub const READ_TIME: Duration = Duration::from_secs(10);

/// How long a look at a path may take. Whoever looks at many waits for each of them.
pub const LOOK_TIME: Duration = Duration::from_secs(1);

/// The one path that all spellings of a file have; as it is spelled, where a disk does not say within [`LOOK_TIME`].
pub fn canonical(path: &Path) -> PathBuf {
    in_time(path, LOOK_TIME, Path::canonicalize).unwrap_or_else(|_| path.to_owned())
}

/// Runs `work` on a path, and abandons it after `time`.
pub fn in_time<T: Send + 'static>(
    path: &Path,
    time: Duration,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, waits) = mpsc::sync_channel(1);
    // The receiver is gone if the work was abandoned.
    start(path, work, move |outcome| drop(done.send(outcome)))?;
    waits.recv_timeout(time).unwrap_or_else(|why| match why {
        RecvTimeoutError::Timeout => Err(too_late()),
        RecvTimeoutError::Disconnected => Err(panicked()),
    })
}

/// Like [`in_time`], without blocking the thread.
pub async fn wait_in_time<T: Send + 'static>(
    path: &Path,
    time: Duration,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, waits) = oneshot::channel();
    start(path, work, move |outcome| drop(done.send(outcome)))?;
    match tokio::time::timeout(time, waits).await {
        Ok(outcome) => outcome.unwrap_or_else(|_disconnected| Err(panicked())),
        Err(_elapsed) => Err(too_late()),
    }
}

fn start<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    report: impl FnOnce(io::Result<T>) + Send + 'static,
) -> io::Result<()> {
    let Some(place) = PathThread::at(path) else {
        return Err(timed_out("its disk or network has not answered yet"));
    };
    let working = move || {
        let outcome = work(&place.0);
        // Before the outcome is reported: the caller may try again at once.
        drop(place);
        report(outcome);
    };
    let started = std::thread::Builder::new().name("files".to_owned()).spawn(working);
    started.map(drop).map_err(|_| io::Error::other("it cannot be read: this machine starts no more threads"))
}

/// One of the threads at a path, until it has ended, has panicked or could not be started.
struct PathThread(PathBuf);

impl PathThread {
    /// None if there are as many as there may be.
    fn at(path: &Path) -> Option<Self> {
        let mut stuck = stuck();
        let threads = stuck.entry(path.to_owned()).or_default();
        (*threads < THREADS_FOR_A_PATH).then(|| {
            *threads += 1;
            Self(path.to_owned())
        })
    }
}

impl Drop for PathThread {
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

/// The number of threads at each path.
fn stuck() -> MutexGuard<'static, BTreeMap<PathBuf, u32>> {
    static STUCK: Mutex<BTreeMap<PathBuf, u32>> = Mutex::new(BTreeMap::new());
    // Each change is a single step, so a panic elsewhere leaves the map valid.
    STUCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_late() -> io::Error {
    timed_out("does its disk or network answer?")
}

fn timed_out(why: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("it takes too long to be read; {why}"))
}

fn panicked() -> io::Error {
    io::Error::other("reading it has failed, which is a fault of this server; its log has more")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    /// How long a test waits for something that never comes.
    const HANGS: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_does_not_end_is_given_up_and_takes_few_threads() {
        let path = Path::new("/a/volume/that/hangs");
        let (ends, waits) = mpsc::channel::<()>();
        let waits = Arc::new(Mutex::new(waits));
        let moment = Duration::from_millis(1);
        let hang = || {
            let waits = waits.clone();
            move |_: &Path| Ok(waits.lock().expect("no panic").recv())
        };
        for _ in 0..THREADS_FOR_A_PATH / 2 {
            assert_eq!(in_time(path, moment, hang()).expect_err("it waits").kind(), ErrorKind::TimedOut);
            assert_eq!(wait_in_time(path, moment, hang()).await.expect_err("it waits").kind(), ErrorKind::TimedOut);
        }
        let time = Duration::from_secs(600);
        for refused in [in_time(path, time, |_| Ok(7)), wait_in_time(path, time, |_| Ok(7)).await] {
            let refused = refused.expect_err("there are enough that wait");
            assert!(refused.to_string().contains("has not answered yet"), "{refused}");
        }
        assert_eq!(in_time(Path::new("/elsewhere"), time, |_| Ok(7)).expect("another path"), 7);
        drop(ends);
        let began = Instant::now();
        while stuck().contains_key(path) {
            assert!(began.elapsed() < HANGS, "the threads do not come back");
            std::thread::yield_now();
        }
        assert_eq!(in_time(path, time, |_| Ok(7)).expect("it answers again"), 7);
        assert_eq!(wait_in_time(path, time, |_| Ok(7)).await.expect("it answers again"), 7);
    }

    #[tokio::test]
    async fn what_panics_is_told_at_once_and_leaves_its_place() {
        let path = Path::new("/what/panics");
        let time = Duration::from_secs(600);
        for _ in 0..=THREADS_FOR_A_PATH {
            let error = in_time::<()>(path, time, |_| panic!("on purpose")).expect_err("it panics");
            assert!(error.to_string().contains("a fault of this server"), "{error}");
            let error = wait_in_time::<()>(path, time, |_| panic!("on purpose")).await.expect_err("it panics");
            assert!(error.to_string().contains("a fault of this server"), "{error}");
        }
    }
}
