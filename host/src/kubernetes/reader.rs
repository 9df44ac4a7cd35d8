//! Reads on behalf of one call: within its grant, on its budget.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::cluster::Cluster;
use super::discovery::Discovery;
use super::error::{Code, Error};
use super::exchange::ApiServer;
use super::types::{Excerpt, Health, LogSource, Page, Query, Resource, Scope};
use super::{get, health, list, log};
use crate::policy::{Budget, Exhausted, Grant};

/// Reads the cluster for one call.
///
/// Every read runs as a task of the runtime that the [`Cluster`] was connected on: parsing a page must not stand in the way of the
/// guests, nor be counted as their time. Dropping the future of a read ends the task, and with it the request.
#[derive(Clone)]
pub struct Reader {
    cluster: Cluster,
    grant: Arc<Grant>,
    budget: Arc<Budget>,
}

impl Reader {
    pub(super) fn new(cluster: Cluster, grant: Arc<Grant>, budget: Arc<Budget>) -> Self {
        Self { cluster, grant, budget }
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
        let (of, within, name, fields) = (of.clone(), within.clone(), name.to_owned(), fields.map(<[String]>::to_vec));
        self.at_home(async move |reader| get::read(&reader, &of, &within, &name, fields.as_deref()).await).await
    }

    /// Reads one page of a list.
    ///
    /// A page has 200 objects by default; a higher `limit` than the operator's is lowered without a word. It may have fewer, even
    /// none, while `continue_` is set. Its JSON is 8 MiB at most, or an eighth of the component's memory.
    pub async fn list_objects(&self, query: &Query) -> Result<Page, Error> {
        let query = query.clone();
        self.at_home(async move |reader| list::read(&reader, &query).await).await
    }

    /// Reads the end of one container's log.
    ///
    /// Without `tail_lines` that is 2,000 lines, or 20,000 with `matching`, which then drops most of them.
    pub async fn tail(&self, source: &LogSource) -> Result<Excerpt, Error> {
        let source = source.clone();
        self.at_home(async move |reader| log::tail(&reader, &source).await).await
    }

    /// Asks the API server for its version and whether it is ready. It needs no rule.
    pub async fn api_server(&self) -> Result<Health, Error> {
        self.at_home(async move |reader| health::read(reader.api(), reader.budget()).await).await
    }

    pub(super) fn api(&self) -> &ApiServer {
        self.cluster.api()
    }

    pub(super) fn discovery(&self) -> &Discovery {
        self.cluster.discovery()
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.grant
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Runs a read on the cluster's runtime, until the call's time is up.
    async fn at_home<T, W, F>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Reader) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let time = self.budget.limits().time;
        let deadline = self.budget.deadline().into();
        let work = work(self.clone());
        // The timer is made inside the task: it belongs to the runtime that it is made on.
        let task = self.cluster.home().spawn(async move { tokio::time::timeout_at(deadline, work).await });
        let task = AbortOnDropHandle::new(task);
        match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_late)) => Err(Exhausted::Time(time).into()),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_cancelled) => Err(Error::new(Code::Unavailable, "this server is shutting down")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::testing::{Answer, cluster, query, reader, resource};
    use crate::policy::{Limits, Namespaces};

    #[test]
    fn reads_can_move_between_threads() {
        fn assert_send<T: Send>(_: impl FnOnce(Reader) -> T) {}
        assert_send(|reader| async move { reader.list_objects(&query(resource("", "pods"), Scope::Cluster)).await });
        assert_send(|reader| async move { reader.get_object(&resource("", "pods"), &Scope::Cluster, "x", None).await });
        assert_send(|reader| async move { reader.tail(&LogSource::default()).await });
        assert_send(|reader| async move { reader.api_server().await });
    }

    #[test]
    fn a_read_runs_on_the_clusters_runtime_whoever_asks() {
        let home = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (cluster, _) = {
            let _home = home.enter();
            cluster(|_, _| Answer::ok(format!(r#"{{"gitVersion":"{}"}}"#, tokio::runtime::Handle::current().id())))
        };
        // A runtime without timers or I/O, as the guests' may be: whatever needs them runs at home.
        let elsewhere = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let health = elsewhere.block_on(reader(&cluster, Namespaces::All, Limits::default()).api_server());
        assert_eq!(health.expect("healthy").git_version, home.handle().id().to_string());
    }
}
