//! The way back of a call: plain JSON, whose head goes out before the answer is there if that takes long, or a stream of events for
//! whoever is told of progress.
//!
//! A client whose connection is silent for long gives up, and so do proxies. So after a while the head goes out, and behind it white
//! space until the answer is there, which JSON allows. A stream could not carry every answer: the official Python client refuses an
//! event of more than 1,048,576 bytes, and plain JSON of no size.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use rmcp::model::{ErrorData, JsonRpcError, RequestId};
use sandbar_mcp::Notifications;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::HttpResponse;
use super::events::{comment, event, event_stream, unbuffered};
use super::lease::{Lease, Outgoing, Part};
use super::media::{JSON, Takes};
use super::outlive::Work;
use super::rejection::{Rejection, json, typed};

/// How long an answer may take until its head goes out without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the first report of a call's progress may take. After that its answer is plain JSON, and nothing is told of its progress.
const FIRST_REPORT: Duration = Duration::from_secs(5);

/// Time between two signs of life: less than the most impatient clients and proxies wait.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A call that has ended.
pub(super) struct Ended {
    /// Its response; none where its client has taken the call back.
    pub(super) response: Option<sandbar_mcp::Response>,
    /// What it holds until that is sent.
    pub(super) lease: Lease,
}

/// A call on its way.
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) work: Work<Ended>,
    /// What it tells of its progress, where somebody waits for that.
    pub(super) progress: Option<Notifications>,
}

/// Answers a call as its client takes it.
pub(super) async fn answer(mut running: Running, takes: Takes) -> HttpResponse {
    let began = Instant::now();
    if let Ok(ended) = timeout(PATIENCE, &mut running.work).await {
        return soon(ended, &running.id, takes);
    }
    if !takes.events {
        running.progress = None;
    }
    let first = match &mut running.progress {
        Some(progress) if takes.json => tokio::select! {
            biased;
            ended = &mut running.work => return soon(ended, &running.id, takes),
            report = progress.next() => report,
            () = sleep_until(began + FIRST_REPORT) => None,
        },
        _ => None,
    };
    if first.is_some() || !takes.json { streamed(running, first) } else { spaced(running) }
}

/// An answer within the patience.
fn soon(ended: Ended, id: &RequestId, takes: Takes) -> HttpResponse {
    let Ended { response, lease } = ended;
    match response {
        Some(response) if takes.json => json(StatusCode::OK, response.text, lease),
        Some(response) => event_stream(Outgoing::whole(event(&response.text), lease)),
        // A call that was taken back has no answer, and a stream can end without one.
        None if takes.events => event_stream(Outgoing::default()),
        None => json(StatusCode::OK, taken_back(id), lease),
    }
}

/// JSON that is not there yet.
fn spaced(running: Running) -> HttpResponse {
    let last_words = failed(&running.id);
    let parts = stream::unfold((Some(running), true), |(running, is_first)| async move {
        let mut running: Running = running?;
        let ended = if is_first { None } else { timeout(KEEP_ALIVE, &mut running.work).await.ok() };
        let Some(Ended { response, lease }) = ended else {
            return Some((Bytes::from_static(b" ").into(), (Some(running), false)));
        };
        let text = response.map_or_else(|| taken_back(&running.id), |response| response.text);
        Some((Part { bytes: text.into(), lease }, (None, false)))
    });
    unbuffered(typed(StatusCode::OK, JSON, Outgoing::parts(parts, last_words)))
}

/// A stream of events that begins with a report of the call's progress, if there is one yet, and ends with its response.
fn streamed(running: Running, first: Option<String>) -> HttpResponse {
    let last_words = event(&failed(&running.id));
    let opening = first.map_or_else(|| comment("the call is running"), |report| event(&report));
    let parts = stream::unfold((Some(running), Some(opening)), |(running, opening)| async move {
        let mut running: Running = running?;
        if let Some(opening) = opening {
            return Some((Part::from(opening), (Some(running), None)));
        }
        let bytes = tokio::select! {
            biased;
            Ended { response, lease } = &mut running.work => {
                let bytes = response.map_or_else(Bytes::new, |response| event(&response.text));
                return Some((Part { bytes, lease }, (None, None)));
            }
            report = next_report(&mut running.progress) => event(&report),
            () = sleep(KEEP_ALIVE) => comment(""),
        };
        Some((bytes.into(), (Some(running), None)))
    });
    event_stream(Outgoing::parts(parts, last_words))
}

/// The next report of a call's progress. Where none is to come, it never does.
async fn next_report(progress: &mut Option<Notifications>) -> String {
    if let Some(notifications) = progress
        && let Some(report) = notifications.next().await
    {
        return report;
    }
    std::future::pending().await
}

/// What answers a call that was taken back, where something has to.
fn taken_back(id: &RequestId) -> String {
    let error = ErrorData::internal_error("the call was cancelled", None);
    sandbar_mcp::Response::error(&JsonRpcError::new(Some(id.clone()), error)).text
}

fn failed(id: &RequestId) -> String {
    sandbar_mcp::Response::error(&Rejection::failed(Some(id.clone())).error).text
}

#[cfg(test)]
mod tests {
    use http::header;
    use http_body_util::BodyExt;
    use tokio_util::task::TaskTracker;

    use super::*;

    const BOTH: Takes = Takes { json: true, events: true };
    const JSON_ONLY: Takes = Takes { json: true, events: false };
    const EVENTS_ONLY: Takes = Takes { json: false, events: true };

    /// A call that takes so long and answers so.
    fn later(after: Duration, text: &str) -> Running {
        let response = Some(sandbar_mcp::Response { text: text.to_owned(), error: None });
        let work = Work::ending(async move {
            sleep(after).await;
            Ended { response, lease: Lease::default() }
        });
        Running { id: RequestId::Number(7), work, progress: None }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Type and body.
    async fn read(response: HttpResponse) -> (String, String) {
        let kind = response.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (kind, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_soon_has_a_length_and_what_is_not_has_white_space_before_it() {
        let soon = answer(later(seconds(1), "{}"), BOTH).await;
        assert_eq!(http_body::Body::size_hint(soon.body()).exact(), Some(2));
        assert_eq!(read(soon).await, (JSON.to_owned(), "{}".to_owned()));
        for takes in [BOTH, JSON_ONLY] {
            let began = Instant::now();
            let late = answer(later(seconds(20), "{\"id\":7}"), takes).await;
            assert_eq!(began.elapsed(), PATIENCE, "the head does not wait");
            assert_eq!(read(late).await, (JSON.to_owned(), "    {\"id\":7}".to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_of_any_size_comes_whole_however_late() {
        let text = format!("{{\"result\":\"{}\"}}", "x".repeat(5 << 20));
        for takes in [BOTH, EVENTS_ONLY] {
            let (_, body) = read(answer(later(seconds(3), &text), takes).await).await;
            assert!(body.contains(&text));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_events_only_gets_the_answer_as_one() {
        for (after, before) in [(1, ""), (3, ": the call is running\n\n"), (9, ": the call is running\n\n:\n\n")] {
            let (kind, body) = read(answer(later(seconds(after), "{}"), EVENTS_ONLY).await).await;
            assert_eq!(kind, "text/event-stream");
            assert_eq!(body, format!("{before}event: message\ndata: {{}}\n\n"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_taken_back_has_no_answer_unless_its_head_is_out() {
        let back = |after| Running {
            work: Work::ending(async move {
                sleep(seconds(after)).await;
                Ended { response: None, lease: Lease::default() }
            }),
            ..later(seconds(0), "")
        };
        assert_eq!(read(answer(back(1), BOTH).await).await, ("text/event-stream".to_owned(), String::new()));
        let (kind, body) = read(answer(back(3), BOTH).await).await;
        let message: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((kind.as_str(), &message["id"]), (JSON, &serde_json::json!(7)));
        assert!(message["error"]["message"].as_str().expect("words").contains("cancelled"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_panics_late_has_an_answer_and_is_not_run_again() {
        let running = TaskTracker::new();
        for takes in [BOTH, EVENTS_ONLY] {
            let work = Work::outliving(
                async {
                    sleep(seconds(3)).await;
                    assert!(Instant::now().elapsed() > seconds(1), "on purpose");
                    Ended { response: None, lease: Lease::default() }
                },
                &running,
            );
            let (_, body) = read(answer(Running { work, ..later(seconds(0), "") }, takes).await).await;
            assert!(body.contains("-32603") && body.contains("\"id\":7") && !body.contains("on purpose"), "{body}");
        }
        assert!(running.is_empty());
    }
}
