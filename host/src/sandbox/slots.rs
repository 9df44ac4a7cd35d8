//! How many calls run at once. It follows from the memory that the process may use, not from a constant: too many calls at once
//! end in an out-of-memory kill, which takes every caller along.

use std::path::Path;

/// Bytes that the process needs beside running calls: itself, compiled components, connections.
const RESERVE: u64 = 96 * 1024 * 1024;

/// Bytes that the host needs for one call beside the guest's memory: a page or log on its way, and the answer being written.
const HOST_SHARE: u64 = 16 * 1024 * 1024;

/// With fewer, one slow call would block everybody.
const LEAST: u64 = 2;

/// With more, calls only wait for processors, and the pool's address space grows without use.
const MOST: u64 = 128;

/// How many calls run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots(usize);

impl Slots {
    /// Slots for calls of `memory` bytes each in a process that may use `available` bytes.
    pub fn for_memory(available: u64, memory: u64) -> Self {
        let slots = available.saturating_sub(RESERVE) / memory.saturating_add(HOST_SHARE);
        Self(usize::try_from(slots.clamp(LEAST, MOST)).unwrap_or(LEAST as usize))
    }

    /// The number.
    pub fn count(self) -> usize {
        self.0
    }
}

/// The bytes of memory that this process may use: the cgroup's limit where there is one, else what the machine has.
pub fn available_memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).ok();
    let machine = read("/proc/meminfo").and_then(|text| machine_memory(&text)).unwrap_or(u64::MAX);
    // Version 2 first; a version 1 hierarchy without a limit shows a number larger than the machine.
    let cgroup = read("/sys/fs/cgroup/memory.max").or_else(|| read("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    cgroup.and_then(|text| text.trim().parse().ok()).map_or(machine, |limit: u64| limit.min(machine))
}

/// `MemTotal` of /proc/meminfo, in bytes.
fn machine_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn slots_follow_from_memory() {
        assert_eq!(Slots::for_memory(1024 * MIB, 64 * MIB).count(), 11);
        assert_eq!(Slots::for_memory(64 * MIB, 64 * MIB).count(), 2, "a small container still serves");
        assert_eq!(Slots::for_memory(u64::MAX, 64 * MIB).count(), 128);
    }

    #[test]
    fn the_machines_memory_is_read_in_bytes() {
        assert_eq!(machine_memory("MemTotal:       1024 kB\nMemFree: 1 kB\n"), Some(MIB));
        assert_eq!(machine_memory("nothing"), None);
    }
}
