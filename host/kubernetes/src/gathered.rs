//! A body that comes a line at a time, handed on in few large pieces.
//!
//! The API server passes each line of a log on by itself. To read each from its connection, and to wake the call for it, costs more than
//! all that is done with it. So a task beside the connection gathers them, and where many come one by one it lets them come together.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// The body of an answer.
pub(super) type Answered = UnsyncBoxBody<Bytes, hyper::Error>;

/// Marks a request whose answer comes so.
#[derive(Clone, Copy, Debug)]
pub(super) struct ComesInLines;

/// Bytes that are handed on at once.
const PIECE: usize = 32 * 1024;

/// Pieces that wait to be taken.
const AHEAD: usize = 1;

/// Lines that are handed on as they come: a short log waits for nothing.
const AT_ONCE: u32 = 128;

/// If the next frame takes longer than this, it was not buffered: the connection was read for it alone.
const AT_HAND: Duration = Duration::from_micros(20);

/// How long lines come together after that one. A busy log has dozens in this time.
const PAUSE: Duration = Duration::from_millis(1);

/// A pause that has brought fewer lines was of no use: they wait in the connection, as in HTTP/1.1, and come no faster for it.
const WORTH_IT: u32 = 8;

/// The same body in larger pieces. Its task ends with it. Must be called within a tokio runtime.
pub(super) fn gathered(body: Incoming) -> Answered {
    let (pieces, taken) = mpsc::channel(AHEAD);
    let task = AbortOnDropHandle::new(tokio::spawn(gather(body, pieces)));
    let pieces = stream::unfold((taken, task), |(mut taken, task)| async move { Some((taken.recv().await?, (taken, task))) });
    StreamBody::new(pieces).boxed_unsync()
}

/// Nobody takes the pieces any more where one cannot be sent; then this task is about to be ended, too.
async fn gather(mut body: Incoming, pieces: mpsc::Sender<hyper::Result<Frame<Bytes>>>) {
    let mut piece = BytesMut::new();
    let (mut lines, mut last_pause, mut pauses) = (0_u32, 0_u32, true);
    loop {
        let asked = Instant::now();
        let next = body.frame().await;
        let was_there = asked.elapsed() < AT_HAND;
        let end = match next {
            Some(Ok(frame)) => {
                lines = lines.saturating_add(1);
                // Trailers say nothing that anybody reads.
                piece.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                None
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Ok(())),
        };
        let is_due = piece.len() >= PIECE || !was_there || end.is_some();
        if is_due && !piece.is_empty() {
            let _ = pieces.send(Ok(Frame::data(piece.split().freeze()))).await;
        }
        match end {
            None if !was_there && lines > AT_ONCE && pauses => {
                pauses = last_pause == 0 || lines - last_pause >= WORTH_IT;
                last_pause = lines;
                tokio::time::sleep(PAUSE).await;
            }
            None => {}
            Some(Ok(())) => return,
            Some(Err(error)) => {
                let _ = pieces.send(Err(error)).await;
                return;
            }
        }
    }
}
