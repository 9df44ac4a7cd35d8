//! Those who are told what a server does, if anybody is: what counts for Prometheus, and the page for people.

use std::sync::Arc;

use sandbar_catalog::{Catalog, Loader, Problem};
use sandbar_config::Config;
use sandbar_kubernetes::RequestObserver;
use sandbar_metrics::{ComponentState, Metrics, Reload};
use sandbar_page::Page;
use sandbar_traces::Traces;

use super::page::{component, page_problem};

/// Who is told. By default nobody is.
#[derive(Clone, Default)]
pub(super) struct Observers {
    pub(super) metrics: Option<Arc<Metrics>>,
    pub(super) page: Option<Arc<Page>>,
    pub(super) traces: Option<Arc<Traces>>,
}

impl Observers {
    /// Who is told of requests to API servers.
    pub(super) fn of_requests(&self) -> Option<Arc<dyn RequestObserver>> {
        self.metrics.clone().map(|metrics| metrics as _)
    }

    /// A loader whose calls they are told of.
    pub(super) fn told_by(&self, mut loader: Loader) -> Loader {
        if let Some(metrics) = &self.metrics {
            loader = loader.observed_by(metrics.clone());
        }
        if let Some(page) = &self.page {
            loader = loader.observed_by(page.clone());
        }
        if let Some(traces) = &self.traces {
            loader = loader.observed_by(traces.clone());
        }
        loader
    }

    /// From now on this catalog is served. Said before the first call of it ends.
    pub(super) fn serves(&self, catalog: &Catalog) {
        if let Some(metrics) = &self.metrics {
            metrics.serves(catalog);
        }
        if let Some(page) = &self.page {
            page.serves(catalog.components().iter().map(|served| component(served)).collect());
        }
    }

    /// These components are not served as they are, and `notices` are to be said beside that.
    pub(super) fn not_served<'p>(
        &self,
        config: &Config,
        problems: impl Iterator<Item = &'p Problem> + Clone,
        notices: Vec<String>,
    ) {
        if let Some(metrics) = &self.metrics {
            let waiting = problems.clone().filter(|problem| problem.reason.is_compiling()).count();
            metrics.components(ComponentState::Waiting, waiting);
            metrics.components(ComponentState::Failed, problems.clone().count() - waiting);
        }
        if let Some(page) = &self.page {
            page.problems(problems.map(|problem| page_problem(config, problem)).collect(), notices);
        }
    }

    /// A changed sandbar.yaml is in force.
    pub(super) fn applied(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.reloaded(Reload::Applied);
        }
        self.unchanged();
    }

    /// sandbar.yaml is again what is in force.
    pub(super) fn unchanged(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.config_valid(true);
        }
        if let Some(page) = &self.page {
            page.refused(None);
        }
    }

    /// A changed sandbar.yaml is not in force, and why.
    pub(super) fn refused(&self, why: &str) {
        if let Some(metrics) = &self.metrics {
            metrics.reloaded(Reload::Refused);
        }
        if let Some(page) = &self.page {
            page.refused(Some(why));
        }
    }
}
