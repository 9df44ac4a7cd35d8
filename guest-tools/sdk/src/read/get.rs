//! One object.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{owned, parse};
use crate::bindings::sandbar::kubernetes::read_many as wit;
use crate::{Error, ObjectKey, Resource, Scope, fields, host};

impl Resource {
    /// One object, of which `T` says the fields to read; `serde_json::Value` reads it all. Nothing is read yet.
    pub fn get<T: DeserializeOwned>(&self, within: impl Into<Scope>, name: impl Into<String>) -> Get<T> {
        let wanted = Wanted { of: self.clone(), within: within.into(), name: name.into(), kind: None, fields: fields::of::<T>() };
        Get { wanted, object: PhantomData }
    }

    /// [`get`](Self::get) for a tool whose arguments are an [`ObjectKey`]. A failure says what was read, `kind` being one of them in
    /// words: `get Service team-a/web: …`.
    pub fn get_asked<T: DeserializeOwned>(&self, kind: &'static str, asked: &ObjectKey) -> Result<Get<T>, Error> {
        let asked = asked.required()?;
        let mut get = self.get(Scope::Namespace(asked.namespace), asked.name);
        get.wanted.kind = Some(kind);
        Ok(get)
    }
}

/// An object that has not been read yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read`"]
pub struct Get<T> {
    pub(crate) wanted: Wanted,
    object: PhantomData<fn() -> T>,
}

/// What to read, whatever its type.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) of: Resource,
    pub(crate) within: Scope,
    pub(crate) name: String,
    /// What it is in words, where failures say what was read.
    kind: Option<&'static str>,
    fields: Option<Vec<String>>,
}

impl<T: DeserializeOwned> Get<T> {
    /// The paths to read, in place of those that `T` reads.
    pub fn fields(mut self, paths: &[&str]) -> Self {
        self.wanted.fields = owned(paths);
        self
    }

    /// Reads the object.
    pub fn read(&self) -> Result<T, Error> {
        self.wanted.json().and_then(|json| parse(&json)).map_err(|error| self.wanted.explained(error))
    }
}

impl Wanted {
    fn json(&self) -> Result<String, Error> {
        let json = host::get_object(&(&self.of).into(), &self.within.clone().into(), &self.name, self.fields.as_deref(), None)?;
        Ok(json)
    }

    pub(super) fn asked(&self) -> wit::Object {
        wit::Object {
            of: (&self.of).into(),
            within: self.within.clone().into(),
            name: self.name.clone(),
            fields: self.fields.clone(),
            more: None,
        }
    }

    pub(super) fn explained(&self, error: Error) -> Error {
        match (self.kind, &self.within) {
            (Some(kind), Scope::Namespace(namespace)) => error.context(format_args!("get {kind} {namespace}/{}", self.name)),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::Host;
    use crate::{Code, Error, Metadata, ObjectKey, Resource};

    const PODS: Resource = Resource::new("", "v1", "pods");

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Pod {
        metadata: Metadata,
    }

    fn pod(name: &str) -> Value {
        json!({ "metadata": { "name": name, "namespace": "team-a", "uid": "1" }, "spec": {} })
    }

    #[test]
    fn a_type_reads_its_fields_and_json_reads_them_all() {
        let host = Host::new().objects(|_| Ok(pod("a")));
        let metadata = Metadata { name: "a".to_owned(), namespace: "team-a".to_owned() };
        assert_eq!(host.run(|| PODS.get("team-a", "a").read()), Ok(Pod { metadata }));
        assert_eq!(host.run(|| PODS.get("team-a", "a").read()), Ok(pod("a")));
        let spec = host.run(|| PODS.get::<Value>("team-a", "a").fields(&["spec"]).read());
        assert_eq!(spec, Ok(json!({ "spec": {} })));
    }

    #[test]
    fn a_failure_of_what_was_asked_for_says_what_was_read() {
        let host = Host::new().objects(|request| Err(Error::new(Code::NotFound, request.name.clone())));
        let asked = ObjectKey { namespace: " team-a".to_owned(), name: "web ".to_owned() };
        let read = || PODS.get_asked::<Value>("pod", &asked)?.fields(&["spec"]).read();
        assert_eq!(host.run(read), Err(Error::new(Code::NotFound, "get pod team-a/web: web")));
        let nothing = ObjectKey { namespace: "team-a".to_owned(), name: String::new() };
        assert_eq!(PODS.get_asked::<Value>("pod", &nothing).expect_err("no name"), Error::invalid("name is required"));
    }

    #[test]
    fn a_resource_may_be_known_only_when_the_tool_runs() {
        let host = Host::new().objects(|request| Ok(json!(request.resource)));
        let read = |group: &str, plural: &str| {
            let resource = Resource::named(group, "v1", plural);
            let asked = host.run(|| resource.get::<Value>("team-a", "a").read());
            assert_eq!(asked, Ok(json!(resource.to_string())));
            resource
        };
        assert_eq!(read("apps", "deployments").to_string(), "deployments.apps");
        assert_eq!(read("", "pods"), PODS);
    }

    #[test]
    fn an_object_of_another_shape_is_an_error() {
        let host = Host::new().objects(|_| Ok(json!({ "metadata": { "name": 7 } })));
        let error = host.run(|| PODS.get::<Pod>("team-a", "a").read()).expect_err("a number for a name");
        assert_eq!(error.code(), Code::Other);
        assert!(error.to_string().starts_with("the cluster's answer has an unknown shape: invalid type: integer `7`"), "{error}");
    }
}
