//! Log files in the format of container runtimes: `TIME STREAM F|P TEXT`, a record a line.

use std::time::{Duration, SystemTime};

use k8s_openapi::jiff::{Timestamp, tz::TimeZone};

/// A log file.
#[derive(Clone, Debug)]
pub struct CriLog {
    bytes: Vec<u8>,
    time: SystemTime,
}

impl CriLog {
    /// An empty one, whose records carry the present time.
    pub fn new() -> Self {
        Self { bytes: Vec::new(), time: SystemTime::now() }
    }

    /// A log of these lines.
    pub fn of<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Self {
        lines.into_iter().fold(Self::new(), |log, line| log.line(line))
    }

    /// A file that is there already.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, time: SystemTime::now() }
    }

    /// From here on, the records are this old.
    pub fn ago(mut self, age: Duration) -> Self {
        self.time = SystemTime::now() - age;
        self
    }

    /// A whole line.
    pub fn line(self, text: impl AsRef<[u8]>) -> Self {
        self.record(b'F', text.as_ref())
    }

    /// The beginning of a line: a runtime splits what is longer than 16 KiB.
    pub fn part(self, text: impl AsRef<[u8]>) -> Self {
        self.record(b'P', text.as_ref())
    }

    fn record(mut self, tag: u8, text: &[u8]) -> Self {
        let time = Timestamp::try_from(self.time).expect("a time of our days").to_zoned(TimeZone::UTC);
        let stamp = time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string();
        self.bytes.extend_from_slice(stamp.as_bytes());
        self.bytes.extend_from_slice(b" stdout ");
        self.bytes.push(tag);
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
        self
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for CriLog {
    fn default() -> Self {
        Self::new()
    }
}
