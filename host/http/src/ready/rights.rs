//! What the server itself may do, which is found out when somebody asks for it.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::Check;

/// What is known of the server's own rights.
pub(super) struct Rights {
    known: watch::Sender<Known>,
    asked: Notify,
}

enum Known {
    /// Nobody finds it out.
    NotFollowed,
    /// Nobody has asked before.
    NotLooked,
    Looked(Look),
}

/// What was found when somebody asked.
struct Look {
    at: Instant,
    /// How long nobody looks again.
    good_for: Duration,
    checks: Vec<Check>,
}

impl Known {
    fn is_recent(&self) -> bool {
        matches!(self, Self::Looked(look) if look.at.elapsed() < look.good_for)
    }
}

impl Look {
    /// What was found, and how long ago.
    fn describe(&self) -> Vec<Check> {
        let seconds = self.at.elapsed().as_secs();
        let aged = |words: &String| if seconds == 0 { words.clone() } else { format!("{words} ({seconds} s ago)") };
        self.checks.iter().map(|check| check.as_ref().map(aged).map_err(aged)).collect()
    }
}

impl Rights {
    pub(super) fn new() -> Self {
        Self { known: watch::Sender::new(Known::NotFollowed), asked: Notify::new() }
    }

    /// Waits until somebody wants to know them.
    pub(super) async fn asked(&self) {
        self.known.send_if_modified(|known| {
            let is_first = matches!(known, Known::NotFollowed);
            if is_first {
                *known = Known::NotLooked;
            }
            is_first
        });
        self.asked.notified().await;
    }

    /// From now on this is what is told of them, and nobody looks again for so long.
    pub(super) fn found(&self, checks: Vec<Check>, good_for: Duration) {
        self.known.send_replace(Known::Looked(Look { at: Instant::now(), good_for, checks }));
    }

    /// What was found last. Whoever asks first, or after a while, waits this long.
    pub(super) async fn describe(&self, patience: Duration) -> Vec<Check> {
        let mut known = self.known.subscribe();
        if matches!(*known.borrow(), Known::NotFollowed) {
            return Vec::new();
        }
        self.asked.notify_one();
        let _ = timeout(patience, known.wait_for(Known::is_recent)).await;
        match &*known.borrow() {
            Known::Looked(look) => look.describe(),
            Known::NotFollowed | Known::NotLooked => vec![Err("rights: they are still being looked at".to_owned())],
        }
    }
}
