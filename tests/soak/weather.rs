//! Whether the API server is there: it is stopped and started again, and answers are judged by that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::Server;

use crate::callers::{Honest, Tally};

/// Between two outages.
const FAIR: Duration = Duration::from_secs(20);

/// How long it stays away.
const FOUL: Duration = Duration::from_secs(5);

/// The shortest soak in which there has to be an outage: time for two, since one of them may begin late.
pub(crate) const SHORTEST: Duration = Duration::from_secs(2 * (FAIR.as_secs() + FOUL.as_secs()));

/// The number of changes so far: even while the API server is there.
#[derive(Clone, Debug)]
pub(crate) struct Weather(Arc<AtomicU64>);

impl Weather {
    pub(crate) fn fair() -> Self {
        Self(Arc::default())
    }

    /// To be compared with the same later.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether the API server has been there ever since `before`.
    pub(crate) fn was_fair_since(&self, before: u64) -> bool {
        before.is_multiple_of(2) && self.now() == before
    }

    fn change(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Stops the API server and starts it again, time after time. It is there in the end.
pub(crate) async fn change_until(
    end: Instant,
    mut control_plane: ControlPlane,
    weather: Weather,
    server: Arc<Server>,
    honest: Honest,
    tally: Tally,
) -> ControlPlane {
    while Instant::now() + FAIR + FOUL < end {
        tokio::time::sleep(FAIR).await;
        weather.change();
        control_plane = tokio::task::spawn_blocking(move || {
            control_plane.stop();
            std::thread::sleep(FOUL);
            control_plane.start_again();
            control_plane
        })
        .await
        .unwrap();
        // It answers before it serves what CRDs and other API servers bring, and before kwok has the logs.
        honest.all_answer(&server).await;
        weather.change();
        tally.outage();
    }
    tokio::time::sleep(end.saturating_duration_since(Instant::now())).await;
    control_plane
}
