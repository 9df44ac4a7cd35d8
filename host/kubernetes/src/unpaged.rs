//! Which lists come whole, whatever `limit` is sent along: aggregated APIs may know of no pages.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::types::ServedResource;

/// How long it is remembered of a resource. A server that learns to page is found out then.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// Resources that it is remembered of. There are a few in a cluster.
const RESOURCES_MAX: usize = 256;

/// The resources whose servers were seen to send whole lists.
#[derive(Default)]
pub(super) struct Unpaged {
    seen: Mutex<HashMap<ServedResource, Instant>>,
}

impl Unpaged {
    /// Whether lists of a resource are known to come whole.
    pub(super) fn has(&self, resource: &ServedResource) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(resource).is_some_and(|since| since.elapsed() < GOOD_FOR)
    }

    /// Remembers that a list of a resource came whole.
    pub(super) fn remember(&self, resource: &ServedResource) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= RESOURCES_MAX {
            seen.retain(|_, since| since.elapsed() < GOOD_FOR);
            let oldest = seen.iter().min_by_key(|(_, since)| **since).map(|(resource, _)| resource.clone());
            if let Some(oldest) = oldest.filter(|_| seen.len() >= RESOURCES_MAX) {
                seen.remove(&oldest);
            }
        }
        // Not anew with each list, or it would never be found out.
        let since = seen.entry(resource.clone()).or_insert_with(Instant::now);
        if since.elapsed() >= GOOD_FOR {
            *since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(n: usize) -> ServedResource {
        ServedResource::new("aggregation.example", "v1", &format!("things{n}"), true, &["list"])
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_remembered_of_so_many_for_so_long() {
        let unpaged = Unpaged::default();
        for n in 0..=RESOURCES_MAX {
            unpaged.remember(&resource(n));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(!unpaged.has(&resource(0)) && unpaged.has(&resource(1)) && unpaged.has(&resource(RESOURCES_MAX)));
        tokio::time::advance(GOOD_FOR).await;
        assert!(!unpaged.has(&resource(RESOURCES_MAX)));
        unpaged.remember(&resource(RESOURCES_MAX));
        assert!(unpaged.has(&resource(RESOURCES_MAX)), "seen again");
        unpaged.remember(&resource(0));
        assert_eq!(unpaged.seen.lock().expect("not poisoned").len(), 2);
    }
}
