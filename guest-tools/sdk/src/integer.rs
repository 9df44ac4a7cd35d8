//! A whole number of any size, as JSON has them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A whole number that cannot be too large: JSON has no bounds on a number, so one that an `i64` cannot hold becomes the nearest
/// that it can. `1e30` is a fine way to say "all of them"; `1.5` is refused, and so is what not even a double can hold, `1e400`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Integer(pub i64);

impl Integer {
    /// The nearest `u32`: what is negative becomes 0.
    pub fn clamp_u32(self) -> u32 {
        u32::try_from(self.0.max(0)).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl Visitor<'_> for Whole {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Integer, E> {
                if value.fract() == 0.0 {
                    // `as` goes to the nearest value, which is what this type promises.
                    Ok(Integer(value as i64))
                } else {
                    Err(E::invalid_value(Unexpected::Float(value), &self))
                }
            }
        }

        deserializer.deserialize_i64(Whole)
    }
}

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        i64::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn a_number_too_large_becomes_the_largest() {
        for (json, value) in [
            ("7", 7),
            ("-3", -3),
            ("2.0", 2),
            ("99999999999999", 99_999_999_999_999),
            ("18446744073709551615", i64::MAX),
            ("1e30", i64::MAX),
            ("-1e30", i64::MIN),
        ] {
            assert_eq!(serde_json::from_str::<Integer>(json).expect(json), Integer(value));
        }
        assert_eq!(Integer(-3).clamp_u32(), 0);
        assert_eq!(Integer(i64::MAX).clamp_u32(), u32::MAX);
    }

    #[test]
    fn a_fraction_is_refused() {
        let error = serde_json::from_str::<Integer>("1.5").expect_err("a fraction");
        assert!(error.to_string().starts_with("invalid value: floating point `1.5`, expected a whole number"), "{error}");
    }
}
