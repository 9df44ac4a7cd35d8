//! Processor and memory: how they are read, added up and written.

use sandbar_tool::kubernetes::{Quantity, lenient};
use serde::Deserialize;

/// Thousandths of a byte in a mebibyte.
const MEBI: i128 = 1000 << 20;

/// Amounts of both, as far as they are known, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) cpu: Option<i128>,
    pub(crate) memory: Option<i128>,
}

/// As they stand in an object.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct Written {
    #[serde(default, deserialize_with = "lenient::or_default")]
    cpu: Option<Quantity>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    memory: Option<Quantity>,
}

impl From<Written> for Amounts {
    fn from(Written { cpu, memory }: Written) -> Self {
        Self { cpu: cpu.map(Quantity::thousandths), memory: memory.map(Quantity::thousandths) }
    }
}

impl Amounts {
    pub(crate) const NOTHING: Self = Self { cpu: Some(0), memory: Some(0) };

    /// Each of the two by itself.
    pub(crate) fn with(self, other: Self, both: fn(Option<i128>, Option<i128>) -> Option<i128>) -> Self {
        Self { cpu: both(self.cpu, other.cpu), memory: both(self.memory, other.memory) }
    }
}

/// What is known of both together.
pub(crate) fn sum(one: Option<i128>, other: Option<i128>) -> Option<i128> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (known, None) | (None, known) => known,
    }
}

/// Both together, if both are known: without a limit on one container, there is none on all.
pub(crate) fn sum_of_known(one: Option<i128>, other: Option<i128>) -> Option<i128> {
    Some(one?.saturating_add(other?))
}

/// The larger of what is known.
pub(crate) fn larger(one: Option<i128>, other: Option<i128>) -> Option<i128> {
    one.max(other)
}

/// `250m`, and whole processors from ten on.
pub(crate) fn cpu(thousandths: Option<i128>) -> String {
    match thousandths {
        None => "-".to_owned(),
        Some(0) => "0".to_owned(),
        Some(amount) if amount < 10_000 && amount % 1000 != 0 => format!("{}m", short(amount)),
        Some(amount) => short(amount / 1000).to_string(),
    }
}

/// `250Mi`, and `25.5Gi` from ten on.
pub(crate) fn memory(thousandths: Option<i128>) -> String {
    match thousandths.map(|amount| short((amount + MEBI / 2) / MEBI)) {
        None => "-".to_owned(),
        Some(0) => "0".to_owned(),
        Some(mebi) if mebi % 1024 == 0 => format!("{}Gi", mebi / 1024),
        Some(mebi) if mebi < 10 * 1024 => format!("{mebi}Mi"),
        Some(mebi) => format!("{}.{}Gi", mebi / 1024, mebi % 1024 * 10 / 1024),
    }
}

/// Enough for anything there is, and little code to write.
fn short(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        for (thousandths, is) in [
            (0, "0"),
            (1, "1m"),
            (250, "250m"),
            (1_000, "1"),
            (1_500, "1500m"),
            (12_600, "12"),
            (i128::MAX, "9223372036854775807"),
        ] {
            assert_eq!(cpu(Some(thousandths)), is);
        }
        for (mebi, is) in [(0, "0"), (1, "1Mi"), (512, "512Mi"), (1024, "1Gi"), (1536, "1536Mi"), (26_112, "25.5Gi")] {
            assert_eq!(memory(Some(mebi * MEBI)), is);
        }
        assert_eq!((cpu(None), memory(None), memory(Some(MEBI / 3))), ("-".into(), "-".into(), "0".into()));
    }

    #[test]
    fn one_without_a_limit_has_none_on_all() {
        let (some, none) = (Some(2), None);
        assert_eq!((sum(some, some), sum(some, none), sum(none, none)), (Some(4), some, none));
        assert_eq!((sum_of_known(some, some), sum_of_known(some, none)), (Some(4), none));
        assert_eq!(larger(none, some), some);
    }
}
