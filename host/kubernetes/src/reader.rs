//! Reads on behalf of one call: within its grant, on its budget.

use std::time::SystemTime;

use futures::FutureExt as _;
use sandbar_policy::Verb;

use super::context::ReadContext;
use super::error::Error;
use super::many::Share;
use super::types::{Excerpt, Health, LogSource, Page, Query, Resource, Scope, ServedKind, ServedKinds, TablePage, Verbs};
use super::{get, health, list, log};

/// Reads the cluster for one call.
///
/// A read is a part of its call: it runs where the call does, and what it computes, parsing and masking for example, is the call's
/// processor time. Dropping the future of a read ends its request.
#[derive(Clone)]
pub struct Reader {
    context: ReadContext,
}

impl Reader {
    pub(super) fn new(context: ReadContext) -> Self {
        Self { context }
    }

    /// The same for one of several reads.
    pub(super) fn sharing(&self, share: Share) -> Self {
        Self { context: ReadContext { share, ..self.context.clone() } }
    }

    /// Whose rights count for its reads, beside the grant: `server`, `caller` or `impersonation`.
    pub fn whose_rights(&self) -> &'static str {
        self.context.rights.whose()
    }

    /// The time in the cluster: by the clock, but of a snapshot the newest in it, so that ages are those of when it was gathered.
    pub fn now(&self) -> SystemTime {
        self.context.server.now.unwrap_or_else(SystemTime::now)
    }

    /// Reads one object as JSON, cut down to `fields` (none: everything but `metadata.managedFields`).
    ///
    /// An object is 8 MiB at most. A namespaced resource needs [`Scope::Namespace`].
    pub async fn get_object(
        &self,
        of: &Resource,
        within: &Scope,
        name: &str,
        fields: Option<&[String]>,
    ) -> Result<String, Error> {
        if let Some(noted) = &self.context.noted {
            noted.object(of, within, name);
        }
        self.in_time(get::read(&self.context, of, within, name, fields)).await
    }

    /// Reads one page of a list.
    ///
    /// A page has 200 objects by default; a higher `limit` than the operator's is lowered without a word. It may have fewer, even
    /// none, while `continue_` is set. Its JSON is 8 MiB at most, or an eighth of the component's memory.
    pub async fn list_objects(&self, query: &Query) -> Result<Page, Error> {
        if let Some(noted) = &self.context.noted {
            noted.list(query);
        }
        self.in_time(list::read(&self.context, query)).await
    }

    /// Reads one page of a list as the API server shows it to people. Of the query's fields those under `metadata` count; none: name and
    /// namespace.
    pub async fn list_table(&self, query: &Query) -> Result<TablePage, Error> {
        if let Some(noted) = &self.context.noted {
            noted.list(query);
        }
        self.in_time(list::table(&self.context, query)).await
    }

    /// Reads the end of one container's log.
    ///
    /// Without `tail_lines` that is 2,000 lines, or 20,000 with `matching`, which then drops most of them.
    pub async fn tail(&self, source: &LogSource) -> Result<Excerpt, Error> {
        if let Some(noted) = &self.context.noted {
            noted.log(source);
        }
        self.in_time(log::tail(&self.context, source)).await
    }

    /// What the cluster serves, as far as the grant allows to read some of it; each with the verbs that it allows.
    pub async fn served_kinds(&self) -> Result<ServedKinds, Error> {
        let mut served = self.in_time(self.context.wait_for(self.context.server.discovery.kinds())).await?;
        served.kinds.retain_mut(|ServedKind { resource, .. }| {
            let granted = self.context.grant.verbs(&resource.group, &resource.plural, resource.namespaced);
            resource.verbs = granted.filter(|&verb| resource.verbs.has(verb)).map(Verb::as_str).collect();
            resource.verbs != Verbs::default()
        });
        Ok(served)
    }

    /// Asks the API server for its version and whether it is ready. It needs no rule.
    pub async fn api_server(&self) -> Result<Health, Error> {
        self.in_time(health::read(&self.context.server.api, &self.context.budget)).await
    }

    /// Ends a read with the call's time. It is the runtime that keeps the time, so it does not wait for a read that computes.
    /// Not an `async fn`, which would have room for the read twice.
    fn in_time<T>(&self, read: impl Future<Output = Result<T, Error>>) -> impl Future<Output = Result<T, Error>> {
        let budget = &self.context.budget;
        tokio::time::timeout_at(budget.deadline().into(), read).map(|read| read.unwrap_or_else(|_late| Err(budget.late().into())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_policy::{Budget, Limits, Namespaces};
    use sandbar_processor::{CpuEstimate, Processors, STEP_BYTES, TestClock};

    use super::*;
    use crate::testing::{FakeAnswer, cluster, grant, query, resource};

    #[test]
    fn reads_can_move_between_threads() {
        fn assert_send<T: Send>(_: impl FnOnce(Reader) -> T) {}
        assert_send(|reader| async move { reader.list_objects(&query(resource("", "pods"), Scope::Cluster)).await });
        assert_send(|reader| async move { reader.get_object(&resource("", "pods"), &Scope::Cluster, "x", None).await });
        assert_send(|reader| async move { reader.tail(&LogSource::default()).await });
        assert_send(|reader| async move { reader.api_server().await });
        assert_send(|reader| async move { reader.list_table(&query(resource("", "pods"), Scope::Cluster)).await });
        assert_send(|reader| async move { reader.served_kinds().await });
        assert_send(|reader| async move { reader.get_many(&[]).await });
        assert_send(|reader| async move { reader.list_many(&[]).await });
        assert_send(|reader| async move { reader.tail_many(&[]).await });
    }

    #[tokio::test]
    async fn a_long_body_is_worked_on_on_a_thread_of_the_calls_own() {
        let here = std::thread::current().name().map(str::to_owned);
        for (bytes, own) in [(1, false), (STEP_BYTES / 2, false), (2 * STEP_BYTES, true), (20 * STEP_BYTES, true)] {
            let long = "x".repeat(bytes);
            let (cluster, _) = cluster(move |path, _| match path {
                path if path.contains("/log") => FakeAnswer::ok(format!("{long}\n")),
                path if path.contains("/pods/") => FakeAnswer::ok(format!(r#"{{"metadata":{{"name":"a"}},"spec":"{long}"}}"#)),
                _ => FakeAnswer::ok(format!(r#"{{"metadata":{{}},"items":[{{"metadata":{{"name":"a"}},"spec":"{long}"}}]}}"#)),
            });
            for what in ["get", "list", "log"] {
                // Its clock stands still, so that it is the size alone that decides.
                let budget = Arc::new(Budget::with_meter(TestClock::default().meter(), Limits::default()));
                let reader = cluster.reader(Arc::new(grant(Namespaces::All)), budget.clone());
                let within = Scope::Namespace("team-a".into());
                let source = LogSource { namespace: "team-a".into(), pod: "web-0".into(), ..LogSource::default() };
                let call = async move {
                    match what {
                        "get" => drop(reader.get_object(&resource("", "pods"), &within, "web-0", None).await?),
                        "list" => drop(reader.list_objects(&query(resource("", "pods"), within)).await?),
                        _ => drop(reader.tail(&source).await?),
                    }
                    Ok::<_, Error>(std::thread::current().name().map(str::to_owned))
                };
                let ended = Processors::all_but_one().run(budget.meter(), &CpuEstimate::default(), call).await.expect("no panic");
                let on = if own { Some("sandbar-call".to_owned()) } else { here.clone() };
                assert_eq!(ended, Ok(on), "{what}, {bytes} bytes");
            }
        }
    }
}
