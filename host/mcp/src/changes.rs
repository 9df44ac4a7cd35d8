//! Changes of the lists of tools, prompts and resources, as one client is notified of them. How they are sent depends on the era; this
//! does not.

use std::sync::Arc;

use sandbar_catalog::{Catalog, ListDigest, Offer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The changes of the lists for one client.
pub struct Changes {
    catalogs: watch::Receiver<Arc<Catalog>>,
    known: ListDigest,
    ending: CancellationToken,
}

/// A change of some of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which lists have changed.
    pub lists: Vec<Offer>,
    /// What the client knows now.
    pub digest: ListDigest,
}

impl Changes {
    /// For a client that has the lists `known`; it is notified at once if those are not the current ones. Ends with `ending`.
    pub(super) fn new(catalogs: watch::Receiver<Arc<Catalog>>, known: ListDigest, ending: CancellationToken) -> Self {
        Self { catalogs, known, ending }
    }

    /// Waits until a list differs from the one that the client knows, which it then replaces. None: no more changes follow.
    /// Several changes at once are one, and one that was reverted is none. Cancel-safe.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            let digest = self.catalogs.borrow_and_update().digest().clone();
            let lists = digest.differing(&self.known);
            if !lists.is_empty() {
                self.known = digest.clone();
                return Some(Change { lists, digest });
            }
            tokio::select! {
                changed = self.catalogs.changed() => changed.ok()?,
                () = self.ending.cancelled() => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// A client that does not know the empty list.
    fn client(catalogs: &watch::Sender<Arc<Catalog>>, ending: &CancellationToken) -> Changes {
        Changes::new(catalogs.subscribe(), ListDigest::from("another"), ending.clone())
    }

    #[test]
    fn a_list_that_the_client_does_not_know_is_told_once() {
        let (catalogs, ending) = (watch::Sender::<Arc<Catalog>>::default(), CancellationToken::new());
        let mut changes = client(&catalogs, &ending);
        let change = Change { lists: vec![Offer::Tool], digest: Catalog::default().digest().clone() };
        assert_eq!(changes.next().now_or_never(), Some(Some(change)));
        assert_eq!(changes.next().now_or_never(), None);
        catalogs.send_replace(Arc::default());
        assert_eq!(changes.next().now_or_never(), None, "another catalog with the same list is no change");
    }

    #[test]
    fn it_ends_with_the_server() {
        let (catalogs, ending) = (watch::Sender::<Arc<Catalog>>::default(), CancellationToken::new());
        let mut changes = client(&catalogs, &ending);
        ending.cancel();
        assert!(changes.next().now_or_never().flatten().is_some(), "what is to be told is told before");
        assert_eq!(changes.next().now_or_never(), Some(None));
    }
}
