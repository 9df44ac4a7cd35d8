//! Whether each API server's clock agrees with this machine's: tokens and certificates are valid from a time to another.

use std::sync::Arc;
use std::time::Duration;

use sandbar_kubernetes::ServerClock;

use super::finding::Finding;
use super::subject::{ANSWER_TIME, ApiServer, Subject};

/// How far two clocks may be apart. A token is valid from the second in which it is made.
const APART: Duration = Duration::from_secs(5);

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    subject.of_each(of).await
}

async fn of(server: ApiServer<'_>) -> Finding {
    match server.named.cluster.clock(ANSWER_TIME).await {
        Ok(clock) => told(clock),
        Err(error) => Finding::warn(format!("it cannot be compared: {}", error.message)),
    }
}

fn told(clock: ServerClock) -> Finding {
    let (apart, where_) = match clock {
        ServerClock::Unknown => return Finding::ok("the API server does not say its time"),
        ServerClock::Ahead(apart) => (apart, "ahead of"),
        ServerClock::Behind(apart) => (apart, "behind"),
    };
    match apart > APART {
        true => Finding::fail(format!(
            "the API server's is {} s {where_} this machine's: tokens and certificates of the one are not valid yet, or not any more, for the \
             other; set both by NTP",
            apart.as_secs()
        )),
        false => Finding::ok(format!("it agrees with the API server's to {} s", APART.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn clocks_may_be_some_seconds_apart() {
        for (clock, level, said) in [
            (ServerClock::Unknown, Level::Ok, "does not say"),
            (ServerClock::Ahead(APART), Level::Ok, "agrees"),
            (ServerClock::Behind(Duration::ZERO), Level::Ok, "agrees"),
            (ServerClock::Ahead(2 * APART), Level::Fail, "10 s ahead of this machine's"),
            (ServerClock::Behind(Duration::from_secs(3600)), Level::Fail, "3600 s behind this machine's"),
        ] {
            let finding = told(clock);
            assert!(finding.level == level && finding.says.contains(said), "{finding:?}");
        }
    }
}
