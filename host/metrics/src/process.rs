//! The process itself, by the names that all of Prometheus' libraries have for it. What cannot be read is left out.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::readings::gauge;

/// Ticks a second of the times in /proc: a constant of Linux, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;

/// Where Linux tells of this process, in KiB.
const STATUS: &str = "/proc/self/status";
const RESIDENT: &str = "VmRSS:";
const KIB: f64 = 1024.0;

#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Processor time of this process, in user and system mode.";
        let descriptor = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(processor_time().as_secs_f64()).encode(descriptor)?;
        let status = text(STATUS);
        let bytes = |key| number(&status, key).map(|kib| kib * KIB);
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory of this process that is in use.", bytes(RESIDENT)),
            ("process_virtual_memory_bytes", "Address space of this process.", bytes("VmSize:")),
            ("process_threads", "Threads of this process.", number(&status, "Threads:")),
            ("process_open_fds", "Open file descriptors of this process.", open_files()),
            ("process_max_fds", "File descriptors that this process may have open.", most_files()),
            (
                "process_start_time_seconds",
                "When this process started, in seconds since 1970.",
                started(&text("/proc/self/stat"), &text("/proc/stat")),
            ),
        ] {
            if let Some(value) = value {
                gauge(&mut encoder, name, help, value)?;
            }
        }
        Ok(())
    }
}

/// Bytes of memory that this process uses, where that can be read.
pub fn resident_memory() -> Option<u64> {
    // As whole as anybody counts.
    number(&text(STATUS), RESIDENT).map(|kib| (kib * KIB) as u64)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The number behind a key of /proc/self/status.
fn number(status: &str, key: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(key))?.split_ascii_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<f64> {
    // Without the one of the folder itself.
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(open).ok().map(f64::from)
}

fn most_files() -> Option<f64> {
    getrlimit(Resource::Nofile).current.map(|files| files as f64)
}

/// When a process started, by its /proc/PID/stat and by /proc/stat.
fn started(process: &str, machine: &str) -> Option<f64> {
    // The second field, the program's name in brackets, may have blanks and brackets itself. The start is the 22nd.
    let (_, after_name) = process.rsplit_once(')')?;
    let ticks: f64 = after_name.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let booted: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_found_behind_whatever_its_program_is_called() {
        let process = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 9 0 250 1000 20 0";
        assert_eq!(started(process, "cpu 1 2\nbtime 1700000000\nprocesses 3\n"), Some(1_700_000_002.5));
        assert_eq!(started("", ""), None);
    }

    #[test]
    fn numbers_are_found_by_their_keys() {
        let status = "Name:\tsandbar\nVmSize:\t  2048 kB\nVmRSS:\t   512 kB\nThreads:\t9\n";
        assert_eq!(
            (number(status, "VmRSS:"), number(status, "Threads:"), number(status, "VmSwap:")),
            (Some(512.0), Some(9.0), None)
        );
    }
}
