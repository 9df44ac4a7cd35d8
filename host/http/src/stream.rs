//! The two streams on which a server speaks by itself, to say that a list of tools, prompts or resources has changed: a GET in the era of
//! sessions, `subscriptions/listen` in the newer one.
//!
//! Nothing is queued and nothing is kept for a client that is away: a session's id says which lists it began with, and the id of an
//! event which lists it announced. So a stream that opens, on any replica, knows what its client has missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Method, StatusCode};
use rmcp::model::RequestId;
use sandbar_catalog::ListDigest;
use sandbar_mcp::{Change, Changes, Era, Server, Subscription, Version, list_changed};
use sandbar_policy::Account;
use sandbar_processor::{FairPermit, FairSemaphore, NoPermit, Share};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::HttpResponse;
use super::events::{comment, event, event_stream};
use super::headers::{PROTOCOL_VERSION, SESSION_ID, only_text};
use super::lease::{Outgoing, Part};
use super::media::Takes;
use super::rejection::{MCP_METHODS, Rejection};
use super::session::SessionKeys;

/// Open streams of both eras together, half of them for one caller. Each takes some 11 KiB: this many fit beside the memory of the calls.
const STREAMS: usize = 1_000;

/// When a client that found no room should try again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Time between two comments on a silent stream, so that proxies and port-forwards keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The streams that are open.
#[derive(Clone)]
pub(super) struct Streams {
    places: FairSemaphore,
    newest: Arc<Mutex<HashMap<String, Newest>>>,
}

/// The newest stream of a session.
struct Newest {
    superseded: CancellationToken,
    place: FairPermit,
}

/// A session's stream. Dropping it makes room.
struct Stream {
    streams: Streams,
    session: String,
    superseded: CancellationToken,
}

impl Default for Streams {
    fn default() -> Self {
        Self { places: FairSemaphore::new(Share::Half, STREAMS, 0), newest: Arc::default() }
    }
}

impl Streams {
    /// Those that are open, and as many as may be.
    pub(super) fn open_now(&self) -> (usize, usize) {
        (self.places.taken(), self.places.permits())
    }

    /// Room for one more stream of this caller.
    fn place(&self, caller: &Account) -> Result<FairPermit, NoPermit> {
        self.places.try_acquire(caller, 1)
    }

    /// Opens the stream of a session, which is the caller's. One that is open ends, since a message must not come twice and a client that opens another has
    /// lost the first, and its place goes to the new one.
    fn open(&self, session: &str, caller: &Account) -> Result<Stream, NoPermit> {
        let superseded = CancellationToken::new();
        let mut newest = self.lock();
        let place = match newest.remove(session) {
            Some(older) => {
                older.superseded.cancel();
                older.place
            }
            None => self.place(caller)?,
        };
        newest.insert(session.to_owned(), Newest { superseded: superseded.clone(), place });
        Ok(Stream { streams: self.clone(), session: session.to_owned(), superseded })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Newest>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut newest = self.streams.lock();
        // A stream that was superseded has left its place to the one that is there now.
        if !self.superseded.is_cancelled() {
            newest.remove(&self.session);
        }
    }
}

/// Answers a GET: the stream of a session.
pub(super) fn get(
    streams: &Streams,
    sessions: &SessionKeys,
    server: &Server,
    method: &Method,
    headers: &HeaderMap,
    caller: &Account,
) -> Result<HttpResponse, Rejection> {
    let header = |name| only_text(headers, name).map_err(|error| Rejection::of_http(StatusCode::BAD_REQUEST, error.message));
    let is_modern = header(PROTOCOL_VERSION)?.and_then(Version::parse).is_some_and(|version| version.era() == Era::Modern);
    // A HEAD comes here, too, and must not end the stream that is open.
    if is_modern || method != Method::GET {
        let words = "there is nothing to GET here: POST your requests, `subscriptions/listen` for a stream";
        return Err(Rejection::of_method(MCP_METHODS, words));
    }
    let Some(id) = header(SESSION_ID)? else {
        let words = "there is no stream without a session: `initialize` first, and send the Mcp-Session-Id";
        return Err(Rejection::of_method(MCP_METHODS, words));
    };
    let session = sessions.open(id, caller).ok_or_else(Rejection::unknown_session)?;
    if !Takes::of(headers).events {
        let words = "the stream is one of events: send `Accept: text/event-stream`";
        return Err(Rejection::of_http(StatusCode::NOT_ACCEPTABLE, words));
    }
    let stream = streams.open(id, caller).map_err(|why| no_room(None, why))?;
    let known = header("last-event-id")?.map_or(session.lists, ListDigest::from);
    Ok(event_stream(Outgoing::parts(events(stream, server.changes_since(known)), "")))
}

/// Answers `subscriptions/listen`, where there is room.
pub(super) fn listen(streams: &Streams, caller: &Account, subscription: Subscription) -> Result<HttpResponse, Rejection> {
    let place = streams.place(caller).map_err(|why| no_room(Some(subscription.id().clone()), why))?;
    let opening = stream::once(std::future::ready(event(&subscription.acknowledgement())));
    let rest = stream::unfold((Some(subscription), place), |(subscription, place)| async move {
        let mut subscription: Subscription = subscription?;
        Some(match timeout(KEEP_ALIVE, subscription.next()).await {
            Ok(Some(message)) => (event(&message), (Some(subscription), place)),
            Ok(None) => (event(&subscription.response().text), (None, place)),
            Err(_) => (comment(""), (Some(subscription), place)),
        })
    });
    Ok(event_stream(Outgoing::parts(opening.chain(rest).map(Part::from), "")))
}

fn no_room(id: Option<RequestId>, why: NoPermit) -> Rejection {
    let have = match why {
        NoPermit::Taken => format!("this server has {STREAMS} streams open, and no room for more"),
        NoPermit::LeftToOthers { held } => {
            format!("you have {held} of this server's {STREAMS} streams, and the rest is left to other callers")
        }
    };
    let words = format!("{have}; requests are served without one");
    Rejection::no_room(id, RETRY_AFTER, words)
}

/// The events of a session's stream, each made when the client is ready to take it.
fn events(stream: Stream, changes: Changes) -> impl stream::Stream<Item = Part> + Send {
    // A comment at once, so that proxies pass the headers on.
    let opening = stream::once(async { comment("the lists are watched") });
    opening.chain(stream::unfold((stream, changes), next_event)).map(Part::from)
}

async fn next_event((stream, mut changes): (Stream, Changes)) -> Option<(Bytes, (Stream, Changes))> {
    let event = tokio::select! {
        biased;
        () = stream.superseded.cancelled() => return None,
        changed = timeout(KEEP_ALIVE, changes.next()) => match changed {
            Ok(Some(change)) => told(&change),
            Ok(None) => return None,
            Err(_) => comment(""),
        },
    };
    Some((event, (stream, changes)))
}

/// The events of a change. Only the last has an id: whoever has not had all of them is told of all again.
fn told(Change { lists, digest }: &Change) -> Bytes {
    let message = |offer| format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, list_changed(offer));
    let event = |offer| format!("event: message\ndata: {}\n\n", message(offer));
    let events: Vec<String> = lists.iter().map(|offer| event(*offer)).collect();
    let (last, before) = events.split_last().map_or(("", &events[..]), |(last, before)| (last.as_str(), before));
    format!("{}id: {}\n{last}", before.concat(), digest.as_str()).into()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// The streams that everybody may open yet.
    fn free(streams: &Streams) -> usize {
        std::iter::from_fn(|| streams.place(&Account::Anonymous).ok()).collect::<Vec<_>>().len()
    }

    #[test]
    fn the_newest_stream_of_a_session_ends_the_others_and_takes_their_place() {
        let streams = Streams::default();
        let open = |session| streams.open(session, &Account::Anonymous).expect("room");
        let (first, other) = (open("s"), open("t"));
        let second = open("s");
        assert!(first.superseded.cancelled().now_or_never().is_some());
        assert!(second.superseded.cancelled().now_or_never().is_none());
        assert!(other.superseded.cancelled().now_or_never().is_none());
        assert_eq!((free(&streams), streams.open_now()), (STREAMS - 2, (2, STREAMS)));
        drop(first);
        assert!(streams.lock().contains_key("s"), "the one that was superseded does not take the newer one along");
        drop((second, other));
        assert_eq!(free(&streams), STREAMS);
        assert!(streams.lock().is_empty());
    }

    #[test]
    fn streams_are_bounded_and_a_session_that_has_one_may_open_it_anew() {
        let streams = Streams::default();
        let everybody = &Account::Anonymous;
        let open: Vec<_> = (0..STREAMS).map(|number| streams.open(&number.to_string(), everybody).expect("room")).collect();
        assert!(streams.open("another", everybody).is_err() && streams.place(everybody).is_err());
        assert!(streams.open("7", everybody).is_ok());
        drop(open);
        assert!(streams.open("another", everybody).is_ok());
    }

    #[test]
    fn a_caller_with_half_of_the_streams_leaves_the_rest_to_others() {
        let streams = Streams::default();
        let [greedy, other] = ["greedy", "other"].map(|name| Account::User(name.into()));
        let mut open: Vec<_> = (0..STREAMS / 4).map(|number| streams.open(&number.to_string(), &greedy).expect("room")).collect();
        let listening: Vec<_> = (0..STREAMS / 4).map(|_| streams.place(&greedy).expect("room")).collect();
        assert_eq!(streams.place(&greedy).err(), Some(NoPermit::LeftToOthers { held: STREAMS / 2 }), "of both eras together");
        let words = no_room(None, NoPermit::LeftToOthers { held: STREAMS / 2 }).error.error.message;
        assert!(words.starts_with("you have 500 of this server's 1000 streams"), "{words}");
        open.push(streams.open("7", &greedy).expect("in the place of an older one"));
        let _others = (streams.open("of another", &other).expect("room"), streams.place(&other).expect("room"));
        drop((open, listening));
        assert!(streams.place(&greedy).is_ok());
    }
}
