//! How the API server's clock is set beside this machine's. Tokens and certificates count from a time to another, so two machines that
//! disagree refuse each other.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use sandbar_policy::Budget;

use super::error::Error;
use super::exchange::{ApiServer, FIRST_BYTE};
use super::request::ApiRequest;

/// Requests for it: one, and its retry.
const REQUESTS: u32 = 2;

/// Bytes of a time as HTTP has it, `Sun, 06 Nov 1994 08:49:37 GMT`, and some room.
const DATE_BYTES: usize = 64;

/// What a time as HTTP has it leaves out.
const SECOND: Duration = Duration::from_secs(1);

/// Clock skew of an API server, less the round-trip time and the sub-second part that an HTTP date drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerClock {
    /// It does not say.
    Unknown,
    /// It is the same, or ahead by this.
    Ahead(Duration),
    /// It is behind by this.
    Behind(Duration),
}

impl ServerClock {
    /// A clock that says `said` somewhere between these.
    fn of(said: SystemTime, sent: SystemTime, arrived: SystemTime) -> Self {
        match (said.duration_since(arrived), sent.duration_since(said + SECOND)) {
            (Ok(ahead), _) => Self::Ahead(ahead),
            (_, Ok(behind)) => Self::Behind(behind),
            _ => Self::Ahead(Duration::ZERO),
        }
    }
}

/// Asks `/version`, which is static: what counts is when it was answered.
pub(super) async fn read(api: &ApiServer, time: Duration) -> Result<ServerClock, Error> {
    let budget = Budget::outside_calls(time, REQUESTS);
    let sent = SystemTime::now();
    let answer = api.ask(&ApiRequest::fixed("/version"), &budget, FIRST_BYTE).await.map_err(Error::from)?;
    let arrived = SystemTime::now();
    let said = answer.date.as_ref().and_then(date);
    Ok(said.map_or(ServerClock::Unknown, |said| ServerClock::of(said, sent, arrived)))
}

fn date(header: &HeaderValue) -> Option<SystemTime> {
    let text = header.to_str().ok().filter(|text| text.len() <= DATE_BYTES)?;
    let time: Timestamp = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::testing::{FakeAnswer, cluster};

    #[test]
    fn a_time_is_read_as_http_has_it() {
        let read = |text: &str| date(&HeaderValue::from_str(text).expect("a value"));
        let time = read("Sun, 06 Nov 1994 08:49:37 GMT").expect("a time");
        assert_eq!(time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs(), 784_111_777);
        for text in ["", "yesterday", &format!("Sun, 06 Nov 1994 08:49:37 {}", "G".repeat(1 << 16))] {
            assert_eq!(read(text), None, "{text:.40}");
        }
    }

    #[test]
    fn what_the_way_takes_is_no_difference() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (sent, arrived) = (at(1000), at(1004));
        for (said, clock) in [
            (at(1002), ServerClock::Ahead(Duration::ZERO)),
            (at(1004), ServerClock::Ahead(Duration::ZERO)),
            (at(1010), ServerClock::Ahead(Duration::from_secs(6))),
            // It was that time, and up to a second more.
            (at(999), ServerClock::Behind(Duration::ZERO)),
            (at(990), ServerClock::Behind(Duration::from_secs(9))),
        ] {
            assert_eq!(ServerClock::of(said, sent, arrived), clock);
        }
    }

    #[tokio::test]
    async fn a_server_need_not_say_its_time_and_has_to_be_there() {
        let (silent, _) = cluster(|_, _| FakeAnswer::ok("{}"));
        assert_eq!(silent.clock(Duration::from_secs(5)).await, Ok(ServerClock::Unknown));
        let none = crate::Cluster::none("nobody is to be asked");
        let error = none.clock(Duration::from_secs(5)).await.expect_err("none");
        assert_eq!((error.code, error.message.as_str()), (Code::Unavailable, "nobody is to be asked"));
    }
}
