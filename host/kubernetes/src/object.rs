//! One object as the API server sent it: parsed once, masked as a whole, and cut down to the requested fields.
//!
//! The types enforce the order. [`Object`] only identifies the object; its content comes out of [`Masked`] alone. What is masked
//! depends on the whole object and never on the requested fields, so a tool learns no more by asking for less.

mod certificate;
mod key;
mod mask;
mod private_key;
mod row;
#[cfg(test)]
mod tests;
mod tree;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;

pub(super) use mask::Mask;
pub(super) use write::Masked;

use self::tree::{DEPTH_MAX, Fault, Kind, Tree, VALUES_MAX, ValueRef};
use super::error::{Code, Error};
use super::items::malformed;

/// Bytes of an object's name or namespace. Those of the API server have 253; an aggregated one may be more generous. Lists keep the
/// names of their objects beside the page.
const NAME_MAX: usize = 1024;

/// Bytes of one object. etcd holds 1.5 MiB; an aggregated API may send more, but rarely for a single object.
pub(super) const OBJECT_MAX: usize = 8 * 1024 * 1024;

/// One object.
pub(super) struct Object<'o> {
    tree: Tree<'o>,
}

/// Identifies an object within its list.
pub(super) struct ObjectMeta<'t> {
    /// Empty for a cluster-scoped object.
    pub(super) namespace: Cow<'t, str>,
    pub(super) name: Cow<'t, str>,
    labels: Option<ValueRef<'t>>,
}

impl<'o> Object<'o> {
    /// Parses the JSON of one object.
    pub(super) fn read(json: &'o [u8]) -> Result<Self, Error> {
        let json = std::str::from_utf8(json)
            .map_err(|error| malformed(&format!("it is not UTF-8 text from byte {} on", error.valid_up_to())))?;
        let tree = Tree::parse_object(json).map_err(|fault| match fault {
            Fault::Syntax(at) => malformed(&format!("it is not JSON from byte {at} on")),
            Fault::TooDeep => malformed(&format!("an object in it nests deeper than {DEPTH_MAX} levels")),
            Fault::TooLarge => {
                Error::new(Code::TooLarge, format!("an object with more than {VALUES_MAX} keys and values cannot be read"))
            }
        })?;
        match tree.root().kind() {
            Kind::Object => Ok(Self { tree }),
            _ => Err(malformed("it is not a JSON object")),
        }
    }

    /// The object's identity.
    pub(super) fn identity(&self) -> Result<ObjectMeta<'_>, Error> {
        let metadata = self.tree.root().get("metadata").filter(|metadata| !metadata.is_null());
        let of = |key: &str| metadata.and_then(|metadata| metadata.get(key)).filter(|value| !value.is_null());
        let text = |key: &str| match of(key) {
            None => Ok(Cow::Borrowed("")),
            Some(value) if value.is_string() && value.raw().len() <= NAME_MAX => Ok(value.text()),
            Some(value) if value.is_string() => {
                Err(malformed(&format!("`metadata.{key}` has {} bytes; {NAME_MAX} is the most", value.raw().len())))
            }
            Some(_) => Err(malformed(&format!("`metadata.{key}` is not a string"))),
        };
        Ok(ObjectMeta { namespace: text("namespace")?, name: text("name")?, labels: of("labels") })
    }

    /// The object without its secrets.
    pub(super) fn masked(&self, mask: Mask) -> Masked<'_> {
        Masked::new(&self.tree, mask)
    }
}

impl ObjectMeta<'_> {
    /// The labels, as a map. Made for each object of a list with a label selector, so that each look-up takes constant time.
    pub(super) fn labels(&self) -> HashMap<Cow<'_, str>, Cow<'_, str>> {
        self.labels.into_iter().flat_map(ValueRef::entries).map(|(key, value)| (key.text(), value.text())).collect()
    }
}
