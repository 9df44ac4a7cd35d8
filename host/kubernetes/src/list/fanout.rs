//! A list over every namespace that the operator allows: one namespace after the other, under one cursor.
//!
//! So a list works where RBAC grants single namespaces only. A namespace that does not answer is a warning, because it must not
//! hide the others; only if none answers it is an error.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Bound;
use std::time::Duration;

use sandbar_policy::Budget;

use super::Gathered;
use super::cursor::{Cursor, Position};
use super::page::Size;
use super::single::{Listing, Part};
use crate::error::{Code, Error};
use crate::exchange::{FIRST_BYTE, Failure};
use crate::name::Namespace;
use crate::rights::only_some;

/// The part of the call's time that is kept for handing the page out: with less than this left, no further namespace is asked.
const TIME_KEPT: u32 = 8;

/// Reads one page across the namespaces.
pub(super) async fn read(
    listing: &Listing<'_>,
    allowed: &BTreeSet<String>,
    cursor: Option<Cursor>,
    size: Size,
) -> Result<Gathered, Error> {
    if allowed.is_empty() {
        return Err(Error::new(
            Code::Denied,
            "this server may not look into any namespace; the operator can allow some with `namespaces`",
        ));
    }
    let cursor = cursor.unwrap_or(Cursor { namespace: None, position: Position::Start, answered: false });
    let from = cursor.namespace.as_deref().map_or(Bound::Unbounded, Bound::Included);
    let last = allowed.last().map(String::as_str);
    let mut page = Fanout { gathered: Gathered::empty(), size, answered: cursor.answered, asked: 0, first_error: None };
    let mut position = cursor.position;

    for name in allowed.range::<str, _>((from, Bound::Unbounded)) {
        // Only the namespace that the cursor names is entered in its middle.
        let position = match cursor.namespace.as_deref() == Some(name) {
            true => std::mem::replace(&mut position, Position::Start),
            false => Position::Start,
        };
        let resumed = position != Position::Start;
        let Some(room) = page.room(&listing.context.budget) else {
            return page.stop_at(name, position);
        };
        match page.ask(listing, name, position.clone(), room).await {
            Ok(part) => {
                let next = part.next.clone();
                let remaining = part.remaining.filter(|_| last == Some(name));
                page.add(part);
                if let Some(next) = next {
                    page.gathered.remaining = remaining;
                    return page.stop_at(name, next);
                }
            }
            Err(Failure::Forbidden(error)) if !resumed => page.leave_out(listing, error)?,
            Err(failure) => match Error::from(failure) {
                error if page.asked > 0 && can_wait(error.code) => return page.stop_at(name, position),
                // In the middle of a list nothing is skipped: the same cursor can be tried again.
                error if resumed || concerns_the_call(error.code) => return Err(error),
                error => page.skip(name, error),
            },
        }
        page.asked += 1;
    }
    page.end()
}

/// Failures that a next call may not see, so the page ends before the namespace instead of leaving it out.
fn can_wait(code: Code) -> bool {
    matches!(code, Code::Exhausted | Code::Throttled)
}

/// Failures that every other namespace would repeat.
fn concerns_the_call(code: Code) -> bool {
    matches!(code, Code::Exhausted | Code::Throttled | Code::Invalid)
}

/// The page while it is filled.
struct Fanout {
    gathered: Gathered,
    size: Size,
    /// A namespace has answered, here or on an earlier page.
    answered: bool,
    /// Namespaces that this page has dealt with.
    asked: u32,
    first_error: Option<Error>,
}

impl Fanout {
    /// What may still come onto the page; none: the page ends here. The first namespace is always asked, so every page gets on.
    fn room(&self, budget: &Budget) -> Option<Size> {
        let taken = u32::try_from(self.gathered.count).unwrap_or(u32::MAX);
        let objects = NonZeroU32::new(self.size.objects.get().saturating_sub(taken))?;
        let bytes = self.size.bytes.saturating_sub(self.gathered.json.len() + 1);
        let spent = bytes == 0 || !budget.may_sweep() || budget.remaining() < budget.limits().time / TIME_KEPT;
        (self.asked == 0 || !spent).then_some(Size { objects, bytes })
    }

    async fn ask(&self, listing: &Listing<'_>, name: &str, position: Position, room: Size) -> Result<Part, Failure> {
        let namespace = Namespace::parse(name)?;
        // A namespace whose API hangs leaves time for the others.
        let first_byte: Duration = FIRST_BYTE.min(listing.context.budget.remaining() / 2);
        let listing = Listing { is_swept: self.asked > 0, ..*listing };
        let answer = listing.part(Some(&namespace), position, room, first_byte).await;
        match answer {
            // It is not the object that is too large, but the room that is left.
            Err(Failure::Failed(error)) if error.code == Code::TooLarge && self.gathered.count > 0 => {
                Err(Error { code: Code::Exhausted, ..error }.into())
            }
            answer => answer,
        }
    }

    fn add(&mut self, part: Part) {
        self.answered = true;
        if !part.json.is_empty() {
            if !self.gathered.json.is_empty() {
                self.gathered.json.push(',');
            }
            self.gathered.json.push_str(&part.json);
        }
        self.gathered.count += part.count;
        if self.gathered.columns.is_empty() {
            self.gathered.columns = part.columns;
        }
        part.warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    fn warn(&mut self, warning: String) {
        if !self.gathered.warnings.contains(&warning) {
            self.gathered.warnings.push(warning);
        }
    }

    /// A namespace in which the caller may not list.
    fn leave_out(&mut self, listing: &Listing<'_>, error: Error) -> Result<(), Error> {
        if let Some(whom) = listing.context.rights.impersonated()? {
            self.warn(only_some(whom.user(), listing.access.resource));
        }
        self.first_error.get_or_insert(error);
        Ok(())
    }

    fn skip(&mut self, name: &str, error: Error) {
        self.gathered.warnings.push(format!("namespace {name} is missing here: {}", error.message));
        self.first_error.get_or_insert(error);
    }

    /// The page, to be continued.
    fn stop_at(mut self, name: &str, position: Position) -> Result<Gathered, Error> {
        if let Some(error) = self.first_error.take_if(|error| !self.answered && error.code == Code::Unavailable) {
            // Nobody has answered so far: that is an outage, and a cursor would only lead through the rest of it.
            return Err(error);
        }
        self.gathered.next = Some(Cursor { namespace: Some(name.to_owned()), position, answered: self.answered });
        Ok(self.gathered)
    }

    /// The last page.
    fn end(self) -> Result<Gathered, Error> {
        match self.first_error {
            Some(error) if !self.answered => Err(error),
            _ => Ok(self.gathered),
        }
    }
}

#[cfg(test)]
mod tests {
    use sandbar_policy::Limits;

    use crate::Cluster;
    use crate::error::{Code, Error};
    use crate::testing::{FakeAnswer, allowed, cluster, list, names, parameter, query, reader, resource};
    use crate::types::{Page, Query, Scope};

    fn pods() -> Query {
        query(resource("", "pods"), Scope::EveryNamespace)
    }

    fn namespace(path: &str) -> &str {
        path.split(['/', '?']).nth(4).expect("a namespace")
    }

    /// A server that pages: namespace `a` has three pods, `c` has two, every other none.
    fn honest(path: &str) -> FakeAnswer {
        let all: &[&str] = match namespace(path) {
            "a" => &["a1", "a2", "a3"],
            "c" => &["c1", "c2"],
            _ => &[],
        };
        let limit: usize = parameter(path, "limit").and_then(|limit| limit.parse().ok()).expect("a limit");
        let from: usize = parameter(path, "continue").map_or(0, |token| token.parse().expect("ours"));
        let to = all.len().min(from + limit);
        list(namespace(path), &all[from..to], Some(to.to_string().as_str()).filter(|_| to < all.len()))
    }

    fn no_control_plane() -> FakeAnswer {
        FakeAnswer::with_status(503, "no eligible CoderControlPlane")
    }

    fn forbidden(path: &str) -> FakeAnswer {
        FakeAnswer::status(403, "Forbidden", &format!("no pods in {} for you", namespace(path)), serde_json::json!({}))
    }

    async fn page(cluster: &Cluster, allow: &[&str], query: &Query, limits: &Limits) -> Result<Page, Error> {
        reader(cluster, allowed(allow), limits.clone()).list_objects(query).await
    }

    /// Reads to the end, each page on a budget of its own.
    async fn pages(cluster: &Cluster, allow: &[&str], limit: u32, limits: &Limits) -> Vec<Page> {
        let mut query = Query { limit: Some(limit), ..pods() };
        let mut pages = Vec::new();
        loop {
            let page = page(cluster, allow, &query, limits).await.expect("a page");
            query.continue_ = page.continue_.clone();
            pages.push(page);
            if query.continue_.is_none() {
                return pages;
            }
        }
    }

    fn read(pages: &[Page]) -> Vec<Vec<String>> {
        pages.iter().map(|page| names(&page.items)).collect()
    }

    #[tokio::test]
    async fn pages_fill_up_across_namespaces() {
        let (cluster, seen) = cluster(|path, _| honest(path));
        let all = pages(&cluster, &["c", "a", "b"], 2, &Limits::default()).await;
        assert_eq!(read(&all), [vec!["a1", "a2"], vec!["a3", "c1"], vec!["c2"]]);
        assert_eq!(
            all.iter().map(|page| page.remaining).collect::<Vec<_>>(),
            [None, Some(3), None],
            "known in the last namespace"
        );
        assert!(seen.all().iter().all(|path| path.starts_with("/api/v1/namespaces/")), "{:?}", seen.all());
    }

    #[tokio::test]
    async fn the_namespaces_of_a_page_count_as_one_request() {
        let (cluster, seen) = cluster(|path, _| honest(path));
        let limits = Limits { requests: 1, ..Limits::default() };
        let all = pages(&cluster, &["a", "b", "c"], 100, &limits).await;
        assert_eq!(read(&all), [["a1", "a2", "a3", "c1", "c2"]]);
        assert_eq!(seen.count(), 3);
    }

    #[tokio::test]
    async fn a_page_ends_where_the_namespaces_of_its_call_do() {
        let (cluster, seen) = cluster(|path, _| list(namespace(path), &[], None));
        let names: Vec<String> = (0..2_100).map(|n| format!("n{n:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let first = page(&cluster, &names, &pods(), &Limits::default()).await.expect("a page");
        assert_eq!(seen.count(), 2_001);
        let rest = Query { continue_: first.continue_, ..pods() };
        assert_eq!(page(&cluster, &names, &rest, &Limits::default()).await.expect("the rest").continue_, None);
        assert_eq!(seen.count(), 2_100);
    }

    #[tokio::test]
    async fn a_namespace_that_does_not_answer_is_a_warning() {
        let (cluster, _) = cluster(|path, _| match namespace(path) {
            "a" => no_control_plane(),
            "b" => forbidden(path),
            _ => honest(path),
        });
        let all = pages(&cluster, &["a", "b", "c"], 100, &Limits::default()).await;
        assert_eq!(read(&all), [["c1", "c2"]]);
        assert_eq!(
            all[0].warnings,
            [
                "namespace a is missing here: the API behind /api/v1/namespaces/a/pods does not answer (503 from the API server: no eligible CoderControlPlane)",
                "namespace b is missing here: no pods in b for you (`sandbar rbac` prints the roles that this server needs)"
            ]
        );
    }

    #[tokio::test]
    async fn if_no_namespace_answers_it_is_the_first_ones_error() {
        let (cluster, _) = cluster(|path, _| match namespace(path) {
            "a" => forbidden(path),
            _ => no_control_plane(),
        });
        let error = page(&cluster, &["a", "b"], &pods(), &Limits::default()).await.expect_err("none");
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::Denied, "no pods in a for you (`sandbar rbac` prints the roles that this server needs)")
        );
    }

    #[tokio::test]
    async fn a_later_page_of_failures_alone_is_still_a_page() {
        let (cluster, _) = cluster(|path, _| if namespace(path) == "a" { honest(path) } else { forbidden(path) });
        let all = pages(&cluster, &["a", "b"], 3, &Limits::default()).await;
        assert_eq!(read(&all), [vec!["a1", "a2", "a3"], vec![]]);
        assert_eq!(
            all[1].warnings,
            ["namespace b is missing here: no pods in b for you (`sandbar rbac` prints the roles that this server needs)"]
        );
    }

    #[tokio::test]
    async fn an_outage_is_an_error_and_not_a_page_of_warnings() {
        let (cluster, _) = cluster(|_, _| no_control_plane());
        let limits = Limits { requests: 1, ..Limits::default() };
        let error = page(&cluster, &["a", "b", "c"], &pods(), &limits).await.expect_err("an outage");
        assert_eq!(error.code, Code::Unavailable);
    }

    #[tokio::test]
    async fn a_failure_in_the_middle_of_a_namespace_loses_nothing() {
        let (cluster, seen) = cluster(|path, request| if request == 1 { no_control_plane() } else { honest(path) });
        let query = Query { limit: Some(2), ..pods() };
        let first = page(&cluster, &["a", "c"], &query, &Limits::default()).await.expect("first");
        let query = Query { continue_: first.continue_, ..query };
        let error = page(&cluster, &["a", "c"], &query, &Limits::default()).await.expect_err("down for a moment");
        assert_eq!(error.code, Code::Unavailable);
        let again = page(&cluster, &["a", "c"], &query, &Limits::default()).await.expect("the same cursor");
        assert_eq!(names(&again.items), ["a3", "c1"], "{:?}", seen.all());
    }

    #[tokio::test]
    async fn a_bad_selector_is_not_a_namespaces_fault() {
        let (cluster, seen) =
            cluster(|_, _| FakeAnswer::status(400, "BadRequest", "unable to parse requirement", serde_json::json!({})));
        let query = Query { label_selector: Some("a=b".into()), ..pods() };
        let error = page(&cluster, &["a", "b"], &query, &Limits::default()).await.expect_err("invalid");
        assert_eq!((error.code, seen.count()), (Code::Invalid, 1));
    }

    #[tokio::test]
    async fn an_empty_allowlist_allows_nothing() {
        let (cluster, seen) = cluster(|path, _| honest(path));
        let error = page(&cluster, &[], &pods(), &Limits::default()).await.expect_err("nothing");
        assert_eq!((error.code, seen.count()), (Code::Denied, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_hangs_leaves_time_for_the_others() {
        let (cluster, _) = cluster(|path, _| if namespace(path) == "a" { FakeAnswer::Silence } else { honest(path) });
        let all = pages(&cluster, &["a", "c"], 100, &Limits::default()).await;
        assert_eq!(read(&all), [["c1", "c2"]]);
        assert!(all[0].warnings[0].contains("did not answer within 10 s"), "{:?}", all[0].warnings);
    }
}
