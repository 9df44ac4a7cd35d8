//! How many calls run at once. It follows from the memory that the process may use: too many calls end in an out-of-memory kill,
//! which takes every caller along.

use std::path::Path;
use std::process::Command;

/// Bytes that the process needs beside running calls: itself, compiled components, connections.
const RESERVE: u64 = 96 * 1024 * 1024;

/// Bytes that the host needs for one call beside the guest's memory: a page or log on its way, and the answer being written.
const HOST_SHARE: u64 = 16 * 1024 * 1024;

/// Fraction of a process's memory for answers that wait to be read: one over this.
const ANSWERS: u64 = 8;

/// With fewer, one slow call would block everybody.
const LEAST: u64 = 2;

/// With more, calls only wait for processors, and the pool's address space grows without use.
const MOST: u64 = 128;

/// The most memory for compiling one component, in bytes. A Python interpreter takes 400 MiB.
const MOST_FOR_COMPILING: u64 = 512 * 1024 * 1024;

/// How many calls run at once, and the memory of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    count: usize,
    /// Bytes of one call, with the host's part.
    bytes: u64,
}

/// What a compiling process borrows from calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) slots: usize,
    pub(super) bytes: u64,
}

impl Slots {
    /// Slots for calls of `memory` bytes each in a process that may use `available` bytes.
    pub fn for_memory(available: u64, memory: u64) -> Self {
        let left = available.saturating_sub(RESERVE).saturating_sub(memory_for_answers(available));
        let bytes = memory.saturating_add(HOST_SHARE);
        let count = usize::try_from((left / bytes).clamp(LEAST, MOST)).unwrap_or(LEAST as usize);
        Self { count, bytes }
    }

    /// How many calls run at once.
    pub fn count(self) -> usize {
        self.count
    }

    /// Whether these are the fewest that there are, because the memory has room for no more, or not even for them.
    pub fn are_least(self) -> bool {
        self.count as u64 <= LEAST
    }

    /// What compiling borrows: two thirds at most, so that calls go on meanwhile. In the 1Gi of deploy/ that is enough for a
    /// Python interpreter.
    pub(super) fn for_compiling(self) -> Share {
        let most = (self.count * 2 / 3).max(1);
        let bytes = self.bytes.saturating_mul(most as u64).min(MOST_FOR_COMPILING);
        let slots = usize::try_from(bytes.div_ceil(self.bytes)).unwrap_or(most);
        Share { slots, bytes }
    }
}

/// Bytes for answers that wait to be read, in a process that may use `available` bytes.
pub fn memory_for_answers(available: u64) -> u64 {
    available / ANSWERS
}

/// The bytes of memory that this process may use: the limit of its cgroup where there is one, else what the machine has.
pub fn available_memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let machine = machine_memory(&read("/proc/meminfo")).or_else(physical_memory).unwrap_or(u64::MAX);
    cgroup_memory(&read("/proc/self/cgroup"), Path::new("/sys/fs/cgroup")).map_or(machine, |limit| limit.min(machine))
}

/// The least limit of a process's cgroups and their ancestors, in bytes. `groups` is its /proc/self/cgroup; the hierarchies are
/// below `root`. In a container the group's path may not be visible: then the root counts.
fn cgroup_memory(groups: &str, root: &Path) -> Option<u64> {
    let limit = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (hierarchy, file) = match (parts.next()?, parts.next()?) {
            // Version 2.
            ("0", "") => (root.to_owned(), "memory.max"),
            // Version 1, where no limit is a number larger than any machine.
            (_, controllers) if controllers.split(',').any(|controller| controller == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = Path::new(parts.next()?.trim_start_matches('/'));
        let limit = |group: &Path| std::fs::read_to_string(hierarchy.join(group).join(file)).ok()?.trim().parse::<u64>().ok();
        group.ancestors().filter_map(limit).min()
    };
    groups.lines().filter_map(limit).min()
}

/// The memory of a Mac, in bytes: what asks for it directly takes `unsafe`.
fn physical_memory() -> Option<u64> {
    let asked = cfg!(target_os = "macos").then(|| Command::new("/usr/sbin/sysctl").args(["-n", "hw.memsize"]).output());
    String::from_utf8(asked?.ok()?.stdout).ok()?.trim().parse().ok()
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
        assert_eq!(Slots::for_memory(1024 * MIB, 64 * MIB).count(), 10);
        assert_eq!(Slots::for_memory(64 * MIB, 64 * MIB).count(), 2, "a small container still serves");
        assert_eq!(Slots::for_memory(u64::MAX, 64 * MIB).count(), 128);
    }

    #[test]
    fn the_least_limit_of_a_cgroup_and_those_around_it_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        };
        let limit = |groups: &str| cgroup_memory(groups, root.path());
        assert_eq!(limit("0::/\n"), None, "no hierarchy, no limit");
        write("system.slice/sandbar.service/memory.max", "max\n");
        write("system.slice/memory.max", "1073741824\n");
        assert_eq!(limit("0::/system.slice/sandbar.service\n"), Some(1 << 30));
        write("system.slice/sandbar.service/memory.max", "536870912\n");
        assert_eq!(limit("0::/system.slice/sandbar.service\n"), Some(512 << 20));
        write("memory.max", "268435456\n");
        assert_eq!(limit("0::/kubepods/not/visible/here\n"), Some(256 << 20), "a container sees its own group as the root");
        write("memory/pod/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/memory.limit_in_bytes", "134217728\n");
        assert_eq!(limit("5:cpu,cpuacct:/pod\n4:memory:/pod\n"), Some(128 << 20), "version 1");
    }

    #[test]
    fn compiling_takes_the_memory_of_calls_that_do_not_run_meanwhile() {
        let share = |available: u64, memory: u64| {
            let slots = Slots::for_memory(available * MIB, memory * MIB);
            let share = slots.for_compiling();
            assert!(share.slots < slots.count() && share.bytes <= share.slots as u64 * (memory * MIB + HOST_SHARE), "{share:?}");
            share.bytes / MIB
        };
        assert_eq!(share(1024, 64), 480, "a Python interpreter is compiled");
        assert_eq!(share(256, 64), 80, "and refused, rather than that the container ends");
        assert_eq!(share(512, 64), 160);
        assert_eq!(share(1 << 20, 64), 512);
        assert_eq!(share(1 << 20, 1024), 512);
        assert_eq!(share(1024, 16), 512);
    }

    #[test]
    fn the_machines_memory_is_read_in_bytes() {
        assert_eq!(machine_memory("MemTotal:       1024 kB\nMemFree: 1 kB\n"), Some(MIB));
        assert_eq!(machine_memory("nothing"), None);
    }
}
