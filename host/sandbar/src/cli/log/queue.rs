//! The lines on their way to standard error, past which nobody who serves has to wait.
//!
//! Whoever reads standard error may stop: a pager, a terminal that is held, a collector that hangs. So one thread writes, and what it cannot
//! write in time is lost and counted. tracing-appender has such a queue, too, whose bound is a number of lines of any length, and whose end
//! waits for standard output.

use std::io::{self, IoSlice, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of lines that wait to be written: some 10,000 events of calls.
const WAITING_MAX: usize = 4 * 1024 * 1024;

/// Bytes that each line takes beside its own.
const LINE_COUNTS: usize = 64;

/// Lines that are written at once, where so many wait. Writing one alone takes as long as all that is done for it before.
const TOGETHER: usize = 64;

/// How long lines are gathered once some were written. Waking the thread that writes takes longer than writing many lines.
const GATHERING: Duration = Duration::from_millis(10);

/// The lines that wait.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// For the thread that writes.
    came: Condvar,
    /// For those who wait for it.
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// From the oldest on, without those that are being written.
    lines: Vec<Vec<u8>>,
    /// Of all that are not written yet.
    bytes: usize,
    /// Lines that were lost since that has last been said.
    lost: u64,
    /// The thread that writes waits to be woken.
    is_idle: bool,
    /// Nothing comes any more.
    is_ended: bool,
    /// And all that came is written.
    is_done: bool,
}

impl Queue {
    /// Has a line written, or loses it. It never waits for a reader.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + line.len() + LINE_COUNTS;
        if bytes > WAITING_MAX {
            waiting.lost += 1;
            return;
        }
        waiting.bytes = bytes;
        waiting.lines.push(line);
        let is_idle = std::mem::take(&mut waiting.is_idle);
        drop(waiting);
        if is_idle {
            self.came.notify_one();
        }
    }

    /// Writes lines until the end, and calls `at_times` again and again, and at the end. What it says is written, too.
    pub(super) fn write_to(&self, out: &mut impl Write, every: Duration, at_times: impl Fn()) {
        let (mut next, mut is_last) = (Instant::now() + every, false);
        loop {
            let now = Instant::now();
            if now >= next {
                at_times();
                next = now + every;
            }
            let mut waiting = self.lock();
            let lines = std::mem::take(&mut waiting.lines);
            if lines.is_empty() {
                if is_last {
                    waiting.is_done = true;
                    return self.written.notify_all();
                }
                is_last = waiting.is_ended;
                if is_last {
                    // What this says is written as well.
                    next = now;
                } else {
                    waiting.is_idle = true;
                    drop(self.came.wait_timeout(waiting, next - now));
                }
                continue;
            }
            drop(waiting);
            let mut left = lines.as_slice();
            while !left.is_empty() {
                let written = write_some(out, left);
                // Whoever has gone does not come back, but a disk may have room again.
                let (ended, rest) = left.split_at(written.max(1));
                self.end_lines(ended, written);
                left = rest;
            }
            std::thread::sleep(GATHERING);
        }
    }

    /// The first lines of these are written, and the others cannot be.
    fn end_lines(&self, lines: &[Vec<u8>], written: usize) {
        let mut waiting = self.lock();
        waiting.bytes -= lines.iter().map(|line| line.len() + LINE_COUNTS).sum::<usize>();
        let mut lost = 0;
        if written < lines.len() {
            waiting.lost += (lines.len() - written) as u64;
        } else if waiting.bytes < WAITING_MAX / 2 {
            // With room for the words.
            lost = std::mem::take(&mut waiting.lost);
        }
        if waiting.bytes == 0 {
            self.written.notify_all();
        }
        drop(waiting);
        if lost > 0 {
            // Among the events of calls, for whoever has no others written.
            tracing::error!(target: "sandbar::audit", lost, "lines of this log are lost: it was not read, or could not be written");
        }
    }

    /// Waits until what came so far is written, or as long as this.
    pub(super) fn wait_until_written(&self, patience: Duration) {
        drop(self.written.wait_timeout_while(self.lock(), patience, |waiting| waiting.bytes > 0));
    }

    /// Nothing comes any more. Waits until everything is written, or as long as this.
    pub(super) fn end(&self, patience: Duration) {
        let mut waiting = self.lock();
        waiting.is_ended = true;
        self.came.notify_one();
        drop(self.written.wait_timeout_while(waiting, patience, |waiting| !waiting.is_done));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines together, up to so many that the kernel takes them at once, and returns how many of them are written whole.
fn write_some(out: &mut impl Write, lines: &[Vec<u8>]) -> usize {
    let mut slices: Vec<_> = lines.iter().take(TOGETHER).map(|line| IoSlice::new(line)).collect();
    let mut left = slices.as_mut_slice();
    let all = left.len();
    while !left.is_empty() {
        match out.write_vectored(left) {
            Ok(0) => break,
            Ok(bytes) => IoSlice::advance_slices(&mut left, bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    all - left.len()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// How long a test waits for what never comes.
    const HANGS: Duration = Duration::from_secs(60);

    /// Runs the writer of a queue to its end. What the log says there goes to the queue itself.
    fn write_all(queue: &'static Queue, mut out: impl Write, at_times: impl Fn()) {
        let writer = move || Pushing(queue);
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        tracing::subscriber::with_default(log, || queue.write_to(&mut out, HOUR, at_times));
    }

    struct Pushing(&'static Queue);

    impl Write for Pushing {
        fn write(&mut self, event: &[u8]) -> io::Result<usize> {
            self.0.push(event.to_vec());
            Ok(event.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue() -> &'static Queue {
        Box::leak(Box::default())
    }

    #[test]
    fn who_speaks_waits_for_no_reader_and_what_is_lost_is_said() {
        let queue = queue();
        let (mut reader, out) = io::pipe().expect("a pipe");
        let writing = std::thread::spawn(move || write_all(queue, out, || {}));
        // Far more than the pipe and the queue hold, and nobody reads.
        let all = 3 * WAITING_MAX / 1_000;
        for number in 0..all {
            queue.push(format!("{number} {}\n", "x".repeat(1_000)).into_bytes());
        }
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        queue.end(HANGS);
        assert!(queue.lock().is_done, "the writer has not come to its end");
        writing.join().expect("no panic");
        let text = reading.join().expect("no panic").expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let (said, written) = lines.split_last().expect("lines");
        assert!(written.len() > WAITING_MAX / 1_100 && written.len() < all);
        assert!(written.iter().enumerate().all(|(number, line)| line.starts_with(&format!("{number} "))));
        assert!(said.contains("ERROR sandbar::audit") && said.contains(&format!("lost={}", all - written.len())), "{said}");
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_has_stopped() {
        let queue = queue();
        let (reader, out) = io::pipe().expect("a pipe");
        std::thread::spawn(move || write_all(queue, out, || {}));
        (0..2_000).for_each(|_| queue.push(vec![b'x'; 1_000]));
        queue.wait_until_written(Duration::from_millis(1));
        queue.end(Duration::from_millis(1));
        assert!(!queue.lock().is_done);
        drop(reader);
    }

    #[test]
    fn lines_that_wait_are_written_together_however_little_is_taken_at_once() {
        /// What is written, in how many steps, and of how many bytes at most.
        struct Steps(Vec<u8>, usize, usize);

        impl Write for &mut Steps {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.write_vectored(&[IoSlice::new(line)])
            }

            fn write_vectored(&mut self, lines: &[IoSlice<'_>]) -> io::Result<usize> {
                let all: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied()).collect();
                let taken = all.len().min(self.2);
                self.0.extend(&all[..taken]);
                self.1 += 1;
                Ok(taken)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let lines: Vec<_> = (0..2 * TOGETHER + 1).map(|number| format!("{number}\n")).collect();
        for (most, steps) in [(usize::MAX, 3), (5, lines.concat().len().div_ceil(5))] {
            let (queue, mut out) = (queue(), Steps(Vec::new(), 0, most));
            lines.iter().for_each(|line| queue.push(line.clone().into_bytes()));
            queue.lock().is_ended = true;
            write_all(queue, &mut out, || {});
            assert_eq!(String::from_utf8(out.0).expect("text"), lines.concat());
            assert!(out.1 >= steps && out.1 <= steps + 3, "{} steps", out.1);
        }
    }

    #[test]
    fn what_cannot_be_written_is_lost_and_said_once_something_can() {
        /// A disk that is full for a while.
        struct Full(usize, Vec<u8>);

        impl Write for &mut Full {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0 = self.0.saturating_sub(1);
                if self.0 > 0 { Err(io::ErrorKind::StorageFull.into()) } else { self.1.write(line) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let (queue, mut out) = (queue(), Full(4, Vec::new()));
        (0..5).for_each(|number| queue.push(format!("{number}\n").into_bytes()));
        queue.lock().is_ended = true;
        write_all(queue, &mut out, || queue.push(b"said at the end\n".to_vec()));
        let text = String::from_utf8(out.1).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(matches!(lines[..], ["3", "4", lost, "said at the end"] if lost.contains("lost=3")), "{text}");
    }
}
