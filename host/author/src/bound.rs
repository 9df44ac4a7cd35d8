//! What a call may use in a case: `requests <= 5`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Requests to the API server.
    pub requests: u64,
    /// Bytes of the text that a model reads.
    pub bytes: u64,
    /// Bytes that were read from the API server.
    pub read: u64,
    /// Processor time.
    pub cpu: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Requests,
    Bytes,
    Read,
    /// In milliseconds.
    Cpu,
}

/// Each with what it is called, and what is written behind a number of it.
const MEASURES: [(Measure, &str, &str); 4] = [
    (Measure::Requests, "requests", ""),
    (Measure::Bytes, "bytes", ""),
    (Measure::Read, "read", ""),
    (Measure::Cpu, "cpu", "ms"),
];

/// The most that a call may use of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    measure: Measure,
    most: u64,
}

impl Bound {
    /// Reads `requests <= 5`, `bytes <= 2000`, `read <= 100000` or `cpu <= 50ms`; else what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = || "write `requests <= 5`, `bytes <= 2000`, `read <= 100000` or `cpu <= 50ms`".to_owned();
        let (name, most) = text.split_once("<=").ok_or_else(|| format!("{text:?} is no bound: {}", known()))?;
        let found = MEASURES.iter().find(|(_, called, _)| *called == name.trim());
        let &(measure, _, unit) = found.ok_or_else(|| format!("{:?} is not counted: {}", name.trim(), known()))?;
        let digits = most.trim().strip_suffix(unit).unwrap_or_default().trim();
        let most = digits.parse().map_err(|_| format!("{:?} is no number of {}: {}", most.trim(), name.trim(), known()))?;
        Ok(Self { measure, most })
    }

    /// What is wrong where a call used more.
    pub fn fault(self, used: &Used) -> Option<String> {
        let is = match self.measure {
            Measure::Requests => used.requests,
            Measure::Bytes => used.bytes,
            Measure::Read => used.read,
            Measure::Cpu => u64::try_from(used.cpu.as_millis()).unwrap_or(u64::MAX),
        };
        (is > self.most).then(|| format!("{self}: it was {is}{}", self.unit()))
    }

    fn unit(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Measure, &'static str, &'static str) {
        MEASURES.iter().find(|(measure, ..)| *measure == self.measure).unwrap_or(&MEASURES[0])
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, name, unit) = self.row();
        write!(f, "{name} <= {}{unit}", self.most)
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_read_as_it_is_written() {
        for text in ["requests <= 5", "bytes <= 0", "read <= 100000", "cpu <= 50ms"] {
            assert_eq!(Bound::parse(text).map(|bound| bound.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Bound::parse("requests<=5"), Bound::parse(" requests  <=  5 "));
        for (text, said) in [
            ("requests < 5", "is no bound"),
            ("request <= 5", "\"request\" is not counted"),
            ("cpu <= 50", "\"50\" is no number of cpu"),
            ("bytes <= 2k", "\"2k\" is no number of bytes"),
            ("", "is no bound"),
        ] {
            let words = Bound::parse(text).expect_err(text);
            assert!(words.contains(said) && words.contains("write `requests <= 5`"), "{words}");
        }
    }

    #[test]
    fn more_than_the_bound_is_a_fault_that_says_how_much_it_was() {
        let used = Used { requests: 3, bytes: 100, read: 2000, cpu: Duration::from_micros(7999) };
        let fault = |text: &str| Bound::parse(text).expect(text).fault(&used);
        assert_eq!(fault("requests <= 3"), None);
        assert_eq!(fault("cpu <= 7ms"), None);
        assert_eq!(fault("requests <= 2").as_deref(), Some("requests <= 2: it was 3"));
        assert_eq!(fault("bytes <= 99").as_deref(), Some("bytes <= 99: it was 100"));
        assert_eq!(fault("read <= 1").as_deref(), Some("read <= 1: it was 2000"));
        assert_eq!(fault("cpu <= 6ms").as_deref(), Some("cpu <= 6ms: it was 7ms"));
    }
}
