//! Progress notifications of a call: only of the newest report, and no more than a person can follow.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use sandbar_catalog::Progress;
use tokio::sync::watch;
use tokio::time::Instant;

use super::message::notification;

/// The least time between two notifications.
const INTERVAL: Duration = Duration::from_millis(250);

/// The notifications of one call.
pub struct Notifications {
    token: ProgressToken,
    reports: watch::Receiver<Progress>,
    /// The progress last sent. The specification wants it to grow.
    last: f64,
    /// When the next one may be sent.
    next: Instant,
}

impl Notifications {
    pub(super) fn new(token: ProgressToken, reports: watch::Receiver<Progress>) -> Self {
        Self { token, reports, last: f64::NEG_INFINITY, next: Instant::now() }
    }

    /// The next notification; none once the call is over. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            tokio::time::sleep_until(self.next).await;
            self.reports.changed().await.ok()?;
            let Progress { done, total, message } = self.reports.borrow_and_update().clone();
            if done > self.last {
                self.last = done;
                self.next = Instant::now() + INTERVAL;
                let mut params = ProgressNotificationParam::new(self.token.clone(), done);
                params.total = total;
                params.message = message;
                return Some(notification("notifications/progress", &params));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rmcp::model::RequestId;
    use serde_json::{Value, json};

    use super::*;

    fn report(done: f64) -> Progress {
        Progress { done, total: Some(9.0), message: None }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_report_is_told_and_only_if_it_is_further() {
        let sender = watch::Sender::new(Progress::default());
        let mut told = Notifications::new(ProgressToken(RequestId::Number(7)), sender.subscribe());
        assert_eq!(told.next().now_or_never(), None, "nothing was reported yet");
        sender.send_replace(report(1.0));
        sender.send_replace(report(2.0));
        let message: Value = serde_json::from_str(&told.next().await.expect("a report")).expect("JSON");
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"], json!({ "progressToken": 7, "progress": 2.0, "total": 9.0 }));
        sender.send_replace(report(2.0));
        let began = Instant::now();
        assert_eq!(tokio::time::timeout(Duration::from_secs(9), told.next()).await.ok(), None, "it stands still");
        sender.send_replace(report(3.0));
        assert!(told.next().await.is_some() && began.elapsed() >= INTERVAL);
        drop(sender);
        assert_eq!(told.next().await, None);
    }
}
