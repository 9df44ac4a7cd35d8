//! Child processes that do not outlive the tests.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::PATIENCE;

/// Bytes that are kept of what a process writes: more than any test reads, and what hours of it must not go beyond.
const TRANSCRIPT: usize = 16 * 1024 * 1024;

/// Between two looks at what a process holds.
const INTERVAL: Duration = Duration::from_millis(50);

/// Ends a process when it is dropped, and also when this process dies first, however it dies: a static of a test binary is never
/// dropped, and a test run can be killed.
#[derive(Debug)]
pub struct Leash {
    shell: Child,
    _open: Option<ChildStdin>,
}

impl Leash {
    /// Holds the process with this id.
    pub fn new(process: u32) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", &format!("cat >/dev/null; kill -9 {process} 2>/dev/null")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be run");
        let open = shell.stdin.take();
        Self { shell, _open: open }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // The shell must not live to see the end of its input: by then the id can be another process's.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// What a process has written so far, read by a thread.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<String>>);

impl Transcript {
    /// Reads a stream to its end.
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let transcript = Self::default();
        let writer = transcript.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(lines.read_until(b'\n', &mut line), Ok(bytes) if bytes > 0) {
                let mut text = writer.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
                // The newer half, from a line's beginning on, after its first.
                if text.len() > TRANSCRIPT {
                    let first = text.find('\n').map_or(0, |end| end + 1);
                    let from = text[..text.floor_char_boundary(TRANSCRIPT / 2)].rfind('\n').map_or(0, |end| end + 1);
                    text.replace_range(first..from.max(first), "");
                }
            }
        });
        transcript
    }

    /// Reads nothing more of it, but for what is under way, until this is dropped.
    pub fn unread(&self) -> Unread<'_> {
        Unread(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Nobody reads what a process writes.
pub struct Unread<'t>(#[expect(dead_code, reason = "whoever reads waits for it")] MutexGuard<'t, String>);

/// The bytes of memory that a process has in use, as the kernel counts them.
///
/// # Panics
/// When there is no such process, or no /proc.
pub fn resident(process: u32) -> u64 {
    number_in(process, "VmRSS:") * 1024
}

/// The most that it ever had in use, in bytes.
///
/// # Panics
/// As [`resident`].
pub fn peak(process: u32) -> u64 {
    number_in(process, "VmHWM:") * 1024
}

/// How many bytes more that is than `before`. The kernel adds up what its processors have counted only now and then, so a later count
/// may be some pages less.
///
/// # Panics
/// As [`resident`].
pub fn peak_since(process: u32, before: u64) -> u64 {
    peak(process).saturating_sub(before)
}

/// How many threads a process has.
///
/// # Panics
/// As [`resident`].
pub fn threads(process: u32) -> u64 {
    number_in(process, "Threads:")
}

/// The processor time that a process has used.
///
/// # Panics
/// As [`resident`].
pub fn computed(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
    // Behind its name, which may hold anything.
    let (_, numbers) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 = numbers.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    // A hundredth of a second each, whatever the kernel counts in.
    Duration::from_millis(ticks * 10)
}

/// How many files and sockets a process has open.
///
/// # Panics
/// As [`resident`].
pub fn open_files(process: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("a process").count() as u64
}

/// What a process holds, or may hold at most.
#[derive(Clone, Copy, Debug)]
pub struct Holdings {
    /// Bytes of memory, as [`resident`] counts them.
    pub memory: u64,
    /// As [`open_files`] counts them.
    pub files: u64,
    /// As [`threads`] counts them.
    pub threads: u64,
}

impl Holdings {
    /// What a process holds now.
    ///
    /// # Panics
    /// As [`resident`].
    pub fn of(process: u32) -> Self {
        Self { memory: resident(process), files: open_files(process), threads: threads(process) }
    }

    /// Waits until a process holds no more than this and `more`.
    ///
    /// # Panics
    /// As [`resident`], and where it goes on holding more; `what` says after what.
    pub async fn until_as_before(&self, process: u32, more: &Self, what: &str) -> Self {
        let mut now = Self::of(process);
        let given_back = tokio::time::timeout(PATIENCE, async {
            while !now.is_within(self, more) {
                tokio::time::sleep(INTERVAL).await;
                now = Self::of(process);
            }
        });
        let given_back = given_back.await;
        assert!(given_back.is_ok(), "something is kept after {what}. Before: {self}; after: {now}");
        now
    }

    fn is_within(&self, before: &Self, more: &Self) -> bool {
        self.memory <= before.memory + more.memory
            && self.files <= before.files + more.files
            && self.threads <= before.threads + more.threads
    }
}

impl std::fmt::Display for Holdings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB resident, {} files, {} threads", self.memory / 1024, self.files, self.threads)
    }
}

fn number_in(process: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the kernel says so");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
