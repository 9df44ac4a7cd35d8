//! Quantities as sandbar.yaml, flags and environment variables write them. Each type has its bounds, so that an impossible value
//! is refused where it is written.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sandbar_policy::LONGEST_TIME;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A duration above zero, such as `30s`, `500ms` or `2m`, at most [`LONGEST_TIME`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let milliseconds = match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60 * 1000),
            _ => None,
        };
        let time = milliseconds.and_then(|unit| number?.checked_mul(unit)).map(Duration::from_millis);
        match time {
            Some(time) if !time.is_zero() && time <= LONGEST_TIME => Ok(Self(time)),
            _ => Err(format!(
                "{text:?} is no duration above zero and up to {}m: write 500ms, 30s or 2m",
                LONGEST_TIME.as_secs() / 60
            )),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX) {
            time if time.is_multiple_of(60_000) => write!(f, "{}m", time / 60_000),
            time if time.is_multiple_of(1000) => write!(f, "{}s", time / 1000),
            time => write!(f, "{time}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^0*[1-9][0-9]*(ms|s|m)$" })
    }
}

/// A number of bytes as Kubernetes writes it: `64Mi`, `512Ki`, `1Gi`, or plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size<const LEAST: u64, const MOST: u64>(pub(super) u64);

/// The units of [`Size`], the largest first.
const UNITS: [(&str, u64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

impl<const LEAST: u64, const MOST: u64> FromStr for Size<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let unit = if unit.is_empty() { Some(1) } else { UNITS.iter().find(|(name, _)| *name == unit).map(|(_, unit)| *unit) };
        match unit.and_then(|unit| number?.checked_mul(unit)) {
            Some(bytes) if (LEAST..=MOST).contains(&bytes) => Ok(Self(bytes)),
            _ => {
                let range =
                    if MOST == u64::MAX { "above zero".to_owned() } else { format!("from {} to {}", Self(LEAST), Self(MOST)) };
                Err(format!("{text:?} is no size {range}: write 64Mi, 512Ki, 1Gi or a number of bytes"))
            }
        }
    }
}

impl<const LEAST: u64, const MOST: u64> fmt::Display for Size<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&size(self.0))
    }
}

/// Bytes as sandbar.yaml writes them.
pub fn size(bytes: u64) -> String {
    match UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Size<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<const LEAST: u64, const MOST: u64> JsonSchema for Size<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema =
            json_schema!({ "type": ["string", "integer"], "pattern": "^0*[1-9][0-9]*(Ki|Mi|Gi)?$", "minimum": LEAST });
        if MOST < u64::MAX {
            schema.insert("maximum".to_owned(), MOST.into());
        }
        schema
    }
}

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> FromStr for Count<LEAST, MOST> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Self(number)),
            _ if (LEAST, MOST) == (1, u32::MAX) => Err(format!("{text:?} is no whole number above zero")),
            _ => Err(format!("{text:?} is no whole number from {LEAST} to {MOST}")),
        }
    }
}

impl<const LEAST: u32, const MOST: u32> fmt::Display for Count<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Count<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Count<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({ "type": "integer", "minimum": LEAST });
        if MOST < u32::MAX {
            schema.insert("maximum".to_owned(), MOST.into());
        }
        schema
    }
}

/// The number at the beginning, if there is one, and what follows it.
fn split_unit(text: &str) -> (Option<u64>, &str) {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (digits.parse().ok(), unit)
}

/// A scalar as text, even if YAML reads it as a number.
fn written<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Any = Size<1, { u64::MAX }>;

    #[test]
    fn times_have_units_and_an_end() {
        for (text, milliseconds) in [("1ms", 1), ("500ms", 500), ("30s", 30_000), ("060m", 3_600_000)] {
            assert_eq!(text.parse(), Ok(Time(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in
            ["", "5", "0s", "0ms", "1h", "-1s", "1.5s", "s", "61m", "18446744073709551615m", "99999999999999999999s", "1 s"]
        {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_those_of_kubernetes() {
        for (text, bytes) in [("1", 1), ("512Ki", 512 << 10), ("64Mi", 64 << 20), ("3Gi", 3 << 30)] {
            assert_eq!(text.parse(), Ok(Size(bytes)) as Result<Any, _>, "{text}");
        }
        for text in ["", "0", "0Mi", "5MB", "5M", "1.5Gi", "-1", "Mi", "18446744073709551615Ki", "99999999999999999999"] {
            assert!(text.parse::<Any>().is_err(), "{text}");
        }
        assert!("64Ki".parse::<Size<{ 64 << 10 }, { 4 << 30 }>>().is_ok());
        let error = "5Gi".parse::<Size<{ 64 << 10 }, { 4 << 30 }>>().expect_err("too much");
        assert!(error.contains("from 64Ki to 4Gi"), "{error}");
    }

    #[test]
    fn quantities_are_printed_as_they_are_read() {
        for text in ["1ms", "1500ms", "30s", "90s", "2m"] {
            assert_eq!(text.parse::<Time>().expect("a time").to_string(), text);
        }
        for text in ["1", "1000", "64Mi", "4Gi", "1536Ki"] {
            assert_eq!(text.parse::<Any>().expect("a size").to_string(), text);
        }
    }

    #[test]
    fn counts_are_within_their_bounds() {
        assert_eq!("1000".parse(), Ok(Count::<1, 1000>(1000)));
        for text in ["0", "1001", "-1", "1.0", "many", ""] {
            assert!(text.parse::<Count<1, 1000>>().is_err(), "{text}");
        }
        let error = "7".parse::<Count<8, 1000>>().expect_err("too few");
        assert!(error.contains("from 8 to 1000"), "{error}");
    }
}
