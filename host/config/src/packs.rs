//! `bundled.packs`: which packs of bundled tools are served.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use sandbar_catalog::{Pack, PackNames};
use sandbar_text::nearest;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Unexpected, Visitor};

/// The word in the place of a list.
const AUTO: &str = "auto";

/// The pack that is served where nobody says otherwise.
const DEFAULT: &str = "coder";

/// The names of all packs.
static KNOWN: LazyLock<Vec<&str>> = LazyLock::new(|| Pack::all().iter().map(Pack::name).collect());

/// Which packs of bundled tools are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packs {
    /// Those that the cluster has something for.
    Auto,
    /// These.
    Only(PackNames),
}

impl Default for Packs {
    fn default() -> Self {
        Self::Only(KNOWN.iter().copied().filter(|name| *name == DEFAULT).collect())
    }
}

/// A pack by its name.
fn known(name: &str) -> Option<&'static str> {
    KNOWN.iter().copied().find(|known| *known == name)
}

impl FromStr for Packs {
    type Err = String;

    /// Parses the flag: names, separated by commas, or `auto`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == AUTO {
            return Ok(Self::Auto);
        }
        let names = text.split(',').map(str::trim).map(|name| {
            known(name).ok_or_else(|| match nearest(name, &KNOWN) {
                _ if name == AUTO => "`auto` stands alone: it decides about each pack".to_owned(),
                Some(nearest) => format!("{name:?} is no pack; did you mean {nearest:?}?"),
                None => format!("{name:?} is no pack; the possible ones are {}, or `auto` alone", KNOWN.join(", ")),
            })
        });
        names.collect::<Result<PackNames, String>>().map(Self::Only)
    }
}

impl<'de> Deserialize<'de> for Packs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PacksVisitor)
    }
}

struct PacksVisitor;

impl<'de> Visitor<'de> for PacksVisitor {
    type Value = Packs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of packs, as `[{DEFAULT}]`, or the word `{AUTO}`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Packs, E> {
        if text == AUTO { Ok(Packs::Auto) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Packs, A::Error> {
        let mut names = PackNames::new();
        while let Some(name) = list.next_element::<String>()? {
            if name == AUTO {
                return Err(de::Error::custom("`auto` is no pack of a list: write `packs: auto`, which decides about each"));
            }
            names.insert(known(&name).ok_or_else(|| de::Error::unknown_variant(&name, &KNOWN))?);
        }
        Ok(Packs::Only(names))
    }
}

impl JsonSchema for Packs {
    fn schema_name() -> Cow<'static, str> {
        "Packs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": AUTO }, { "type": "array", "items": { "enum": *KNOWN } }] })
    }
}
