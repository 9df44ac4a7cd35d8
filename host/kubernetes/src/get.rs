//! One object.

use sandbar_policy::{Access, Verb};

use super::context::ReadContext;
use super::error::{Code, Error};
use super::exchange::FIRST_BYTE;
use super::fields::Keep;
use super::list::page_bytes;
use super::name::{ObjectName, check_resource};
use super::object::{Mask, OBJECT_MAX, Object};
use super::place::{Asked, Target};
use super::request::Read;
use super::rights::Selectors;
use super::types::{Resource, Scope};

/// Reads one object as JSON.
pub(super) async fn read(
    context: &ReadContext,
    of: &Resource,
    within: &Scope,
    name: &str,
    fields: Option<&[String]>,
) -> Result<String, Error> {
    check_resource(of)?;
    let keep = Keep::parse(fields)?;
    let name = ObjectName::parse(name)?;
    let asked = Asked::parse(within)?;

    let served = context.wait_for(context.server.discovery.find(of)).await?;
    if !served.verbs.has(Verb::Get) {
        return Err(Error::new(
            Code::NotServed,
            format!("the cluster cannot get a single object of {of}: it only offers {}", served.verbs),
        ));
    }
    let target = asked.target(&served)?;
    if target == Target::EveryNamespace {
        return Err(Error::new(Code::Invalid, format!("namespace is required: one object of {of} lives in one namespace")));
    }
    let access = Access {
        verb: Verb::Get,
        group: &served.group,
        version: &served.version,
        resource: &served.plural,
        place: target.place(),
        name: Some(name.as_str()),
    };
    context.grant.check(&access)?;
    context.authorize(&access, Selectors::default()).await?;

    let get = Read::object(&served, target.namespace(), &name, keep.form());
    let incoming = context.ask(get, &access, FIRST_BYTE).await?;
    let body = incoming.bytes(context.share.of_held(OBJECT_MAX), "this object").await?;
    let mut kept = String::new();
    Object::read(&body)?.masked(Mask::of(&context.grant, &served)).pick(&keep, &mut kept);
    context.share.check(&kept, page_bytes(context.budget.limits()))?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use sandbar_policy::{Limits, Namespaces};

    use super::*;
    use crate::testing::{FakeAnswer, cluster, reader, resource};

    const NODE: &str = r#"{"kind":"Node","metadata":{"name":"n1","managedFields":[]},"spec":{"podCIDR":"10.0.0.0/24"}}
"#;

    async fn get(of: Resource, within: Scope, name: &str, body: impl Into<Vec<u8>>) -> (Result<String, Error>, Vec<String>) {
        let body = body.into();
        let (cluster, seen) = cluster(move |_, _| FakeAnswer::ok(body.clone()));
        let fields = ["metadata.name".to_owned(), "spec".to_owned()];
        let object = reader(&cluster, Namespaces::All, Limits::default()).get_object(&of, &within, name, Some(&fields)).await;
        (object, seen.all())
    }

    #[tokio::test]
    async fn an_object_comes_pruned() {
        let (object, asked) = get(resource("", "nodes"), Scope::Cluster, "n1", NODE).await;
        assert_eq!(object.as_deref(), Ok(r#"{"metadata":{"name":"n1"},"spec":{"podCIDR":"10.0.0.0/24"}}"#));
        assert_eq!(asked, ["/api/v1/nodes/n1"]);
    }

    #[tokio::test]
    async fn a_namespaced_object_needs_its_namespace() {
        let (object, asked) = get(resource("", "pods"), Scope::EveryNamespace, "web-0", NODE).await;
        let error = object.expect_err("no namespace");
        assert_eq!((error.code, asked.len()), (Code::Invalid, 0));
        assert_eq!(error.message, "namespace is required: one object of pods lives in one namespace");
    }

    #[tokio::test]
    async fn what_cannot_be_got_is_refused() {
        let team_a = || Scope::Namespace("team-a".into());
        for (of, within, name, code) in [
            (resource("", "secrets"), team_a(), "token", Code::Denied),
            (resource("", "pods"), team_a(), "../secrets/token", Code::Invalid),
            (resource("", "pods/proxy"), team_a(), "web-0", Code::Invalid),
            (resource("", "pods"), Scope::Cluster, "web-0", Code::Invalid),
            (resource("", "nodes"), team_a(), "n1", Code::Invalid),
            (resource("", "bindings"), team_a(), "x", Code::NotServed),
        ] {
            let (object, asked) = get(of.clone(), within, name, NODE).await;
            assert_eq!(object.expect_err("refused").code, code, "{of}");
            assert_eq!(asked, Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_object_is_an_error() {
        for body in [b"".as_slice(), b"[]", b"{", b"{}{}", b"{\"metadata\":{\"name\":\"\xff\"}}"] {
            let (object, _) = get(resource("", "nodes"), Scope::Cluster, "n1", body).await;
            assert_eq!(object.expect_err("no object").code, Code::Other);
        }
        let (object, _) = get(resource("", "nodes"), Scope::Cluster, "n1", vec![b' '; OBJECT_MAX + 1]).await;
        assert_eq!(object.expect_err("too large").message, "this object is over 8 MiB and cannot be read");
    }
}
