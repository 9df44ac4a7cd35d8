//! Finding out that this machine has slept: then connections may lead nowhere, and nothing says so but silence.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::way::Way;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// By how much the clock on the wall may be ahead of the one that stands still while a machine sleeps. More than a correction of the
/// clock, and less than a connection survives.
const SLEPT: Duration = Duration::from_secs(20);

/// Both clocks at one moment.
#[derive(Clone, Copy)]
struct Moment {
    running: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { running: Instant::now(), wall: SystemTime::now() }
    }

    /// Whether the machine has slept from then until `now`.
    fn has_slept_until(self, now: Self) -> bool {
        let ran = now.running.saturating_duration_since(self.running);
        now.wall.duration_since(self.wall).is_ok_and(|passed| passed > ran + SLEPT)
    }
}

/// Counts the times that this machine wakes up, and has connections made anew before.
pub(crate) async fn watch(way: Arc<dyn Way>, woken: watch::Sender<u64>) {
    let mut before = Moment::now();
    while !woken.is_closed() {
        tokio::time::sleep(LOOK).await;
        let now = Moment::now();
        if before.has_slept_until(now) {
            tracing::info!("this machine has slept; connections are made anew");
            way.reconnect();
            woken.send_modify(|count| *count += 1);
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_what_the_wall_clock_has_seen_and_the_other_has_not() {
        let before = Moment::now();
        let later = |running: u64, wall: u64| Moment {
            running: before.running + Duration::from_secs(running),
            wall: before.wall + Duration::from_secs(wall),
        };
        assert!(before.has_slept_until(later(5, 3_600)));
        assert!(!before.has_slept_until(later(5, 5)) && !before.has_slept_until(later(3_600, 3_600)));
        assert!(!before.has_slept_until(later(5, 20)), "a correction of the clock");
        let back = Moment { running: before.running + LOOK, wall: before.wall - Duration::from_secs(3_600) };
        assert!(!before.has_slept_until(back));
    }
}
