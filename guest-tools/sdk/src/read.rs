//! Capability: objects and lists. Events are objects too.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bindings::sandbar::kubernetes::{read as wit, types};
use crate::{Code, Error, ObjectKey, arguments, fields, host, tally};

/// An API resource as it stands in a URL and in RBAC: `apps`, `v1`, `deployments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
}

/// Where to look. The host knows which resources are namespaced; a scope that does not fit is [`Code::Invalid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A cluster-scoped resource.
    Cluster,
    /// A namespaced resource in every namespace that the operator allows. Events cannot be listed like this.
    EveryNamespace,
    /// A namespaced resource in this namespace.
    Namespace(String),
}

impl Scope {
    /// The scope of an optional argument: absent or empty means every namespace.
    pub fn or_every(namespace: Option<String>) -> Self {
        arguments::given(namespace).map_or(Self::EveryNamespace, Self::Namespace)
    }
}

impl From<&str> for Scope {
    /// This namespace.
    fn from(namespace: &str) -> Self {
        Self::Namespace(namespace.to_owned())
    }
}

impl Resource {
    /// The resource of this API group ("" is the core group), version ("" is the one that the server prefers) and plural name in
    /// lower case.
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group, version, plural }
    }

    /// Reads one object, and of it the fields that `T` reads; `serde_json::Value` reads it all.
    pub fn get<T: DeserializeOwned>(&self, within: impl Into<Scope>, name: &str) -> Result<T, Error> {
        let fields = fields::of::<T>();
        let json = host::get_object(&self.into(), &within.into().into(), name, fields.as_deref(), None)?;
        parse(&json)
    }

    /// [`get`](Self::get) for a tool whose arguments are an [`ObjectKey`]. A failure says what was read, `kind` being one of them in
    /// words: `get Service team-a/web: …`.
    pub fn get_asked<T: DeserializeOwned>(&self, kind: &str, asked: &ObjectKey) -> Result<T, Error> {
        let asked = asked.required()?;
        self.get(&*asked.namespace, &asked.name).map_err(|error| error.context(format_args!("get {kind} {asked}")))
    }

    /// A list of these objects in every namespace, of which `T` says the fields to read. Nothing is read yet.
    pub fn list<T: DeserializeOwned>(&self) -> List<T> {
        List {
            called: None,
            query: wit::Query {
                of: self.into(),
                within: types::Scope::EveryNamespace,
                label_selector: None,
                field_selector: None,
                fields: fields::of::<T>(),
                limit: None,
                continue_: None,
                more: None,
            },
            objects: PhantomData,
        }
    }
}

/// Bytes of a label's value at most, in Kubernetes.
const LABEL_VALUE_MAX: usize = 63;

/// A list that has not been read yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `page`"]
pub struct List<T> {
    query: wit::Query,
    called: Option<&'static str>,
    objects: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> List<T> {
    /// Where to look; every namespace by default.
    pub fn within(mut self, scope: impl Into<Scope>) -> Self {
        self.query.within = scope.into().into();
        self
    }

    /// Only objects with these labels: `app=web,tier!=test`. Not for what others wrote: a comma in it begins another condition.
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.query.label_selector = Some(selector.into());
        self
    }

    /// Only objects with this label, too. Fails where no label can have the value, since a selector cannot quote it.
    pub fn with_label(mut self, key: &str, value: &str) -> Result<Self, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if value.len() > LABEL_VALUE_MAX || !value.bytes().all(is_plain) {
            let value: String = value.chars().take(LABEL_VALUE_MAX).collect();
            return Err(Error::invalid(format!(
                "no label {key} is `{value}`: a label is at most {LABEL_VALUE_MAX} letters, digits, `-`, `_` and `.`"
            )));
        }
        let selector = self.query.label_selector.get_or_insert_default();
        if !selector.is_empty() {
            selector.push(',');
        }
        selector.push_str(&format!("{key}={value}"));
        Ok(self)
    }

    /// Only objects with this value in this field, where the server can select on it: `involvedObject.name` of events, for
    /// example. Calls add up: every one has to hold.
    pub fn with_field(mut self, path: &str, value: &str) -> Self {
        let selector = self.query.field_selector.get_or_insert_default();
        if !selector.is_empty() {
            selector.push(',');
        }
        selector.push_str(path);
        selector.push('=');
        for character in value.chars() {
            if matches!(character, '\\' | ',' | '=') {
                selector.push('\\');
            }
            selector.push(character);
        }
        self
    }

    /// The paths to read, in place of those that `T` reads.
    pub fn fields(mut self, paths: &[&str]) -> Self {
        self.query.fields = Some(paths.iter().map(|&path| path.to_owned()).collect());
        self
    }

    /// Objects on a page at most: none and 0 mean 200, and more than 1000, or what the operator set, means that.
    pub fn limit(mut self, objects: Option<u32>) -> Self {
        self.query.limit = objects;
        self
    }

    /// Goes on where an earlier page of the same list ended; none and "" begin it.
    pub fn after(mut self, cursor: Option<String>) -> Self {
        self.query.continue_ = arguments::given(cursor);
        self
    }

    /// What the objects are called, in the plural: a list of none then says where there are some, for which it reads once more.
    pub fn called(mut self, plural: &'static str) -> Self {
        self.called = Some(plural);
        self
    }

    /// Reads one page.
    pub fn page(self) -> Result<Page<T>, Error> {
        let mut page = read_page(&self.query)?;
        if let Some(called) = self.called
            && page.is_all_of_nothing()
            && self.query.continue_.is_none()
        {
            page.hint = Some(elsewhere(called, &self.query));
        }
        Ok(page)
    }

    /// Reads page after page to the end of the list, or to the first error. What the call may read has bounds, so a list may end
    /// in [`Code::Exhausted`].
    pub fn pages(self) -> impl Iterator<Item = Result<Page<T>, Error>> {
        let mut next = Some(self.query);
        std::iter::from_fn(move || {
            let mut query = next.take()?;
            let page = read_page(&query);
            if let Ok(Page { continue_: Some(cursor), .. }) = &page {
                query.continue_ = Some(cursor.clone());
                next = Some(query);
            }
            Some(page)
        })
    }
}

/// One page of a list, and the answer of a tool that lists.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
// What most models never read is left out of the schema: an answer is mostly read without it.
pub struct Page<T> {
    /// What is on the page. It may be less than asked for, even nothing, while there is more.
    #[schemars(description = "")]
    pub items: Vec<T>,
    /// There is more: ask again with this as the cursor, and for the rest as before.
    #[schemars(description = "")]
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continue_: Option<String>,
    /// How many follow, where that is known.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// What a reader of the page must know, such as a namespace that is missing from it.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was searched, and what is near, where nothing was found.
    #[schemars(description = "")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(item).collect(),
            continue_: self.continue_,
            remaining: self.remaining,
            warnings: self.warnings,
            hint: self.hint,
        }
    }

    /// Whether there is nothing, and no more to come.
    pub fn is_all_of_nothing(&self) -> bool {
        self.items.is_empty() && self.continue_.is_none()
    }
}

/// The part of `metadata` that names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// Its namespace; "" for a cluster-scoped object.
    #[serde(default)]
    pub namespace: String,
}

fn read_page<T: DeserializeOwned>(query: &wit::Query) -> Result<Page<T>, Error> {
    let page = host::list_objects(query)?;
    let items = parse(&page.items)?;
    Ok(Page { items, continue_: page.continue_, remaining: page.remaining, warnings: page.warnings, hint: None })
}

/// Objects that are looked at for a hint.
const LOOKED_AT: u32 = 1000;

/// Where there are objects of a kind of which the query has found none. A hint is not worth an error: where it cannot be had, it says
/// what was searched.
fn elsewhere(called: &str, query: &wit::Query) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        metadata: Metadata,
    }
    let types::Scope::Namespace(namespace) = &query.within else {
        return format!("this server finds no {called} in any namespace");
    };
    let everywhere = wit::Query {
        within: types::Scope::EveryNamespace,
        fields: fields::of::<Named>(),
        limit: Some(LOOKED_AT),
        ..query.clone()
    };
    let none = format!("there are no {called} in namespace {namespace}");
    let Ok(page) = read_page::<Named>(&everywhere) else { return none };
    let is_all = page.continue_.is_none() && page.warnings.is_empty();
    let some = tally::tally(page.items.into_iter().map(|named| named.metadata.namespace));
    match (some.is_empty(), is_all) {
        (false, _) => format!("{none}; there are some in {some}"),
        (true, true) => format!("{none}, and this server finds none in any other"),
        (true, false) => none,
    }
}

/// What the host hands over is JSON; whether it has the shape of `T` depends on the cluster.
fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::new(Code::Other, format!("the cluster's answer has an unknown shape: {error}")))
}

impl From<&Resource> for types::ApiResource {
    fn from(resource: &Resource) -> Self {
        Self { group: resource.group.into(), version: resource.version.into(), plural: resource.plural.into() }
    }
}

impl From<Scope> for types::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Cluster => Self::Cluster,
            Scope::EveryNamespace => Self::EveryNamespace,
            Scope::Namespace(name) => Self::Namespace(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Page, Resource, Scope};
    use crate::testing::{Host, page};
    use crate::{Code, Error, Metadata};

    const PODS: Resource = Resource::new("", "v1", "pods");

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Pod {
        metadata: Metadata,
    }

    fn pod(name: &str) -> Value {
        json!({ "metadata": { "name": name, "namespace": "team-a", "uid": "1" }, "spec": {} })
    }

    #[test]
    fn pages_go_to_the_end_of_the_list() {
        let host = Host::new().lists(|request| {
            assert_eq!(request.within, Scope::Namespace("team-a".to_owned()));
            match request.after.as_deref() {
                None => Ok(Page { continue_: Some("2".to_owned()), ..page([pod("a"), pod("b")]) }),
                Some("2") => Ok(Page { continue_: Some("3".to_owned()), ..page([]) }),
                Some("3") => Ok(page([pod("c")])),
                Some(other) => panic!("{other} is no cursor of this list"),
            }
        });
        let pages: Result<Vec<Page<Pod>>, Error> = host.run(|| PODS.list().within("team-a").pages().collect());
        let names: Vec<String> =
            pages.expect("pages").into_iter().flat_map(|page| page.items).map(|pod| pod.metadata.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn pages_end_at_the_first_error() {
        let host = Host::new().lists(|_| Err(Error::new(Code::Expired, "start again")));
        let pages: Vec<_> = host.run(|| PODS.list::<Pod>().pages().collect());
        assert_eq!(pages, [Err(Error::new(Code::Expired, "start again"))]);
    }

    #[test]
    fn labels_add_up_and_none_begins_another() {
        let selector = |value: &str| {
            let host =
                Host::new().lists(|request| Ok(Page { warnings: vec![request.labels.clone().unwrap_or_default()], ..page([]) }));
            let list = PODS.list::<Pod>().with_labels("app=web").with_label("example.com/of", value);
            host.run(|| list.and_then(super::List::page)).map(|page| page.warnings.concat()).map_err(|error| error.to_string())
        };
        assert_eq!(selector("a.b_c-1").as_deref(), Ok("app=web,example.com/of=a.b_c-1"));
        for value in ["a,tier=test", "a b", "a)", "ä", &"a".repeat(64)] {
            let error = selector(value).expect_err(value);
            assert!(error.starts_with("no label example.com/of is `") && error.len() < 200, "{error}");
        }
    }

    #[test]
    fn a_type_reads_its_fields_and_json_reads_them_all() {
        let host = Host::new().objects(|_| Ok(pod("a")));
        let metadata = Metadata { name: "a".to_owned(), namespace: "team-a".to_owned() };
        assert_eq!(host.run(|| PODS.get("team-a", "a")), Ok(Pod { metadata }));
        assert_eq!(host.run(|| PODS.get("team-a", "a")), Ok(pod("a")));
    }

    #[test]
    fn an_object_of_another_shape_is_an_error() {
        let host = Host::new().objects(|_| Ok(json!({ "metadata": { "name": 7 } })));
        let error = host.run(|| PODS.get::<Pod>("team-a", "a")).expect_err("a number for a name");
        assert_eq!(error.code(), Code::Other);
        assert!(error.to_string().starts_with("the cluster's answer has an unknown shape: invalid type: integer `7`"), "{error}");
    }

    #[test]
    fn a_list_of_none_says_where_there_are_some() {
        let of = |everywhere: Vec<Value>| {
            Host::new().lists(move |request| match &request.within {
                Scope::EveryNamespace => Ok(page(everywhere.clone())),
                _ => Ok(page([])),
            })
        };
        let hint = |host: &Host, within: Scope, after: Option<&str>| {
            let list = PODS.list::<Pod>().within(within).after(after.map(str::to_owned)).called("pods");
            host.run(|| list.page()).expect("a page").hint
        };
        let here = || Scope::from("team-b");
        assert_eq!(
            hint(&of(vec![pod("a"), pod("b")]), here(), None).as_deref(),
            Some("there are no pods in namespace team-b; there are some in team-a (2)")
        );
        assert_eq!(
            hint(&of(Vec::new()), here(), None).as_deref(),
            Some("there are no pods in namespace team-b, and this server finds none in any other")
        );
        assert_eq!(
            hint(&of(Vec::new()), Scope::EveryNamespace, None).as_deref(),
            Some("this server finds no pods in any namespace")
        );
        assert_eq!(hint(&of(vec![pod("a")]), Scope::EveryNamespace, None), None, "there are some");
        assert_eq!(hint(&of(vec![pod("a")]), here(), Some("2")), None, "it is only the end of the list");
        let refusing = Host::new().lists(|request| match &request.within {
            Scope::EveryNamespace => Err(Error::new(Code::Denied, "no")),
            _ => Ok(page([])),
        });
        assert_eq!(hint(&refusing, here(), None).as_deref(), Some("there are no pods in namespace team-b"));
    }

    #[test]
    fn an_empty_namespace_means_every_one() {
        assert_eq!(Scope::or_every(None), Scope::EveryNamespace);
        assert_eq!(Scope::or_every(Some(String::new())), Scope::EveryNamespace);
        assert_eq!(Scope::or_every(Some("team-a".to_owned())), Scope::Namespace("team-a".to_owned()));
    }
}
