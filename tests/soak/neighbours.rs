//! What a server talks to beside API servers, and that comes and goes.

mod collector;
mod registry;

pub(crate) use collector::CollectorOfTraces;
pub(crate) use registry::ComponentsOfRegistry;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::callers::Tally;

/// How long a neighbour stays, and how long it is away.
const STAYS: Duration = Duration::from_secs(20);
const AWAY: Duration = Duration::from_secs(10);

/// Somebody whom a server talks to while it serves.
pub(crate) trait Neighbour {
    /// Is there from now on, at the address that it has always had.
    async fn come(&mut self);
    /// Is not there any more.
    async fn go(&mut self);
    /// Something happens that the server needs it for, or would.
    async fn happen(&mut self, round: u64, is_there: bool);
    /// The server has done by now what it could not do, or has done without.
    async fn made_up_for(&mut self);
}

/// Has a neighbour come and go. It is there in the beginning and in the end, and something happens each time.
pub(crate) async fn come_and_go_until(end: Instant, mut neighbour: impl Neighbour, tally: Tally) {
    for round in 0.. {
        neighbour.happen(2 * round, true).await;
        neighbour.made_up_for().await;
        if Instant::now() + STAYS + AWAY > end {
            return;
        }
        tokio::time::sleep(STAYS).await;
        neighbour.go().await;
        neighbour.happen(2 * round + 1, false).await;
        tokio::time::sleep(AWAY).await;
        neighbour.come().await;
        neighbour.made_up_for().await;
        tally.visits.fetch_add(1, Ordering::Relaxed);
    }
}
