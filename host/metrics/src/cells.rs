//! Series that differ in labels of closed sets. Each is made when it first counts something, and found without a lock from then on.

use std::hash::Hash;
use std::sync::OnceLock;

use prometheus_client::metrics::family::{Family, MetricConstructor};

/// The series of one family, by a number that stands for their labels.
pub(super) struct Cells<M>(Box<[OnceLock<M>]>);

impl<M: Clone> Cells<M> {
    /// Room for so many.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| OnceLock::new()).collect())
    }

    /// The one of this number, which has these labels.
    pub(super) fn get<L, C>(&self, at: usize, family: &Family<L, M, C>, labels: impl Fn(usize) -> L) -> &M
    where
        L: Clone + Hash + Eq,
        C: MetricConstructor<M>,
    {
        self.0[at].get_or_init(|| family.get_or_create_owned(&labels(at)))
    }

    /// Takes all of them out of their family.
    pub(super) fn remove_from<L, C>(&self, family: &Family<L, M, C>, labels: impl Fn(usize) -> L)
    where
        L: Clone + Hash + Eq,
        C: MetricConstructor<M>,
    {
        for (at, _) in self.0.iter().enumerate().filter(|(_, cell)| cell.get().is_some()) {
            family.remove(&labels(at));
        }
    }
}
