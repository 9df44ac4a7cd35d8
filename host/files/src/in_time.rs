//! File I/O with a time limit, on threads that can be abandoned: a network volume whose server is gone blocks a thread for as
//! long as it likes, and nothing can interrupt it.
//!
//! The threads are not the runtime's, which waits for its own when it ends. To lose only a few to one path, there are as many for it at most,
//! and further attempts stand in a queue. Once all of its threads are abandoned, further attempts fail at once until one has returned.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

/// Threads that may be blocked at one path.
const THREADS_FOR_A_PATH: usize = 4;

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
    let _awaited = start(path, work, move |outcome| drop(done.send(outcome)))?;
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
    let _awaited = start(path, work, move |outcome| drop(done.send(outcome)))?;
    match tokio::time::timeout(time, waits).await {
        Ok(outcome) => outcome.unwrap_or_else(|_disconnected| Err(panicked())),
        Err(_elapsed) => Err(too_late()),
    }
}

/// Has one of the path's threads do the work and report it. It is awaited as long as what is returned lives.
fn start<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    report: impl FnOnce(io::Result<T>) + Send + 'static,
) -> io::Result<Arc<()>> {
    let (path, awaited) = (path.to_owned(), Arc::new(()));
    let own_path = path.clone();
    let run = move || -> Report {
        let outcome = work(&own_path);
        Box::new(move || report(outcome))
    };
    let attempt = Attempt { run: Box::new(run), awaited: Arc::downgrade(&awaited) };
    let mut paths = paths();
    let at_path = paths.entry(path.clone()).or_default();
    match at_path.threads.iter().position(Option::is_none) {
        Some(place) => {
            at_path.threads[place] = Some(attempt.awaited.clone());
            drop(paths);
            let thread = std::thread::Builder::new().name("files".to_owned());
            thread
                .spawn({
                    let path = path.clone();
                    move || work_off(&path, place, attempt)
                })
                .map_err(|_| {
                    drop(next(&path, place));
                    io::Error::other("it cannot be read: this machine starts no more threads")
                })?;
        }
        None if at_path.threads.iter().flatten().any(is_awaited) => {
            at_path.queue.retain(|attempt| is_awaited(&attempt.awaited));
            at_path.queue.push_back(attempt);
        }
        None => return Err(timed_out("its disk or network has not answered yet")),
    }
    Ok(awaited)
}

/// Reports what came of an attempt.
type Report = Box<dyn FnOnce() + Send>;

/// Work that somebody waits for.
struct Attempt {
    run: Box<dyn FnOnce() -> Report + Send>,
    /// Nobody, once this is gone.
    awaited: Weak<()>,
}

fn is_awaited(awaited: &Weak<()>) -> bool {
    awaited.strong_count() > 0
}

/// What goes on at a path.
#[derive(Default)]
struct AtPath {
    /// What each thread works on, if there is one.
    threads: [Option<Weak<()>>; THREADS_FOR_A_PATH],
    queue: VecDeque<Attempt>,
}

/// What a thread at a path does: this attempt, and others as long as some wait.
fn work_off(path: &Path, place: usize, attempt: Attempt) {
    let mut attempt = Some(attempt);
    while let Some(Attempt { run, .. }) = attempt {
        // If it panics, whoever waits for it is told by what it has dropped.
        let report = catch_unwind(AssertUnwindSafe(run));
        // Before the outcome is reported: the caller may try again at once.
        attempt = next(path, place);
        if let Ok(report) = report {
            report();
        }
    }
}

/// The next attempt for a thread at a path; none: the thread ends.
fn next(path: &Path, place: usize) -> Option<Attempt> {
    let mut paths = paths();
    let at_path = paths.get_mut(path)?;
    let next = std::iter::from_fn(|| at_path.queue.pop_front()).find(|attempt| is_awaited(&attempt.awaited));
    at_path.threads[place] = next.as_ref().map(|attempt| attempt.awaited.clone());
    if at_path.threads.iter().all(Option::is_none) {
        paths.remove(path);
    }
    next
}

/// What goes on at each path.
fn paths() -> MutexGuard<'static, BTreeMap<PathBuf, AtPath>> {
    static PATHS: Mutex<BTreeMap<PathBuf, AtPath>> = Mutex::new(BTreeMap::new());
    // Nothing that holds it panics between two steps, so the map is valid.
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
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
        while paths().contains_key(path) {
            assert!(began.elapsed() < HANGS, "the threads do not come back");
            std::thread::yield_now();
        }
        assert_eq!(in_time(path, time, |_| Ok(7)).expect("it answers again"), 7);
        assert_eq!(wait_in_time(path, time, |_| Ok(7)).await.expect("it answers again"), 7);
    }

    #[test]
    fn more_than_there_are_threads_for_wait_for_those_before_them() {
        let path = Path::new("/a/file/of/many");
        let (goes_on, waits) = mpsc::channel::<()>();
        let waits = Arc::new(Mutex::new(waits));
        let attempt = |number: usize| {
            let waits = waits.clone();
            in_time(path, HANGS, move |_| {
                let _ended = waits.lock().expect("no panic").recv();
                Ok(number)
            })
        };
        std::thread::scope(|scope| {
            let attempts: Vec<_> = (0..5 * THREADS_FOR_A_PATH)
                .map(|number| {
                    scope.spawn({
                        let attempt = &attempt;
                        move || attempt(number)
                    })
                })
                .collect();
            let waiting = || paths().get(path).map_or(0, |at_path| at_path.queue.len());
            while waiting() < 4 * THREADS_FOR_A_PATH {
                std::thread::yield_now();
            }
            drop(goes_on);
            for (number, attempt) in attempts.into_iter().enumerate() {
                assert_eq!(attempt.join().expect("no panic").expect("it ends"), number);
            }
        });
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
