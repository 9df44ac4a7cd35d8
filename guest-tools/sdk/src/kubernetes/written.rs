//! Types that JSON has as a text: `parse` reads it, and `Display` writes it.

/// Reads and writes a type as its text, and says so in schemas. `$is_not` is what is said of another text.
macro_rules! written {
    ($type:ident, $is_not:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if $crate::kubernetes::lenient::is_trace(&deserializer) {
                    return String::deserialize(deserializer).map(|_| Self::default());
                }
                // A number is its digits. Neither text has a character that JSON escapes.
                let json = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
                Self::parse(json.get().trim_matches('"')).ok_or_else(|| serde::de::Error::custom($is_not))
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                String::json_schema(generator)
            }
        }
    };
}

pub(super) use written;
