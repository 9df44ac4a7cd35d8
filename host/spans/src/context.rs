//! W3C Trace Context, level 1: the `traceparent` and `tracestate` of a caller, read strictly. What is not right is as if it were not there.

use std::num::{NonZeroU64, NonZeroU128};

use super::trace::{SpanId, TraceId};

/// Bytes of a `traceparent` of version 00.
const PARENT_BYTES: usize = 55;

/// Bytes of one of a later version, which may say more at its end.
const MOST_PARENT_BYTES: usize = 256;

/// Bytes of a `tracestate`: everybody has to hand on as many, and may drop more.
const STATE_BYTES: usize = 512;

/// Entries of a `tracestate`.
const STATE_ENTRIES: usize = 32;

/// Bytes of the key and of the value of such an entry.
const KEY_BYTES: usize = 256;
const VALUE_BYTES: usize = 256;

/// The span of a caller in which it makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) is_sampled: bool,
    pub(super) state: Option<Box<str>>,
}

impl TraceParent {
    /// Reads a `traceparent` and the `tracestate` beside it. None where the first is not right; where the second is not, it is left out.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        if parent.len() > MOST_PARENT_BYTES {
            return None;
        }
        let bytes = parent.as_bytes();
        let version = lower_hex(parent.get(..2)?)?;
        let has_the_length = match version {
            0 => bytes.len() == PARENT_BYTES,
            0xff => false,
            // What a later version says at its end comes after another dash.
            _ => bytes.len() == PARENT_BYTES || bytes.get(PARENT_BYTES) == Some(&b'-'),
        };
        if !has_the_length || [2, 35, 52].iter().any(|at| bytes.get(*at) != Some(&b'-')) {
            return None;
        }
        Some(Self {
            trace: TraceId(NonZeroU128::new(lower_hex(parent.get(3..35)?)?)?),
            span: SpanId(NonZeroU64::new(u64::try_from(lower_hex(parent.get(36..52)?)?).ok()?)?),
            is_sampled: lower_hex(parent.get(53..55)?)? & 1 == 1,
            state: state.filter(|state| is_state(state)).map(Into::into),
        })
    }
}

/// A number of hexadecimal digits, of which no letter is a capital.
fn lower_hex(digits: &str) -> Option<u128> {
    let is_right = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !digits.bytes().all(is_right) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

fn is_state(state: &str) -> bool {
    let entries = || state.split(',').map(|entry| entry.trim_matches([' ', '\t'])).filter(|entry| !entry.is_empty());
    let count = if state.len() <= STATE_BYTES { entries().count() } else { 0 };
    (1..=STATE_ENTRIES).contains(&count) && entries().all(is_entry)
}

fn is_entry(entry: &str) -> bool {
    let Some((key, value)) = entry.split_once('=') else { return false };
    let is_of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let begins = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_of_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    begins
        && key.len() <= KEY_BYTES
        && key.bytes().all(is_of_key)
        && (1..=VALUE_BYTES).contains(&value.len())
        && value.bytes().all(is_of_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parse(parent: &str) -> Option<(String, String, bool)> {
        let parsed = TraceParent::parse(parent, None)?;
        Some((parsed.trace.to_string(), parsed.span.to_string(), parsed.is_sampled))
    }

    #[test]
    fn a_parent_is_read_and_its_flag_is_one_bit() {
        for (version, flags, sampled, end) in [
            ("00", "01", true, ""),
            ("00", "00", false, ""),
            ("00", "03", true, ""),
            ("00", "fe", false, ""),
            ("01", "01", true, ""),
            ("cc", "ff", true, "-what-comes-later"),
        ] {
            let parent = format!("{version}-{TRACE}-{SPAN}-{flags}{end}");
            assert_eq!(parse(&parent), Some((TRACE.to_owned(), SPAN.to_owned(), sampled)), "{parent}");
        }
    }

    #[test]
    fn what_is_no_parent_is_none() {
        let right = format!("00-{TRACE}-{SPAN}-01");
        for parent in [
            String::new(),
            right[..54].to_owned(),
            format!("{right}-"),
            format!(" {right}"),
            right.to_uppercase(),
            right.replace("f0", "g0"),
            right.replace("00-4", "00_4"),
            right.replace("-01", "_01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01x"),
            format!("+0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0\u{e9}"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("01-{TRACE}-{SPAN}-01-{}", "x".repeat(300)),
        ] {
            assert_eq!(parse(&parent), None, "{parent}");
        }
    }

    #[test]
    fn a_state_goes_along_whole_or_not_at_all() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let state = |state: &str| TraceParent::parse(&parent, Some(state)).expect("the parent counts without it").state;
        let many = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        for right in ["congo=t61rcWkgMzE", "a=1,b@c=x:y;z", "0a=b , c*/d_-=e", "a=1,,b=2", &many(32)] {
            assert_eq!(state(right).as_deref(), Some(right));
        }
        for wrong in
            ["", ",", "a", "a=", "=b", "A=b", "a=b=c", "a=\u{e9}", "a=b\n", "_a=b", &many(33), &format!("a={}", "x".repeat(600))]
        {
            assert_eq!(state(wrong), None, "{wrong}");
        }
    }
}
