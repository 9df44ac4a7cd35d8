//! Where an object is, if the caller does not say so.

use sandbar_tool::arguments::given;
use sandbar_tool::discovery::Kind;
use sandbar_tool::tally::few;
use sandbar_tool::{Error, Metadata, Scope};
use serde::Deserialize;

/// Objects that are looked at: of one name there is at most one in a namespace.
const NAMESPACES_READ: u32 = 1000;

/// The scope of an object of this name. Without a namespace it is the only one that has such an object. Fails where several have, or
/// where that cannot be found out. Where none has, a read in every namespace says so and what is near.
pub(crate) fn find(kind: &Kind, name: &str, namespace: Option<String>) -> Result<Scope, Error> {
    #[derive(Deserialize)]
    struct Named {
        metadata: Metadata,
    }
    if !kind.namespaced {
        return Ok(Scope::Cluster);
    }
    if let Some(namespace) = given(namespace) {
        return Ok(Scope::Namespace(namespace));
    }
    let list = kind.resource.list::<Named>().with_field("metadata.name", name);
    let page = list
        .up_to(NAMESPACES_READ)
        .map_err(|error| error.context("namespace is required: where the object is cannot be found out"))?;
    // An API may not know selectors.
    let found = page.items.into_iter().map(|named| named.metadata).filter(|metadata| metadata.name == name);
    let mut namespaces: Vec<String> = found.map(|metadata| metadata.namespace).collect();
    match namespaces.len() {
        1 => Ok(Scope::Namespace(namespaces.remove(0))),
        0 => {
            let error = Error::invalid(format!("no namespace has a {} {name}{}", kind.resource, near(kind, name)));
            // Not all may have been looked into.
            Err(page.warnings.into_iter().fold(error, Error::hint))
        }
        _ => Err(Error::invalid(format!("namespace is required: there is a {} {name} in {}", kind.resource, few(&namespaces)))),
    }
}

/// Names in any namespace that are like this one. It is not worth an error.
fn near(kind: &Kind, name: &str) -> String {
    #[derive(Deserialize)]
    struct Named {
        metadata: Metadata,
    }
    let Ok(page) = kind.resource.list::<Named>().limit(Some(NAMESPACES_READ)).page() else { return String::new() };
    let alike =
        page.items.into_iter().map(|named| named.metadata).filter(|there| sandbar_tool::near::are_alike(name, &there.name));
    let alike: Vec<String> = alike.map(|there| format!("{}/{}", there.namespace, there.name)).collect();
    if alike.is_empty() { String::new() } else { format!("; near it: {}", few(&alike)) }
}
