//! One object.

use super::error::{Code, Error};
use super::exchange::FIRST_BYTE;
use super::fields::Keep;
use super::items::{OBJECT_MAX, check_single_value};
use super::name::{ObjectName, check_resource};
use super::place::{Asked, Target};
use super::prune::{prune, text};
use super::reader::Reader;
use super::request::Get;
use super::types::{Resource, Scope};
use crate::policy::{Access, Verb};

/// Reads one object as JSON.
pub(super) async fn read(
    reader: &Reader,
    of: &Resource,
    within: &Scope,
    name: &str,
    fields: Option<&[String]>,
) -> Result<String, Error> {
    check_resource(of)?;
    let keep = Keep::parse(fields)?;
    let name = ObjectName::parse(name)?;
    let asked = Asked::parse(within)?;

    let served = reader.discovery().find(of).await?;
    if !served.verbs.iter().any(|verb| verb == Verb::Get.as_str()) {
        return Err(Error::new(
            Code::NotServed,
            format!("the cluster cannot get a single object of {of}: it only offers {}", served.verbs.join(", ")),
        ));
    }
    let target = asked.target(&served)?;
    if target == Target::EveryNamespace {
        return Err(Error::new(Code::Invalid, format!("namespace is required: one object of {of} lives in one namespace")));
    }
    reader.grant().check(&Access {
        verb: Verb::Get,
        group: &served.group,
        resource: &served.plural,
        place: target.place(),
        name: Some(name.as_str()),
    })?;

    let get = Get::object(&served, target.namespace(), &name);
    let incoming = reader.api().get(&get, reader.budget(), FIRST_BYTE).await?;
    let body = incoming.bytes(OBJECT_MAX, "this object").await?;
    check_single_value(&body)?;
    let mut kept = String::new();
    prune(text(&body)?, &keep, &mut kept)?;
    Ok(kept)
}
