//! Lists: a page, page after page, or as much as can be read.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{owned, parse};
use crate::bindings::sandbar::kubernetes::{read as wit, types};
use crate::{Code, Error, Metadata, Page, Resource, Scope, arguments, fields, host, tally};

impl Resource {
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

/// Objects on a page, where the operator does not set less.
const PAGE_MAX: u32 = 1000;

/// Bytes of a label's value at most, in Kubernetes.
const LABEL_VALUE_MAX: usize = 63;

/// A list that has not been read yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `page`"]
pub struct List<T> {
    pub(super) query: wit::Query,
    called: Option<Cow<'static, str>>,
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

    /// Only objects that this field selector fits: `status.phase=Running`. Not for what others wrote, as [`with_labels`](Self::with_labels).
    pub fn with_field_selector(mut self, selector: impl Into<String>) -> Self {
        self.query.field_selector = Some(selector.into());
        self
    }

    /// The paths to read, in place of those that `T` reads.
    pub fn fields(mut self, paths: &[&str]) -> Self {
        self.query.fields = owned(paths);
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
    pub fn called(mut self, plural: impl Into<Cow<'static, str>>) -> Self {
        self.called = Some(plural.into());
        self
    }

    /// Reads one page.
    pub fn page(self) -> Result<Page<T>, Error> {
        let mut page = read_page(&self.query)?;
        page.hint = self.hint(page.is_all_of_nothing());
        Ok(page)
    }

    /// Where there are some, if this was all there is of the list.
    pub(super) fn hint(&self, is_nothing: bool) -> Option<String> {
        let called = self.called.as_deref().filter(|_| is_nothing && self.query.continue_.is_none())?;
        Some(elsewhere(called, &self.query))
    }

    /// Reads page after page until there are this many objects, and answers what it has got as one page. Whatever ended it early,
    /// the number or an error, is the last of the warnings, and `continue` goes on from there where that is possible. Only where the
    /// first page fails is there nothing to answer. Each page has as many objects as [`limit`](Self::limit) says, or as can be.
    pub fn up_to(self, objects: u32) -> Result<Page<T>, Error> {
        let Self { mut query, called, .. } = self;
        let begins = query.continue_.is_none();
        let on_page = query.limit.filter(|&limit| limit > 0).unwrap_or(PAGE_MAX);
        let most = objects.max(1);

        query.limit = Some(on_page.min(most));
        let mut all = read_page::<T>(&query)?;
        while let Some(cursor) = &all.continue_ {
            let read = u32::try_from(all.items.len()).unwrap_or(u32::MAX);
            if read >= most {
                all.warnings.push(format!("only the first {read} objects were read, and there are more"));
                break;
            }
            query.limit = Some(on_page.min(most - read));
            query.continue_ = Some(cursor.clone());
            match read_page::<T>(&query) {
                Ok(page) => {
                    all.items.extend(page.items);
                    (all.continue_, all.remaining) = (page.continue_, page.remaining);
                    add_new(&mut all.warnings, page.warnings);
                }
                Err(error) => {
                    if error.code() == Code::Expired {
                        all.continue_ = None;
                    }
                    all.warnings.push(format!("only the first {read} objects could be read: {error}"));
                    break;
                }
            }
        }
        if let Some(called) = called
            && begins
            && all.is_all_of_nothing()
            && all.warnings.is_empty()
        {
            all.hint = Some(elsewhere(&called, &query));
        }
        Ok(all)
    }

    /// Reads page after page to the end of the list, or to the first error. What the call may read has bounds, so a list may end
    /// in [`Code::Exhausted`]: [`up_to`](Self::up_to) keeps what was read before.
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

fn read_page<T: DeserializeOwned>(query: &wit::Query) -> Result<Page<T>, Error> {
    Page::read(host::list_objects(query)?)
}

impl<T: DeserializeOwned> Page<T> {
    pub(super) fn read(page: wit::Page) -> Result<Self, Error> {
        let wit::Page { items, continue_, remaining, warnings, .. } = page;
        Ok(Self { items: parse(&items)?, continue_, remaining, warnings, hint: None })
    }
}

/// What one page warns of, another may, too.
fn add_new(all: &mut Vec<String>, warnings: Vec<String>) {
    for warning in warnings {
        if !all.contains(&warning) {
            all.push(warning);
        }
    }
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
    let namespace = match &query.within {
        types::Scope::Namespace(namespace) => namespace,
        types::Scope::EveryNamespace => return format!("this server finds no {called} in any namespace"),
        types::Scope::Cluster => return format!("this server finds no {called}"),
    };
    let everywhere = wit::Query {
        within: types::Scope::EveryNamespace,
        fields: fields::of::<Named>(),
        limit: Some(LOOKED_AT),
        continue_: None,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Host, page};
    use crate::{Code, Error, Metadata, Page, Resource, Scope};

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

    /// Seven pods on pages of three at most; the second page ends in `error`.
    fn seven(error: Option<Code>) -> Host {
        Host::new().lists(move |request| {
            let from = request.after.as_deref().map_or(0, |cursor| cursor.parse().expect("a cursor of this list"));
            if let (3, Some(code)) = (from, error) {
                return Err(Error::new(code, "no more"));
            }
            let to = 7.min(from + request.limit.unwrap_or_default().min(3));
            Ok(Page {
                continue_: (to < 7).then(|| to.to_string()),
                remaining: Some(7 - to),
                warnings: vec!["team-b does not answer".to_owned()],
                ..page((from..to).map(|number| pod(&number.to_string())))
            })
        })
    }

    /// How many were read, how to go on, and the last of the warnings.
    fn read(host: &Host, objects: u32) -> (usize, Option<String>, String) {
        let mut page = host.run(|| PODS.list::<Pod>().up_to(objects)).expect("a page");
        let last = page.warnings.pop().expect("a warning");
        assert!(page.warnings.iter().all(|warning| warning == "team-b does not answer"), "{:?}", page.warnings);
        assert!(page.warnings.len() < 2, "each warning is there once");
        (page.items.len(), page.continue_, last)
    }

    #[test]
    fn a_list_is_read_up_to_a_number_and_what_is_missing_is_said() {
        let own = "team-b does not answer".to_owned();
        assert_eq!(read(&seven(None), 100), (7, None, own.clone()));
        assert_eq!(read(&seven(None), 7), (7, None, own));
        let cut = |read: u32| format!("only the first {read} objects were read, and there are more");
        assert_eq!(read(&seven(None), 4), (4, Some("4".to_owned()), cut(4)));
        assert_eq!(read(&seven(None), 0), (1, Some("1".to_owned()), cut(1)));
    }

    #[test]
    fn what_was_read_before_an_error_is_kept() {
        let words = "only the first 3 objects could be read: no more".to_owned();
        assert_eq!(read(&seven(Some(Code::Exhausted)), 100), (3, Some("3".to_owned()), words.clone()));
        assert_eq!(read(&seven(Some(Code::Expired)), 100), (3, None, words), "an expired list begins anew");
        let host = Host::new().lists(|_| Err(Error::new(Code::Denied, "no")));
        assert_eq!(host.run(|| PODS.list::<Pod>().up_to(100)), Err(Error::new(Code::Denied, "no")));
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
        assert_eq!(hint(&of(Vec::new()), Scope::Cluster, None).as_deref(), Some("this server finds no pods"));
        let all = of(Vec::new()).run(|| PODS.list::<Pod>().called("pods").up_to(9)).expect("a page");
        assert_eq!(all.hint.as_deref(), Some("this server finds no pods in any namespace"));
        assert_eq!(hint(&of(vec![pod("a")]), Scope::EveryNamespace, None), None, "there are some");
        assert_eq!(hint(&of(vec![pod("a")]), here(), Some("2")), None, "it is only the end of the list");
        let refusing = Host::new().lists(|request| match &request.within {
            Scope::EveryNamespace => Err(Error::new(Code::Denied, "no")),
            _ => Ok(page([])),
        });
        assert_eq!(hint(&refusing, here(), None).as_deref(), Some("there are no pods in namespace team-b"));
    }
}
