//! A stream of events, read as they arrive.

use serde_json::Value;

use crate::http::Reply;
use crate::in_time;

/// An open stream. Dropping it closes its connection.
#[derive(Debug)]
pub struct Events {
    reply: Reply,
    unread: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Its message.
    pub message: Value,
}

impl Events {
    /// The events of an answer.
    ///
    /// # Panics
    /// When it is no stream of events.
    pub fn of(reply: Reply) -> Self {
        assert!(reply.status == 200 && reply.is_event_stream(), "no stream of events: {reply:?}");
        Self { reply, unread: String::new() }
    }

    /// The next event; none at the end of the stream. Comments are passed over.
    ///
    /// # Panics
    /// When the stream breaks off, or nothing comes.
    pub async fn next(&mut self) -> Option<Event> {
        // As a whole: comments keep a silent stream alive.
        in_time("an event", self.read()).await
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let event = event(block);
                self.unread = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let part = self.reply.part().await?;
            self.unread.push_str(std::str::from_utf8(&part).expect("an event is not cut within a character"));
        }
    }
}

/// The event of a block of lines; none where they are comments.
fn event(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_start);
    let message = serde_json::from_str(field("data")?).unwrap_or_else(|error| panic!("no JSON ({error}): {block:?}"));
    Some(Event { id: field("id").map(str::to_owned), message })
}
