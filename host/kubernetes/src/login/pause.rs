//! Pauses between attempts that fail.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after a login that failed or was refused. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause. Somebody who has just logged in elsewhere does not want to wait longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A growing pause.
#[derive(Debug, Default)]
pub(super) struct Pause {
    times: u32,
    until: Option<Instant>,
}

impl Pause {
    pub(super) fn left(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Starts the next pause. If none was needed for long enough, it is short again.
    pub(super) fn lengthen(&mut self) {
        if self.until.is_some_and(|until| until.elapsed() > LONGEST_PAUSE) {
            self.times = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.times.min(8)).min(LONGEST_PAUSE);
        self.times += 1;
        self.until = Some(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_they_are_needed_and_begin_anew_when_none_was_for_long() {
        for between in [1, 100, 900, 2_100, 9_000] {
            let (mut pause, mut runs) = (Pause::default(), 0);
            let end = Instant::now() + Duration::from_secs(120);
            while Instant::now() < end {
                if pause.left().is_zero() {
                    pause.lengthen();
                    runs += 1;
                }
                tokio::time::advance(Duration::from_millis(between)).await;
            }
            assert!((5..=16).contains(&runs), "{runs} runs, asked each {between} ms");
            tokio::time::advance(2 * LONGEST_PAUSE + Duration::from_millis(1)).await;
            pause.lengthen();
            assert_eq!(pause.left(), FIRST_PAUSE);
        }
    }
}
